//! Looking for deliveries. What an index finds is found along it; for the rest a bounded number is looked at, and it is said how far
//! that came.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::attempt::{Attempt, CountsAs, Failure, OutcomeClass};
use switchhook_domain::credential::shown_text;
use switchhook_domain::delivery::{Delivery, StateName};
use switchhook_store::{DeliveryFilter, PageRequest, StoreError};
use tokio::time::Instant;

use crate::Node;
use crate::caller::Caller;
use crate::sight::Sight;

/// How many deliveries are looked at.
const MOST_LOOKED_AT: usize = 10_000;

/// How long they are looked at, about.
const LONGEST: Duration = Duration::from_millis(1_500);

/// How many are read at a time.
const AT_ONCE: u32 = 500;

/// How many have their attempts read, which tell the outcome and what was answered.
const MOST_READ: usize = 1_000;

/// The longest text to look for, in characters. Looking for a longer one takes long.
pub const LONGEST_TEXT: usize = 256;

/// What is looked for. Everything that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Sought {
    /// What indexes know.
    pub filter: DeliveryFilter,
    /// How the last attempt ended.
    pub class: Option<OutcomeClass>,
    /// What is to be found in why an attempt failed: in the answer, or in the words for why there was none. Small and large letters
    /// are alike.
    pub text: Option<String>,
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// The deliveries, newest first.
    pub deliveries: Vec<Delivery>,
    /// Where to go on.
    pub next: Option<i64>,
    /// How many were looked at.
    pub looked_at: usize,
    /// Whether it was given up before there was a page, or nothing more.
    pub is_cut_short: bool,
}

impl Sought {
    /// Whether attempts have to be read for it.
    #[must_use]
    pub const fn reads_attempts(&self) -> bool {
        self.class.is_some() || self.text.is_some()
    }

    /// Whether more is asked for than indexes know.
    #[must_use]
    pub fn is_search(&self) -> bool {
        self.reads_attempts() || self.filter.kind.is_some() || self.filter.state == Some(StateName::Delivered)
    }

    async fn is_in(&self, node: &Node, sight: Sight, delivery: &Delivery) -> Result<bool, StoreError> {
        let filter = &self.filter;
        let is_other = !sight.sees(delivery.kind)
            || filter.webhook_id.is_some_and(|id| id != delivery.webhook_id)
            || filter.state.is_some_and(|state| state != delivery.state.name())
            || filter.kind.is_some_and(|kind| kind != delivery.kind);
        if is_other || !self.reads_attempts() {
            return Ok(!is_other);
        }
        let attempts = node.store.attempts_of(delivery.id).await?;
        let is_of_class = |class| {
            let last = attempts.last();
            last.is_some_and(|attempt| attempt.outcome.class() == class)
        };
        let says_it = |text: &String| {
            attempts
                .iter()
                .any(|attempt| says(attempt, sight, delivery.kind, text))
        };
        Ok(self.class.is_none_or(is_of_class) && self.text.as_ref().is_none_or(says_it))
    }

    /// The ways to go over what there is, each along one index. A webhook may have few among many of a state, or few of a
    /// state among many: which way is short shows on the way.
    fn ways(&self) -> Vec<DeliveryFilter> {
        let wanted = &self.filter;
        let has_failed = wanted.has_failed || self.text.is_some() || self.class.is_some_and(has_failed);
        let by_webhook = DeliveryFilter {
            has_failed,
            kind: None,
            state: None,
            ..wanted.clone()
        };
        let is_of_few = wanted.event_id.is_some() || wanted.replay_id.is_some() || wanted.failure.is_some();
        // What arrived is the rule, so no index knows it.
        match wanted.state.filter(|state| *state != StateName::Delivered) {
            Some(_) if !is_of_few => {
                let by_state = DeliveryFilter {
                    webhook_id: None,
                    has_failed: wanted.has_failed,
                    state: wanted.state,
                    ..by_webhook.clone()
                };
                let both = wanted.webhook_id.is_some() || has_failed;
                let by_webhook = both.then_some(by_webhook);
                [Some(by_state), by_webhook].into_iter().flatten().collect()
            }
            _ => vec![by_webhook],
        }
    }
}

/// Whether a text is in what is shown of why an attempt failed. What is hidden must not be found: that would tell what it is.
fn says(attempt: &Attempt, sight: Sight, kind: Kind, text: &str) -> bool {
    if Failure::of(&attempt.outcome).is_none() {
        return false;
    }
    let text = text.to_lowercase();
    let reason = match Failure::of(&attempt.outcome) {
        Some(Failure::NoAnswer(reason)) => reason.as_str().replace('_', " "),
        _ => String::new(),
    };
    let detail = attempt.detail().unwrap_or_default();
    let detail = sight.mask.loose(&shown_text(detail)).to_lowercase();
    let answer = attempt.answer.as_ref();
    let body = answer.map_or_else(String::new, |answer| sight.text(kind, &answer.body_head));
    reason.contains(&text) || detail.contains(&text) || body.to_lowercase().contains(&text)
}

/// Whether a delivery whose last attempt ended so has failed at least once: those have an index of their own.
const fn has_failed(class: OutcomeClass) -> bool {
    matches!(
        class.consequences().counts_as,
        CountsAs::Answered | CountsAs::Unanswered
    )
}

/// A page of deliveries, newest first, sought among a bounded number.
///
/// # Errors
/// If the store cannot be read.
pub async fn search(
    node: &Node,
    caller: Caller,
    sought: &Sought,
    page: PageRequest,
) -> Result<Found, StoreError> {
    let mut best: Option<Found> = None;
    for way in sought.ways() {
        let found = go_over(node, caller, sought, way, page).await?;
        let is_done = !found.is_cut_short;
        let reached = |found: &Found| found.next.unwrap_or_default();
        if is_done || best.as_ref().is_none_or(|best| reached(&found) < reached(best)) {
            best = Some(found);
        }
        if is_done {
            break;
        }
    }
    Ok(best.expect("there is always a way"))
}

async fn go_over(
    node: &Node,
    caller: Caller,
    sought: &Sought,
    way: DeliveryFilter,
    page: PageRequest,
) -> Result<Found, StoreError> {
    let sight = Sight::of(caller, node);
    let most = match sought.reads_attempts() {
        true => MOST_READ,
        false => MOST_LOOKED_AT,
    };
    let mut found = Found {
        deliveries: Vec::new(),
        next: page.after,
        looked_at: 0,
        is_cut_short: false,
    };
    let begun = Instant::now();
    // What fills the page at once needs no more than the page.
    let mut limit = page.limit;
    loop {
        let request = PageRequest {
            after: found.next,
            limit,
        };
        let list = node
            .store
            .list_deliveries(caller.company_id, way.clone(), request);
        let read = list.await?;
        let last = read.items.last().map(|delivery| delivery.id.0);
        for delivery in read.items {
            if sought.reads_attempts() && found.looked_at > 0 && begun.elapsed() > LONGEST {
                found.is_cut_short = true;
                return Ok(found);
            }
            found.looked_at += 1;
            let id = delivery.id.0;
            if sought.is_in(node, sight, &delivery).await? {
                found.deliveries.push(delivery);
            }
            found.next = Some(id);
            if found.deliveries.len() >= page.limit as usize {
                found.next = if last == Some(id) { read.next } else { Some(id) };
                return Ok(found);
            }
        }
        found.next = read.next;
        let is_enough = found.looked_at >= most || begun.elapsed() > LONGEST;
        found.is_cut_short = read.next.is_some() && is_enough;
        if found.next.is_none() || found.is_cut_short {
            return Ok(found);
        }
        limit = AT_ONCE;
    }
}
