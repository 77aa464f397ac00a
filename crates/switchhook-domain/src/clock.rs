//! Time as an argument: the one trait through which the rest of the system learns what time it is.

use switchhook_protocol::Timestamp;

/// Tells the time. The real one lives in the binary; tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time now.
    fn now(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp + Send + Sync + 'static> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}
