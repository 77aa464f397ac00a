//! Notices: what people are to be told of, written down in the commit of the change that they are told of.

use switchhook_domain::id::{CompanyId, WebhookId, first_id_at};
use switchhook_domain::notification::{LatestNotification, Notice, NotificationKind, Placement, placement};

use crate::error::StoreError;
use crate::given_up::GivenUpDeliveries;
use crate::row::notification::read_newest;
use crate::sql::{Dialect, Sql, SqlTransaction, all, first, values};

/// Writes a notice down, or counts it with the notification of the same kind and subject that is still to be said.
///
/// It locks the subject until the end of the transaction: so it comes last in one, and of several subjects in the order of
/// their names.
pub(crate) async fn add(sql: &mut dyn SqlTransaction, notice: &Notice) -> Result<(), StoreError> {
    let (kind, subject) = (notice.payload.kind(), notice.payload.subject());
    sql.lock_subject(&subject).await?;
    let newest_of_kind = newest(sql, kind, &subject).await?;
    let newest_opposite = match kind.opposite() {
        Some(opposite) => newest(sql, opposite, &subject).await?,
        None => None,
    };
    let data = notice.payload.data().to_string();
    match placement(kind, newest_of_kind, newest_opposite, notice.at) {
        Placement::Known => {}
        Placement::New { due_at } => {
            let id = match sql.dialect() {
                Dialect::Sqlite => "max(?, (SELECT coalesce(max(id), 0) + 1 FROM notifications))",
                Dialect::Postgres => "? + nextval('notification_ids')",
            };
            let insert = format!(
                "INSERT INTO notifications (id, company_id, kind, subject, at, count, data, due_at) \
                 VALUES ({id}, ?, ?, ?, ?, ?, ?, ?)"
            );
            let values = values![
                first_id_at(notice.at),
                notice.company_id.map(|id| id.0),
                kind.as_str(),
                subject,
                notice.at,
                notice.count,
                data,
                due_at,
            ];
            sql.execute(&insert, values).await?;
        }
        Placement::Joins(id) => {
            let update = "UPDATE notifications SET count = count + ?, data = ? WHERE id = ?";
            sql.execute(update, values![notice.count, data, id.0]).await?;
        }
        Placement::Cancels(id) => {
            let delete = "DELETE FROM notifications WHERE id = ?";
            sql.execute(delete, values![id.0]).await?;
        }
    }
    Ok(())
}

/// Writes down that deliveries were given up.
pub(crate) async fn add_given_up(
    sql: &mut dyn SqlTransaction,
    given_up: &GivenUpDeliveries,
) -> Result<(), StoreError> {
    let ids: Vec<i64> = given_up.webhook_ids().into_iter().map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let select = "SELECT id, company_id, hook_url FROM webhooks WHERE id = ANY(?)";
    let notices = all(sql, select, values![ids], |row| {
        let id = WebhookId(row.get(0)?);
        Ok(given_up.notice(id, CompanyId(row.get(1)?), row.get(2)?))
    })
    .await?;
    let mut notices: Vec<_> = notices.into_iter().flatten().collect();
    notices.sort_by_key(|notice| notice.payload.subject());
    for notice in &notices {
        add(sql, notice).await?;
    }
    Ok(())
}

async fn newest(
    sql: &mut dyn Sql,
    kind: NotificationKind,
    subject: &str,
) -> Result<Option<LatestNotification>, StoreError> {
    first(sql, NEWEST, values![subject, kind.as_str()], read_newest).await
}

/// It stays locked, so that it is not handed out before this counts with it.
pub(crate) const NEWEST: &str = "SELECT id, handed_out_at FROM notifications WHERE subject = ? AND kind = ? \
     ORDER BY id DESC LIMIT 1 FOR UPDATE";
