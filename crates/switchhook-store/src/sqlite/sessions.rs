//! Sessions of the dashboard that were ended.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;

use super::list::first;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::session::{ENDED_SESSIONS_KEPT, MOST_ENDED, Session};

pub(super) fn end(
    transaction: &mut Transaction<'_>,
    session: Session,
    now: Timestamp,
) -> Result<(), StoreError> {
    transaction
        .prepare(FORGET)?
        .execute([now.minus(ENDED_SESSIONS_KEPT).as_millis()])?;
    let key_id = session.key_id.0;
    let ended: Option<u32> = first(transaction.connection, COUNT, &[&key_id], |row| row.get(0))?;
    let all = ended.is_some_and(|ended| ended >= MOST_ENDED);
    if all {
        transaction.prepare(FORGET_OF)?.execute([key_id])?;
    }
    let token_hash = if all { &[][..] } else { &session.token_hash[..] };
    transaction
        .prepare(END)?
        .execute(params![key_id, token_hash, now.as_millis()])?;
    Ok(())
}

pub(super) const FORGET: &str = "DELETE FROM ended_sessions WHERE ended_at < ?";

pub(super) const COUNT: &str = "SELECT count(*) FROM ended_sessions WHERE key_id = ?";

const FORGET_OF: &str = "DELETE FROM ended_sessions WHERE key_id = ?";

const END: &str = "INSERT INTO ended_sessions (key_id, token_hash, ended_at) VALUES (?, ?, ?) \
     ON CONFLICT (key_id, token_hash) DO UPDATE SET ended_at = excluded.ended_at";

/// Those of the sessions that were ended.
pub(super) fn ended(connection: &Connection, sessions: Vec<Session>) -> Result<Vec<Session>, StoreError> {
    let mut statement = connection.prepare_cached(IS_ENDED)?;
    let mut ended = Vec::new();
    for session in sessions {
        let began_at = session.began_at.as_millis();
        if statement.exists(params![session.key_id.0, session.token_hash, began_at])? {
            ended.push(session);
        }
    }
    Ok(ended)
}

pub(super) const IS_ENDED: &str = "SELECT 1 FROM ended_sessions WHERE key_id = ?1 AND token_hash IN (?2, x'') \
     AND (token_hash <> x'' OR ended_at >= ?3)";
