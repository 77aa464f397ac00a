//! Notices: what people are to be told of, written down in the commit of the change that they are told of.

use switchhook_domain::id::{CompanyId, WebhookId, first_id_at};
use switchhook_domain::notification::{Newest, Notice, NotificationKind, Placement, placement};

use super::list::{all, first};
use super::transaction::{Transaction, lock_subject};
use crate::error::StoreError;
use crate::given_up::GivenUpDeliveries;
use crate::row::Row;
use crate::row::notification::read_newest;

/// Writes a notice down, or counts it with the notification of the same kind and subject that is still to be said.
///
/// It locks the subject until the end of the transaction: so it comes last in one, and of several subjects in the order of
/// their names.
pub(super) async fn add(transaction: &mut Transaction<'_>, notice: &Notice) -> Result<(), StoreError> {
    let (kind, subject) = (notice.news.kind(), notice.news.subject());
    lock_subject(transaction.connection, &subject).await?;
    let newest_of_kind = newest(transaction, kind, &subject).await?;
    let newest_opposite = match kind.opposite() {
        Some(opposite) => newest(transaction, opposite, &subject).await?,
        None => None,
    };
    let data = notice.news.data().to_string();
    let query = match placement(kind, newest_of_kind, newest_opposite, notice.at) {
        Placement::Known => return Ok(()),
        Placement::New { due_at } => sqlx::query(INSERT)
            .bind(first_id_at(notice.at))
            .bind(notice.company_id.map(|id| id.0))
            .bind(kind.as_str())
            .bind(subject)
            .bind(notice.at.as_millis())
            .bind(i64::from(notice.count))
            .bind(data)
            .bind(due_at.as_millis()),
        Placement::Joins(id) => {
            sqlx::query("UPDATE notifications SET count = count + $1, data = $2 WHERE id = $3")
                .bind(i64::from(notice.count))
                .bind(data)
                .bind(id.0)
        }
        Placement::Cancels(id) => sqlx::query("DELETE FROM notifications WHERE id = $1").bind(id.0),
    };
    query.execute(&mut *transaction.connection).await?;
    Ok(())
}

/// Writes down that deliveries were given up.
pub(super) async fn add_given_up(
    transaction: &mut Transaction<'_>,
    given_up: &GivenUpDeliveries,
) -> Result<(), StoreError> {
    let ids: Vec<i64> = given_up.webhook_ids().into_iter().map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "SELECT id, company_id, hook_url FROM webhooks WHERE id = ANY($1)";
    let read = |row: &Row<'_>| {
        let id = WebhookId(row.get(0)?);
        Ok(given_up.notice(id, CompanyId(row.get(1)?), row.get(2)?))
    };
    let notices = all(transaction.connection, sqlx::query(sql).bind(ids), read).await?;
    let mut notices: Vec<_> = notices.into_iter().flatten().collect();
    notices.sort_by_key(|notice| notice.news.subject());
    for notice in &notices {
        add(transaction, notice).await?;
    }
    Ok(())
}

const INSERT: &str = "INSERT INTO notifications (id, company_id, kind, subject, at, count, data, due_at) \
     VALUES ($1 + nextval('notification_ids'), $2, $3, $4, $5, $6, $7, $8)";

async fn newest(
    transaction: &mut Transaction<'_>,
    kind: NotificationKind,
    subject: &str,
) -> Result<Option<Newest>, StoreError> {
    let query = sqlx::query(NEWEST).bind(subject.to_owned()).bind(kind.as_str());
    first(transaction.connection, query, read_newest).await
}

/// It stays locked, so that it is not handed out before this counts with it.
const NEWEST: &str = "SELECT id, handed_out_at FROM notifications WHERE subject = $1 AND kind = $2 \
     ORDER BY id DESC LIMIT 1 FOR UPDATE";
