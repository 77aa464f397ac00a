//! What the commands say of how a webhook does.

use switchhook_domain::webhook::Condition;
use switchhook_web::api::answers::{HealthAnswer, RecentAnswer, WaitingAnswer};

use crate::cli::output::Facts;

/// Why nothing is sent to a webhook, if nothing is.
pub(super) fn held_back(health: &HealthAnswer) -> Option<Condition> {
    let is_held = matches!(health.condition, Condition::Paused | Condition::Disabled);
    is_held.then_some(health.condition)
}

pub(super) fn add_health(facts: Facts, health: &HealthAnswer) -> Facts {
    let facts = facts
        .fact("condition", health.condition.in_words())
        .fact("", &health.text)
        .fact("waiting", waiting_in_words(&health.waiting))
        .fact_if("last hour", recent_in_words(&health.last_hour))
        .fact_if("last day", recent_in_words(&health.last_day));
    match &health.failures {
        Some(failures) => facts
            .fact_if("last answer", failures.last_line.as_ref())
            .fact("last delivery", failures.last_delivery_id),
        None => facts,
    }
}

/// Nothing, if there were no attempts.
fn recent_in_words(recent: &RecentAnswer) -> Option<String> {
    // What failed must not be rounded away.
    let percent = (recent.success_rate? * 1_000.0).floor() / 10.0;
    let latency = recent
        .p95_ms
        .map_or_else(String::new, |p95| format!(", 95 % within {p95:.0} ms"));
    Some(format!("{percent} % of attempts succeeded{latency}"))
}

pub(super) fn waiting_in_words(waiting: &WaitingAnswer) -> String {
    match (waiting.count, waiting.more) {
        (1, _) => "1 delivery".to_owned(),
        (count, true) => format!("{count} deliveries or more"),
        (count, false) => format!("{count} deliveries"),
    }
}
