//! Reading of the registry: everything at the start, one company after a change, and single webhooks that another
//! node has just created. Subscriptions are read as of one revision, even if they change meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dashmap::DashMap;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, SubscriptionId, WebhookId, WebsocketId};
use switchhook_domain::subscription::{Revision, Subscription, SubscriptionVersion, VersionChange};
use switchhook_domain::websocket::Websocket;
use switchhook_store::{PageRequest, Store, StoreError, SubscriptionFilter, all_pages, pages_after};

use super::{Endpoints, Registry};

/// Age of the oldest suspensions read.
const SUSPENSIONS_REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Subscriptions as they were at one revision.
pub(super) struct Snapshot {
    pub(super) revision: Revision,
    pub(super) subscriptions: Vec<Subscription>,
}

impl Registry {
    /// Reads everything from the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn load(store: Arc<dyn Store>, now: Timestamp) -> Result<Self, StoreError> {
        let snapshot = Snapshot::read(&store, None).await?;
        let revision = snapshot.revision;
        let registry = Self {
            store,
            companies: DashMap::default(),
            destinations: DashMap::default(),
            websockets: DashMap::default(),
            loaded_at: revision,
        };
        let store = &registry.store;
        let mut endpoints = BTreeMap::<CompanyId, Endpoints>::new();
        for webhook in all_pages(|page| store.scan_webhooks(page)).await? {
            let company = endpoints.entry(webhook.company_id).or_default();
            company.webhooks.push(webhook);
        }
        for websocket in all_pages(|page| store.list_websockets(None, page)).await? {
            let company = endpoints.entry(websocket.company_id).or_default();
            company.websockets.push(websocket);
        }
        for company_id in store.feeds(None).await? {
            endpoints.entry(company_id).or_default().has_feed = true;
        }
        let mut subscriptions = BTreeMap::<CompanyId, Vec<Subscription>>::new();
        for subscription in snapshot.subscriptions {
            subscriptions
                .entry(subscription.company_id)
                .or_default()
                .push(subscription);
        }
        let companies: BTreeSet<_> = endpoints.keys().chain(subscriptions.keys()).copied().collect();
        for company_id in companies {
            let snapshot = Snapshot {
                revision,
                subscriptions: subscriptions.remove(&company_id).unwrap_or_default(),
            };
            registry.learn(
                company_id,
                endpoints.remove(&company_id).unwrap_or_default(),
                snapshot,
            );
        }
        for record in registry
            .store
            .list_suspensions(None, now.minus(SUSPENSIONS_REMEMBERED))
            .await?
        {
            if let Some(destination) = registry.destination(record.webhook_id) {
                destination.load().remember(&record);
            }
        }
        for (webhook_id, outage) in registry.store.lasting_outages(None).await? {
            if let Some(destination) = registry.destination(webhook_id) {
                destination.load().note_outage(Some(&outage));
            }
        }
        Ok(registry)
    }

    /// Reads one company's webhooks and subscriptions again, after they were changed in the store.
    ///
    /// # Errors
    /// If the store cannot be read; what was known stays.
    pub async fn refresh(&self, company_id: CompanyId) -> Result<(), StoreError> {
        let company = self.company(company_id);
        let wish = company.refreshes_requested.fetch_add(1, Ordering::SeqCst) + 1;
        let mut served = company.refreshing.lock().await;
        if *served >= wish {
            return Ok(());
        }
        let serves = company.refreshes_requested.load(Ordering::SeqCst);
        let store = &self.store;
        // Subscriptions first, so that what they name is known too if another node has just made both.
        let snapshot = Snapshot::read(store, Some(company_id)).await?;
        let mut webhooks = all_pages(|page| store.list_webhooks(company_id, page)).await?;
        webhooks.extend(store.replay_webhooks(company_id).await?);
        let websockets = all_pages(|page| store.list_websockets(Some(company_id), page)).await?;
        let endpoints = Endpoints {
            webhooks,
            websockets,
            has_feed: store.feeds(Some(company_id)).await?.contains(&company_id),
        };
        self.learn(company_id, endpoints, snapshot);
        *served = serves;
        Ok(())
    }

    /// Reads the companies again that are not what they were, whoever changed them. Costs a look at every webhook and
    /// websocket if nothing is.
    ///
    /// # Errors
    /// If the store cannot be read; what was known stays.
    pub async fn refresh_all(&self) -> Result<BTreeSet<CompanyId>, StoreError> {
        let changed = self.changed_companies().await?;
        for company_id in &changed {
            self.refresh(*company_id).await?;
        }
        Ok(changed)
    }

    /// The companies of which the store knows something else. What changes meanwhile may be among it.
    async fn changed_companies(&self) -> Result<BTreeSet<CompanyId>, StoreError> {
        let store = &self.store;
        let mut changed = BTreeSet::new();
        let mut missing: HashSet<_> = self
            .destinations
            .iter()
            .map(|destination| *destination.key())
            .collect();
        for webhook in all_pages(|page| store.scan_webhooks(page)).await? {
            missing.remove(&webhook.id);
            if self
                .destination(webhook.id)
                .is_none_or(|destination| destination.webhook != webhook)
            {
                changed.insert(webhook.company_id);
            }
        }
        let gone = missing.into_iter().filter_map(|id| self.destination(id));
        changed.extend(gone.map(|destination| destination.webhook.company_id));
        let mut missing: HashSet<_> = self.websockets.iter().map(|one| *one.key()).collect();
        for websocket in all_pages(|page| store.list_websockets(None, page)).await? {
            missing.remove(&websocket.id);
            if self
                .websocket(websocket.id)
                .is_none_or(|known| *known != websocket)
            {
                changed.insert(websocket.company_id);
            }
        }
        let gone = missing.into_iter().filter_map(|id| self.websocket(id));
        changed.extend(gone.map(|websocket| websocket.company_id));
        for company_id in store.feeds(None).await? {
            if !self.has_feed(company_id) {
                changed.insert(company_id);
            }
        }
        let changes = |page| store.subscription_changes(None, page);
        for version in pages_after(Some(self.loaded_at.0), changes).await? {
            let company_id = version.subscription.company_id;
            if version.revision > self.revision(company_id) {
                changed.insert(company_id);
            }
        }
        Ok(changed)
    }

    /// Reads a webhook that this node does not know yet. The answer may be a moment old.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn learn_of(&self, id: WebhookId) -> Result<bool, StoreError> {
        let at_it = PageRequest {
            after: Some(id.0.saturating_sub(1)),
            limit: 1,
        };
        let found = self.store.scan_webhooks(at_it).await?;
        match found.items.first().filter(|webhook| webhook.id == id) {
            Some(webhook) => {
                self.refresh(webhook.company_id).await?;
                Ok(self.destination(id).is_some())
            }
            None => Ok(false),
        }
    }

    /// A websocket, also one that another node made a moment ago.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn find_websocket(&self, id: WebsocketId) -> Result<Option<Arc<Websocket>>, StoreError> {
        if let Some(known) = self.websocket(id) {
            return Ok(Some(known));
        }
        let at_it = PageRequest {
            after: Some(id.0.saturating_sub(1)),
            limit: 1,
        };
        let found = self.store.list_websockets(None, at_it).await?;
        if let Some(websocket) = found.items.first().filter(|websocket| websocket.id == id) {
            self.refresh(websocket.company_id).await?;
        }
        Ok(self.websocket(id))
    }
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
        let changes = |page| store.subscription_changes(company_id, page);
        let changes = pages_after(Some(began_at.0), changes).await?;
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
