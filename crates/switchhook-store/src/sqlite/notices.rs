//! Notices: what people are to be told of, written down in the commit of the change that they are told of.

use rusqlite::params;
use switchhook_domain::id::{CompanyId, first_id_at};
use switchhook_domain::notification::{Newest, Notice, NotificationKind, Placement, placement};

use super::list::first;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::given_up::GivenUpDeliveries;
use crate::row::notification::read_newest;

/// Writes a notice down, or counts it with the notification of the same kind and subject that is still to be said.
pub(super) fn add(transaction: &Transaction<'_>, notice: &Notice) -> Result<(), StoreError> {
    let (kind, subject) = (notice.news.kind(), notice.news.subject());
    let newest_of_kind = newest(transaction, kind, &subject)?;
    let newest_opposite = match kind.opposite() {
        Some(opposite) => newest(transaction, opposite, &subject)?,
        None => None,
    };
    match placement(kind, newest_of_kind, newest_opposite, notice.at) {
        Placement::Known => 0,
        Placement::New { due_at } => transaction.prepare(INSERT)?.execute(params![
            first_id_at(notice.at),
            notice.company_id.map(|id| id.0),
            kind.as_str(),
            subject,
            notice.at.as_millis(),
            notice.count,
            notice.news.data().to_string(),
            due_at.as_millis(),
        ])?,
        Placement::Joins(id) => transaction
            .prepare("UPDATE notifications SET count = count + ?, data = ? WHERE id = ?")?
            .execute(params![notice.count, notice.news.data().to_string(), id.0])?,
        Placement::Cancels(id) => transaction
            .prepare("DELETE FROM notifications WHERE id = ?")?
            .execute([id.0])?,
    };
    Ok(())
}

/// Writes down that deliveries were given up.
pub(super) fn add_given_up(
    transaction: &Transaction<'_>,
    given_up: &GivenUpDeliveries,
) -> Result<(), StoreError> {
    for id in given_up.webhook_ids() {
        let sql = "SELECT company_id, hook_url FROM webhooks WHERE id = ?";
        let notice = first(transaction.connection, sql, &[&id.0], |row| {
            Ok(given_up.notice(id, CompanyId(row.get(0)?), row.get(1)?))
        })?;
        if let Some(notice) = notice.flatten() {
            add(transaction, &notice)?;
        }
    }
    Ok(())
}

/// Only this process writes, so the largest id and one more is nobody else's.
const INSERT: &str = "INSERT INTO notifications (id, company_id, kind, subject, at, count, data, due_at) \
     VALUES (max(?, (SELECT coalesce(max(id), 0) + 1 FROM notifications)), ?, ?, ?, ?, ?, ?, ?)";

fn newest(
    transaction: &Transaction<'_>,
    kind: NotificationKind,
    subject: &str,
) -> Result<Option<Newest>, StoreError> {
    first(
        transaction.connection,
        NEWEST,
        &[&subject, &kind.as_str()],
        read_newest,
    )
}

pub(super) const NEWEST: &str =
    "SELECT id, handed_out_at FROM notifications WHERE subject = ? AND kind = ? ORDER BY id DESC LIMIT 1";
