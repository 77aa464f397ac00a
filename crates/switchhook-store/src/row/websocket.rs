//! A websocket as a row.

use switchhook_domain::id::{CompanyId, WebsocketId};
use switchhook_domain::websocket::Websocket;

use super::{Columns, Row, secret};
use crate::error::StoreError;
use crate::sealing::Sealing;

/// Columns for [`read`].
macro_rules! websocket_columns {
    () => {
        "id, company_id, secret, token_key, created_at, updated_at"
    };
}
pub(crate) use websocket_columns;

pub(crate) fn read(row: &Row<'_>, sealing: &Sealing) -> Result<Websocket, StoreError> {
    let mut columns = Columns::of("websockets", row)?;
    let id = WebsocketId(columns.id());
    Ok(Websocket {
        id,
        company_id: CompanyId(columns.read()?),
        secret: secret::read(&mut columns, id, sealing)?,
        token_key: sealing.read(id, columns.text()?)?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}
