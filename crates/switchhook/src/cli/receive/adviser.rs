//! Says why a signature does not hold, once in a while: finding out costs many times what refusing costs, and strangers
//! decide how often there is something to find out. Nothing of it goes into an answer.

use std::time::Duration;

use parking_lot::Mutex;
use switchhook_protocol::{Cause, diagnose};
use tokio::time::Instant;

use super::super::accepted_secrets::AcceptedSecrets;

/// How long it rests.
const PAUSE: Duration = Duration::from_secs(1);

/// Explains refusals to whoever runs the receiver.
#[derive(Debug)]
pub(super) struct Adviser {
    secrets: AcceptedSecrets,
    rests_until: Mutex<Option<Instant>>,
}

impl Adviser {
    pub(super) fn new(secrets: AcceptedSecrets) -> Self {
        Self {
            secrets,
            rests_until: Mutex::new(None),
        }
    }

    /// What keeps this body from being taken, if that can be found out and it is not resting.
    pub(super) fn advise(&self, content: &[u8]) -> Option<Cause> {
        let now = Instant::now();
        let mut rests_until = self.rests_until.lock();
        if self.secrets.is_empty() || rests_until.is_some_and(|until| now < until) {
            return None;
        }
        *rests_until = Some(now + PAUSE);
        drop(rests_until);
        let causes = diagnose(content, &self.secrets.keys(), None).causes;
        causes.into_iter().find(|cause| *cause != Cause::Unexplained)
    }
}
