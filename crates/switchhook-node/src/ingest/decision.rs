//! Decision about an event: reading, validating and matching it, and giving its deliveries ids and claims before the
//! store is asked; and the answer from what the store did.

use switchhook_domain::event::EventFacts;
use switchhook_domain::filter::Content;
use switchhook_domain::id::{DeliveryId, EventId};
use switchhook_domain::matching::Match;
use switchhook_domain::redaction::{Hidden, concealable};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::{JsonType, LARGEST_EVENT, Outline, Payload};
use switchhook_store::{Idempotency, NewDelivery, NewEvent, Recorded};

use super::submission::{Accepted, AcceptedDelivery, Rejected, Submission};
use crate::Node;
use crate::delivery::Offer;
use crate::registry::Matched;
use crate::validation::{Deviation, ValidationMode};

/// Everything that can be done before the store is asked.
pub(super) fn prepare(
    node: &Node,
    submission: Submission,
    mode: ValidationMode,
    now: Timestamp,
) -> Result<(NewEvent, Accepted), Rejected> {
    if submission.body.len() > LARGEST_EVENT {
        return Err(Rejected::TooLarge { limit: LARGEST_EVENT });
    }
    let kind = submission.kind;
    let outline = Outline::read_as(kind, &submission.body)?;
    let facts = facts(kind, &outline);
    let warnings = validate(node, mode, kind, &outline, &facts)?;
    let content = Content::outlined(&outline);
    let matched = node.registry.match_event(submission.company_id, &facts, &content);
    let concealable = concealable_by(&matched, &outline);
    Ok(decide(
        node,
        submission,
        &facts,
        concealable,
        matched,
        warnings,
        now,
    ))
}

/// Parts of the event that must be hidden from some of its receivers.
fn concealable_by(matched: &Matched, outline: &Outline<'_>) -> Hidden {
    let hidden = matched.matches.iter().map(|one| one.hidden);
    let hidden = hidden.fold(Hidden::NOTHING, Hidden::or);
    if hidden.is_nothing() {
        hidden
    } else {
        concealable(outline, hidden)
    }
}

pub(super) fn facts(kind: Kind, outline: &Outline<'_>) -> EventFacts {
    EventFacts::of(&Payload::of(kind, outline))
}

/// Warning about an event that is no JSON object.
const NO_OBJECT: &str =
    "it is no JSON object, as events of every kind are: no subscription gets it; a replay sends it as it is";

/// Warning about an event of unknown kind.
const OF_NO_KIND: &str = "its shape is that of no known kind, so no subscription gets it: `switchhook events route ID --kind KIND` \
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
        let said = match outline.root().sort() {
            JsonType::Object => OF_NO_KIND,
            _ => NO_OBJECT,
        };
        return Ok(vec![said.to_owned()]);
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

/// Deviation of an event that looks like another kind. Calls and messages, which are the most frequent, are
/// recognized by their ids; only those without one are examined again.
fn wrong_kind(kind: Kind, outline: &Outline<'_>, facts: &EventFacts) -> Option<Deviation> {
    if facts.order_key.is_some() && matches!(kind, Kind::Call | Kind::Sms) {
        return None;
    }
    let other = outline.kind_instead_of(kind);
    other.map(|other| Deviation::wrong_kind(kind, other))
}

/// Gives the event and its deliveries their ids, and claims what the engine has room for.
pub(super) fn decide(
    node: &Node,
    submission: Submission,
    facts: &EventFacts,
    concealable: Hidden,
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
        concealable,
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

pub(super) fn settle(accepted: Accepted, recorded: Recorded) -> Result<Accepted, Rejected> {
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
