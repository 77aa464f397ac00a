//! What a node knows by heart: every webhook, and per company an index of the subscriptions in force.
//!
//! The store has the truth; whoever changes it there calls [`Registry::refresh`] for that company, which reads it
//! back. Reading back (rather than applying the change) cannot drift from the store, whatever the order of callers.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use switchhook_domain::event::EventFacts;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::matching::{CompanyIndex, Match};
use switchhook_domain::subscription::Subscription;
use switchhook_domain::webhook::Webhook;
use switchhook_store::{Page, PageRequest, Store, StoreError, SubscriptionFilter};
use tokio::sync::Mutex;

use crate::delivery::Route;

/// How many rows are read at a time.
const PAGE: u32 = 1_000;

/// What this node knows of companies and webhooks.
pub struct Registry {
    store: Arc<dyn Store>,
    companies: DashMap<CompanyId, Arc<Company>>,
    routes: DashMap<WebhookId, Arc<Route>>,
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
    webhook_ids: HashSet<WebhookId>,
}

impl Registry {
    /// Reads everything from the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let registry = Self {
            store,
            companies: DashMap::new(),
            routes: DashMap::new(),
        };
        let store = &registry.store;
        let mut webhooks = BTreeMap::<CompanyId, Vec<Webhook>>::new();
        for webhook in all_pages(|page| store.scan_webhooks(page)).await? {
            webhooks.entry(webhook.company_id).or_default().push(webhook);
        }
        let mut subscriptions = BTreeMap::<CompanyId, Vec<Subscription>>::new();
        for subscription in all_pages(|page| store.scan_subscriptions(page)).await? {
            subscriptions
                .entry(subscription.company_id)
                .or_default()
                .push(subscription);
        }
        for (company_id, webhooks) in webhooks {
            registry.learn(
                company_id,
                webhooks,
                subscriptions.remove(&company_id).unwrap_or_default(),
            );
        }
        Ok(registry)
    }

    /// Reads one company's webhooks and subscriptions again, after they were changed in the store.
    ///
    /// # Errors
    /// If the store cannot be read; what was known stays.
    pub async fn refresh(&self, company_id: CompanyId) -> Result<(), StoreError> {
        let company = Arc::clone(&self.companies.entry(company_id).or_default());
        let wish = company.wished.fetch_add(1, Ordering::SeqCst) + 1;
        let mut served = company.refreshing.lock().await;
        if *served >= wish {
            return Ok(());
        }
        let serves = company.wished.load(Ordering::SeqCst);
        let store = &self.store;
        let mut webhooks = all_pages(|page| store.list_webhooks(company_id, page)).await?;
        webhooks.extend(store.replay_webhooks(company_id).await?);
        let every = SubscriptionFilter::default();
        let subscriptions = all_pages(|page| store.list_subscriptions(company_id, every, page)).await?;
        self.learn(company_id, webhooks, subscriptions);
        *served = serves;
        Ok(())
    }

    /// Where an event of the company goes.
    #[must_use]
    pub fn match_event(&self, company_id: CompanyId, facts: &EventFacts) -> Vec<Match> {
        let Some(company) = self.companies.get(&company_id).map(|entry| Arc::clone(&entry)) else {
            return Vec::new();
        };
        let index = Arc::clone(&company.known.read().index);
        index.match_event(facts)
    }

    /// How to send to a webhook; `None` if it is gone.
    #[must_use]
    pub fn route(&self, id: WebhookId) -> Option<Arc<Route>> {
        self.routes.get(&id).map(|route| Arc::clone(&route))
    }

    fn learn(&self, company_id: CompanyId, webhooks: Vec<Webhook>, subscriptions: Vec<Subscription>) {
        let webhook_ids: HashSet<_> = webhooks.iter().map(|webhook| webhook.id).collect();
        for webhook in webhooks {
            let id = webhook.id;
            let load = self.routes.get(&id).map(|route| route.load()).unwrap_or_default();
            self.routes.insert(id, Arc::new(Route::new(webhook, load)));
        }
        let company = Arc::clone(&self.companies.entry(company_id).or_default());
        let index = Arc::new(CompanyIndex::build(subscriptions));
        let mut known = company.known.write();
        for gone in known.webhook_ids.difference(&webhook_ids) {
            self.routes.remove(gone);
        }
        *known = Known { index, webhook_ids };
    }
}

async fn all_pages<T, F>(read: impl Fn(PageRequest) -> F) -> Result<Vec<T>, StoreError>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let mut all = Vec::new();
    let mut request = PageRequest::first(PAGE);
    loop {
        let page = read(request).await?;
        all.extend(page.items);
        match page.next {
            Some(after) => request.after = Some(after),
            None => return Ok(all),
        }
    }
}
