//! Replays: making one, counting what it would do, and the task that runs them all.
//!
//! Everything that matters is in the store; the task in `replay/runner.rs` has nothing to lose. What a replay selects and makes is the domain's.

mod runner;
mod tally;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::clearance::Clearance;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::{CompanyId, IdSequence, ReplayId, WebhookId};
use switchhook_domain::redaction::Hidden;
use switchhook_domain::replay::{Destination, Estimate, Progress, Replay, ReplayFilter, ReplayState};
use switchhook_domain::scope::Scopes;
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::webhook::{DeliveryDefaults, Webhook};
use switchhook_store::{NewReplay, Store, StoreError, SubscriptionFilter};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use self::tally::tally;

use self::runner::Runner;
use crate::Node;
use crate::registry::{Registry, all_pages};
use crate::vitals::Vitals;

/// How many replays of a company run at once.
pub const MOST_RUNNING: u32 = 10;

/// How many events are looked at before a replay is made, to tell how many deliveries it will make.
const LOOKED_AT_FIRST: u64 = 100_000;

/// A replay that somebody wants.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Whose events.
    pub company_id: CompanyId,
    /// Which.
    pub filter: ReplayFilter,
    /// Where to.
    pub to: WishedDestination,
    /// Events a second at the most.
    pub rate: Option<f64>,
    /// What the key may see by which it is wished.
    pub clearance: Clearance,
}

/// Where somebody wants events to go.
#[derive(Debug, Clone)]
pub enum WishedDestination {
    /// Each to the webhook to which it went at first.
    Origins,
    /// All to one webhook.
    Webhook(WebhookId),
    /// All to an address.
    Url {
        /// The address.
        url: String,
        /// Signs the deliveries.
        secret: Option<Secret>,
    },
}

/// What the wish would be as a replay. Nothing is kept.
///
/// # Errors
/// `NotFound` if it is to go to a webhook that is not there; or the store cannot be read.
pub async fn draft(node: &Node, wish: &Wish) -> Result<Replay, StoreError> {
    let now = node.clock.now();
    let hidden = hidden(node, wish).await?;
    let to = match &wish.to {
        WishedDestination::Origins => Destination::Origins,
        WishedDestination::Webhook(id) => Destination::Webhook(*id),
        WishedDestination::Url { url, .. } => Destination::Url {
            webhook_id: WebhookId(node.ids.next(now)),
            url: url.clone(),
        },
    };
    let id = ReplayId(node.ids.next(now));
    Ok(Replay {
        id,
        company_id: wish.company_id,
        cursor: wish.filter.span(id).0,
        filter: wish.filter.clone(),
        to,
        rate: wish.rate,
        hidden,
        made_with: wish.clearance,
        estimate: Estimate {
            total: 0,
            is_exact: false,
        },
        is_all_created: false,
        next_due_at: now,
        progress: Progress::default(),
        state: ReplayState::Running,
        created_at: now,
    })
}

/// What nobody sees for whom no earlier delivery tells it: a webhook sees what its subscriptions may show it, an
/// address what the key may see that names it.
async fn hidden(node: &Node, wish: &Wish) -> Result<Hidden, StoreError> {
    let id = match wish.to {
        WishedDestination::Origins => return Ok(Hidden::EVERYTHING),
        WishedDestination::Url { .. } => return Ok(Hidden::by_scopes(wish.clearance.scopes)),
        WishedDestination::Webhook(id) => id,
    };
    node.store.webhook(wish.company_id, id).await?;
    let own = SubscriptionFilter {
        endpoint: Some(Endpoint::Webhook(id)),
        ..SubscriptionFilter::default()
    };
    let store = &node.store;
    let own = all_pages(|page| store.list_subscriptions(wish.company_id, own, page)).await?;
    let scopes = own
        .iter()
        .fold(Scopes::NONE, |scopes, one| scopes.union(one.scopes));
    Ok(Hidden::by_scopes(scopes))
}

/// Makes a replay and sets it going.
///
/// # Errors
/// As for [`draft`]; `LimitReached` if too many are running; `NotFound` if it names events that are not there.
pub async fn create(node: &Node, wish: Wish) -> Result<Replay, StoreError> {
    let mut replay = draft(node, &wish).await?;
    let tally = tally(node, &replay, LOOKED_AT_FIRST).await?;
    replay.estimate = Estimate::of(tally);
    let webhook = match (&replay.to, wish.to) {
        (Destination::Url { webhook_id, url }, WishedDestination::Url { secret, .. }) => {
            Some(own_webhook(&replay, *webhook_id, url, secret))
        }
        _ => None,
    };
    let has_own = webhook.is_some();
    let new = NewReplay {
        replay,
        webhook,
        most_running: MOST_RUNNING,
    };
    let replay = node.store.create_replay(new).await?;
    if has_own {
        node.registry.refresh(replay.company_id).await?;
    }
    node.replays.nudge();
    Ok(replay)
}

/// The webhook that exists for a replay only.
fn own_webhook(replay: &Replay, id: WebhookId, url: &str, secret: Option<Secret>) -> Webhook {
    Webhook::new(id, replay.company_id, url, replay.created_at).with_secret(secret)
}

/// Cancels a replay with its pending deliveries.
///
/// # Errors
/// `Conflict` if it ended otherwise, `NotFound` if it is not there.
pub async fn cancel(
    node: &Node,
    company_id: CompanyId,
    id: ReplayId,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    let replay = node.store.cancel_replay(company_id, id, now).await?;
    if let Destination::Url { webhook_id, .. } = replay.to {
        node.registry.refresh(company_id).await?;
        node.engine.nudge(webhook_id);
    }
    Ok(replay)
}

/// What the running of replays needs.
pub struct ReplayParts {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Where they go.
    pub registry: Arc<Registry>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The next id.
    pub ids: Arc<IdSequence>,
    /// What webhooks that do not say get.
    pub defaults: DeliveryDefaults,
}

/// The handle of the task that runs this node's replays. It ends when the handle is dropped.
pub struct Replays {
    wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Replays {
    /// Starts running replays on `runtime`: those that ran before, first of all.
    #[must_use]
    pub fn start(parts: ReplayParts, vitals: &Vitals, runtime: &Handle) -> Self {
        let wake = Arc::new(Notify::new());
        let (stop, stopped) = watch::channel(false);
        let runner = Runner {
            parts,
            wake: Arc::clone(&wake),
            stopped,
            waiting: HashMap::new(),
        };
        let task = vitals.spawn("replay runner", runtime, runner.run());
        Self {
            wake,
            stop,
            task: Mutex::new(Some(task)),
        }
    }

    /// Tells the task that there is a new replay.
    pub fn nudge(&self) {
        self.wake.notify_one();
    }

    /// Ends the task after the step that it is at. Replays go on at the next start.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        let task = self.task.lock().take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the task that runs replays had panicked");
        }
    }
}
