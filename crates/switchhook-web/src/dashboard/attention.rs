//! Which webhooks need attention, and why. Put together at most every few seconds for each company.
//!
//! What is wrong with a webhook is the node's to say (`health.rs`); here it is bounded, sorted, and told what to do about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::CompanyId;
use switchhook_domain::webhook::{Condition, Severity, Webhook};
use switchhook_node::Node;
use switchhook_node::dead_letters::{self, GivenUp};
use switchhook_node::health::{self, Health};
use switchhook_store::{PageRequest, StoreError};

use super::part::{Sentence, tone_of};

/// How long what was found is taken to be so.
const FRESH_FOR: Duration = Duration::from_secs(3);

/// Of how many companies it is remembered.
const MOST_COMPANIES: usize = 256;

/// How many webhooks are looked at.
const MOST_WEBHOOKS: u32 = 1_000;

/// How many things are shown.
const MOST_ITEMS: usize = 12;

/// How old a waiting delivery may be before a webhook that works counts as late.
const LATE: Duration = Duration::from_secs(30);

/// How things stand.
#[derive(Debug, Clone, Default)]
pub(super) struct Attention {
    /// What needs somebody, worst first.
    pub(super) items: Vec<Item>,
    /// How much more there is.
    pub(super) more: usize,
    /// How many webhooks there are.
    pub(super) webhooks: usize,
    /// Whether any of it is wrong, and not only waiting.
    pub(super) is_wrong: bool,
    /// When the oldest delivery was created that is not delivered yet.
    pub(super) oldest: Option<Timestamp>,
}

/// A webhook that needs somebody.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) webhook_id: String,
    pub(super) url: String,
    severity: Severity,
    /// `bad` or `wait`.
    pub(super) tone: &'static str,
    pub(super) label: &'static str,
    pub(super) why: Sentence,
    pub(super) remedy: Remedy,
}

/// What can be done about it, and where.
#[derive(Debug, Clone)]
pub(super) struct Remedy {
    pub(super) label: &'static str,
    pub(super) link: String,
    /// Whether it takes the right to change things.
    pub(super) writes: bool,
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
    let page = PageRequest::first(MOST_WEBHOOKS);
    let webhooks = node.store.list_webhooks(company_id, page).await?.items;
    let healths = health::of_all(node, &webhooks).await?;
    let dead = dead_letters::by_webhook(node, company_id, None).await?;
    let oldest = healths.iter().filter_map(|health| health.waiting.oldest_at).min();
    let mut items = Vec::new();
    for (webhook, health) in webhooks.iter().zip(healths) {
        items.extend(condition(webhook, health, now));
        items.extend(dead.get(&webhook.id).map(|dead| given_up(webhook, dead)));
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.severity));
    let more = items.len().saturating_sub(MOST_ITEMS);
    items.truncate(MOST_ITEMS);
    let is_wrong = items.first().is_some_and(|item| item.severity == Severity::Wrong);
    Ok(Attention {
        items,
        is_wrong,
        more,
        webhooks: webhooks.len(),
        oldest,
    })
}

fn condition(webhook: &Webhook, health: Health, now: Timestamp) -> Option<Item> {
    let id = webhook.id;
    let page = format!("/dashboard/webhooks/{id}");
    let (label, link, writes) = match health.condition {
        Condition::Active => return late(webhook, &health, now),
        Condition::Failing | Condition::PausedByFailures => ("Retry now", page, true),
        Condition::Paused | Condition::Disabled => ("Resume", page, true),
        Condition::NoSubscription => (
            "Add subscription",
            format!("/dashboard/subscriptions/new?webhook={id}"),
            true,
        ),
    };
    let remedy = Remedy { label, link, writes };
    Some(Item::new(
        webhook,
        health.condition.severity(),
        health.condition.in_words(),
        health.text,
        remedy,
    ))
}

/// A webhook that works, and is sent what comes too slowly.
fn late(webhook: &Webhook, health: &Health, now: Timestamp) -> Option<Item> {
    let oldest = health
        .waiting
        .oldest_at
        .filter(|oldest| now.since(*oldest) > LATE)?;
    let why = format!(
        "{}, the oldest since {oldest}. The receiver is slow, or an earlier delivery of the same call is being retried.",
        health.waiting.in_words()
    );
    let remedy = Remedy {
        label: "Show waiting deliveries",
        link: format!("/dashboard/deliveries?webhook={}&state=pending", webhook.id),
        writes: false,
    };
    Some(Item::new(webhook, Severity::Waiting, "behind", why, remedy))
}

fn given_up(webhook: &Webhook, dead: &GivenUp) -> Item {
    let why = format!(
        "{} failed for good and {} for a decision. The receiver {}.",
        dead.in_words(),
        if dead.count == 1 { "waits" } else { "wait" },
        dead.ways()
    );
    let remedy = Remedy {
        label: "Resend or dismiss",
        link: format!("/dashboard/dead-letters?webhook={}", webhook.id),
        writes: false,
    };
    Item::new(webhook, Severity::Wrong, "dead letters", why, remedy)
}

impl Item {
    fn new(webhook: &Webhook, severity: Severity, label: &'static str, why: String, remedy: Remedy) -> Self {
        Self {
            webhook_id: webhook.id.to_string(),
            url: shown_url(&webhook.hook_url).into_owned(),
            severity,
            tone: tone_of(severity),
            label,
            why: Sentence(why),
            remedy,
        }
    }
}
