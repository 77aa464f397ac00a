//! Looking for deliveries. What an index finds is found along it; for the rest a bounded number is looked at, and it is said how far
//! that came.

use std::collections::HashSet;
use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::attempt::{CountsAs, OutcomeClass};
use switchhook_domain::credential::shown_text;
use switchhook_domain::delivery::{Delivery, StateName};
use switchhook_domain::key::Right;
use switchhook_store::{DeliveryFilter, FailedAttempt, PageRequest, StoreError};
use tokio::time::Instant;

use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::visibility::Visibility;
use crate::{Node, blocking};

/// Bound on the deliveries read, unless text is searched.
const MOST_LOOKED_AT: usize = 10_000;

/// Approximate time limit of a search.
pub const LONGEST: Duration = Duration::from_millis(800);

/// Page size of a read.
const AT_ONCE: u32 = 1_000;

/// The longest text to look for, in characters. Looking for a longer one takes long.
pub const LONGEST_TEXT: usize = 256;

/// Conditions of a search, all of which must hold.
#[derive(Debug, Clone, Default)]
pub struct DeliverySearch {
    /// Conditions that an index answers.
    pub filter: DeliveryFilter,
    /// Outcome of the last attempt.
    pub class: Option<OutcomeClass>,
    /// Text in the answer or the error of a failed attempt, in any case.
    pub text: Option<String>,
}

/// One page of a search.
#[derive(Debug)]
pub struct SearchResult {
    /// The deliveries, newest first.
    pub deliveries: Vec<Delivery>,
    /// Cursor of the next page.
    pub next: Option<i64>,
    /// Number of deliveries read.
    pub looked_at: usize,
    /// True if a bound ended the search before the page was full.
    pub is_cut_short: bool,
}

impl DeliverySearch {
    /// True if attempts must be read.
    #[must_use]
    pub const fn reads_attempts(&self) -> bool {
        self.class.is_some() || self.text.is_some()
    }

    /// True if an index alone does not answer it.
    #[must_use]
    pub fn is_search(&self) -> bool {
        self.reads_attempts() || self.filter.kind.is_some() || self.filter.state == Some(StateName::Delivered)
    }

    /// True if the delivery's row does not rule it out, so that its attempts are worth reading.
    fn may_be_in(&self, visibility: Visibility, delivery: &Delivery) -> bool {
        let filter = &self.filter;
        visibility.sees(delivery.kind)
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

/// A text that is sought in why attempts failed.
#[derive(Debug, Clone)]
struct FailureTextSearch {
    visibility: Visibility,
    /// In lower case.
    text: String,
}

impl FailureTextSearch {
    /// True if the text is in the shown form of the attempt. Hidden text never matches, because a match would reveal
    /// it.
    fn is_in(&self, kind: Kind, attempt: &FailedAttempt) -> bool {
        let is_in = |shown: &str| shown.to_lowercase().contains(&self.text);
        let mask = self.visibility.mask;
        (attempt.reason).is_some_and(|reason| is_in(&reason.as_str().replace('_', " ")))
            || (attempt.detail.as_ref()).is_some_and(|detail| is_in(&mask.loose(&shown_text(detail))))
            || is_in(&self.visibility.answer(kind, &attempt.answer_head))
    }
}

/// Some deliveries that follow each other on a way: those among them that are sought.
struct SearchBatch {
    deliveries: Vec<Delivery>,
    looked_at: usize,
    next: Option<i64>,
}

impl SearchBatch {
    /// A stretch of what has the text. What has it not is not even read, but for why it failed. Answers are masked and searched
    /// away from the threads that accept.
    async fn with_text(
        node: &Node,
        caller: Caller,
        text: &str,
        way: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Self, StoreError> {
        let read = node.store.failed_attempts(caller.company_id, way, page).await?;
        let bytes_of = |attempt: &FailedAttempt| {
            attempt.answer_head.len() + attempt.detail.as_ref().map_or(0, String::len)
        };
        let bytes = read.attempts.iter().map(bytes_of).sum();
        let (looked_at, next) = (read.deliveries.len(), read.next);
        let text = FailureTextSearch {
            visibility: Visibility::of(caller, node),
            text: text.to_lowercase(),
        };
        let search = move || {
            let has_it = |attempt: &FailedAttempt| text.is_in(read.deliveries[&attempt.delivery_id], attempt);
            let found = read.attempts.into_iter().filter(has_it);
            found.map(|attempt| attempt.delivery_id).collect::<HashSet<_>>()
        };
        let ids = blocking::run(bytes, search).await;
        let deliveries = match ids.is_empty() {
            true => Vec::new(),
            false => {
                let ids = ids.into_iter().collect();
                node.store.deliveries(caller.company_id, ids).await?
            }
        };
        Ok(Self {
            deliveries,
            looked_at,
            next,
        })
    }

    async fn of(
        node: &Node,
        caller: Caller,
        sought: &DeliverySearch,
        way: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Self, StoreError> {
        let mut stretch = match &sought.text {
            Some(text) => Self::with_text(node, caller, text, way, page).await?,
            None => {
                let list = node.store.list_deliveries(caller.company_id, way, page);
                let page = list.await?;
                Self {
                    looked_at: page.items.len(),
                    deliveries: page.items,
                    next: page.next,
                }
            }
        };
        let visibility = Visibility::of(caller, node);
        let deliveries = &mut stretch.deliveries;
        deliveries.retain(|delivery| sought.may_be_in(visibility, delivery));
        if let Some(class) = sought.class {
            deliveries.retain(|delivery| may_have_ended(delivery, class));
            let ids = deliveries.iter().map(|delivery| delivery.id).collect();
            let mut last = node.store.last_attempts(ids).await?;
            last.retain(|attempt| attempt.class == class);
            let ended_so: HashSet<_> = last.iter().map(|attempt| attempt.delivery_id).collect();
            deliveries.retain(|delivery| ended_so.contains(&delivery.id));
        }
        Ok(stretch)
    }
}

/// True if the row's last failure allows that the last attempt ended so, so that the attempt is worth reading.
fn may_have_ended(delivery: &Delivery, class: OutcomeClass) -> bool {
    !has_failed(class)
        || delivery
            .last_failure
            .is_none_or(|failure| failure.class() == class)
}

/// True for outcomes that count as failures, which have an index of their own.
const fn has_failed(class: OutcomeClass) -> bool {
    matches!(
        class.consequences().counts_as,
        CountsAs::Answered | CountsAs::Unanswered
    )
}

/// A page of deliveries, newest first, sought among a bounded number; kinds that the caller may not see are left out.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn search(
    node: &Node,
    caller: Caller,
    sought: &DeliverySearch,
    page: PageRequest,
) -> Result<SearchResult, Refusal> {
    caller.require(Right::Read)?;
    let mut best: Option<SearchResult> = None;
    for way in sought.ways() {
        let found = go_over(node, caller, sought, way, page).await?;
        let is_done = !found.is_cut_short;
        let reached = |found: &SearchResult| found.next.unwrap_or_default();
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
    sought: &DeliverySearch,
    way: DeliveryFilter,
    page: PageRequest,
) -> Result<SearchResult, StoreError> {
    let mut found = SearchResult {
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
        let stretch = SearchBatch::of(node, caller, sought, way.clone(), request).await?;
        found.looked_at += stretch.looked_at;
        found.next = stretch.next;
        found.deliveries.extend(stretch.deliveries);
        let most = page.limit as usize;
        if found.deliveries.len() > most {
            found.deliveries.truncate(most);
            found.next = found.deliveries.last().map(|delivery| delivery.id.0);
        }
        if found.deliveries.len() == most || found.next.is_none() {
            return Ok(found);
        }
        let is_far = sought.text.is_none() && found.looked_at >= MOST_LOOKED_AT;
        if is_far || begun.elapsed() > LONGEST {
            found.is_cut_short = true;
            return Ok(found);
        }
        limit = AT_ONCE;
    }
}
