//! Limit of open files. Each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Raises the limit as far as the machine allows, and returns it. It begins lower, often at 1,024, which
/// attempts under way and connections that wait to be used again would use up alone.
pub(crate) fn allow_many() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, limit = limit.current, "the limit of open files stays as it is");
    }
    // None is no limit.
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn afterwards_there_may_be_as_many_as_the_machine_allows() {
        let allowed = allow_many();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(allowed, limit.current.unwrap_or(u64::MAX));
    }
}
