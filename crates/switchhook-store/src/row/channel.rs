//! A channel of notifications as a row.

use switchhook_domain::id::{ChannelId, CompanyId};
use switchhook_domain::notification::{Channel, NotificationKind};

use super::{Columns, Row, secret};
use crate::error::StoreError;
use crate::sealing::Sealing;

/// Columns for [`read`].
macro_rules! channel_columns {
    () => {
        "id, company_id, type, destination, secret, kinds, created_at, updated_at"
    };
}
pub(crate) use channel_columns;

pub(crate) fn read(row: &Row<'_>, sealing: &Sealing) -> Result<Channel, StoreError> {
    let mut columns = Columns::of("notification_channels", row)?;
    let id = ChannelId(columns.id());
    let company_id = CompanyId(columns.read()?);
    let channel_type = columns.word()?;
    let destination = secret::read(&mut columns, id, sealing)?;
    Ok(Channel {
        id,
        company_id,
        channel_type,
        destination: destination.ok_or_else(|| columns.corrupt("it has no destination"))?,
        secret: secret::read(&mut columns, id, sealing)?,
        kinds: columns.json()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// Stored form of a channel's kinds.
pub(crate) fn kept_kinds(kinds: &[NotificationKind]) -> String {
    let spelled = kinds.iter().map(|kind| format!("\"{kind}\""));
    format!("[{}]", spelled.collect::<Vec<_>>().join(","))
}
