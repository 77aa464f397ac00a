//! Events on their way in: from bytes to a kept event with its deliveries.
//!
//! One path for all of them, one by one or many at once: read, validate, match, keep. Which requests bring them is the
//! API's; who sends them on is the delivery engine's, which is handed what it has room for by the store's commit.

pub mod batch;
mod progress;
pub mod sample;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use self::progress::Intake;
use bytes::Bytes;
use switchhook_domain::event::EventFacts;
use switchhook_domain::filter::Content;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, SubscriptionId, WebhookId};
use switchhook_domain::matching::Match;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::{Kind, Timestamp};
pub use switchhook_protocol::LARGEST_EVENT;
use switchhook_protocol::{BodyError, Outline, Payload, UnknownWord, check_object, tell_kind};
use switchhook_store::{Idempotency, NewDelivery, NewEvent, Recorded, StoreError};

use crate::Node;
use crate::delivery::Offer;
use crate::live::EventOf;
use crate::registry::Matched;
use crate::summary::Summary;
use crate::validation::{Deviation, ValidationMode};

/// How long an idempotency key counts.
pub const KEY_LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// What an event is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentAs {
    /// As what its sender says it is.
    Kind(Kind),
    /// As what its shape tells.
    Auto,
}

impl SentAs {
    /// What stands in a kind's place where the shape is to tell it.
    pub const AUTO: &str = "auto";

    /// The kind of an event that is sent so.
    ///
    /// # Errors
    /// If its shape is to tell it and does not.
    pub fn kind_of(self, body: &[u8]) -> Result<Kind, Rejected> {
        match self {
            Self::Kind(kind) => Ok(kind),
            Self::Auto => match tell_kind(body) {
                Some(kind) => Ok(kind),
                None => Err(check_object(body).map_or_else(Rejected::from, |_| Rejected::OfNoKind)),
            },
        }
    }
}

impl fmt::Display for SentAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::Auto => f.pad(Self::AUTO),
        }
    }
}

impl FromStr for SentAs {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if word.eq_ignore_ascii_case(Self::AUTO) {
            return Ok(Self::Auto);
        }
        word.parse().map(Self::Kind)
    }
}

/// An event as it came.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Whose it is.
    pub company_id: CompanyId,
    /// What its sender says it is.
    pub kind: Kind,
    /// Its bytes, at most [`LARGEST_EVENT`] of them.
    pub body: Bytes,
    /// By which the sender's repetitions are known.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// By which repetitions are known, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key; unique in the company while it lasts.
    pub text: String,
    /// For how long it counts.
    pub lasts: Duration,
}

impl From<String> for IdempotencyKey {
    fn from(text: String) -> Self {
        Self {
            text,
            lasts: KEY_LASTS,
        }
    }
}

/// An event that is kept, now or since an earlier submission with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: EventId,
    /// Its kind.
    pub kind: Kind,
    /// Whether it was kept before.
    pub is_duplicate: bool,
    /// What validation had to say.
    pub warnings: Vec<String>,
    /// Its original deliveries.
    pub deliveries: Vec<AcceptedDelivery>,
}

/// One of the original deliveries of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Where it goes.
    pub webhook_id: WebhookId,
    /// Which subscriptions asked for it.
    pub subscription_ids: Vec<SubscriptionId>,
}

/// Why an event is not kept.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// Its bytes are no event.
    #[error(transparent)]
    NotAnEvent(#[from] BodyError),
    /// It deviates from its schema, and validation is strict.
    #[error("the event deviates from its schema")]
    Deviates(Vec<Deviation>),
    /// Nobody said what it is, and its shape does not tell.
    #[error("its shape is none of the five kinds: send it as the one that it is")]
    OfNoKind,
    /// It has too many bytes.
    #[error("the event is larger than {limit} bytes")]
    TooLarge {
        /// How many it may have.
        limit: usize,
    },
    /// Its key was used with another event.
    #[error("the idempotency key was used with another event")]
    KeyReused,
    /// It could not be kept.
    #[error(transparent)]
    NotKept(#[from] StoreError),
}

impl Rejected {
    /// The reason's name in the metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotAnEvent(_) => "not_an_event",
            Self::Deviates(_) => "deviates",
            Self::OfNoKind => "of_no_kind",
            Self::TooLarge { .. } => "too_large",
            Self::KeyReused => "key_reused",
            Self::NotKept(_) => "not_kept",
        }
    }
}

/// Accepts one event: when this answers `Ok`, it is kept.
///
/// # Errors
/// Says why it is not.
pub async fn accept(node: &Node, submission: Submission) -> Result<Accepted, Rejected> {
    accept_judged(node, submission, node.settings.validation).await
}

/// Accepts one event that a source let in: it is authentic and nobody would send it again, so that no mode of validation
/// has it refused.
///
/// # Errors
/// Says why it is not accepted.
pub async fn accept_from_source(node: &Node, submission: Submission) -> Result<Accepted, Rejected> {
    accept_judged(node, submission, node.settings.validation.without_refusals()).await
}

async fn accept_judged(
    node: &Node,
    submission: Submission,
    mode: ValidationMode,
) -> Result<Accepted, Rejected> {
    node.engine.give_way().await;
    let notice = Notice::of(node, &submission);
    let outcome = match prepare(node, submission, mode, node.clock.now()) {
        Ok((event, accepted)) => keep_one(node, event, accepted).await,
        Err(rejected) => Err(rejected),
    };
    count(node, &outcome, notice);
    outcome
}

/// Accepts many events of one company in one commit, each whole or not at all; answers in their order.
///
/// # Errors
/// If the store did not keep any of them.
pub async fn accept_many(
    node: &Node,
    submissions: Vec<Submission>,
) -> Result<Vec<Result<Accepted, Rejected>>, StoreError> {
    accept_many_judged(node, submissions, node.settings.validation).await
}

/// The same for events that a source let in, as [`accept_from_source`].
///
/// # Errors
/// As there.
pub async fn accept_many_from_source(
    node: &Node,
    submissions: Vec<Submission>,
) -> Result<Vec<Result<Accepted, Rejected>>, StoreError> {
    accept_many_judged(node, submissions, node.settings.validation.without_refusals()).await
}

async fn accept_many_judged(
    node: &Node,
    submissions: Vec<Submission>,
    mode: ValidationMode,
) -> Result<Vec<Result<Accepted, Rejected>>, StoreError> {
    node.engine.give_way().await;
    let now = node.clock.now();
    let mut events = Vec::with_capacity(submissions.len());
    let mut outcomes = Vec::with_capacity(submissions.len());
    for submission in submissions {
        let notice = Notice::of(node, &submission);
        let prepared = prepare(node, submission, mode, now);
        let prepared = prepared.map(|(event, accepted)| {
            events.push(event);
            accepted
        });
        outcomes.push((prepared, notice));
    }
    let mut recorded = match events {
        none if none.is_empty() => Vec::new(),
        events => {
            let told: BTreeSet<_> = events
                .iter()
                .filter(|event| event.is_logged)
                .map(|event| event.company_id)
                .collect();
            let share = events.first().map(|event| node.shares.of(event.company_id));
            let place = match &share {
                Some(share) => share.take_in(&events).await,
                None => None,
            };
            let recorded = node.intake.keep(node.store.record_events(events)).await?;
            drop(place);
            told.iter().for_each(|id| node.listeners.wake(*id));
            recorded
        }
    }
    .into_iter();
    let settled = outcomes.into_iter().map(|(outcome, notice)| {
        let outcome = outcome.and_then(|accepted| {
            let recorded = recorded.next().expect("the store answers for every event");
            settle(accepted, recorded)
        });
        count(node, &outcome, notice);
        outcome
    });
    Ok(settled.collect())
}

/// Makes a sample event of the given kind and sends it to one webhook, whatever it is subscribed to.
///
/// # Errors
/// If it could not be kept.
pub async fn accept_sample(
    node: &Node,
    company_id: CompanyId,
    webhook_id: WebhookId,
    (kind, body): (Kind, String),
) -> Result<Accepted, Rejected> {
    let now = node.clock.now();
    let body = Bytes::from(body);
    let only = Match {
        endpoint: Endpoint::Webhook(webhook_id),
        subscription_ids: Vec::new(),
        hidden: Hidden::NOTHING,
    };
    let submission = Submission {
        company_id,
        kind,
        body,
        idempotency_key: None,
    };
    let notice = Notice::of(node, &submission);
    let facts = facts(kind, &Outline::read(&submission.body)?);
    if node.registry.destination(webhook_id).is_none() {
        // Another node may have made it a moment ago.
        node.registry.learn_of(webhook_id).await?;
    }
    let matched = Matched {
        matches: vec![only],
        revision: node.registry.revision(company_id),
        has_feed: false,
    };
    let (event, accepted) = decide(node, submission, &facts, matched, Vec::new(), now);
    let outcome = keep_one(node, event, accepted).await;
    count(node, &outcome, notice);
    outcome
}

async fn keep_one(node: &Node, event: NewEvent, accepted: Accepted) -> Result<Accepted, Rejected> {
    let told = event.is_logged.then_some(event.company_id);
    let share = node.shares.of(event.company_id);
    let place = share.take_in(std::slice::from_ref(&event)).await;
    let recorded = node.intake.keep(node.store.record_events(vec![event])).await?;
    drop(place);
    told.inspect(|company_id| node.listeners.wake(*company_id));
    let recorded = recorded
        .into_iter()
        .next()
        .expect("the store answers for every event");
    settle(accepted, recorded)
}

/// Everything that can be done before the store is asked.
fn prepare(
    node: &Node,
    submission: Submission,
    mode: ValidationMode,
    now: Timestamp,
) -> Result<(NewEvent, Accepted), Rejected> {
    if submission.body.len() > LARGEST_EVENT {
        return Err(Rejected::TooLarge { limit: LARGEST_EVENT });
    }
    let kind = submission.kind;
    let outline = Outline::read(&submission.body)?;
    let facts = facts(kind, &outline);
    let warnings = validate(node, mode, kind, &outline, &facts)?;
    let content = Content::outlined(&outline);
    let matched = node.registry.match_event(submission.company_id, &facts, &content);
    Ok(decide(node, submission, &facts, matched, warnings, now))
}

fn facts(kind: Kind, outline: &Outline<'_>) -> EventFacts {
    EventFacts::of(&Payload::of(kind, outline))
}

/// What there is to say of an event whose kind nobody knows.
const OF_NO_KIND: &str = "its shape is none of the five kinds, so it goes to nobody: `switchhook events route ID --kind KIND` \
                          takes it as one, a replay sends it as it is, and `switchhook sources update ID --kind KIND` says \
                          what comes from its source";

fn validate(
    node: &Node,
    mode: ValidationMode,
    kind: Kind,
    outline: &Outline<'_>,
    facts: &EventFacts,
) -> Result<Vec<String>, Rejected> {
    if kind == Kind::Unknown {
        return Ok(vec![OF_NO_KIND.to_owned()]);
    }
    if mode == ValidationMode::Off {
        return Ok(Vec::new());
    }
    let mut deviations = node.validator.check(kind, outline);
    let no_order = || Deviation::without_order(kind).filter(|_| facts.order_key.is_none());
    deviations.extend(wrong_kind(kind, outline, facts).or_else(no_order));
    if mode == ValidationMode::Strict && deviations.iter().any(Deviation::is_certain) {
        return Err(Rejected::Deviates(deviations));
    }
    Ok(deviations.iter().map(ToString::to_string).collect())
}

/// What is said of an event that looks like another kind. Calls and messages, of which there are most, are known by their
/// ids: only those without one are looked at once more.
fn wrong_kind(kind: Kind, outline: &Outline<'_>, facts: &EventFacts) -> Option<Deviation> {
    if facts.order_key.is_some() && matches!(kind, Kind::Call | Kind::Sms) {
        return None;
    }
    let other = outline.kind_instead_of(kind);
    other.map(|other| Deviation::wrong_kind(kind, other))
}

/// Gives the event and its deliveries their ids, and claims what the engine has room for.
fn decide(
    node: &Node,
    submission: Submission,
    facts: &EventFacts,
    matched: Matched,
    warnings: Vec<String>,
    now: Timestamp,
) -> (NewEvent, Accepted) {
    let Matched {
        matches,
        revision,
        has_feed,
    } = matched;
    let is_logged = has_feed || matches.iter().any(|one| one.endpoint.webhook_id().is_none());
    let count = i64::try_from(matches.len()).expect("a company has fewer than 2^63 webhooks");
    let reserved = node.ids.reserve(now, 1 + count);
    let id = reserved.first;
    let ids = reserved.rest().map(DeliveryId);
    let mut offer = node.engine.offer(submission.body.len());
    let deliveries: Vec<_> = matches
        .into_iter()
        .zip(ids)
        .filter_map(|(matched, id)| new_delivery(node, matched, id, &mut offer, now))
        .collect();
    let accepted = Accepted {
        id: EventId(id),
        kind: submission.kind,
        is_duplicate: false,
        warnings: warnings.clone(),
        deliveries: deliveries.iter().map(AcceptedDelivery::of).collect(),
    };
    let event = NewEvent {
        id: EventId(id),
        company_id: submission.company_id,
        kind: submission.kind,
        body: offer.keep(EventId(id), submission.body),
        accepted_at: now,
        order_key: facts.order_key.clone(),
        warnings,
        idempotency: submission.idempotency_key.map(|key| Idempotency {
            key: key.text,
            not_before: now.minus(key.lasts),
        }),
        deliveries,
        revision,
        is_logged,
    };
    (event, accepted)
}

/// A webhook that is gone by now gets nothing, and a websocket no delivery.
fn new_delivery(
    node: &Node,
    matched: Match,
    id: DeliveryId,
    offer: &mut Offer<'_>,
    now: Timestamp,
) -> Option<NewDelivery> {
    let webhook_id = matched.endpoint.webhook_id()?;
    let destination = node.registry.destination(webhook_id)?;
    Some(NewDelivery {
        id,
        webhook_id,
        subscription_ids: matched.subscription_ids,
        hidden: matched.hidden,
        is_ordered: destination.is_ordered(&node.settings.delivery),
        claim_until: offer.claim_until(&destination, now),
    })
}

fn settle(accepted: Accepted, recorded: Recorded) -> Result<Accepted, Rejected> {
    match recorded {
        Recorded::Kept => Ok(accepted),
        Recorded::KeyReused => Err(Rejected::KeyReused),
        Recorded::Repeated { event, deliveries } => Ok(Accepted {
            id: event.id,
            kind: event.kind,
            is_duplicate: true,
            warnings: event.warnings,
            deliveries: deliveries
                .into_iter()
                .map(|delivery| AcceptedDelivery {
                    id: delivery.id,
                    webhook_id: delivery.webhook_id,
                    subscription_ids: delivery.subscription_ids,
                })
                .collect(),
        }),
    }
}

impl AcceptedDelivery {
    fn of(delivery: &NewDelivery) -> Self {
        Self {
            id: delivery.id,
            webhook_id: delivery.webhook_id,
            subscription_ids: delivery.subscription_ids.clone(),
        }
    }
}

/// What those who watch are told of an event once it is kept.
struct Notice {
    company_id: CompanyId,
    kind: Kind,
    /// Only if somebody watches.
    body: Option<Bytes>,
}

impl Notice {
    fn of(node: &Node, submission: &Submission) -> Self {
        let is_heard = node.live.is_heard(submission.company_id);
        Self {
            company_id: submission.company_id,
            kind: submission.kind,
            body: is_heard.then(|| submission.body.clone()),
        }
    }
}

fn count(node: &Node, outcome: &Result<Accepted, Rejected>, notice: Notice) {
    match outcome {
        Ok(accepted) => {
            let Notice {
                company_id,
                kind,
                body,
            } = notice;
            node.telemetry.accepted(accepted.kind, accepted.is_duplicate);
            let mask = node.settings.dashboard.mask;
            let summary = || body.map(|body| Summary::of(kind, &body, mask));
            let event = EventOf {
                id: accepted.id,
                kind: accepted.kind,
                is_duplicate: accepted.is_duplicate,
            };
            let deliveries = accepted.deliveries.iter();
            let deliveries = deliveries.map(|delivery| (delivery.id, delivery.webhook_id));
            let now = node.clock.now();
            node.live.accepted(company_id, event, deliveries, now, summary);
            if !accepted.is_duplicate {
                node.history.accepted(company_id, now);
            }
        }
        Err(rejected) => node.telemetry.rejected(rejected.reason()),
    }
}
