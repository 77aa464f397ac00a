//! Looking for deliveries. What an index finds is found along it; for the rest a bounded number is looked at, and it is said how far
//! that came.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::attempt::{Attempt, CountsAs, Failure, OutcomeClass};
use switchhook_domain::credential::shown_text;
use switchhook_domain::delivery::{Delivery, StateName};
use switchhook_store::{DeliveryFilter, PageRequest, StoreError};
use tokio::time::Instant;

use crate::caller::Caller;
use crate::sight::Sight;
use crate::{Node, blocking};

/// How many deliveries are looked at.
const MOST_LOOKED_AT: usize = 10_000;

/// How long they are looked at, about.
const LONGEST: Duration = Duration::from_millis(1_500);

/// How many are read at a time.
const AT_ONCE: u32 = 500;

/// How many of them are judged together.
const TOGETHER: usize = 50;

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

    /// Whether it may be among what is sought, as far as the delivery's row says.
    fn may_be_in(&self, sight: Sight, delivery: &Delivery) -> bool {
        let filter = &self.filter;
        sight.sees(delivery.kind)
            && filter.webhook_id.is_none_or(|id| id == delivery.webhook_id)
            && filter.state.is_none_or(|state| state == delivery.state.name())
            && filter.kind.is_none_or(|kind| kind == delivery.kind)
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

/// What is sought in attempts.
#[derive(Debug, Clone)]
struct InAttempts {
    sight: Sight,
    class: Option<OutcomeClass>,
    /// In small letters.
    text: Option<String>,
}

impl InAttempts {
    fn are_of(&self, kind: Kind, attempts: &[Attempt]) -> bool {
        let last = attempts.last();
        let is_of_class = |class| last.is_some_and(|last| last.outcome.class() == class);
        let says_it = |text: &String| attempts.iter().any(|attempt| self.says(kind, attempt, text));
        self.class.is_none_or(is_of_class) && self.text.as_ref().is_none_or(says_it)
    }

    /// Whether a text is in what is shown of why an attempt failed. What is hidden must not be found: that would tell what it is.
    fn says(&self, kind: Kind, attempt: &Attempt, text: &str) -> bool {
        let Some(failure) = Failure::of(&attempt.outcome) else {
            return false;
        };
        let reason_says_it = match failure {
            Failure::NoAnswer(reason) => reason.as_str().replace('_', " ").contains(text),
            Failure::Status(_) => false,
        };
        let shows_it = |shown: &str| shown.to_lowercase().contains(text);
        reason_says_it
            || attempt
                .detail()
                .is_some_and(|detail| shows_it(&self.sight.mask.loose(&shown_text(detail))))
            || (attempt.answer.as_ref())
                .is_some_and(|answer| shows_it(&self.sight.text(kind, &answer.body_head)))
    }
}

/// Which of these deliveries are sought. Answers are masked and searched away from the threads that accept.
async fn are_sought(
    node: &Node,
    sought: &Sought,
    wanted: &InAttempts,
    deliveries: &[Delivery],
) -> Result<Vec<bool>, StoreError> {
    let mut are_sought: Vec<_> = deliveries
        .iter()
        .map(|delivery| sought.may_be_in(wanted.sight, delivery))
        .collect();
    if !sought.reads_attempts() {
        return Ok(are_sought);
    }
    let mut read = Vec::new();
    for (place, delivery) in deliveries
        .iter()
        .enumerate()
        .filter(|(place, _)| are_sought[*place])
    {
        let attempts = node.store.attempts_of(delivery.id).await?;
        read.push((place, delivery.kind, attempts));
    }
    let attempts = read.iter().flat_map(|(_, _, attempts)| attempts);
    let bodies = attempts.filter_map(|attempt| attempt.answer.as_ref());
    let bytes = bodies.map(|answer| answer.body_head.len()).sum();
    let wanted = wanted.clone();
    let judge = move || {
        let judged = read.into_iter();
        let judged = judged.map(|(place, kind, attempts)| (place, wanted.are_of(kind, &attempts)));
        judged.collect::<Vec<_>>()
    };
    for (place, is_in) in blocking::run(bytes, judge).await {
        are_sought[place] = is_in;
    }
    Ok(are_sought)
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
    let wanted = InAttempts {
        sight: Sight::of(caller, node),
        class: sought.class,
        text: sought.text.as_ref().map(|text| text.to_lowercase()),
    };
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
        let mut rest = read.items.into_iter().peekable();
        while rest.peek().is_some() {
            if sought.reads_attempts() && found.looked_at > 0 && begun.elapsed() > LONGEST {
                found.is_cut_short = true;
                return Ok(found);
            }
            let some: Vec<_> = rest.by_ref().take(TOGETHER).collect();
            let are_sought = are_sought(node, sought, &wanted, &some).await?;
            for (delivery, is_sought) in some.into_iter().zip(are_sought) {
                found.looked_at += 1;
                let id = delivery.id.0;
                if is_sought {
                    found.deliveries.push(delivery);
                }
                found.next = Some(id);
                if found.deliveries.len() >= page.limit as usize {
                    found.next = if last == Some(id) { read.next } else { Some(id) };
                    return Ok(found);
                }
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
