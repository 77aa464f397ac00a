//! An event becomes a row.
//!
//! Rows that nothing depends on yet are gathered, and written together.

use bytes::Bytes;
use rusqlite::params;
use switchhook_domain::order::OrderKey;

use super::bulk::{self, Insertion, Values};
use super::row::Verbatim;
use super::statements::Statements;
use crate::error::StoreError;
use crate::event::NewEvent;
use crate::row::event::warnings;

/// Values of an event's row, to be written after the event is gone.
pub(super) struct EventRow {
    id: i64,
    company_id: i64,
    kind: &'static str,
    accepted_at: i64,
    order_key: Option<OrderKey>,
    idempotency_key: Option<String>,
    warnings: Option<String>,
    body: Bytes,
    revision: i64,
    position: Option<i64>,
}

impl EventRow {
    pub(super) fn of(event: &NewEvent, position: Option<i64>) -> Result<Self, StoreError> {
        Ok(Self {
            id: event.id.0,
            company_id: event.company_id.0,
            kind: event.kind.route(),
            accepted_at: event.accepted_at.as_millis(),
            order_key: event.order_key.clone(),
            idempotency_key: event
                .idempotency
                .as_ref()
                .map(|idempotency| idempotency.key.clone()),
            warnings: warnings(&event.warnings)?,
            body: event.body.clone(),
            revision: event.revision.0,
            position,
        })
    }

    /// True if the row may be needed before the batch ends: by its key, or by its position in the log.
    pub(super) const fn is_looked_for(&self) -> bool {
        self.idempotency_key.is_some() || self.position.is_some()
    }

    /// Memory that it holds, in bytes.
    pub(super) fn size(&self) -> usize {
        self.body.len()
    }

    fn bind(&self, values: &mut Values<'_, '_>) -> Result<(), StoreError> {
        values.bind(params![
            self.id,
            self.company_id,
            self.kind,
            self.accepted_at,
            self.order_key.as_ref().map(OrderKey::as_str),
            self.idempotency_key,
            self.warnings,
            Verbatim(&self.body),
            self.revision,
            self.position,
        ])
    }
}

pub(super) fn insert(statements: &mut Statements<'_>, rows: &[EventRow]) -> Result<(), StoreError> {
    bulk::insert(statements, &INSERT, rows, EventRow::bind)
}

static INSERT: Insertion = Insertion::new(INSERT_ONE, || bulk::many(INSERT_ONE));

const INSERT_ONE: &str = "INSERT OR FAIL INTO events (id, company_id, kind, accepted_at, order_key, idempotency_key, warnings, body, \
     revision, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
