//! After nodes have ended: what they had claimed is nobody's now.

use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;

use super::claims::close_as_lost;
use super::due::{due_columns, read_due};
use super::notifier::Notifier;
use super::set_aside::readable;
use super::set_aside::set_aside;
use super::transaction::transact;
use crate::error::StoreError;
use crate::row::delivery::delivery_columns;

/// Claims of ended nodes closed in one commit.
const SLICE: i64 = 1_000;

/// Closes some of the claims of nodes that have ended as lost attempts and makes their deliveries due; `true` if there
/// may be more. A claim that never became a POST is closed all the same: nobody can tell.
pub(super) async fn close_some_of_ended_nodes(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (more, _) = transact(connection, None, &Notifier::default(), async |transaction| {
        let rows = sqlx::query(OF_ENDED_NODES)
            .bind(SLICE)
            .fetch_all(&mut *transaction.connection)
            .await?;
        let (claimed, unreadable) = readable(&rows, read_due)?;
        for damaged in unreadable {
            set_aside(transaction, damaged, now).await?;
        }
        close_as_lost(transaction.connection, &claimed, now).await?;
        let pending = claimed.iter().filter(|due| !due.delivery.state.is_final());
        sqlx::query("UPDATE deliveries SET due_at = $1 WHERE id = ANY($2)")
            .bind(now.as_millis())
            .bind(pending.map(|due| due.delivery.id.0).collect::<Vec<_>>())
            .execute(&mut *transaction.connection)
            .await?;
        Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX) >= SLICE)
    })
    .await?;
    Ok(more)
}

const OF_ENDED_NODES: &str = concat!(
    "SELECT ",
    due_columns!("deliveries"),
    " FROM deliveries WHERE claimed_by IS NOT NULL \
     AND claimed_by IN (SELECT id FROM nodes WHERE ended_at IS NOT NULL) LIMIT $1 FOR UPDATE SKIP LOCKED"
);
