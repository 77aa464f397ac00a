//! What `/readyz` answers, which the server writes and commands read.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Readiness of the server, and what keeps it from being ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// True if it is ready.
    pub ready: bool,
    /// `ok`, or why it cannot keep events.
    #[schema(example = "ok")]
    pub store: String,
    /// `ok`, or why it does not send.
    #[schema(example = "ok")]
    pub delivery: String,
    /// `ok`, or how wrong the machine's clock is.
    #[schema(example = "ok")]
    pub clock: String,
    /// Part of the server that has failed, and why: the server ends, and should be restarted. Absent if none has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "the retention has failed: it panicked")]
    pub failed: Option<String>,
    /// True after a request to stop: requests are still accepted for the time of `--drain`. Absent otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schema(required = false)]
    pub stopping: bool,
    /// Number of deliveries cancelled since the start because their rows are damaged: somebody should check the disk.
    /// The server works all the same. Absent if there are none.
    #[serde(default, skip_serializing_if = "is_none")]
    #[schema(required = false)]
    pub set_aside: u64,
}

impl Readiness {
    /// Reasons for which the server is not ready; none if it is.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let parts = [
            ("store", &self.store),
            ("delivery", &self.delivery),
            ("clock", &self.clock),
        ];
        let failing = parts.into_iter().filter(|(_, state)| *state != OK);
        let mut problems: Vec<_> = failing.map(|(part, why)| format!("{part}: {why}")).collect();
        problems.extend(self.failed.clone());
        problems.extend(self.stopping.then(|| "it is stopping".to_owned()));
        problems
    }
}

/// State of a part without a problem.
pub const OK: &str = "ok";

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(yes: &bool) -> bool {
    !*yes
}
