//! Clock: the one place of this crate that reads it. Everything else takes the time as an argument.

use switchhook_protocol::Timestamp;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the file that owns the clock of receivers"
)]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp::from_millis(0).plus(since)
}
