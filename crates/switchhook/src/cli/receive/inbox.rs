//! Processing of one request: verified, not a repeat, stored; only then acknowledged.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderMap;
use switchhook_domain::clock::Clock;
use switchhook_receiver::{Claim, Journal, Received, Receiver, Refusal, Repeats, Turn};
use tokio::task::spawn_blocking;

use super::command::Command;
use super::outcome::{Outcome, OutcomePrinter};
use super::record;
use super::signature_adviser::SignatureAdviser;
use switchhook_node::clock::SystemClock;

#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) receiver: Receiver,
    pub(super) repeats: Arc<Repeats>,
    pub(super) handler: EventHandler,
    pub(super) printer: OutcomePrinter,
    pub(super) adviser: SignatureAdviser,
}

/// Handler of new events: the command first, the line in the file when it has succeeded.
#[derive(Debug)]
pub(super) struct EventHandler {
    pub(super) command: Option<Command>,
    pub(super) file: Option<Arc<Journal>>,
}

impl Inbox {
    /// Processes the headers and the body of a request, or the reason why there is no body.
    pub(super) async fn take(&self, headers: &HeaderMap, content: Result<Bytes, Refusal>) -> Outcome {
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let received = match &content {
            Ok(content) => self.receiver.receive_request(header, content),
            Err(refusal) => Err(refusal.clone()),
        };
        match received {
            Ok(event) => {
                let event = Arc::new(event);
                let outcome = self.process(&event).await;
                self.printer.print(Some(&event), &outcome, None);
                outcome
            }
            Err(refusal) => {
                // Only of a token more can be found out than the refusal says.
                let content = content.ok().filter(|_| !matches!(refusal, Refusal::Standard(_)));
                let advice = content.and_then(|content| self.adviser.advise(&content));
                let outcome = Outcome::Refused(refusal);
                self.printer.print(None, &outcome, advice);
                outcome
            }
        }
    }

    async fn process(&self, event: &Arc<Received>) -> Outcome {
        match self.repeats.begin(event.repeat_key()) {
            Turn::Repeat => Outcome::Repeat,
            Turn::UnderWay => Outcome::UnderWay,
            Turn::First(claim) => match self.handler.handle(event, claim).await {
                Ok(outcome) => outcome,
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
        }
    }
}

impl EventHandler {
    async fn handle(&self, event: &Arc<Received>, claim: Claim) -> anyhow::Result<Outcome> {
        if let Some(command) = &self.command {
            command.run(event).await?;
        }
        let file = self.file.clone();
        let outcome = match (&self.command, &file) {
            (Some(_), _) => Outcome::Handled,
            (None, Some(_)) => Outcome::Stored,
            (None, None) => Outcome::Received,
        };
        let event = Arc::clone(event);
        // Waits for the disk.
        spawn_blocking(move || store(&event, file.as_deref(), claim)).await??;
        Ok(outcome)
    }
}

fn store(event: &Received, file: Option<&Journal>, claim: Claim) -> anyhow::Result<()> {
    if let Some(file) = file {
        file.store(&record::line(event, event.repeat_key(), SystemClock.now())?)?;
    }
    Ok(claim.done()?)
}
