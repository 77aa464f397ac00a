//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::event::NewEvent;
use crate::row::event::{self, event_columns};
use crate::websocket::{LogBounds, LogEntry, LogPosition};
use sqlx::postgres::PgConnection;
use switchhook_domain::id::CompanyId;

pub(super) async fn end(
    _connection: &mut PgConnection,
    company_id: CompanyId,
) -> Result<LogPosition, StoreError> {
    unimplemented!()
}

pub(super) async fn read(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    after: LogPosition,
    bounds: LogBounds,
) -> Result<Vec<LogEntry>, StoreError> {
    unimplemented!()
}
