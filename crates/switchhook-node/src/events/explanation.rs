//! Reason for which each subscription did or did not get an event.
//!
//! The store returns the subscriptions as they were, the domain judges them again, and this file adds the delivery's
//! status in words and advice for an event that went nowhere.

use std::cell::LazyCell;
use std::collections::HashMap;

use switchhook_domain::delivery::Delivery;
use switchhook_domain::event::EventFacts;
use switchhook_domain::id::{CompanyId, EventId, SubscriptionId};
use switchhook_domain::key::Right;
use switchhook_domain::matching::{PastDecision, Reason, Verdict};
use switchhook_domain::subscription::{Subscription, SubscriptionVersion};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::Payload;
use switchhook_store::{self as store, EventHead, PageRequest, StoreError, SubscriptionFilter};

use super::filtering::UnmetClause;
use crate::Node;
use crate::caller::Caller;
use crate::deliveries::{DeliveryStatus, statuses};
use crate::refusal::Refusal;
use crate::visibility::Visibility;

/// Verdicts of a company's subscriptions on an event.
#[derive(Debug)]
pub struct Explanation {
    pub event: EventHead,
    /// Action to take if the event went nowhere.
    pub advice: Option<String>,
    /// Verdict of each subscription as it was then, by id.
    pub items: Vec<Explained>,
    /// Cursor of the next page.
    pub next: Option<i64>,
}

/// Verdict of one subscription.
#[derive(Debug)]
pub struct Explained {
    /// The subscription as it stood then.
    pub subscription: Subscription,
    /// Subscriptions of websockets pass over everything with [`Reason::Websocket`], because they make no deliveries.
    pub verdict: Verdict,
    /// The same as a sentence, or how the delivery stands.
    pub explanation: String,
    /// Clause of its payload filter that rejected the event.
    pub refused_by: Option<UnmetClause>,
    /// Time of its first change since.
    pub changed_at: Option<Timestamp>,
    /// The delivery that it asked for, and how that stands; subscriptions of one webhook share one.
    pub delivery: Option<(Delivery, DeliveryStatus)>,
}

impl Explained {
    /// True if it sent the event to websocket listeners.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.verdict == Verdict::PassedOver(Reason::Websocket)
    }
}

/// Explains why an event went, or did not go, to each subscription of the company, or to the one that is named.
/// Subscriptions of kinds that the caller may not see are left out.
///
/// # Errors
/// If the caller may not, or may not see events of this kind; if there is no such event or subscription.
pub async fn explain(
    node: &Node,
    caller: Caller,
    id: EventId,
    only: Option<SubscriptionId>,
    page: PageRequest,
) -> Result<Explanation, Refusal> {
    caller.require(Right::Read)?;
    let company_id = caller.company_id;
    let store = &node.store;
    let explained = store.explain_subscriptions(company_id, id, only, page).await?;
    if only.is_some() && page.after.is_none() && explained.versions.items.is_empty() {
        return Err(StoreError::NotFound("subscription").into());
    }
    caller.require_visible(explained.event.kind)?;
    let (kind, goes_nowhere) = (explained.event.kind, explained.deliveries.is_empty());
    let statuses = statuses(node, &explained.deliveries).await?;
    let mut explanation = tell(explained, statuses, Visibility::of(caller, node));
    let clearance = caller.clearance();
    let is_seen = |one: &Explained| clearance.sees(one.subscription.filter.kind()).is_ok();
    explanation.items.retain(is_seen);
    if goes_nowhere && !explanation.items.iter().any(Explained::is_told) {
        explanation.advice = Some(advice(node, company_id, kind).await?);
    }
    Ok(explanation)
}

/// Action to take for an event that went nowhere.
async fn advice(node: &Node, company_id: CompanyId, kind: Kind) -> Result<String, StoreError> {
    if kind == Kind::Unknown {
        return Ok(
            "no subscription is for events of unknown kind: a replay sends them as they are \
                   (`switchhook replays create --kind unknown --to-webhook ID`)"
                .to_owned(),
        );
    }
    let of_kind = SubscriptionFilter {
        kind: Some(kind),
        ..SubscriptionFilter::default()
    };
    let one = PageRequest::first(1);
    let store = &node.store;
    let mut page = one;
    let has_any = loop {
        let read = store.list_subscriptions(company_id, of_kind, page).await?;
        match read.next {
            Some(next) if read.items.is_empty() => page.after = Some(next),
            _ => break !read.items.is_empty(),
        }
    };
    if has_any {
        return Ok(format!(
            "no subscription of kind {kind} took it: change one with `switchhook subscriptions update ID`, or add one \
             with `switchhook subscriptions create {kind} --webhook ID`; that counts for events from then on"
        ));
    }
    let webhooks = store.list_webhooks(company_id, one).await?;
    let (webhook, before) = match webhooks.items.first() {
        Some(webhook) => (webhook.id.to_string(), ""),
        None => ("ID".to_owned(), ", after `switchhook webhooks create URL`"),
    };
    Ok(format!(
        "there is no subscription of kind {kind}: create one with `switchhook subscriptions create {kind} --webhook \
         {webhook}`{before}"
    ))
}

fn tell(explained: store::Explained, statuses: Vec<DeliveryStatus>, visibility: Visibility) -> Explanation {
    let decided = decided(&explained);
    let kind = explained.event.kind;
    let shown = LazyCell::new(|| visibility.text(kind, &decided.body));
    let store::Explained {
        event,
        deliveries,
        versions,
        ..
    } = explained;
    let deliveries: Vec<_> = deliveries.into_iter().zip(statuses).collect();
    let by_subscription: HashMap<SubscriptionId, &(Delivery, DeliveryStatus)> = deliveries
        .iter()
        .flat_map(|one| one.0.subscription_ids.iter().map(move |id| (*id, one)))
        .collect();
    let tell_one = |version: SubscriptionVersion| {
        let delivery = by_subscription.get(&version.subscription.id).copied();
        let refused = |unmet| UnmetClause::told(unmet, &decided.body, &shown);
        let unmet = decided.unmet(&version.subscription);
        explained_one(&decided, version, delivery, unmet.map(refused))
    };
    Explanation {
        event: EventHead::from(event),
        advice: None,
        items: versions.items.into_iter().map(tell_one).collect(),
        next: versions.next,
    }
}

/// Inputs of the original matching, as far as they are stored.
fn decided(explained: &store::Explained) -> PastDecision {
    let event = &explained.event;
    let payload = Payload::read(event.kind, &event.body);
    let has_payload = payload.is_ok();
    let payload = payload.or_else(|_gone| Payload::read(event.kind, b"{}"));
    PastDecision {
        revision: explained.revision,
        body: event.body.to_vec(),
        facts: EventFacts::of(&payload.expect("an empty object is an event of any kind")),
        has_payload,
        is_test: explained
            .deliveries
            .iter()
            .any(|delivery| delivery.subscription_ids.is_empty()),
    }
}

fn explained_one(
    decided: &PastDecision,
    version: SubscriptionVersion,
    delivery: Option<&(Delivery, DeliveryStatus)>,
    refused_by: Option<UnmetClause>,
) -> Explained {
    let verdict = decided.verdict(&version, delivery.is_some());
    let refused_by = refused_by.filter(|_| verdict == Verdict::PassedOver(Reason::Filter));
    let subscription = version.subscription;
    let explanation = match verdict {
        Verdict::PassedOver(Reason::Websocket) => Reason::Websocket.in_words().to_owned(),
        Verdict::PassedOver(reason) => match &refused_by {
            Some(clause) => format!("its filter says no: {}", clause.in_words()),
            None => reason.explain(&subscription, &decided.facts),
        },
        Verdict::Matches => delivery.map_or_else(String::new, |(it, status)| {
            format!("delivery {}: {}", it.id, status.text)
        }),
    };
    Explained {
        subscription,
        verdict,
        explanation,
        refused_by,
        changed_at: version.until_at,
        delivery: delivery.cloned(),
    }
}
