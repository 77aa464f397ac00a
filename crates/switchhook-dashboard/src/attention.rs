//! Webhooks and sources that need attention, with the reason and the remedy, computed at most every few seconds per
//! company.
//!
//! The node decides what is wrong (`health.rs` for a webhook, the doctor for a source). This file bounds, sorts, and
//! adds the remedy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::CompanyId;
use switchhook_domain::webhook::{Condition, Severity, Webhook};
use switchhook_node::caller::Caller;
use switchhook_node::dead_letters::{self, WebhookDeadLetters};
use switchhook_node::doctor::{self, Finding, Location};
use switchhook_node::health::{self, Health};
use switchhook_node::refusal::Refusal;
use switchhook_node::{Node, webhooks};
use switchhook_store::{PageRequest, WaitingDelivery};

use super::widgets::{Sentence, tone_of};

/// Time for which a result is reused.
const FRESH_FOR: Duration = Duration::from_secs(3);

/// Bound on the companies remembered.
const MOST_COMPANIES: usize = 256;

/// Bound on the webhooks examined.
const MOST_WEBHOOKS: u32 = 1_000;

/// Bound on the items shown.
const MOST_ITEMS: usize = 12;

/// Summary of a company: items that need attention, and totals.
#[derive(Debug, Clone, Default)]
pub(super) struct Attention {
    /// Worst first.
    pub(super) items: Vec<Item>,
    /// Count of the items beyond [`MOST_ITEMS`].
    pub(super) more: usize,
    pub(super) webhooks: usize,
    /// True if a webhook fails, as opposed to one that only waits.
    pub(super) is_wrong: bool,
    /// Creation of the oldest undelivered delivery.
    pub(super) oldest: Option<Timestamp>,
}

/// A webhook or a source that needs somebody.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The URL of the webhook, or the name of the source.
    pub(super) name: String,
    /// Path of the page about it.
    pub(super) page: String,
    severity: Severity,
    /// CSS class: `bad` or `wait`.
    pub(super) tone: &'static str,
    pub(super) label: &'static str,
    pub(super) why: Sentence,
    pub(super) remedy: Remedy,
}

/// Link to the page where it can be solved.
#[derive(Debug, Clone)]
pub(super) struct Remedy {
    /// Label for viewers who may change things.
    act: &'static str,
    /// Label for viewers who may only read, if the item's own page does not say it all.
    look: Option<&'static str>,
    pub(super) link: String,
}

impl Remedy {
    /// Something that is only to be looked at.
    const fn look(label: &'static str, link: String) -> Self {
        Self {
            act: label,
            look: Some(label),
            link,
        }
    }

    /// Label for this viewer.
    pub(super) const fn label(&self, can_write: bool) -> Option<&'static str> {
        match can_write {
            true => Some(self.act),
            false => self.look,
        }
    }
}

type Remembered = BTreeMap<CompanyId, (Timestamp, Arc<Attention>)>;

/// Recent results, by company.
#[derive(Default)]
pub(super) struct Attentions(Mutex<Remembered>);

impl Attentions {
    /// Attention of one company, from memory if it is fresh.
    pub(super) async fn of(&self, node: &Node, caller: Caller) -> Result<Arc<Attention>, Refusal> {
        let company_id = caller.company_id;
        let now = node.clock.now();
        if let Some((at, found)) = self.0.lock().get(&company_id)
            && *at <= now
            && now.since(*at) < FRESH_FOR
        {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(look(node, caller, now).await?);
        let mut remembered = self.0.lock();
        if remembered.len() >= MOST_COMPANIES {
            remembered.clear();
        }
        remembered.insert(company_id, (now, Arc::clone(&found)));
        Ok(found)
    }
}

async fn look(node: &Node, caller: Caller, now: Timestamp) -> Result<Attention, Refusal> {
    let page = PageRequest::first(MOST_WEBHOOKS);
    let webhooks = webhooks::list(node, caller, page).await?.items;
    let healths = health::of_all(node, &webhooks).await?;
    let dead = dead_letters::by_webhook(node, caller).await?;
    let oldest = healths.iter().filter_map(|health| health.waiting.oldest_at).min();
    let mut items = Vec::new();
    for (webhook, health) in webhooks.iter().zip(healths) {
        if health.condition == Condition::Active && health.waiting.count > 0 {
            let late = doctor::late_delivery(node, webhook.id, now).await?;
            items.extend(late.map(|late| behind(webhook, &health, &late)));
        }
        items.extend(condition(webhook, health));
        items.extend(dead.get(&webhook.id).map(|dead| given_up(webhook, dead)));
    }
    let is_wrong = items.iter().any(|item| item.severity == Severity::Wrong);
    let refusing = doctor::refusing_sources(node, caller.company_id).await?;
    items.extend(refusing.into_iter().filter_map(refuses));
    items.sort_by_key(|item| std::cmp::Reverse(item.severity));
    let more = items.len().saturating_sub(MOST_ITEMS);
    items.truncate(MOST_ITEMS);
    Ok(Attention {
        items,
        is_wrong,
        more,
        webhooks: webhooks.len(),
        oldest,
    })
}

fn condition(webhook: &Webhook, health: Health) -> Option<Item> {
    let id = webhook.id;
    let page = format!("/dashboard/webhooks/{id}");
    let (act, link) = match health.condition {
        Condition::Active => return None,
        Condition::Failing | Condition::PausedByFailures => ("Retry now", page),
        Condition::Paused | Condition::Disabled => ("Resume", page),
        Condition::NoSubscription => (
            "Add subscription",
            format!("/dashboard/subscriptions/new?webhook={id}"),
        ),
    };
    let remedy = Remedy {
        act,
        look: None,
        link,
    };
    Some(Item::of_webhook(
        webhook,
        health.condition.severity(),
        health.condition.in_words(),
        health.text,
        remedy,
    ))
}

/// A webhook that works, and is sent what comes too slowly.
fn behind(webhook: &Webhook, health: &Health, late: &WaitingDelivery) -> Item {
    let why = format!(
        "{}, and one has been due since {}. The receiver is slow, or an earlier delivery of the same call is being retried.",
        health.waiting.in_words(),
        late.since
    );
    let link = format!("/dashboard/deliveries?webhook={}&state=pending", webhook.id);
    let remedy = Remedy::look("Show waiting deliveries", link);
    Item::of_webhook(webhook, Severity::Waiting, "behind", why, remedy)
}

fn given_up(webhook: &Webhook, dead: &WebhookDeadLetters) -> Item {
    let why = format!(
        "{} failed for good and {} for a decision. The receiver {}.",
        dead.in_words(),
        if dead.count == 1 { "waits" } else { "wait" },
        dead.ways()
    );
    let remedy = Remedy {
        act: "Resend or dismiss",
        look: Some("Show them"),
        link: format!("/dashboard/dead-letters?webhook={}", webhook.id),
    };
    Item::of_webhook(webhook, Severity::Wrong, "dead letters", why, remedy)
}

/// A source that refuses, in the doctor's words.
fn refuses(finding: Finding) -> Option<Item> {
    let Location::Source { id, name } = finding.location else {
        return None;
    };
    let page = format!("/dashboard/sources/{id}");
    Some(Item {
        name,
        severity: Severity::Wrong,
        tone: tone_of(Severity::Wrong),
        label: "source refuses",
        why: Sentence(finding.what),
        remedy: Remedy::look("Show refusals", format!("{page}#refusals")),
        page,
    })
}

impl Item {
    fn of_webhook(
        webhook: &Webhook,
        severity: Severity,
        label: &'static str,
        why: String,
        remedy: Remedy,
    ) -> Self {
        Self {
            name: shown_url(&webhook.hook_url).into_owned(),
            page: format!("/dashboard/webhooks/{}", webhook.id),
            severity,
            tone: tone_of(severity),
            label,
            why: Sentence(why),
            remedy,
        }
    }
}
