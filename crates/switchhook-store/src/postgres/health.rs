//! Health of the store itself.

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::transaction::Transaction;
use crate::error::StoreError;

/// The largest id in any table.
pub(super) async fn last_id(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(greatest(
        (SELECT max(id) FROM events), (SELECT max(id) FROM deliveries), (SELECT max(id) FROM webhooks),
        (SELECT max(id) FROM subscriptions), (SELECT max(id) FROM api_keys),
        (SELECT max(id) FROM replays), (SELECT max(id) FROM websockets), (SELECT max(id) FROM sources),
        (SELECT max(id) FROM source_refusals), (SELECT max(id) FROM notification_channels)), 0)";
    let row = sqlx::query(sql).fetch_one(connection).await?;
    Ok(row.try_get(0)?)
}

/// Writes as much as an event is.
pub(super) async fn write_filler(transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO checks (filler) VALUES ($1)")
        .bind(vec![0_u8; 4_096])
        .execute(&mut *transaction.connection)
        .await?;
    Ok(())
}

/// Takes it back, in a commit of its own: what is undone before the commit would prove nothing.
pub(super) async fn take_back_filler(transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM checks")
        .execute(&mut *transaction.connection)
        .await?;
    Ok(())
}
