//! The rules of replays that every driver follows: who may begin, go on, end, and what is selected on the way.
//!
//! Pure: the drivers read rows and write what is decided here.

use std::collections::BTreeMap;
use std::time::Duration;

use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::order::{LONGEST_BLOCK, OrderKey};
use switchhook_domain::replay::{Candidate, PastDelivery, Replay, ReplayState, ReplayStateName};
use switchhook_domain::{Kind, Timestamp};

use crate::error::StoreError;
use crate::replay::{NewReplay, ReplayDelivery, ReplayEnd, ReplayStep, Scan, Selection};
use crate::row::delivery::read_ids;
use crate::row::{Columns, Row};

impl NewReplay {
    /// Refuses a replay beyond the limit of its company.
    pub(crate) fn check_limit(&self, running: u32) -> Result<(), StoreError> {
        if running >= self.most_running {
            return Err(StoreError::Conflict(format!(
                "{running} replays are running, and {} is the limit: wait until one has finished, or cancel one",
                self.most_running
            )));
        }
        Ok(())
    }
}

impl ReplayStep {
    /// Refuses a step if the replay is not where it begins.
    pub(crate) fn check_start(&self, replay: &Replay) -> Result<(), StoreError> {
        if replay.state != ReplayState::Running || replay.cursor != self.from || replay.is_all_created {
            return Err(StoreError::Conflict(format!(
                "replay {} has gone on from event {} or has ended",
                self.id, self.from
            )));
        }
        Ok(())
    }

    /// Due time of the first delivery to each webhook.
    pub(crate) fn first_due(&self) -> BTreeMap<WebhookId, Timestamp> {
        let mut first_due = BTreeMap::new();
        for one in &self.deliveries {
            first_due.entry(one.planned.webhook_id).or_insert(one.due_at);
        }
        first_due
    }
}

impl ReplayDelivery {
    /// The delivery that it becomes.
    pub(crate) fn unsent(&self, replay: &Replay, ordinal: u32, now: Timestamp) -> Delivery {
        let planned = &self.planned;
        Delivery {
            id: self.id,
            event_id: planned.event_id,
            ordinal,
            company_id: replay.company_id,
            webhook_id: planned.webhook_id,
            kind: planned.kind,
            subscription_ids: planned.subscription_ids.clone(),
            hidden: planned.hidden,
            order_key: planned.order_key.clone(),
            state: DeliveryState::Pending { due_at: self.due_at },
            attempt_number: 0,
            failures: switchhook_domain::retry::Failures::default(),
            blocks_until: self.due_at.plus(LONGEST_BLOCK),
            note: None,
            origin: planned.origin,
            replay_id: Some(replay.id),
            suspended: Duration::ZERO,
            last_failure: None,
            resolved: None,
            created_at: now,
        }
    }
}

impl ReplayEnd {
    /// The state's name in the database, and why.
    pub(crate) fn as_state(&self) -> (ReplayStateName, Option<&str>) {
        match self {
            Self::Finished => (ReplayStateName::Finished, None),
            Self::Failed(reason) => (ReplayStateName::Failed, Some(reason)),
        }
    }
}

/// Refuses the end of a replay that has ended.
pub(crate) fn check_end(replay: &Replay) -> Result<(), StoreError> {
    if replay.state != ReplayState::Running {
        return Err(StoreError::Conflict(format!(
            "replay {} has already ended",
            replay.id
        )));
    }
    Ok(())
}

/// True if a replay is to be cancelled, `false` if it is already.
pub(crate) fn check_cancel(replay: &Replay) -> Result<bool, StoreError> {
    match &replay.state {
        ReplayState::Running => Ok(true),
        ReplayState::Cancelled { .. } => Ok(false),
        ended @ (ReplayState::Finished { .. } | ReplayState::Failed { .. }) => {
            Err(StoreError::Conflict(format!(
                "replay {} has already {}: only a running one can be cancelled",
                replay.id,
                ended.name()
            )))
        }
    }
}

/// An event, as far as a replay looks at it.
pub(crate) type ScannedEvent = (EventId, Kind, Option<OrderKey>);

/// Some events that a replay looks at.
pub(crate) struct ScannedEvents {
    pub(crate) events: Vec<ScannedEvent>,
    /// Cursor after the scan, if that is beyond the last event.
    pub(crate) reaches: Option<EventId>,
    pub(crate) are_last: bool,
}

impl Scan {
    /// Selects from the events examined until there are enough.
    pub(crate) fn select(
        self,
        replay: &Replay,
        looked: ScannedEvents,
        mut deliveries_of: impl FnMut(EventId) -> Result<Vec<PastDelivery>, StoreError>,
    ) -> Result<Selection, StoreError> {
        let mut selection = Selection {
            candidates: Vec::new(),
            scanned: 0,
            first: looked.events.first().map(|(id, ..)| *id),
            cursor: self.after,
            is_last: false,
        };
        for (event_id, kind, order_key) in looked.events {
            if selection.candidates.len() >= self.most_selected as usize {
                return Ok(selection);
            }
            selection.scanned += 1;
            selection.cursor = event_id;
            if !replay.filter.lets_through(kind, order_key.as_ref()) {
                continue;
            }
            let candidate = Candidate {
                event_id,
                kind,
                order_key,
                deliveries: deliveries_of(event_id)?,
            };
            if !replay.plan(&candidate).is_empty() {
                selection.candidates.push(candidate);
            }
        }
        selection.cursor = looked.reaches.unwrap_or(selection.cursor);
        selection.is_last = looked.are_last;
        Ok(selection)
    }
}

/// Reads an event's id, kind and order key.
pub(crate) fn read_event(row: &Row<'_>) -> Result<ScannedEvent, StoreError> {
    let mut columns = Columns::of("events", row)?;
    let id = EventId(columns.id());
    Ok((id, columns.kind()?, columns.maybe_text()?.map(OrderKey::new)))
}

/// Reads a delivery's id, webhook, state, what is hidden, subscriptions and whether it was made with its event; further
/// columns may follow.
pub(crate) fn read_past_delivery(columns: &mut Columns<'_>) -> Result<PastDelivery, StoreError> {
    Ok(PastDelivery {
        id: DeliveryId(columns.id()),
        webhook_id: WebhookId(columns.read()?),
        state: columns.word()?,
        hidden: columns.word()?,
        subscription_ids: read_ids(columns)?,
        is_original: columns.read()?,
    })
}
