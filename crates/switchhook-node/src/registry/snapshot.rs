//! Lists of the store, read to their end page by page; and the subscriptions as they were at one revision, although they may
//! change while they are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchhook_domain::id::{CompanyId, SubscriptionId};
use switchhook_domain::subscription::{Revision, Subscription, SubscriptionVersion, VersionChange};
use switchhook_store::{Page, PageRequest, Store, StoreError, SubscriptionFilter};

/// How many rows are read at a time.
pub(super) const PAGE: u32 = 1_000;

/// Subscriptions as they were at one revision.
pub(super) struct Snapshot {
    pub(super) revision: Revision,
    pub(super) subscriptions: Vec<Subscription>,
}

impl Snapshot {
    /// Reads the subscriptions of a company, or of all.
    ///
    /// They are read page by page, while they may change. So what changed since the reading began is read after it,
    /// and what comes of both is exactly how it was at the last of these changes.
    pub(super) async fn read(
        store: &Arc<dyn Store>,
        company_id: Option<CompanyId>,
    ) -> Result<Self, StoreError> {
        let began_at = store.last_revision().await?;
        let every = SubscriptionFilter::default();
        let pages = match company_id {
            Some(id) => all_pages(|page| store.list_subscriptions(id, every, page)).await?,
            None => all_pages(|page| store.scan_subscriptions(page)).await?,
        };
        let since = PageRequest {
            after: Some(began_at.0),
            limit: PAGE,
        };
        let changes = pages_from(since, |page| store.subscription_changes(company_id, page)).await?;
        if changes.is_empty() {
            return Ok(Self {
                revision: began_at,
                subscriptions: pages,
            });
        }
        Ok(Self {
            revision: changes.last().map_or(began_at, |last| last.revision),
            subscriptions: brought_up_to_date(pages, changes),
        })
    }
}

fn brought_up_to_date(
    subscriptions: Vec<Subscription>,
    changes: Vec<SubscriptionVersion>,
) -> Vec<Subscription> {
    let ids = subscriptions.into_iter().map(|one| (one.id, one));
    let mut found: BTreeMap<SubscriptionId, Subscription> = ids.collect();
    for SubscriptionVersion {
        change, subscription, ..
    } in changes
    {
        if change == VersionChange::Deleted {
            found.remove(&subscription.id);
        } else {
            found.insert(subscription.id, subscription);
        }
    }
    found.into_values().collect()
}

/// Reads a list to its end, page by page.
pub async fn all_pages<T, F>(read: impl Fn(PageRequest) -> F) -> Result<Vec<T>, StoreError>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    pages_from(PageRequest::first(PAGE), read).await
}

pub(super) async fn pages_from<T, F>(
    mut request: PageRequest,
    read: impl Fn(PageRequest) -> F,
) -> Result<Vec<T>, StoreError>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let mut all = Vec::new();
    loop {
        let page = read(request).await?;
        all.extend(page.items);
        match page.next {
            Some(after) => request.after = Some(after),
            None => return Ok(all),
        }
    }
}
