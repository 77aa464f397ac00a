//! Explaining an event: the event, where it went, and the subscriptions as they stood.

use rusqlite::Connection;
use switchhook_domain::id::{CompanyId, EventId, SubscriptionId};

use super::{deliveries, events, versions};
use crate::error::StoreError;
use crate::explain::Explained;
use crate::page::PageRequest;

pub(super) fn explain(
    connection: &Connection,
    company_id: CompanyId,
    event_id: EventId,
    only: Option<SubscriptionId>,
    page: PageRequest,
) -> Result<Explained, StoreError> {
    let event = events::find(connection, company_id, event_id)?;
    let revision = match event.revision {
        Some(revision) => revision,
        None => versions::first_revision(connection)?,
    };
    Ok(Explained {
        deliveries: deliveries::originals_of(connection, event_id)?,
        versions: versions::as_of(connection, company_id, only, revision, page)?,
        revision,
        event,
    })
}
