//! The webhook that `dev` receives itself: verifies what arrives and shows it, a line for each.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use parking_lot::RwLock;
use switchhook_domain::secret::Secret;
use switchhook_protocol::{Kind, Payload, headers};
use switchhook_receiver::{Received, Receiver};

use super::welcome;

/// Where it listens on the server.
pub(super) const PATH: &str = "/inspector/dev";

/// Receives, verifies, shows.
#[derive(Default)]
pub(super) struct Inspector {
    receiver: RwLock<Option<Arc<Receiver>>>,
}

impl Inspector {
    /// What it adds to the server.
    pub(super) fn routes(self: &Arc<Self>) -> Router {
        Router::new()
            .route(PATH, post(receive))
            .with_state(Arc::clone(self))
    }

    /// From now on what arrives must be signed with this.
    pub(super) fn expect_signed_with(&self, secret: Option<&Secret>) {
        let builder = Receiver::builder();
        let builder = match secret {
            Some(secret) => builder.secret(secret.expose()),
            None => builder,
        };
        *self.receiver.write() = Some(Arc::new(
            builder.build().expect("the secret was made by this very process"),
        ));
    }
}

async fn receive(State(inspector): State<Arc<Inspector>>, sent: HeaderMap, body: Bytes) -> StatusCode {
    let receiver = inspector.receiver.read().clone();
    let Some(receiver) = receiver else {
        // The server was just started and does not know its own webhook yet: the delivery comes again.
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    match receiver.receive(&body) {
        Ok(received) => {
            welcome::show(&arrival(&sent, &received));
            StatusCode::OK
        }
        Err(refusal) => {
            welcome::show(&format!("refused: {refusal}"));
            StatusCode::from_u16(refusal.answer_status()).unwrap_or(StatusCode::BAD_REQUEST)
        }
    }
}

fn arrival(sent: &HeaderMap, received: &Received) -> String {
    let header = |name| {
        sent.get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("?")
    };
    let kind = header(headers::EVENT_KIND).parse::<Kind>().ok().or(received.kind);
    let (name, summary) = match kind {
        Some(kind) => (kind.route(), summary(kind, &received.body)),
        None => ("?", String::new()),
    };
    format!(
        "{name:<13} {summary:<58} event {} attempt {}  signature holds, {} bytes",
        header(headers::EVENT_ID),
        header(headers::ATTEMPT),
        received.body.len(),
    )
}

/// An event in a few words.
fn summary(kind: Kind, body: &[u8]) -> String {
    let Ok(payload) = Payload::read(kind, body) else {
        return "unreadable".to_owned();
    };
    let text =
        |value: Option<&dyn std::fmt::Display>| value.map_or_else(|| "?".to_owned(), ToString::to_string);
    match payload {
        Payload::Call(call) => format!(
            "{} {} call {}",
            text(call.state.as_ref().map(|x| x as _)),
            text(call.direction.as_ref().map(|x| x as _)),
            text(call.call_id.as_ref().map(|x| x as _)),
        ),
        Payload::Sms(sms) => format!(
            "{} {} message {}",
            text(sms.message_status.as_ref().map(|x| x as _)),
            text(sms.direction.as_ref().map(|x| x as _)),
            text(sms.id.as_ref().map(|x| x as _)),
        ),
        Payload::AgentStatus(agent) => {
            format!("agent is {}", text(agent.on_duty_status.as_ref().map(|x| x as _)))
        }
        Payload::Contact(contact) => format!("contact {}", text(contact.event.as_ref().map(|x| x as _))),
        Payload::Changelog(change) => text(change.action.as_ref().map(|x| x as _)),
    }
}
