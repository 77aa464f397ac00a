//! Why an event went, or did not go, to each subscription.
//!
//! The store gives the subscriptions as they stood, the domain judges them again; here are the words for how a delivery
//! stands and what to do if nothing was sent.

use std::cell::LazyCell;
use std::collections::HashMap;

use switchhook_domain::delivery::Delivery;
use switchhook_domain::event::EventFacts;
use switchhook_domain::id::{CompanyId, EventId, SubscriptionId};
use switchhook_domain::key::Right;
use switchhook_domain::matching::{Decided, Reason, Verdict};
use switchhook_domain::subscription::{Subscription, SubscriptionVersion};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::Payload;
use switchhook_store::{self as store, EventHead, PageRequest, StoreError, SubscriptionFilter};

use super::filtering::RefusedBy;
use crate::Node;
use crate::caller::Caller;
use crate::deliveries::{Standing, standings};
use crate::refusal::Refusal;
use crate::sight::Sight;

/// What became of an event at the company's subscriptions.
#[derive(Debug)]
pub struct Explanation {
    pub event: EventHead,
    /// What to do, if the event went nowhere.
    pub advice: Option<String>,
    /// What each subscription said to it, as it stood then; by id.
    pub items: Vec<Explained>,
    /// What to go on from.
    pub next: Option<i64>,
}

/// What a subscription said to an event.
#[derive(Debug)]
pub struct Explained {
    /// The subscription as it stood then.
    pub subscription: Subscription,
    /// Whether it wanted the event. One that points at a websocket is passed over with [`Reason::Websocket`]: that makes no
    /// delivery.
    pub verdict: Verdict,
    /// The same as a sentence, or how the delivery stands.
    pub explanation: String,
    /// What of its filter on the payload said no.
    pub refused_by: Option<RefusedBy>,
    /// When it was changed afterwards.
    pub changed_at: Option<Timestamp>,
    /// The delivery that it asked for, and how that stands; subscriptions of one webhook share one.
    pub delivery: Option<(Delivery, Standing)>,
}

impl Explained {
    /// Whether it told whoever listened at a websocket.
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
    caller.require_sight(explained.event.kind)?;
    let (kind, goes_nowhere) = (explained.event.kind, explained.deliveries.is_empty());
    let standings = standings(node, &explained.deliveries).await?;
    let mut explanation = tell(explained, standings, Sight::of(caller, node));
    let clearance = caller.clearance();
    let is_seen = |one: &Explained| clearance.sees(one.subscription.filter.kind()).is_ok();
    explanation.items.retain(is_seen);
    if goes_nowhere && !explanation.items.iter().any(Explained::is_told) {
        explanation.advice = Some(advice(node, company_id, kind).await?);
    }
    Ok(explanation)
}

/// What to do about an event that went nowhere.
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

fn tell(explained: store::Explained, standings: Vec<Standing>, sight: Sight) -> Explanation {
    let decided = decided(&explained);
    let kind = explained.event.kind;
    let shown = LazyCell::new(|| sight.text(kind, &decided.body));
    let store::Explained {
        event,
        deliveries,
        versions,
        ..
    } = explained;
    let deliveries: Vec<_> = deliveries.into_iter().zip(standings).collect();
    let by_subscription: HashMap<SubscriptionId, &(Delivery, Standing)> = deliveries
        .iter()
        .flat_map(|one| one.0.subscription_ids.iter().map(move |id| (*id, one)))
        .collect();
    let tell_one = |version: SubscriptionVersion| {
        let delivery = by_subscription.get(&version.subscription.id).copied();
        let refused = |unmet| RefusedBy::told(unmet, &decided.body, &shown);
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

/// What is known of how the event was matched.
fn decided(explained: &store::Explained) -> Decided {
    let event = &explained.event;
    let payload = Payload::read(event.kind, &event.body);
    let has_payload = payload.is_ok();
    let payload = payload.or_else(|_gone| Payload::read(event.kind, b"{}"));
    Decided {
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
    decided: &Decided,
    version: SubscriptionVersion,
    delivery: Option<&(Delivery, Standing)>,
    refused_by: Option<RefusedBy>,
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
        Verdict::Matches => delivery.map_or_else(String::new, |(it, standing)| {
            format!("delivery {}: {}", it.id, standing.text)
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
