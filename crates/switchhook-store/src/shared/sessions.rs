//! Sessions of the dashboard that were ended.

use switchhook_domain::Timestamp;

use crate::error::StoreError;
use crate::session::{ENDED_SESSIONS_KEPT, MOST_ENDED, Session};
use crate::sql::{Sql, SqlTransaction, first, values};

/// Stands for every session of a key.
const ALL: &[u8] = &[];

pub(super) async fn end(
    sql: &mut dyn SqlTransaction,
    session: Session,
    now: Timestamp,
) -> Result<(), StoreError> {
    sql.execute(FORGET, values![now.minus(ENDED_SESSIONS_KEPT)])
        .await?;
    let key_id = session.key_id.0;
    let ended: Option<u32> = first(sql, COUNT, values![key_id], |row| row.get(0)).await?;
    let mut token_hash = &session.token_hash[..];
    if ended.is_some_and(|ended| ended >= MOST_ENDED) {
        let forget = "DELETE FROM ended_sessions WHERE key_id = ?";
        sql.execute(forget, values![key_id]).await?;
        token_hash = ALL;
    }
    let insert = "INSERT INTO ended_sessions (key_id, token_hash, ended_at) VALUES (?, ?, ?) \
                  ON CONFLICT (key_id, token_hash) DO UPDATE SET ended_at = excluded.ended_at";
    sql.execute(insert, values![key_id, token_hash, now]).await?;
    Ok(())
}

pub(crate) const FORGET: &str = "DELETE FROM ended_sessions WHERE ended_at < ?";

pub(crate) const COUNT: &str = "SELECT count(*) FROM ended_sessions WHERE key_id = ?";

/// Those of the sessions that were ended.
pub(super) async fn ended(sql: &mut dyn Sql, sessions: &[Session]) -> Result<Vec<Session>, StoreError> {
    let mut ended = Vec::new();
    for session in sessions {
        let (key_id, token_hash) = (session.key_id.0, &session.token_hash[..]);
        let values = values![key_id, token_hash, ALL, session.began_at];
        let is_ended = first(sql, IS_ENDED, values, |_| Ok(())).await?;
        ended.extend(is_ended.map(|()| *session));
    }
    Ok(ended)
}

pub(crate) const IS_ENDED: &str = "SELECT 1 FROM ended_sessions WHERE key_id = ?1 AND token_hash IN (?2, ?3) \
     AND (token_hash <> ?3 OR ended_at >= ?4)";
