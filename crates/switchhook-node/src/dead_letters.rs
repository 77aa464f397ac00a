//! Verbs for dead letters, which are given-up deliveries that nobody has dealt with: group, resend, dismiss and
//! export them.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use switchhook_domain::attempt::Failure;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{CompanyId, DeliveryId, WebhookId, made_at};
use switchhook_domain::key::Right;
use switchhook_domain::replay::{Replay, ReplayFilter, Tally};
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::{DeadLetterFilter, DeadLetterGroup, DeadLetterGroups, Page, PageRequest, StoreError};

use crate::caller::Caller;
use crate::health::first_line;
use crate::refusal::Refusal;
use crate::replays::{self, ReplayRequest, ReplayTarget};
use crate::visibility::Visibility;
use crate::webhooks::hook_url;
use crate::{Node, amounts};

/// Up to how many dead letters of a sort are counted.
pub const MOST_COUNTED: u32 = 10_000;

/// Bounds on the groups, and on the members counted in each.
#[derive(Debug, Clone, Copy)]
struct GroupLimits {
    sorts: u32,
    of_each: u32,
}

/// For who looks at dead letters.
const IN_FULL: GroupLimits = GroupLimits {
    sorts: 500,
    of_each: MOST_COUNTED,
};

/// For who only needs to know that there are some.
const AT_A_GLANCE: GroupLimits = GroupLimits {
    sorts: 100,
    of_each: 1_000,
};

/// Bound on the failures named in a sentence.
const MOST_WAYS: usize = 5;

/// Dead letters dismissed in one commit.
const AT_ONCE: u32 = 500;

/// Dead letters dismissed by one request.
const MOST_DISMISSED: u64 = 100_000;

/// Dead letters of one webhook that failed alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub webhook_id: WebhookId,
    /// Its address; `None` if the webhook is gone: these cannot be sent again.
    pub hook_url: Option<String>,
    /// Failure of their last attempts.
    pub failure: Failure,
    /// Count, up to [`GroupLimits`].
    pub count: u32,
    /// True if the count was cut off.
    pub is_more: bool,
    /// Creation of the oldest.
    pub oldest_at: Timestamp,
    /// Creation of the newest.
    pub newest_at: Timestamp,
    /// The last of them.
    pub newest: DeliveryId,
    /// The first line of what was answered to it, or why no answer came.
    pub last_line: Option<String>,
}

impl Group {
    /// Count in words: `1 delivery`, `10000 deliveries or more`.
    #[must_use]
    pub fn in_words(&self) -> String {
        in_words(self.count, self.is_more)
    }
}

fn in_words(count: u32, is_more: bool) -> String {
    let more = if is_more { " or more" } else { "" };
    format!("{}{more}", amounts::many(count as usize, "delivery"))
}

/// All dead letters of one webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookDeadLetters {
    /// Count, up to [`GroupLimits`].
    pub count: u32,
    is_more: bool,
    failures: BTreeSet<Failure>,
}

impl WebhookDeadLetters {
    /// Count in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        in_words(self.count, self.is_more)
    }

    /// List of the failures, as the end of a sentence about the receiver.
    #[must_use]
    pub fn ways(&self) -> String {
        let mut ways: Vec<_> = self.failures.iter().map(|failure| failure.in_words()).collect();
        ways.dedup();
        ways.truncate(MOST_WAYS);
        ways.join(", or ")
    }
}

/// The dead letters of a company, by webhook and by how they failed, the largest group first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    pub groups: Vec<Group>,
    /// True if some groups were left out.
    pub are_more: bool,
}

/// Result of a dismissal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dismissed {
    pub count: u64,
    /// True if some are left, so that the request should be repeated.
    pub is_more: bool,
}

/// Shows dead letters by what they have in common, as far as the caller may see them.
///
/// # Errors
/// If the caller may not, or may not see events of the kind that is asked for; or the store cannot be read.
pub async fn list(node: &Node, caller: Caller, filter: DeadLetterFilter) -> Result<Groups, Refusal> {
    caller.require(Right::Read)?;
    check(caller, filter)?;
    let visibility = Visibility::of(caller, node);
    let found = groups(node, caller.company_id, filter, IN_FULL).await?;
    let mut by_failure: HashMap<(WebhookId, Failure), DeadLetterGroup> = HashMap::new();
    for one in found
        .groups
        .into_iter()
        .filter(|one| visibility.sees(one.key.kind))
    {
        let key = (one.key.webhook_id, one.key.failure);
        by_failure
            .entry(key)
            .and_modify(|known| *known = together(*known, one))
            .or_insert(one);
    }
    let mut sorted: Vec<_> = by_failure.into_values().collect();
    sorted.sort_by_key(|one| (Reverse(one.count), Reverse(one.newest)));
    let mut urls: HashMap<WebhookId, Option<String>> = HashMap::new();
    let mut shown = Vec::with_capacity(sorted.len());
    for one in sorted {
        let id = one.key.webhook_id;
        let hook_url = match urls.entry(id) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => unknown
                .insert(hook_url(node, caller.company_id, id).await?)
                .clone(),
        };
        shown.push(Group {
            webhook_id: id,
            hook_url,
            failure: one.key.failure,
            count: one.count,
            is_more: one.is_more,
            oldest_at: made_at(one.oldest.0),
            newest_at: made_at(one.newest.0),
            newest: one.newest,
            last_line: last_line(node, visibility, one.key.kind, one.newest).await?,
        });
    }
    Ok(Groups {
        groups: shown,
        are_more: found.are_more,
    })
}

/// Counts the dead letters of each of the company's webhooks that has some, at a glance.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn by_webhook(
    node: &Node,
    caller: Caller,
) -> Result<BTreeMap<WebhookId, WebhookDeadLetters>, Refusal> {
    caller.require(Right::Read)?;
    Ok(at_a_glance(node, caller.company_id, None).await?)
}

/// Dead letters of each webhook that has some, for the node itself: of one webhook or of all.
pub(crate) async fn at_a_glance(
    node: &Node,
    company_id: CompanyId,
    only: Option<WebhookId>,
) -> Result<BTreeMap<WebhookId, WebhookDeadLetters>, StoreError> {
    let filter = DeadLetterFilter {
        webhook_id: only,
        ..DeadLetterFilter::default()
    };
    let found = groups(node, company_id, filter, AT_A_GLANCE).await?;
    let mut all: BTreeMap<_, WebhookDeadLetters> = BTreeMap::new();
    for group in found.groups {
        let of_webhook = all.entry(group.key.webhook_id).or_default();
        of_webhook.count += group.count;
        of_webhook.is_more |= group.is_more;
        of_webhook.failures.insert(group.key.failure);
    }
    if let Some(mut last) = all.last_entry().filter(|_| found.are_more) {
        last.get_mut().is_more = true;
    }
    Ok(all)
}

async fn groups(
    node: &Node,
    company_id: CompanyId,
    filter: DeadLetterFilter,
    extent: GroupLimits,
) -> Result<DeadLetterGroups, StoreError> {
    let GroupLimits { sorts, of_each } = extent;
    let store = &node.store;
    store.dead_letter_groups(company_id, filter, sorts, of_each).await
}

/// Two sorts that differ only in what is not told apart.
fn together(one: DeadLetterGroup, other: DeadLetterGroup) -> DeadLetterGroup {
    let newest = if one.newest > other.newest { one } else { other };
    DeadLetterGroup {
        key: newest.key,
        count: one.count + other.count,
        is_more: one.is_more || other.is_more,
        oldest: one.oldest.min(other.oldest),
        newest: newest.newest,
    }
}

async fn last_line(
    node: &Node,
    visibility: Visibility,
    kind: Kind,
    id: DeliveryId,
) -> Result<Option<String>, StoreError> {
    let attempts = node.store.attempts_of(id).await?;
    let last = attempts
        .iter()
        .rev()
        .find(|attempt| Failure::of(&attempt.outcome).is_some());
    Ok(last.and_then(|attempt| first_line(attempt, visibility, kind)))
}

/// A page of dead letters, oldest first; kinds that the caller may not see are left out.
///
/// # Errors
/// As for [`list`].
pub async fn page(
    node: &Node,
    caller: Caller,
    filter: DeadLetterFilter,
    page: PageRequest,
) -> Result<Page<Delivery>, Refusal> {
    caller.require(Right::Read)?;
    check(caller, filter)?;
    let mut page = node.store.dead_letters(caller.company_id, filter, page).await?;
    let visibility = Visibility::of(caller, node);
    page.items.retain(|delivery| visibility.sees(delivery.kind));
    Ok(page)
}

/// Counts what sending dead letters again would send.
///
/// # Errors
/// As for [`replays::create`].
pub async fn count(node: &Node, caller: Caller, filter: DeadLetterFilter) -> Result<Tally, Refusal> {
    replays::count(node, caller, replay_of(filter, None)).await
}

/// Sends dead letters again, each to the webhook that it was for, by a replay. It sends nothing that the caller may not see.
///
/// # Errors
/// As for [`replays::create`].
pub async fn resend(
    node: &Node,
    caller: Caller,
    filter: DeadLetterFilter,
    rate: Option<f64>,
) -> Result<Replay, Refusal> {
    replays::create(node, caller, replay_of(filter, rate)).await
}

fn replay_of(filter: DeadLetterFilter, rate: Option<f64>) -> ReplayRequest {
    ReplayRequest {
        filter: ReplayFilter {
            dead_letters: true,
            failure: filter.failure,
            webhook_id: filter.webhook_id,
            kind: filter.kind,
            since: filter.since,
            until: filter.until,
            ..ReplayFilter::default()
        },
        to: ReplayTarget::Origins,
        rate,
    }
}

/// Dismisses dead letters: they stay in the history, and need nobody any more. Kinds that the caller may not see are left as they
/// are.
///
/// # Errors
/// If the caller may not, or may not see events of the kind that is asked for; or the store cannot be written.
pub async fn dismiss(node: &Node, caller: Caller, filter: DeadLetterFilter) -> Result<Dismissed, Refusal> {
    caller.require(Right::Write)?;
    check(caller, filter)?;
    // It looks at many deliveries before it answers.
    let _place = node.shares.place_to_read(caller.company_id).await?;
    let visibility = Visibility::of(caller, node);
    let mut page = PageRequest::first(AT_ONCE);
    let mut count = 0;
    loop {
        let found = node.store.dead_letters(caller.company_id, filter, page).await?;
        let seen = found
            .items
            .iter()
            .filter(|delivery| visibility.sees(delivery.kind));
        let ids: Vec<_> = seen.map(|delivery| delivery.id).collect();
        if !ids.is_empty() {
            let now = node.clock.now();
            count += node
                .store
                .dismiss_dead_letters(caller.company_id, ids, now)
                .await?;
        }
        page.after = found.next;
        if found.next.is_none() || count >= MOST_DISMISSED {
            return Ok(Dismissed {
                count,
                is_more: found.next.is_some(),
            });
        }
    }
}

fn check(caller: Caller, filter: DeadLetterFilter) -> Result<(), Refusal> {
    if let Some(kind) = filter.kind {
        caller.require_visible(kind)?;
    }
    Ok(())
}
