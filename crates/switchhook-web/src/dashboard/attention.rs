//! Which webhooks need attention, and why, in words. Put together at most every few seconds for each company.
//!
//! It looks at what is known by heart and at a bounded number of rows: `doctor` looks closer.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::credential::shown_url;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::subscription::Subscription;
use switchhook_domain::webhook::Webhook;
use switchhook_store::{DeliveryFilter, PageRequest, PendingWebhook, StoreError, SubscriptionFilter};

use super::part::{many, span};
use switchhook_node::Node;

/// How long what was found is taken to be so.
const FRESH_FOR: Duration = Duration::from_secs(3);

/// Of how many companies it is remembered.
const MOST_COMPANIES: usize = 256;

/// How many webhooks and subscriptions are looked at.
const MOST_ROWS: u32 = 1_000;

/// How many given-up deliveries are looked at.
const MOST_GIVEN_UP: u32 = 200;

/// How many failures in a row are worth a word.
const FAILING_FROM: u32 = 2;

/// How long a delivery may be due before it counts as late.
const LATE: Duration = Duration::from_secs(30);

const A_DAY: Duration = Duration::from_secs(24 * 3_600);

/// How things stand.
#[derive(Debug, Clone, Default)]
pub(super) struct Attention {
    /// What needs somebody, worst first.
    pub(super) items: Vec<Item>,
    /// How many webhooks there are.
    pub(super) webhooks: usize,
    /// Since when the oldest due delivery waits.
    pub(super) oldest_due: Option<Timestamp>,
}

/// A webhook that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) webhook_id: String,
    pub(super) url: String,
    /// `bad` or `wait`.
    pub(super) tone: &'static str,
    pub(super) label: &'static str,
    pub(super) why: String,
    /// What to do about it, and where.
    pub(super) remedy: &'static str,
    pub(super) link: String,
}

type Remembered = BTreeMap<CompanyId, (Timestamp, Arc<Attention>)>;

/// What was found lately.
#[derive(Default)]
pub(super) struct Attentions(Mutex<Remembered>);

impl Attentions {
    /// How things stand with a company.
    pub(super) async fn of(&self, node: &Node, company_id: CompanyId) -> Result<Arc<Attention>, StoreError> {
        let now = node.clock.now();
        if let Some((at, found)) = self.0.lock().get(&company_id)
            && *at <= now
            && now.since(*at) < FRESH_FOR
        {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(look(node, company_id, now).await?);
        let mut remembered = self.0.lock();
        if remembered.len() >= MOST_COMPANIES {
            remembered.clear();
        }
        remembered.insert(company_id, (now, Arc::clone(&found)));
        Ok(found)
    }
}

async fn look(node: &Node, company_id: CompanyId, now: Timestamp) -> Result<Attention, StoreError> {
    let store = &node.store;
    let rows = PageRequest::first(MOST_ROWS);
    let webhooks = store.list_webhooks(company_id, rows).await?.items;
    let subscriptions = store
        .list_subscriptions(company_id, SubscriptionFilter::default(), rows)
        .await?;
    let subscribed: HashSet<_> = subscriptions
        .items
        .iter()
        .filter_map(Subscription::webhook_id)
        .collect();
    let pending = store.pending_webhooks(None, MOST_ROWS).await?;
    let given_up = given_up(node, company_id, now).await?;
    let mut items = Vec::new();
    let mut oldest_due = None;
    for webhook in &webhooks {
        let waiting = pending.iter().find(|one| one.webhook_id == webhook.id);
        let about = About {
            webhook,
            waiting,
            now,
        };
        items.extend(about.held_or_failing(node));
        items.extend(about.given_up(given_up.get(&webhook.id).copied().unwrap_or_default()));
        if !subscribed.contains(&webhook.id) && subscriptions.next.is_none() {
            items.push(about.without_subscription());
        }
        if let Some(due_at) = about.due_since(node) {
            oldest_due = Some(oldest_due.map_or(due_at, |oldest: Timestamp| oldest.min(due_at)));
        }
    }
    items.sort_by_key(|item| item.tone != "bad");
    Ok(Attention {
        items,
        webhooks: webhooks.len(),
        oldest_due,
    })
}

async fn given_up(
    node: &Node,
    company_id: CompanyId,
    now: Timestamp,
) -> Result<BTreeMap<WebhookId, usize>, StoreError> {
    let filter = DeliveryFilter {
        state: Some(StateName::Exhausted),
        since: Some(now.minus(A_DAY * 4)),
        ..DeliveryFilter::default()
    };
    let page = PageRequest::first(MOST_GIVEN_UP);
    let exhausted = node.store.list_deliveries(company_id, filter, page).await?;
    let mut counts = BTreeMap::new();
    for delivery in exhausted
        .items
        .iter()
        .filter(|one| now.since(one.state.at()) < A_DAY)
    {
        *counts.entry(delivery.webhook_id).or_default() += 1;
    }
    Ok(counts)
}

/// A webhook and what waits for it.
struct About<'a> {
    webhook: &'a Webhook,
    waiting: Option<&'a PendingWebhook>,
    now: Timestamp,
}

impl About<'_> {
    fn item(
        &self,
        tone: &'static str,
        label: &'static str,
        why: String,
        remedy: &'static str,
        link: &str,
    ) -> Item {
        let webhook_id = self.webhook.id.to_string();
        Item {
            url: shown_url(&self.webhook.hook_url).into_owned(),
            tone,
            label,
            why,
            remedy,
            link: link.replace("{id}", &webhook_id),
            webhook_id,
        }
    }

    fn held_or_failing(&self, node: &Node) -> Option<Item> {
        if let Some(since) = self.webhook.disabled_at {
            return Some(self.item(
                "bad",
                "disabled",
                format!(
                    "Its receiver had failed for too long; disabled for {}.",
                    span(self.now.since(since))
                ),
                "Resume it",
                "/dashboard/webhooks/{id}",
            ));
        }
        if let Some(since) = self.webhook.paused_at {
            let how_long = span(self.now.since(since));
            return Some(match self.waiting {
                Some(_) => self.item(
                    "wait",
                    "paused",
                    format!("Paused for {how_long}, and deliveries are waiting."),
                    "Resume it",
                    "/dashboard/webhooks/{id}",
                ),
                None => self.item(
                    "wait",
                    "paused",
                    format!("Paused for {how_long}; nothing is waiting yet."),
                    "Resume it",
                    "/dashboard/webhooks/{id}",
                ),
            });
        }
        let breaker = node
            .registry
            .destination(self.webhook.id)?
            .load()
            .health
            .read()
            .breaker;
        match breaker {
            Breaker::Open { probe_at, failures, .. } => Some(self.item(
                "bad",
                "breaker open",
                format!(
                    "Its receiver failed {failures} times in a row, so it is only tried now and then: next {}.",
                    match probe_at.since(self.now) {
                        wait if wait.is_zero() => "now".to_owned(),
                        wait => format!("in {}", span(wait)),
                    }
                ),
                "See its failures",
                "/dashboard/deliveries?webhook={id}&state=pending",
            )),
            Breaker::Closed { failures } if failures >= FAILING_FROM => Some(self.item(
                "bad",
                "failing",
                format!("Its last {failures} attempts failed."),
                "See its failures",
                "/dashboard/deliveries?webhook={id}&state=pending",
            )),
            Breaker::Closed { .. } => {
                let late = self.waiting.map(|one| self.now.since(one.first_due_at)).filter(|late| *late > LATE)?;
                Some(self.item(
                    "wait",
                    "behind",
                    format!("Its oldest delivery has been due for {}.", span(late)),
                    "See what waits",
                    "/dashboard/deliveries?webhook={id}&state=pending",
                ))
            }
        }
    }

    fn given_up(&self, count: usize) -> Option<Item> {
        let more = match count {
            0 => return None,
            count if count == MOST_GIVEN_UP as usize => " or more",
            _ => "",
        };
        Some(self.item(
            "bad",
            "given up",
            format!(
                "{}{more} were given up in the last 24 hours.",
                many(count, "delivery")
            ),
            "See them",
            "/dashboard/deliveries?webhook={id}&state=exhausted",
        ))
    }

    fn without_subscription(&self) -> Item {
        self.item(
            "wait",
            "no subscription",
            "No subscription sends to it, so it gets nothing.".to_owned(),
            "Subscribe it",
            "/dashboard/subscriptions/new?webhook={id}",
        )
    }

    /// Since when something of it is due and could be sent.
    fn due_since(&self, node: &Node) -> Option<Timestamp> {
        let destination = node.registry.destination(self.webhook.id)?;
        let is_held = self.webhook.paused_at.is_some() || destination.load().health.read().breaker.is_open();
        let due_at = self.waiting?.first_due_at;
        (!is_held && due_at <= self.now).then_some(due_at)
    }
}
