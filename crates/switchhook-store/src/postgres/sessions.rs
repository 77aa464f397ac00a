//! Sessions of the dashboard that were ended.

use sqlx::Row;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::session::{ENDED_SESSIONS_KEPT, MOST_ENDED, Session};

pub(super) async fn end(
    transaction: &mut Transaction<'_>,
    session: Session,
    now: Timestamp,
) -> Result<(), StoreError> {
    let connection = &mut *transaction.connection;
    sqlx::query("DELETE FROM ended_sessions WHERE ended_at < $1")
        .bind(now.minus(ENDED_SESSIONS_KEPT).as_millis())
        .execute(&mut *connection)
        .await?;
    let count = sqlx::query("SELECT count(*) FROM ended_sessions WHERE key_id = $1")
        .bind(session.key_id.0)
        .fetch_one(&mut *connection)
        .await?;
    let all = count.try_get::<i64, _>(0)? >= i64::from(MOST_ENDED);
    if all {
        sqlx::query("DELETE FROM ended_sessions WHERE key_id = $1")
            .bind(session.key_id.0)
            .execute(&mut *connection)
            .await?;
    }
    let token_hash = if all { &[][..] } else { &session.token_hash[..] };
    let sql = "INSERT INTO ended_sessions (key_id, token_hash, ended_at) VALUES ($1, $2, $3) \
               ON CONFLICT (key_id, token_hash) DO UPDATE SET ended_at = excluded.ended_at";
    sqlx::query(sql)
        .bind(session.key_id.0)
        .bind(token_hash)
        .bind(now.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// Those of the sessions that were ended.
pub(super) async fn ended(
    connection: &mut PgConnection,
    sessions: Vec<Session>,
) -> Result<Vec<Session>, StoreError> {
    let sql = "SELECT s.number - 1 FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) WITH ORDINALITY \
               AS s (key_id, token_hash, began_at, number) WHERE EXISTS (\
                 SELECT 1 FROM ended_sessions e WHERE e.key_id = s.key_id AND e.token_hash IN (s.token_hash, '') \
                 AND (e.token_hash <> '' OR e.ended_at >= s.began_at))";
    let rows = sqlx::query(sql)
        .bind(sessions.iter().map(|one| one.key_id.0).collect::<Vec<_>>())
        .bind(
            sessions
                .iter()
                .map(|one| one.token_hash.to_vec())
                .collect::<Vec<_>>(),
        )
        .bind(
            sessions
                .iter()
                .map(|one| one.began_at.as_millis())
                .collect::<Vec<_>>(),
        )
        .fetch_all(connection)
        .await?;
    let mut ended = Vec::with_capacity(rows.len());
    for row in &rows {
        let number = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX);
        ended.extend(sessions.get(number).copied());
    }
    Ok(ended)
}
