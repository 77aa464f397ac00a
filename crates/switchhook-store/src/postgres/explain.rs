//! Explaining an event: the event, where it went, and the subscriptions as they stood.

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use switchhook_domain::id::{CompanyId, EventId, SubscriptionId};

use super::{deliveries, events, versions};
use crate::error::StoreError;
use crate::explain::Explained;
use crate::page::PageRequest;

/// Reads everything as it was at one moment: events and versions may be removed or written in between.
pub(super) async fn explain(
    connection: &mut PgConnection,
    company_id: CompanyId,
    event_id: EventId,
    only: Option<SubscriptionId>,
    page: PageRequest,
) -> Result<Explained, StoreError> {
    let mut moment = connection
        .begin_with("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let event = events::find(&mut moment, company_id, event_id).await?;
    let revision = match event.revision {
        Some(revision) => revision,
        None => versions::first_revision(&mut moment).await?,
    };
    let mut deliveries = deliveries::originals_of(&mut moment, vec![event_id]).await?;
    let versions = versions::as_of(&mut moment, company_id, only, revision, page).await?;
    moment.rollback().await?;
    Ok(Explained {
        deliveries: deliveries.remove(&event_id).unwrap_or_default(),
        versions,
        revision,
        event,
    })
}
