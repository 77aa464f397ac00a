//! What a node knows by heart: every webhook and websocket, and per company an index of the subscriptions in force.
//!
//! The store has the truth; whoever changes it there calls [`Registry::refresh`] for that company, which reads it
//! back. Reading back (rather than applying the change) cannot drift from the store, whatever the order of callers.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use switchhook_domain::Timestamp;
use switchhook_domain::event::EventFacts;
use switchhook_domain::filter::Content;
use switchhook_domain::id::{CompanyId, SubscriptionId, WebhookId, WebsocketId};
use switchhook_domain::matching::{CompanyIndex, Match};
use switchhook_domain::subscription::{Endpoint, Revision, Subscription, SubscriptionVersion, VersionChange};
use switchhook_domain::webhook::Webhook;
use switchhook_domain::websocket::Websocket;
use switchhook_store::{Page, PageRequest, Store, StoreError, SubscriptionFilter};
use tokio::sync::Mutex;

use crate::destination::Destination;

/// How far back a node remembers when webhooks were suspended.
const SUSPENSIONS_REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many rows are read at a time.
const PAGE: u32 = 1_000;

/// What this node knows of companies and webhooks.
pub struct Registry {
    store: Arc<dyn Store>,
    companies: DashMap<CompanyId, Arc<Company>>,
    destinations: DashMap<WebhookId, Arc<Destination>>,
    websockets: DashMap<WebsocketId, Arc<Websocket>>,
    /// What companies stand at that were not there when everything was read.
    loaded_at: Revision,
}

/// Where an event goes, and which subscriptions decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The webhooks and websockets that it goes to.
    pub matches: Vec<Match>,
    /// The revision of the subscriptions that it was matched with, so that this can be explained later.
    pub revision: Revision,
    /// Whether its company keeps a feed, so that it is logged whoever asked for it.
    pub has_feed: bool,
}

/// One company's part.
#[derive(Default)]
struct Company {
    known: parking_lot::RwLock<Known>,
    /// Counts the wishes for a refresh, so that one refresh can serve all who wished before it began.
    wished: AtomicU64,
    /// One refresh at a time; holds how many wishes the last one served.
    refreshing: Mutex<u64>,
}

#[derive(Default)]
struct Known {
    index: Arc<CompanyIndex>,
    /// Of the subscriptions in the index.
    revision: Revision,
    webhook_ids: HashSet<WebhookId>,
    websocket_ids: HashSet<WebsocketId>,
    /// Disabled ones included.
    subscription_ids: HashSet<SubscriptionId>,
    /// Whether all of its events are in its log.
    has_feed: bool,
}

/// Where a company's events can go.
#[derive(Default)]
struct Endpoints {
    webhooks: Vec<Webhook>,
    websockets: Vec<Websocket>,
    has_feed: bool,
}

/// Subscriptions as they were at one revision.
struct Snapshot {
    revision: Revision,
    subscriptions: Vec<Subscription>,
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
            companies: DashMap::new(),
            destinations: DashMap::new(),
            websockets: DashMap::new(),
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
                destination.load().hear_outage(Some(&outage));
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
        let wish = company.wished.fetch_add(1, Ordering::SeqCst) + 1;
        let mut served = company.refreshing.lock().await;
        if *served >= wish {
            return Ok(());
        }
        let serves = company.wished.load(Ordering::SeqCst);
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
        let since = PageRequest {
            after: Some(self.loaded_at.0),
            limit: PAGE,
        };
        for version in pages_from(since, |page| store.subscription_changes(None, page)).await? {
            let company_id = version.subscription.company_id;
            if version.revision > self.revision(company_id) {
                changed.insert(company_id);
            }
        }
        Ok(changed)
    }

    /// Whether there is a webhook that is not known here; if so it is from now on. It may be a moment old.
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

    /// How to send to each webhook of every company.
    pub fn destinations(&self) -> impl Iterator<Item = Arc<Destination>> {
        self.destinations.iter().map(|entry| Arc::clone(&entry))
    }

    /// The webhooks of a company that a subscription sends to which is enabled.
    #[must_use]
    pub fn subscribed_webhooks(&self, company_id: CompanyId) -> HashSet<WebhookId> {
        let Some(company) = self.companies.get(&company_id).map(|entry| Arc::clone(&entry)) else {
            return HashSet::new();
        };
        let index = Arc::clone(&company.known.read().index);
        index.endpoints().filter_map(Endpoint::webhook_id).collect()
    }

    /// How to send to each of a company's webhooks.
    #[must_use]
    pub fn destinations_of(&self, company_id: CompanyId) -> Vec<Arc<Destination>> {
        let Some(company) = self.companies.get(&company_id).map(|entry| Arc::clone(&entry)) else {
            return Vec::new();
        };
        let ids: Vec<_> = company.known.read().webhook_ids.iter().copied().collect();
        ids.into_iter().filter_map(|id| self.destination(id)).collect()
    }

    /// How many webhooks a company has, those of running replays included.
    #[must_use]
    pub fn webhook_count(&self, company_id: CompanyId) -> usize {
        let company = self.companies.get(&company_id);
        company.map_or(0, |company| company.known.read().webhook_ids.len())
    }

    /// How many websockets a company has.
    #[must_use]
    pub fn websocket_count(&self, company_id: CompanyId) -> usize {
        let company = self.companies.get(&company_id);
        company.map_or(0, |company| company.known.read().websocket_ids.len())
    }

    /// How many subscriptions a company has, disabled ones included.
    #[must_use]
    pub fn subscription_count(&self, company_id: CompanyId) -> usize {
        let company = self.companies.get(&company_id);
        company.map_or(0, |company| company.known.read().subscription_ids.len())
    }

    /// Whether a company has a subscription, enabled or not.
    #[must_use]
    pub fn has_subscription(&self, company_id: CompanyId, id: SubscriptionId) -> bool {
        let company = self.companies.get(&company_id);
        company.is_some_and(|company| company.known.read().subscription_ids.contains(&id))
    }

    /// The companies that are known.
    #[must_use]
    pub fn company_ids(&self) -> Vec<CompanyId> {
        self.companies.iter().map(|entry| *entry.key()).collect()
    }

    /// Where an event of the company with this content goes.
    #[must_use]
    pub fn match_event(&self, company_id: CompanyId, facts: &EventFacts, content: &Content<'_>) -> Matched {
        let Some(company) = self.companies.get(&company_id).map(|entry| Arc::clone(&entry)) else {
            return Matched {
                matches: Vec::new(),
                revision: self.loaded_at,
                has_feed: false,
            };
        };
        let (index, revision, has_feed) = {
            let known = company.known.read();
            (Arc::clone(&known.index), known.revision, known.has_feed)
        };
        Matched {
            has_feed,
            matches: index.match_event(facts, content),
            revision,
        }
    }

    /// Whether all of a company's events are in its log.
    #[must_use]
    pub fn has_feed(&self, company_id: CompanyId) -> bool {
        let company = self.companies.get(&company_id);
        company.is_some_and(|company| company.known.read().has_feed)
    }

    /// The revision of the subscriptions that an event of the company would be matched with now.
    #[must_use]
    pub fn revision(&self, company_id: CompanyId) -> Revision {
        let company = self.companies.get(&company_id);
        company.map_or(self.loaded_at, |company| company.known.read().revision)
    }

    /// How to send to a webhook; `None` if it is gone.
    #[must_use]
    pub fn destination(&self, id: WebhookId) -> Option<Arc<Destination>> {
        self.destinations
            .get(&id)
            .map(|destination| Arc::clone(&destination))
    }

    /// A websocket; `None` if it is gone.
    #[must_use]
    pub fn websocket(&self, id: WebsocketId) -> Option<Arc<Websocket>> {
        self.websockets.get(&id).map(|websocket| Arc::clone(&websocket))
    }

    fn company(&self, company_id: CompanyId) -> Arc<Company> {
        let company = self.companies.entry(company_id).or_insert_with(|| {
            let company = Company::default();
            company.known.write().revision = self.loaded_at;
            Arc::new(company)
        });
        Arc::clone(&company)
    }

    fn learn(&self, company_id: CompanyId, endpoints: Endpoints, snapshot: Snapshot) {
        let Endpoints {
            webhooks,
            websockets,
            has_feed,
        } = endpoints;
        let websocket_ids: HashSet<_> = websockets.iter().map(|websocket| websocket.id).collect();
        for websocket in websockets {
            let known = self.websocket(websocket.id);
            if known.is_none_or(|known| *known != websocket) {
                self.websockets.insert(websocket.id, Arc::new(websocket));
            }
        }
        let webhook_ids: HashSet<_> = webhooks.iter().map(|webhook| webhook.id).collect();
        for webhook in webhooks {
            let id = webhook.id;
            let before = self.destination(id);
            // Most stay as they are, and there may be many.
            if before
                .as_ref()
                .is_some_and(|destination| destination.webhook == webhook)
            {
                continue;
            }
            let load = before
                .as_ref()
                .map(|destination| destination.load())
                .unwrap_or_default();
            load.pause_changed(
                before.and_then(|destination| destination.webhook.paused_at),
                &webhook,
            );
            self.destinations
                .insert(id, Arc::new(Destination::new(webhook, load)));
        }
        let company = self.company(company_id);
        let revision = snapshot.revision;
        let subscription_ids = snapshot.subscriptions.iter().map(|one| one.id).collect();
        let index = Arc::new(CompanyIndex::build(snapshot.subscriptions));
        let mut known = company.known.write();
        for gone in known.webhook_ids.difference(&webhook_ids) {
            self.destinations.remove(gone);
        }
        for gone in known.websocket_ids.difference(&websocket_ids) {
            self.websockets.remove(gone);
        }
        *known = Known {
            index,
            revision,
            webhook_ids,
            websocket_ids,
            subscription_ids,
            has_feed,
        };
    }
}

impl Snapshot {
    /// Reads the subscriptions of a company, or of all.
    ///
    /// They are read page by page, while they may change. So what changed since the reading began is read after it,
    /// and what comes of both is exactly how it was at the last of these changes.
    async fn read(store: &Arc<dyn Store>, company_id: Option<CompanyId>) -> Result<Self, StoreError> {
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

async fn pages_from<T, F>(
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
