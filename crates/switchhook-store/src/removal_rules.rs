//! Rules of retention and erasure: which of the examined events may go.
//!
//! Pure: the drivers read rows and write what is decided here.

use switchhook_domain::id::EventId;
use switchhook_domain::phone_number::PhoneNumber;

use crate::error::StoreError;
use crate::retention::{ErasureSlice, RemovalSlice};
use crate::row::{Columns, Row};

/// Bound on the events examined to find some that can go.
pub(crate) const LOOK_AT: u32 = 5_000;

/// Bound on the event bytes searched for a number at a time.
pub(crate) const MOST_BYTES: usize = 16 << 20;

/// Placeholder for text removed from a record.
const ERASED: &str = "(erased)";
const NO_HEADERS: &str = "{}";

/// The note on the deliveries of an event from which a number was erased.
pub(crate) const NOTE: &str = "the payload was erased on request";

/// Events that can go, and where to look on.
#[derive(Debug, Default)]
pub(crate) struct RemovableEvents {
    pub(crate) ids: Vec<EventId>,
    pub(crate) next: Option<EventId>,
}

/// An event that was looked at.
pub(crate) struct ExaminedEvent {
    id: EventId,
    /// True if something still needs it, or its payload.
    is_needed: bool,
    /// Size of its payload.
    length: u64,
}

impl ExaminedEvent {
    /// Reads an event's id, whether it is needed, and its length.
    pub(crate) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let mut columns = Columns::of("events", row)?;
        Ok(Self {
            id: EventId(columns.id()),
            is_needed: columns.read()?,
            length: columns.read()?,
        })
    }
}

impl RemovableEvents {
    /// The first that can be removed, of at most [`LOOK_AT`].
    pub(crate) fn removable(seen: &[ExaminedEvent], slice: RemovalSlice) -> Self {
        let (mut found, mut bytes) = (Self::default(), 0);
        for one in seen {
            if !one.is_needed {
                if found.ids.len() == slice.limit as usize || (bytes >= slice.bytes && !found.ids.is_empty())
                {
                    return found;
                }
                found.ids.push(one.id);
                bytes += one.length;
            }
            found.next = Some(one.id);
        }
        if seen.len() < LOOK_AT as usize {
            found.next = None;
        }
        found
    }

    /// Those whose payloads can go, of at most `limit`.
    pub(crate) fn droppable(seen: &[ExaminedEvent], limit: u32) -> Self {
        let is_whole_page = seen.len() == limit as usize;
        let droppable = seen.iter().filter(|one| !one.is_needed);
        Self {
            ids: droppable.map(|one| one.id).collect(),
            next: seen.last().map(|one| one.id).filter(|_| is_whole_page),
        }
    }
}

/// Looking for a number, event by event.
#[derive(Debug, Default)]
pub(crate) struct NumberSearch {
    /// Events in which the number occurs, and where to look on.
    pub(crate) found: RemovableEvents,
    pub(crate) examined: u64,
    bytes: usize,
}

impl NumberSearch {
    /// Looks into the next event: reads its id, body, idempotency key and order key. `false`: that is enough for now.
    pub(crate) fn look(&mut self, row: &Row<'_>, number: &PhoneNumber) -> Result<bool, StoreError> {
        let mut columns = Columns::of("events", row)?;
        let id = EventId(columns.id());
        let body = columns.bytes()?;
        let keys = [columns.maybe_text()?, columns.maybe_text()?];
        let is_in_key = |key: &&str| number.occurs_in(key.as_bytes());
        if number.occurs_in(body) || keys.iter().flatten().any(is_in_key) {
            self.found.ids.push(id);
        }
        self.examined += 1;
        self.found.next = Some(id);
        self.bytes += body.len();
        Ok(!self.is_enough())
    }

    const fn is_enough(&self) -> bool {
        self.bytes > MOST_BYTES
    }

    /// Nothing more of the slice was there to look into.
    pub(crate) fn end(mut self, slice: &ErasureSlice) -> Self {
        if !self.is_enough() && self.examined < u64::from(slice.limit) {
            self.found.next = None;
        }
        self
    }
}

/// Parts of an attempt that an erasure changes.
pub(crate) struct AttemptRecord {
    pub(crate) delivery_id: i64,
    pub(crate) number: i64,
    has_answer: bool,
    /// True if address, explanation and request headers contain the number.
    holds_number: [bool; 3],
}

impl AttemptRecord {
    /// Reads a delivery's id, the attempt's number, whether something of an answer is kept, address, explanation and request
    /// headers.
    pub(crate) fn read(row: &Row<'_>, number: &PhoneNumber) -> Result<Self, StoreError> {
        let mut columns = Columns::of("attempts", row)?;
        let attempt_number = columns.read()?;
        let has_answer = columns.read()?;
        let mut holds_number = [false; 3];
        for holds in &mut holds_number {
            let text = columns.maybe_text()?.unwrap_or_default();
            *holds = number.occurs_in(text.as_bytes());
        }
        Ok(Self {
            delivery_id: columns.id(),
            number: attempt_number,
            has_answer,
            holds_number,
        })
    }

    /// True if anything is removed.
    pub(crate) fn is_affected(&self) -> bool {
        self.has_answer || self.holds_number.contains(&true)
    }

    /// New address, explanation and request headers, where they change.
    pub(crate) fn instead(&self) -> [Option<&'static str>; 3] {
        let [url, detail, request] = self.holds_number;
        [
            url.then_some(ERASED),
            detail.then_some(ERASED),
            request.then_some(NO_HEADERS),
        ]
    }
}
