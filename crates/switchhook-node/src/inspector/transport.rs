//! The transport that keeps what is for the inspector in the house and gives everything else to the network.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use switchhook_domain::attempt::{Answer, AttemptOutcome, FailureReason, HeaderRecord, Phases};
use switchhook_domain::webhook::DeliveryDefaults;
use tokio::time::Instant;

use super::{Behaviour, Inspector, SLOW, answer, judge, name_of};
use crate::delivery::transport::{ConnectError, Post, PostResult, Transport};
use crate::destination::Destination;

/// Carries POSTs to the inspector, or to the network.
pub(crate) struct InspectedTransport {
    /// Receives what goes to `inspector://`.
    pub(crate) inspector: Arc<Inspector>,
    /// Transport for everything else.
    pub(crate) network: Arc<dyn Transport>,
    /// Settings for webhooks that do not set their own.
    pub(crate) defaults: DeliveryDefaults,
}

impl InspectedTransport {
    async fn hand_over(&self, name: &str, post: &Post) -> PostResult {
        let begun = Instant::now();
        let webhook = &post.destination.webhook;
        let secret = webhook.secret.as_ref();
        let behaviour = self.inspector.take(
            webhook.company_id,
            name,
            secret,
            post.headers(),
            post.body.clone(),
        );
        let timeout = post.destination.timeout(&self.defaults);
        let wait = match behaviour {
            Behaviour::Silent => timeout,
            Behaviour::Slow => SLOW.min(timeout),
            Behaviour::Accept | Behaviour::Fail => Duration::ZERO,
        };
        tokio::time::sleep(wait).await;
        let took = begun.elapsed();
        let phases = Phases {
            total: took,
            ..Phases::default()
        };
        let status = answer(behaviour, &judge(&post.body, secret).0);
        match status {
            Some(status) if wait < timeout => answered(status, phases),
            _ => PostResult::unanswered(
                FailureReason::AnswerTimeout,
                format!("nothing was answered within {} ms", timeout.as_millis()),
                phases,
            ),
        }
    }
}

fn answered(status: u16, phases: Phases) -> PostResult {
    let body = if status == 200 {
        "ok"
    } else {
        "the inspector was told to fail"
    };
    let headers = HeaderRecord::of([("content-type", "text/plain".into())]);
    PostResult {
        outcome: AttemptOutcome::Answered {
            status,
            retry_after: None,
        },
        answer: Some(Answer {
            status,
            headers,
            body_head: body.into(),
            is_truncated: false,
            note: None,
        }),
        phases: Phases {
            first_byte: Some(phases.total),
            ..phases
        },
    }
}

#[async_trait]
impl Transport for InspectedTransport {
    async fn post(&self, post: Post) -> PostResult {
        match name_of(&post.destination.webhook.hook_url) {
            Some(name) => self.hand_over(name, &post).await,
            None => self.network.post(post).await,
        }
    }

    async fn probe(&self, destination: &Destination) -> Result<Phases, ConnectError> {
        match name_of(&destination.webhook.hook_url) {
            Some(_) => Ok(Phases::default()),
            None => self.network.probe(destination).await,
        }
    }

    fn tidy_up(&self) {
        self.network.tidy_up();
    }
}
