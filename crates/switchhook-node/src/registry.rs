//! Registry of webhooks, websockets and subscriptions in memory, with an index per company for matching.
//!
//! The store has the truth; whoever changes it there calls [`Registry::refresh`] for that company, which reads it
//! back. Reading back (rather than applying the change) cannot drift from the store, whatever the order of callers.
//! Reading is `registry/reading.rs`.

mod reading;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use dashmap::DashMap;
use switchhook_domain::event::EventFacts;
use switchhook_domain::filter::Content;
use switchhook_domain::id::{CompanyId, IdHash, SubscriptionId, WebhookId, WebsocketId};
use switchhook_domain::matching::{CompanyIndex, Match};
use switchhook_domain::subscription::{Endpoint, Revision};
use switchhook_domain::webhook::Webhook;
use switchhook_domain::websocket::Websocket;
use switchhook_store::Store;
use tokio::sync::Mutex;

use self::reading::Snapshot;
use crate::destination::Destination;

/// Companies, webhooks and websockets in this node's memory.
pub struct Registry {
    store: Arc<dyn Store>,
    companies: DashMap<CompanyId, Arc<Company>, IdHash>,
    destinations: DashMap<WebhookId, Arc<Destination>, IdHash>,
    websockets: DashMap<WebsocketId, Arc<Websocket>, IdHash>,
    /// Revision of companies that did not exist at the first reading.
    loaded_at: Revision,
}

/// Receivers of an event, and the subscriptions that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The webhooks and websockets that it goes to.
    pub matches: Vec<Match>,
    /// The revision of the subscriptions that it was matched with, so that this can be explained later.
    pub revision: Revision,
    /// True if the company has a feed, so that the event is logged even if no websocket wants it.
    pub has_feed: bool,
}

/// One company.
#[derive(Default)]
struct Company {
    known: parking_lot::RwLock<CompanyState>,
    /// Counts the wishes for a refresh, so that one refresh can serve all who wished before it began.
    refreshes_requested: AtomicU64,
    /// One refresh at a time; holds how many wishes the last one served.
    refreshing: Mutex<u64>,
}

#[derive(Default)]
struct CompanyState {
    index: Arc<CompanyIndex>,
    /// Of the subscriptions in the index.
    revision: Revision,
    webhook_ids: HashSet<WebhookId>,
    websocket_ids: HashSet<WebsocketId>,
    /// Includes disabled ones.
    subscription_ids: HashSet<SubscriptionId>,
    /// True if all of its events are logged.
    has_feed: bool,
}

/// Webhooks and websockets of a company.
#[derive(Default)]
struct Endpoints {
    webhooks: Vec<Webhook>,
    websockets: Vec<Websocket>,
    has_feed: bool,
}

impl Registry {
    /// Destinations of all companies.
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

    /// Destinations of one company.
    #[must_use]
    pub fn destinations_of(&self, company_id: CompanyId) -> Vec<Arc<Destination>> {
        let Some(company) = self.companies.get(&company_id).map(|entry| Arc::clone(&entry)) else {
            return Vec::new();
        };
        let ids: Vec<_> = company.known.read().webhook_ids.iter().copied().collect();
        ids.into_iter().filter_map(|id| self.destination(id)).collect()
    }

    /// Number of a company's webhooks, including those of running replays.
    #[must_use]
    pub fn webhook_count(&self, company_id: CompanyId) -> usize {
        let company = self.companies.get(&company_id);
        company.map_or(0, |company| company.known.read().webhook_ids.len())
    }

    #[must_use]
    pub fn websocket_count(&self, company_id: CompanyId) -> usize {
        let company = self.companies.get(&company_id);
        company.map_or(0, |company| company.known.read().websocket_ids.len())
    }

    /// Number of a company's subscriptions, including disabled ones.
    #[must_use]
    pub fn subscription_count(&self, company_id: CompanyId) -> usize {
        let company = self.companies.get(&company_id);
        company.map_or(0, |company| company.known.read().subscription_ids.len())
    }

    /// True if the company has this subscription, enabled or not.
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

    /// Matches an event with the company's subscriptions.
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

    /// True if all of a company's events are logged.
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

    /// Destination of a webhook; `None` if it was deleted.
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
        *known = CompanyState {
            index,
            revision,
            webhook_ids,
            websocket_ids,
            subscription_ids,
            has_feed,
        };
    }
}
