//! `dev --forward`: the answers of a receiver of one's own, a line for each attempt, and the end after enough of them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::OutcomeClass;
use switchhook_domain::id::{EventId, WebhookId};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::welcome;
use switchhook_node::caller::Caller;
use switchhook_node::duration::show_duration;
use switchhook_node::live::{AttemptMessage, LiveEvent};
use switchhook_node::mask::Mask;
use switchhook_node::summary::Summary;
use switchhook_node::{Node, events};

/// Destination of forwarded events, and when forwarding ends.
#[derive(Debug, Clone)]
pub struct Forward {
    pub url: String,
    /// Number of accepted events after which to end.
    pub events: Option<NonZeroU32>,
    /// Time limit of the next event.
    pub timeout: Duration,
}

/// Progress of the forwarding.
pub(super) struct ForwardProgress {
    node: Arc<Node>,
    caller: Caller,
    webhook_id: WebhookId,
    forward: Forward,
    events: Receiver<Arc<LiveEvent>>,
    accepted: u32,
    last_failure: Option<String>,
}

impl ForwardProgress {
    /// Follows every attempt from now on.
    pub(super) fn new(node: Arc<Node>, caller: Caller, webhook_id: WebhookId, forward: Forward) -> Self {
        Self {
            events: node.live.listen(caller.company_id),
            node,
            caller,
            webhook_id,
            forward,
            accepted: 0,
            last_failure: None,
        }
    }

    /// Shows what the receiver answers, until it has accepted as many events as it should.
    ///
    /// # Errors
    /// If it does not accept the next one in time.
    pub(super) async fn run(&mut self) -> Result<()> {
        let mut deadline = Instant::now() + self.forward.timeout;
        while !self.is_enough() {
            let Ok(received) = self.next(deadline).await else {
                bail!("{}", self.timeout_message());
            };
            let accepted_before = self.accepted;
            match received {
                Ok(event) => self.take(&event).await,
                Err(RecvError::Lagged(count)) => welcome::show(&format!("… {count} more")),
                // It ends with the server, whose end is what counts.
                Err(RecvError::Closed) => std::future::pending().await,
            }
            if self.accepted > accepted_before {
                deadline = Instant::now() + self.forward.timeout;
            }
        }
        welcome::show(&format!(
            "{} accepted {} as asked: stopping",
            self.forward.url,
            events(self.accepted)
        ));
        Ok(())
    }

    /// Result if it is stopped before it was enough.
    ///
    /// # Errors
    /// If fewer events were accepted than asked for.
    pub(super) fn stopped(&self) -> Result<()> {
        match self.forward.events {
            Some(wanted) => bail!("stopped after {} of {wanted} events were accepted", self.accepted),
            None => Ok(()),
        }
    }

    async fn next(
        &mut self,
        deadline: Instant,
    ) -> Result<Result<Arc<LiveEvent>, RecvError>, tokio::time::error::Elapsed> {
        let next = self.events.recv();
        match self.forward.events {
            Some(_) => timeout_at(deadline, next).await,
            None => Ok(next.await),
        }
    }

    fn is_enough(&self) -> bool {
        self.forward
            .events
            .is_some_and(|wanted| self.accepted >= wanted.get())
    }

    async fn take(&mut self, event: &LiveEvent) {
        if event.name != "attempt" || !event.webhook_ids.contains(&self.webhook_id) {
            return;
        }
        let Ok(attempt) = serde_json::from_str::<AttemptMessage>(&event.json) else {
            return;
        };
        let summary = self.summary(&attempt.event_id).await.unwrap_or_default();
        welcome::show(&line(&attempt, &summary, self.node.clock.now()));
        if is_accepted(&attempt) {
            self.accepted += 1;
        } else {
            self.last_failure = Some(answer(&attempt));
        }
    }

    async fn summary(&self, event_id: &str) -> Option<Summary> {
        let id: EventId = event_id.parse().ok()?;
        let event = events::get(&self.node, self.caller, id).await.ok()?;
        Some(Summary::of(event.kind, &event.body, Mask::NOTHING))
    }

    fn timeout_message(&self) -> String {
        let Forward { url, events, timeout } = &self.forward;
        let wanted = events.map_or(0, NonZeroU32::get);
        let last = match &self.last_failure {
            Some(answer) => format!("; the last one that it did not accept got: {answer}"),
            None => String::new(),
        };
        format!(
            "{url} accepted {} of {wanted} events, and no other for {}{last}. Is a receiver running there, and does it \
             answer with a status of 200 to 299?",
            self.accepted,
            show_duration(*timeout)
        )
    }
}

fn is_accepted(attempt: &AttemptMessage) -> bool {
    attempt.outcome == OutcomeClass::Accepted
}

fn answer(attempt: &AttemptMessage) -> String {
    match (attempt.status, attempt.error) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => error.as_str().replace('_', " "),
        (None, None) => attempt.outcome.to_string(),
    }
}

fn line(attempt: &AttemptMessage, summary: &Summary, now: Timestamp) -> String {
    let words = format!("{} {}", summary.what, summary.detail);
    let again = match attempt.due_at {
        Some(due_at) => format!(", again in {}", show_duration(due_at.since(now))),
        None => String::new(),
    };
    format!(
        "{:<13} {words:<58} {} in {:.0} ms, event {} attempt {}{again}",
        attempt.kind.route(),
        answer(attempt),
        attempt.took_ms,
        attempt.event_id,
        attempt.number,
    )
}

fn events(count: u32) -> String {
    if count == 1 {
        "1 event".to_owned()
    } else {
        format!("{count} events")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_answered_and_when_it_is_tried_again() {
        let json = r#"{"delivery_id":"2","event_id":"7","webhook_id":"3","kind":"call","at":0,"number":1,"outcome":"unanswered",
            "status":null,"error":"connection_refused","detail":null,"took_ms":1.4,"state":"pending","due_at":5000}"#;
        let attempt: AttemptMessage = serde_json::from_str(json).unwrap();
        let summary = Summary {
            what: "ringing".to_owned(),
            detail: "Ann → Support".to_owned(),
        };
        let shown = line(&attempt, &summary, Timestamp::from_millis(0));
        assert!(
            shown.starts_with("call          ringing Ann → Support  ")
                && shown.ends_with(" connection refused in 1 ms, event 7 attempt 1, again in 5s"),
            "{shown}"
        );
        assert!(!is_accepted(&attempt));
    }
}
