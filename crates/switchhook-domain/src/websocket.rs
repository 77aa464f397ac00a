//! Websockets: where somebody may listen.
//!
//! A websocket is a place in the log of events, and never a delivery: whoever listens is told what the subscriptions
//! that point at it let through, and nothing is known of who did listen.

use switchhook_protocol::Timestamp;

use crate::id::{CompanyId, WebsocketId};
use crate::secret::Secret;

/// Place where clients listen to events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Websocket {
    pub id: WebsocketId,
    pub company_id: CompanyId,
    /// With a secret its frames are signed JWTs, without one plain JSON.
    pub secret: Option<Secret>,
    /// Key that signs the tokens in its URLs. It is never shown.
    pub token_key: Secret,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Websocket {
    /// The websocket with another secret, or none any more, since `now`.
    #[must_use]
    pub fn with_secret(mut self, secret: Option<Secret>, now: Timestamp) -> Self {
        self.secret = secret;
        self.updated_at = now;
        self
    }
}
