//! Polling: the log that websockets read, page by page, for receivers that nobody can reach or that sleep.
//!
//! What is in a page is decided when it is read, as at a websocket. Consumers, whose places are kept: `feed/consumers.rs`.

pub mod consumers;

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::event::EventFacts;
use switchhook_domain::filter::Content;
use switchhook_domain::id::{CompanyId, SubscriptionId, WebhookId};
use switchhook_domain::key::Right;
use switchhook_domain::redaction::{Hidden, redact};
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::Endpoint;
use switchhook_protocol::{Payload, Signer};
use switchhook_store::{EventRecord, LogBounds, LogEntry, LogPosition, StoreError};
use tokio::time::{Instant, sleep_until};

use crate::Node;
use crate::caller::Caller;
use crate::json_text::raw;
use crate::mask::Mask;
use crate::refusal::Refusal;
use crate::secrets_shown::SecretsShown;
use crate::sight::receives_unmasked;
use crate::traffic::secrets_shown;

/// The most items of a page.
pub const MOST_ITEMS: u32 = 200;

/// How many unless told otherwise.
pub const USUAL_ITEMS: u32 = 100;

/// The longest that somebody may wait for an item.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How many of the events that were accepted before a company's feed was first asked for are in it.
pub const EARLIER_EVENTS: u32 = 1_000;

/// How many bytes of events a page has, if not a single one has more.
const MOST_BYTES: usize = 4 << 20;

/// How much of the log is read at once.
const AT_ONCE: LogBounds = LogBounds {
    events: 64,
    bytes: 1 << 20,
};

/// How many events a page looks at: of what is looked for few may be there.
const MOST_LOOKED_AT: usize = 10_000;

/// How often the log is looked at although nobody rang: another node may have written to it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event that is there.
    Oldest,
    /// With what comes from now on.
    Now,
    /// After this place.
    After(LogPosition),
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedRequest {
    /// Where to begin.
    pub start: Start,
    /// How many items at the most.
    pub limit: u32,
    /// How long to wait if there is none.
    pub wait: Duration,
    /// Only what these want.
    pub only: Only,
    /// Whether items are JWTs, signed as the webhook's deliveries are.
    pub is_signed: bool,
}

/// To what a feed is narrowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Only {
    /// Events of this kind.
    pub kind: Option<Kind>,
    /// What the subscriptions to this webhook let through.
    pub webhook_id: Option<WebhookId>,
    /// What this subscription lets through.
    pub subscription_id: Option<SubscriptionId>,
}

/// A page of a feed.
#[derive(Debug)]
pub struct FeedPage {
    /// The events, in the order of the log.
    pub items: Vec<FeedItem>,
    /// Where to go on.
    pub position: LogPosition,
    /// Whether there is nothing more now.
    pub is_done: bool,
}

/// An event of a feed.
#[derive(Debug)]
pub struct FeedItem {
    /// Its place.
    pub position: LogPosition,
    pub event: EventRecord,
    /// What the reader gets of it: its JSON, byte for byte but for what is hidden or masked, or that signed.
    pub body: String,
}

/// Reads a page, and waits for one if the request says so. The first who asks has the company keep a feed.
///
/// # Errors
/// If the caller may not, or may not see what is asked for; if there is no such webhook or subscription, or nothing to sign
/// with; if the key ends meanwhile.
pub async fn read(node: &Node, caller: Caller, request: FeedRequest) -> Result<FeedPage, Refusal> {
    caller.require(Right::Read)?;
    if let Some(kind) = request.only.kind {
        caller.require_sight(kind)?;
    }
    let company_id = caller.company_id;
    if let Some(id) = request.only.subscription_id
        && !node.registry.has_subscription(company_id, id)
    {
        return Err(StoreError::NotFound("subscription").into());
    }
    let secret = secret(node, caller, &request).await?;
    open(node, company_id).await?;
    let mut position = place_of(node, company_id, request.start).await?;
    let mut bell = node.listeners.bell(company_id);
    let mut stopping = node.listeners.stopping.subscribe();
    let lease = node.leases.hold(caller);
    let until = Instant::now() + request.wait.min(LONGEST_WAIT);
    loop {
        // Whoever rings from here on is heard, so that nothing is missed between looking and waiting.
        bell.borrow_and_update();
        let page = look(node, caller, position, &request, secret.as_ref()).await?;
        let is_over = Instant::now() >= until || *stopping.borrow();
        if !page.items.is_empty() || !page.is_done || is_over {
            return Ok(page);
        }
        position = page.position;
        let look_at = until.min(Instant::now() + LOOK_EVERY);
        tokio::select! {
            biased;
            () = lease.ended() => return Err(Refusal::KeyEnded),
            _ = stopping.changed() => {}
            _ = bell.changed() => {}
            () = sleep_until(look_at) => {}
        }
    }
}

/// Has the company keep a feed, if it does not yet.
async fn open(node: &Node, company_id: CompanyId) -> Result<(), StoreError> {
    if node.registry.has_feed(company_id) {
        return Ok(());
    }
    let is_new = node.store.open_feed(company_id, node.clock.now()).await?;
    node.registry.refresh(company_id).await?;
    if is_new {
        // After what comes from now on is logged, so that nothing falls between.
        node.store.log_earlier_events(company_id, EARLIER_EVENTS).await?;
    }
    Ok(())
}

/// The secret that items are signed with, for those who may know it.
async fn secret(node: &Node, caller: Caller, request: &FeedRequest) -> Result<Option<Secret>, Refusal> {
    let Some(id) = request.only.webhook_id else {
        return match request.is_signed {
            true => Err(Refusal::Required(
                "webhook_id is required with format=jwt: it says with which secret to sign".to_owned(),
            )),
            false => Ok(None),
        };
    };
    let webhook = node.store.webhook(caller.company_id, id).await?;
    if !request.is_signed {
        return Ok(None);
    }
    if secrets_shown(node, caller, Endpoint::Webhook(id)).await? == SecretsShown::Masked {
        return Err(Refusal::Forbidden(crate::caller::Forbidden(format!(
            "format=jwt: this key may not know the secret of webhook {id}; read the events without it"
        ))));
    }
    let none = || Refusal::Conflict(format!("format=jwt: webhook {id} has no secret to sign with"));
    webhook.secret.ok_or_else(none).map(Some)
}

async fn place_of(node: &Node, company_id: CompanyId, start: Start) -> Result<LogPosition, StoreError> {
    match start {
        Start::Oldest => Ok(LogPosition(0)),
        Start::Now => node.store.log_end(company_id).await,
        Start::After(position) => Ok(position),
    }
}

/// What there is after a place now.
async fn look(
    node: &Node,
    caller: Caller,
    after: LogPosition,
    request: &FeedRequest,
    secret: Option<&Secret>,
) -> Result<FeedPage, Refusal> {
    let mut page = FeedPage {
        items: Vec::new(),
        position: after,
        is_done: false,
    };
    let signer = secret.map(|secret| Signer::new(secret.expose()));
    let mask = match receives_unmasked(caller, node) {
        true => Mask::NOTHING,
        false => node.settings.mask,
    };
    let (mut bytes, mut looked_at) = (0, 0);
    loop {
        let entries = node
            .store
            .read_log(caller.company_id, page.position, AT_ONCE)
            .await?;
        if entries.is_empty() {
            page.is_done = true;
            return Ok(page);
        }
        for entry in entries {
            if page.items.len() >= request.limit as usize
                || bytes >= MOST_BYTES
                || looked_at >= MOST_LOOKED_AT
            {
                return Ok(page);
            }
            looked_at += 1;
            page.position = entry.position;
            if let Some(hidden) = hidden_from(node, caller, &entry, request.only) {
                let item = item(entry, hidden, signer.as_ref(), mask);
                bytes += item.body.len();
                page.items.push(item);
            }
        }
    }
}

/// What is hidden of an event from this reader; `None` if all of it is, or it is not asked for.
fn hidden_from(node: &Node, caller: Caller, entry: &LogEntry, only: Only) -> Option<Hidden> {
    let event = &entry.event;
    let (kind, clearance) = (event.kind, caller.clearance());
    // A payload that was removed cannot be read any more.
    if clearance.sees(kind).is_err() || event.payload_removed.is_some() {
        return None;
    }
    if only.kind.is_some_and(|only| only != kind) {
        return None;
    }
    if only.webhook_id.is_none() && only.subscription_id.is_none() {
        return Some(clearance.hidden(kind));
    }
    let payload = Payload::read(kind, &event.body).ok()?;
    let facts = EventFacts::of(&payload);
    let matched = node
        .registry
        .match_event(caller.company_id, &facts, &Content::of(&event.body));
    let is_wanted = |endpoint: Endpoint, ids: &[SubscriptionId]| {
        only.webhook_id.is_none_or(|id| endpoint == Endpoint::Webhook(id))
            && only.subscription_id.is_none_or(|id| ids.contains(&id))
    };
    let mut matches = matched.matches.iter();
    let wanted = matches.find(|one| is_wanted(one.endpoint, &one.subscription_ids))?;
    Some(wanted.hidden.or(clearance.hidden_by_subscription(kind)))
}

fn item(
    LogEntry { position, event }: LogEntry,
    hidden: Hidden,
    signer: Option<&Signer>,
    mask: Mask,
) -> FeedItem {
    let shown = redact(&event.body, hidden);
    let body = match signer {
        Some(signer) => signer.sign(&shown),
        None => raw(&String::from_utf8_lossy(&shown), mask).into_owned(),
    };
    FeedItem {
        position,
        event,
        body,
    }
}
