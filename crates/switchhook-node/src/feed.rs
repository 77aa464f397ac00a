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
use crate::secret_display::SecretDisplay;
use crate::traffic::secret_display;
use crate::visibility::receives_unmasked;

/// The most items of a page.
pub const MOST_ITEMS: u32 = 200;

/// Number of items unless the request says.
pub const USUAL_ITEMS: u32 = 100;

/// The longest that somebody may wait for an item.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Earlier events included when a company's feed is first read.
pub const EARLIER_EVENTS: u32 = 1_000;

/// Bound on the events of a page, in bytes. A single larger event is a page of its own.
const MOST_BYTES: usize = 4 << 20;

/// Size of one read of the log.
const AT_ONCE: LogBounds = LogBounds {
    events: 64,
    bytes: 1 << 20,
};

/// Bound on the events read for a page, since few may match.
const MOST_LOOKED_AT: usize = 10_000;

/// Interval of polling the log, because another node may have written to it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Position to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event that is there.
    Oldest,
    /// With what comes from now on.
    Now,
    /// After this position.
    After(LogPosition),
}

/// Page of a feed to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedRequest {
    pub start: Start,
    /// Bound on the items.
    pub limit: u32,
    /// Longest wait for a first item.
    pub wait: Duration,
    /// Only what these want.
    pub only: Only,
    /// True if items are JWTs, signed like the webhook's deliveries.
    pub is_signed: bool,
}

/// To what a feed is narrowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Only {
    /// Events of this kind.
    pub kind: Option<Kind>,
    /// Only events that the subscriptions of this webhook let through.
    pub webhook_id: Option<WebhookId>,
    /// Only events that this subscription lets through.
    pub subscription_id: Option<SubscriptionId>,
}

/// A page of a feed.
#[derive(Debug)]
pub struct FeedPage {
    /// The events, in the order of the log.
    pub items: Vec<FeedItem>,
    /// Position to continue from.
    pub position: LogPosition,
    /// True if nothing more is there now.
    pub is_done: bool,
}

/// An event of a feed.
#[derive(Debug)]
pub struct FeedItem {
    pub position: LogPosition,
    pub event: EventRecord,
    /// Body for the reader: the JSON byte for byte, except for hidden or masked parts, or that as a JWT.
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
        caller.require_visible(kind)?;
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
    let mut waker = node.listeners.waker(company_id);
    let mut stopping = node.listeners.stopping.subscribe();
    let lease = node.leases.hold(caller);
    let until = Instant::now() + request.wait.min(LONGEST_WAIT);
    loop {
        // Whoever rings from here on is heard, so that nothing is missed between looking and waiting.
        waker.borrow_and_update();
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
            _ = waker.changed() => {}
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
    if secret_display(node, caller, Endpoint::Webhook(id)).await? == SecretDisplay::Masked {
        return Err(Refusal::Forbidden(crate::caller::Forbidden(format!(
            "format=jwt: this key may not know the secret of webhook {id}; read the events without it"
        ))));
    }
    let none = || Refusal::Conflict(format!("format=jwt: webhook {id} has no secret to sign with"));
    webhook.secret.ok_or_else(none).map(Some)
}

/// Position of the company's last event: whoever starts after it gets what is to come.
///
/// # Errors
/// If the store cannot be read.
pub async fn end(node: &Node, company_id: CompanyId) -> Result<LogPosition, StoreError> {
    node.store.log_end(company_id).await
}

async fn place_of(node: &Node, company_id: CompanyId, start: Start) -> Result<LogPosition, StoreError> {
    match start {
        Start::Oldest => Ok(LogPosition(0)),
        Start::Now => end(node, company_id).await,
        Start::After(position) => Ok(position),
    }
}

/// Items after a position.
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

/// Parts to hide from this reader; `None` if the event is hidden whole or does not match.
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
