//! Explaining an event: the event, where it went, and the subscriptions as they stood.

use switchhook_domain::id::{CompanyId, EventId, SubscriptionId};

use super::{deliveries, events, versions};
use crate::error::StoreError;
use crate::explain::Explained;
use crate::page::PageRequest;
use crate::sql::Sql;

pub(super) async fn explain(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    event_id: EventId,
    only: Option<SubscriptionId>,
    page: PageRequest,
) -> Result<Explained, StoreError> {
    let event = events::find(sql, company_id, event_id).await?;
    let revision = match event.revision {
        Some(revision) => revision,
        None => versions::first_revision(sql).await?,
    };
    Ok(Explained {
        deliveries: deliveries::originals_of(sql, event_id).await?,
        versions: versions::as_of(sql, company_id, only, revision, page).await?,
        revision,
        event,
    })
}
