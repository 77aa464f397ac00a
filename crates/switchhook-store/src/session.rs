//! Sessions of the dashboard, as far as the store knows them: those that somebody ended.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::id::KeyId;

/// Time for which the end of a session is remembered, after which no cookie can restore it.
pub const ENDED_SESSIONS_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// Bound on the ended sessions remembered per key. Beyond it, all sessions that the key began until then have ended.
pub const MOST_ENDED: u32 = 1_000;

/// Somebody's session, by what it takes to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The key that was shown to begin it.
    pub key_id: KeyId,
    /// SHA-256 of its cookie.
    pub token_hash: [u8; 32],
    pub began_at: Timestamp,
}
