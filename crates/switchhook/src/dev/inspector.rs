//! The webhook that `dev` receives itself: verifies what arrives and shows it, a line for each.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use parking_lot::RwLock;
use switchhook_domain::secret::Secret;
use switchhook_protocol::{Kind, headers};
use switchhook_receiver::{Labels, Received, Receiver};

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
    let labels = Labels::read(|name| sent.get(name)?.to_str().ok());
    match receiver.receive_labelled(labels, &body) {
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
    let name = received.kind.map_or("?", Kind::route);
    format!(
        "{name:<13} {:<58} event {} attempt {}  signature holds, {} bytes",
        received.summary(),
        header(headers::EVENT_ID),
        header(headers::ATTEMPT),
        received.body.len(),
    )
}
