//! What the commands read of a webhook, and say of how it does.

use serde::Deserialize;
use switchhook_domain::Timestamp;
use switchhook_domain::webhook::Condition;

use super::settings::ShownSettings;
use crate::cli::output::Facts;
use crate::cli::subscribe::Subscribed;

/// What we read of a webhook.
#[derive(Debug, Deserialize)]
pub(super) struct Webhook {
    pub(super) id: String,
    pub(super) hook_url: String,
    pub(super) signature: Option<Signature>,
    /// Absent from what Dialpad's API answers.
    #[serde(default)]
    pub(super) health: Option<Health>,
    #[serde(default)]
    pub(super) created_at: Option<Timestamp>,
    #[serde(flatten)]
    pub(super) settings: ShownSettings,
    #[serde(default)]
    pub(super) kid: Option<String>,
    #[serde(default)]
    pub(super) standard_secret: Option<String>,
    #[serde(default)]
    pub(super) old_secrets: Vec<OldSecret>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
    /// Only of a webhook that was just made.
    #[serde(default)]
    pub(super) subscriptions: Vec<Subscribed>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Signature {
    pub(super) secret: Option<String>,
}

/// How a webhook does.
#[derive(Debug, Deserialize)]
pub(super) struct Health {
    pub(super) condition: Condition,
    pub(super) text: String,
    pub(super) failures: Option<Failures>,
    pub(super) waiting: Waiting,
    pub(super) last_hour: Recent,
    pub(super) last_day: Recent,
}

/// How attempts went lately.
#[derive(Debug, Deserialize)]
pub(super) struct Recent {
    pub(super) success_rate: Option<f64>,
    pub(super) p95_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Failures {
    pub(super) last_line: Option<String>,
    pub(super) last_delivery_id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Waiting {
    pub(super) count: u32,
    pub(super) more: bool,
}

impl Webhook {
    /// Why nothing is sent to it, if nothing is.
    pub(super) fn holds_back(&self) -> Option<Condition> {
        self.condition()
            .filter(|condition| matches!(condition, Condition::Paused | Condition::Disabled))
    }

    pub(super) fn condition(&self) -> Option<Condition> {
        self.health.as_ref().map(|health| health.condition)
    }
}

impl Health {
    pub(super) fn add_to(&self, facts: Facts) -> Facts {
        let facts = facts
            .fact("condition", self.condition.in_words())
            .fact("", &self.text)
            .fact("waiting", self.waiting.in_words())
            .fact_if("last hour", self.last_hour.in_words())
            .fact_if("last day", self.last_day.in_words());
        match &self.failures {
            Some(failures) => facts
                .fact_if("last answer", failures.last_line.as_ref())
                .fact("last delivery", &failures.last_delivery_id),
            None => facts,
        }
    }
}

impl Recent {
    /// Nothing, if there were no attempts.
    pub(super) fn in_words(&self) -> Option<String> {
        // What failed must not be rounded away.
        let percent = (self.success_rate? * 1_000.0).floor() / 10.0;
        let latency = self
            .p95_ms
            .map_or_else(String::new, |p95| format!(", 95 % within {p95:.0} ms"));
        Some(format!("{percent} % of attempts succeeded{latency}"))
    }
}

impl Waiting {
    pub(super) fn in_words(&self) -> String {
        match (self.count, self.more) {
            (1, _) => "1 delivery".to_owned(),
            (count, true) => format!("{count} deliveries or more"),
            (count, false) => format!("{count} deliveries"),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct OldSecret {
    pub(super) kid: String,
    pub(super) valid_until: Timestamp,
}
