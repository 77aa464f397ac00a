//! Follows what other nodes change: reads companies again whose webhooks, websockets or subscriptions are no longer what
//! this node knows, tells the engine of the webhooks concerned, and rings for whoever listens to a log.
//!
//! A store that no other node can use has nothing to tell, and there is no follower.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_store::{Change, StoreError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::Node;
use crate::destination::Destination;

/// Changes taken at once. Several of one company are handled as one.
const AT_ONCE: usize = 256;

/// Pause before a company that could not be read is read again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Follows for as long as the task lives; `None` if there is nothing to follow.
#[must_use]
pub fn start(node: &Arc<Node>) -> Option<JoinHandle<()>> {
    let changes = node.store.take_changes()?;
    let follower = Follower::new(Arc::clone(node));
    Some(node.liveness.spawn(
        "follower of the other nodes",
        &Handle::current(),
        follower.run(changes),
    ))
}

struct Follower {
    node: Arc<Node>,
    /// The webhooks as the engine was last told of them.
    told: HashMap<CompanyId, HashMap<WebhookId, Arc<Destination>>>,
    /// Companies still to be read.
    companies: BTreeSet<CompanyId>,
    everything: bool,
}

impl Follower {
    fn new(node: Arc<Node>) -> Self {
        let registry = Arc::clone(&node.registry);
        let ids = registry.company_ids().into_iter();
        let told = ids.map(|id| (id, by_id(registry.destinations_of(id)))).collect();
        Self {
            node,
            told,
            companies: BTreeSet::new(),
            everything: false,
        }
    }

    async fn run(mut self, mut changes: mpsc::Receiver<Change>) {
        let mut heard = Vec::new();
        loop {
            let is_behind = self.everything || !self.companies.is_empty();
            tokio::select! {
                count = changes.recv_many(&mut heard, AT_ONCE) => if count == 0 { return },
                () = tokio::time::sleep(TRY_AGAIN_AFTER), if is_behind => {}
            }
            for change in heard.drain(..) {
                self.hear(change);
            }
            if let Err(error) = self.catch_up().await {
                warn!(%error, "what other nodes changed could not be read; it is tried again");
            }
        }
    }

    fn hear(&mut self, change: Change) {
        match change {
            Change::Registry(company_id) => {
                self.companies.insert(company_id);
            }
            Change::Everything => {
                self.everything = true;
                // Nobody knows whose logs have grown.
                self.node.listeners.wake_all();
            }
            Change::Log(company_id) => self.node.listeners.wake(company_id),
        }
    }

    async fn catch_up(&mut self) -> Result<(), StoreError> {
        if self.everything {
            let changed = self.node.registry.refresh_all().await?;
            self.everything = false;
            info!(changed = changed.len(), "everything was compared with the store");
            for company_id in changed {
                self.companies.remove(&company_id);
                self.tell_engine(company_id);
            }
        }
        while let Some(company_id) = self.companies.first().copied() {
            self.node.registry.refresh(company_id).await?;
            self.companies.remove(&company_id);
            self.tell_engine(company_id);
        }
        Ok(())
    }

    /// Tells the engine which of a company's webhooks are new, changed or gone.
    fn tell_engine(&mut self, company_id: CompanyId) {
        let now = by_id(self.node.registry.destinations_of(company_id));
        let told = self.told.entry(company_id).or_default();
        let is_as_told = |id: &WebhookId, destination: &Destination| {
            told.get(id)
                .is_some_and(|told| told.webhook == destination.webhook)
        };
        let changed = now
            .iter()
            .filter(|(id, destination)| !is_as_told(id, destination))
            .map(|(id, _)| *id);
        let gone = told.keys().filter(|id| !now.contains_key(id)).copied();
        for id in changed.chain(gone) {
            self.node.engine.nudge(id);
        }
        *told = now;
    }
}

fn by_id(destinations: Vec<Arc<Destination>>) -> HashMap<WebhookId, Arc<Destination>> {
    destinations
        .into_iter()
        .map(|destination| (destination.webhook.id, destination))
        .collect()
}
