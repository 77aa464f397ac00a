//! Says why a signature is not valid, at most once a second: a diagnosis costs many times what refusing costs, and strangers
//! decide how often one is needed. Answers never contain it.

use std::time::Duration;

use parking_lot::Mutex;
use switchhook_protocol::{Cause, diagnose};
use tokio::time::Instant;

use super::super::accepted_secrets::AcceptedSecrets;

/// Least time between two diagnoses.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct SignatureAdviser {
    secrets: AcceptedSecrets,
    paused_until: Mutex<Option<Instant>>,
}

impl SignatureAdviser {
    pub(super) fn new(secrets: AcceptedSecrets) -> Self {
        Self {
            secrets,
            paused_until: Mutex::new(None),
        }
    }

    /// Reason why this body is refused, if it is known and no other was diagnosed just now.
    pub(super) fn advise(&self, content: &[u8]) -> Option<Cause> {
        let now = Instant::now();
        let mut paused_until = self.paused_until.lock();
        if self.secrets.is_empty() || paused_until.is_some_and(|until| now < until) {
            return None;
        }
        *paused_until = Some(now + PAUSE);
        drop(paused_until);
        let causes = diagnose(content, &self.secrets.keys(), None).causes;
        causes.into_iter().find(|cause| *cause != Cause::Unexplained)
    }
}
