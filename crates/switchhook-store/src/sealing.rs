//! Secrets at rest: the seam to whoever encrypts them. How is not the store's to know; see [`Sealer`].

use std::fmt;
use std::sync::Arc;

use switchhook_domain::id::{ChannelId, SourceId, WebhookId, WebsocketId};
use switchhook_domain::secret::Secret;

use crate::error::StoreError;

/// Row that a secret belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretOwner {
    /// It signs a webhook's deliveries.
    Webhook(WebhookId),
    /// A webhook's deliveries are sent with it: headers, user and password.
    Credentials(WebhookId),
    /// It signs a websocket's frames, or the tokens of its URLs.
    Websocket(WebsocketId),
    /// It checks what a source gets.
    Source(SourceId),
    /// It signs what a channel of notifications gets, or is where that goes.
    Channel(ChannelId),
}

impl fmt::Display for SecretOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(id) => write!(f, "webhook {id}"),
            Self::Credentials(id) => write!(f, "webhook {id} (credentials)"),
            Self::Websocket(id) => write!(f, "websocket {id}"),
            Self::Source(id) => write!(f, "source {id}"),
            Self::Channel(id) => write!(f, "notification channel {id}"),
        }
    }
}

impl From<WebhookId> for SecretOwner {
    fn from(id: WebhookId) -> Self {
        Self::Webhook(id)
    }
}

impl From<WebsocketId> for SecretOwner {
    fn from(id: WebsocketId) -> Self {
        Self::Websocket(id)
    }
}

impl From<SourceId> for SecretOwner {
    fn from(id: SourceId) -> Self {
        Self::Source(id)
    }
}

impl From<ChannelId> for SecretOwner {
    fn from(id: ChannelId) -> Self {
        Self::Channel(id)
    }
}

/// Makes secrets unreadable for whoever has the store alone.
pub trait Sealer: Send + Sync + 'static {
    /// The text to keep in place of `secret`. It belongs to this owner: moved to another it must not open.
    fn seal(&self, owner: SecretOwner, secret: &Secret) -> String;
    /// The secret that [`Sealer::seal`] made `sealed` of.
    ///
    /// # Errors
    /// Says for a person why it cannot be read, and nothing of the secret.
    fn unseal(&self, owner: SecretOwner, sealed: &str) -> Result<Secret, String>;
    /// True if `sealed` was made with the present key.
    fn is_current(&self, sealed: &str) -> bool;
}

/// Prefix of a sealed secret.
const SEALED: &str = "enc:";

/// Prefix of a plain secret that could be mistaken for a sealed one.
const PLAIN: &str = "plain:";

/// Conversion of secrets on their way into and out of the store: sealed if there is a sealer. Plain ones can always
/// be read.
#[derive(Clone, Default)]
pub(crate) struct Sealing(pub(crate) Option<Arc<dyn Sealer>>);

impl Sealing {
    /// Stored form of a secret.
    pub(crate) fn keep(&self, owner: impl Into<SecretOwner>, secret: &Secret) -> String {
        let text = secret.expose();
        match &self.0 {
            Some(sealer) => format!("{SEALED}{}", sealer.seal(owner.into(), secret)),
            None if text.starts_with(SEALED) || text.starts_with(PLAIN) => format!("{PLAIN}{text}"),
            None => text.to_owned(),
        }
    }

    /// The secret of which this is kept.
    pub(crate) fn read(&self, owner: impl Into<SecretOwner>, kept: &str) -> Result<Secret, StoreError> {
        let Some(sealed) = kept.strip_prefix(SEALED) else {
            return Ok(Secret::new(kept.strip_prefix(PLAIN).unwrap_or(kept)));
        };
        let owner = owner.into();
        let sealer = self.0.as_ref().ok_or_else(|| {
            StoreError::Unusable(format!(
                "the secret of {owner} is encrypted, and there is no key: set SWITCHHOOK_ENCRYPTION_KEY \
                 to the one that it was encrypted with"
            ))
        })?;
        sealer
            .unseal(owner, sealed)
            .map_err(|why| StoreError::Unusable(format!("the secret of {owner}: {why}")))
    }

    /// True if the stored form is what [`Sealing::keep`] would make now.
    pub(crate) fn is_current(&self, kept: &str) -> bool {
        match (&self.0, kept.strip_prefix(SEALED)) {
            (Some(sealer), Some(sealed)) => sealer.is_current(sealed),
            (Some(_), None) => false,
            (None, _) => true,
        }
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "sealed" } else { "plain" })
    }
}

/// Result of resealing some secrets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Number of secrets rewritten.
    pub rewritten: u32,
    /// Number of secrets already sealed with the present key.
    pub current: u32,
    /// The webhook to go on after; `None` after the last one.
    pub next: Option<WebhookId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOOK: WebhookId = WebhookId(7);

    #[test]
    fn a_plain_secret_is_itself_whatever_it_looks_like() {
        let sealing = Sealing::default();
        for text in ["hunter2", "enc:v1:looks:sealed", "plain:", "plain:enc:", ""] {
            let kept = sealing.keep(HOOK, &Secret::new(text));
            assert_eq!(sealing.read(HOOK, &kept).unwrap().expose(), text);
        }
        assert_eq!(sealing.keep(HOOK, &Secret::new("hunter2")), "hunter2");
    }

    #[test]
    fn a_sealed_secret_without_a_sealer_says_what_is_missing() {
        let refused = Sealing::default().read(HOOK, "enc:v1:ab:cd");
        assert!(
            matches!(&refused, Err(StoreError::Unusable(why)) if why.contains("SWITCHHOOK_ENCRYPTION_KEY")),
            "{refused:?}"
        );
    }
}
