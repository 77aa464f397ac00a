//! A function for each kind of event, named as the AsyncAPI contract names its operations, called once for each event.
//! Works with any server that runs on tokio (with its timer): headers and body in, the answer out. With axum it is a route.
//!
//! An event whose function fails, or takes longer than the patience allows, is answered with 500 and comes again; one that was
//! dealt with is answered with 200.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use switchhook_protocol::Kind;
use tokio::task::{spawn, spawn_blocking};
use tokio::time::timeout;

use crate::Receiver;
use crate::journal::JournalError;
use crate::labels::Labels;
use crate::received::Received;
use crate::refusal::Refusal;
use crate::repeats::{Claim, Repeats, Turn};

/// Error of a handler, of any type.
pub type HandlerError = Box<dyn Error + Send + Sync>;

type Outcome = Result<(), HandlerError>;

type Handler = Box<dyn Fn(Received) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

/// Verifies, drops repeats, and calls the function of the event's kind.
#[derive(Clone)]
pub struct Handlers(Arc<Inner>);

struct Inner {
    receiver: Receiver,
    repeats: Arc<Repeats>,
    /// In the order of [`Kind::ALL`].
    of_kind: [Option<Handler>; Kind::ALL.len()],
    otherwise: Option<Handler>,
    report: Box<dyn Fn(&Trouble) + Send + Sync>,
    patience: Duration,
}

/// Answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// A line for the sender's log; nothing secret, nothing of what went wrong inside.
    pub message: String,
    /// Value for `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
}

/// Reason for which an event was not handled, for the receiver's own log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The request was refused.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The handler failed or panicked; the event comes again.
    #[error("the handler failed: {0}")]
    Failed(HandlerError),
    /// The handler had no end within this time and was dropped; the event comes again.
    #[error("the handler took longer than {} s", .0.as_secs_f64())]
    TookTooLong(Duration),
    /// The event was dealt with, but that cannot be written down; the event comes again.
    #[error("the event was handled, but may be handled again")]
    NotRemembered(#[source] JournalError),
}

impl Handlers {
    /// Default time limit of a handler.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    /// Begins without any function: every event that is right is answered with 200 and passed over.
    #[must_use]
    pub fn new(receiver: Receiver, repeats: Arc<Repeats>) -> Self {
        Self(Arc::new(Inner {
            receiver,
            repeats,
            of_kind: Default::default(),
            otherwise: None,
            report: Box::new(|_| ()),
            patience: Self::PATIENCE,
        }))
    }

    /// Called with each call event.
    #[must_use]
    pub fn receive_call_event<F>(self, handler: impl Fn(Received) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.on(Kind::Call, boxed(handler))
    }

    /// Called with each message, and each new status of one.
    #[must_use]
    pub fn receive_sms_event<F>(self, handler: impl Fn(Received) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.on(Kind::Sms, boxed(handler))
    }

    /// Called with each new status of an agent.
    #[must_use]
    pub fn receive_agent_status_event<F>(
        self,
        handler: impl Fn(Received) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.on(Kind::AgentStatus, boxed(handler))
    }

    /// Called with each change of a contact.
    #[must_use]
    pub fn receive_contact_event<F>(self, handler: impl Fn(Received) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.on(Kind::Contact, boxed(handler))
    }

    /// Called with each entry of the change log.
    #[must_use]
    pub fn receive_change_log_event<F>(self, handler: impl Fn(Received) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.on(Kind::Changelog, boxed(handler))
    }

    /// Called with each event that no other function is for, those of no known kind included.
    #[must_use]
    pub fn receive_other_event<F>(mut self, handler: impl Fn(Received) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.inner().otherwise = Some(boxed(handler));
        self
    }

    /// Called with whatever goes wrong, to be logged.
    #[must_use]
    pub fn report(mut self, report: impl Fn(&Trouble) + Send + Sync + 'static) -> Self {
        self.inner().report = Box::new(report);
        self
    }

    /// Sets the time limit of a handler, which is [`Self::PATIENCE`] by default. A handler that takes longer is dropped where
    /// it waits, so that its event can come again.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.inner().patience = patience;
        self
    }

    /// Takes a request: its labels and its whole body, whatever its `Content-Type`. Returns when the event was dealt
    /// with. A handler that has begun goes on even if nobody waits for the answer any more.
    pub async fn receive(&self, labels: Labels, content: &[u8]) -> Answer {
        let received = self.0.receiver.receive_labelled(labels, content);
        self.deal_with(received).await
    }

    /// Receiver that checks requests before a handler is called.
    #[cfg(feature = "axum")]
    pub(crate) fn receiver(&self) -> &Receiver {
        &self.0.receiver
    }

    /// Answers a request that was checked, after its event was dealt with.
    pub(crate) async fn deal_with(&self, received: Result<Received, Refusal>) -> Answer {
        let event = match received {
            Ok(event) => event,
            Err(refusal) => return self.refuse(refusal),
        };
        match self.0.repeats.begin(event.repeat_key()) {
            Turn::Repeat => Answer::new(200, "a repeat"),
            Turn::UnderWay => Answer {
                retry_after: Some(5),
                ..Answer::new(503, "this event is being handled")
            },
            Turn::First(claim) => {
                let inner = Arc::clone(&self.0);
                match spawn(async move { inner.handle(event, claim).await }).await {
                    Ok(answer) => answer,
                    Err(panicked) => self.0.fail(panicked.into()),
                }
            }
        }
    }

    /// The answer to a request whose body could not be taken as a whole; see [`Handlers::report`].
    #[must_use]
    pub fn refuse(&self, refusal: Refusal) -> Answer {
        let answer = Answer::new(refusal.answer_status(), refusal.to_string());
        (self.0.report)(&Trouble::Refused(refusal));
        answer
    }

    fn on(mut self, kind: Kind, handler: Handler) -> Self {
        self.inner().of_kind[kind as usize] = Some(handler);
        self
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::get_mut(&mut self.0).expect("handlers are set before the whole is cloned and shared")
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = Kind::ALL.iter().zip(&self.0.of_kind);
        let kinds = kinds
            .filter(|(_, handler)| handler.is_some())
            .map(|(kind, _)| kind.route());
        f.write_str("Handlers")?;
        f.debug_list().entries(kinds).finish()
    }
}

impl Inner {
    async fn handle(&self, event: Received, claim: Claim) -> Answer {
        let own = event
            .kind
            .and_then(|kind| self.of_kind.get(kind as usize)?.as_ref());
        if let Some(handler) = own.or(self.otherwise.as_ref()) {
            match timeout(self.patience, handler(event)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return self.fail(error),
                Err(_) => return self.not_handled(&Trouble::TookTooLong(self.patience)),
            }
        }
        // Waits for the disk, which must not hold up other tasks.
        match spawn_blocking(|| claim.done()).await {
            Ok(Ok(())) => Answer::new(200, "received"),
            Ok(Err(error)) => {
                (self.report)(&Trouble::NotRemembered(error));
                Answer::new(500, "the event could not be recorded")
            }
            Err(panicked) => self.fail(panicked.into()),
        }
    }

    fn fail(&self, error: HandlerError) -> Answer {
        self.not_handled(&Trouble::Failed(error))
    }

    fn not_handled(&self, trouble: &Trouble) -> Answer {
        (self.report)(trouble);
        Answer::new(500, "the event could not be handled")
    }
}

impl Answer {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            retry_after: None,
        }
    }
}

fn boxed<F>(handler: impl Fn(Received) -> F + Send + Sync + 'static) -> Handler
where
    F: Future<Output = Outcome> + Send + 'static,
{
    Box::new(move |event| Box::pin(handler(event)))
}
