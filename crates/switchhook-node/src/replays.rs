//! Verbs for replays: listing, dry run, creating, cancelling. Running them is `replay`.

use switchhook_domain::id::{ReplayId, WebhookId};
use switchhook_domain::key::Right;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::replay::{
    Destination, Estimate, Progress, Replay, ReplayFilter, ReplayState, Tally, check_rate,
};
use switchhook_domain::scope::Scopes;
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::webhook::Webhook;
use switchhook_store::{NewReplay, Page, PageRequest, StoreError};

use crate::Node;
use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::replay::tally;
use crate::traffic::leading_to;
use crate::webhooks::{check_url, secret_of};

/// Limit on the running replays of a company.
const MOST_RUNNING: u32 = 10;

/// Events scanned on creation, to estimate the number of deliveries.
const LOOKED_AT_FIRST: u64 = 100_000;

/// Events scanned by a dry run.
const LOOKED_AT_IN_ALL: u64 = 1_000_000;

/// A replay that somebody asks for.
#[derive(Debug, Clone, Default)]
pub struct ReplayRequest {
    pub filter: ReplayFilter,
    pub to: ReplayTarget,
    /// Events a second at the most.
    pub rate: Option<f64>,
}

/// Destination of a replay, as requested.
#[derive(Debug, Clone, Default)]
pub enum ReplayTarget {
    /// Each to the webhook to which it went at first.
    #[default]
    Origins,
    /// All to one webhook.
    Webhook(WebhookId),
    /// All to an address.
    Url {
        url: String,
        /// Secret that signs the deliveries.
        secret: Option<String>,
    },
}

/// Lists the company's replays, newest first.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn list(node: &Node, caller: Caller, page: PageRequest) -> Result<Page<Replay>, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.list_replays(caller.company_id, page).await?)
}

/// Shows a replay and its progress.
///
/// # Errors
/// If the caller may not, or there is no such replay.
pub async fn get(node: &Node, caller: Caller, id: ReplayId) -> Result<Replay, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.replay(caller.company_id, id).await?)
}

/// Counts what a replay would send. Nothing is kept and nothing is sent.
///
/// # Errors
/// As for [`create`].
pub async fn count(node: &Node, caller: Caller, request: ReplayRequest) -> Result<Tally, Refusal> {
    let (draft, _) = draft(node, caller, request).await?;
    // It looks at many events before it answers.
    let _place = node.shares.place_to_read(caller.company_id).await?;
    Ok(tally(&*node.store, &node.registry, &draft, LOOKED_AT_IN_ALL).await?)
}

/// Makes a replay and sets it going. It sends nothing that the caller may not see.
///
/// # Errors
/// If the caller may not; if the request says what cannot be, or names events or a webhook that are not there; if too many
/// of the company's are running.
pub async fn create(node: &Node, caller: Caller, request: ReplayRequest) -> Result<Replay, Refusal> {
    let (mut replay, webhook) = draft(node, caller, request).await?;
    // It looks at many events before it answers.
    let _place = node.shares.place_to_read(caller.company_id).await?;
    let tally = tally(&*node.store, &node.registry, &replay, LOOKED_AT_FIRST).await?;
    replay.estimate = Estimate::of(tally);
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

/// Cancels a replay with its pending deliveries.
///
/// # Errors
/// If the caller may not, it ended otherwise, or there is no such replay.
pub async fn cancel(node: &Node, caller: Caller, id: ReplayId) -> Result<Replay, Refusal> {
    caller.require(Right::Write)?;
    let (company_id, now) = (caller.company_id, node.clock.now());
    let replay = node.store.cancel_replay(company_id, id, now).await?;
    if let Destination::Url { webhook_id, .. } = replay.to {
        node.registry.refresh(company_id).await?;
        node.engine.nudge(webhook_id);
    }
    Ok(replay)
}

/// Replay for a request, and the webhook that exists for it only.
async fn draft(
    node: &Node,
    caller: Caller,
    request: ReplayRequest,
) -> Result<(Replay, Option<Webhook>), Refusal> {
    caller.require(Right::Write)?;
    let ReplayRequest { mut filter, to, rate } = request;
    filter.check()?;
    if let Some(ids) = &mut filter.ids {
        ids.sort_unstable();
        ids.dedup();
    }
    if let Some(kind) = filter.kind {
        caller.require_visible(kind)?;
    }
    check_rate(rate)?;
    let (now, company_id) = (node.clock.now(), caller.company_id);
    let (to, hidden, webhook) = match to {
        ReplayTarget::Origins => (Destination::Origins, Hidden::EVERYTHING, None),
        ReplayTarget::Webhook(id) => (
            Destination::Webhook(id),
            hidden_from(node, caller, id).await?,
            None,
        ),
        ReplayTarget::Url { url, secret } => {
            check_url(node, "to.url", &url)?;
            let secret: Option<Secret> = secret_of(secret)?;
            let webhook_id = WebhookId(node.ids.next(now));
            let webhook = Webhook::new(webhook_id, company_id, &*url, now).with_secret(secret);
            let hidden = Hidden::by_scopes(caller.scopes);
            (Destination::Url { webhook_id, url }, hidden, Some(webhook))
        }
    };
    let id = ReplayId(node.ids.next(now));
    let replay = Replay {
        id,
        company_id,
        cursor: filter.span(id).0,
        filter,
        to,
        rate,
        hidden,
        made_with: caller.clearance(),
        estimate: Estimate {
            total: 0,
            is_exact: false,
        },
        is_all_created: false,
        next_due_at: now,
        progress: Progress::default(),
        state: ReplayState::Running,
        created_at: now,
    };
    Ok((replay, webhook))
}

/// Parts hidden from a webhook where no earlier delivery decides it: all that its subscriptions may not see.
async fn hidden_from(node: &Node, caller: Caller, id: WebhookId) -> Result<Hidden, StoreError> {
    node.store.webhook(caller.company_id, id).await?;
    let own = leading_to(node, caller.company_id, Endpoint::Webhook(id)).await?;
    let scopes = own
        .iter()
        .fold(Scopes::NONE, |scopes, one| scopes.union(one.scopes));
    Ok(Hidden::by_scopes(scopes))
}
