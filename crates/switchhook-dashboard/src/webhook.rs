//! One webhook: how it does, what goes to it, and what is done with it by a button.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;
use switchhook_domain::attempt::Failure;
use switchhook_domain::credential::shown_url;
use switchhook_domain::history::Counts;
use switchhook_domain::outage::Outage;
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::{
    DeliveryDefaults, SETTINGS, Setting, Severity, ValueFormat, Webhook, WebhookSettings,
};
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::{DeliveryFilter, PageRequest};

use super::deliveries::rows_about_events;
use super::history::Charts;
use super::page::{Flash, Frame, PageError, go, id_of, show as show_page};
use super::session::{SignedForm, Viewer};
use super::subscriptions::SubscriptionRow;
use super::webhooks::all_subscriptions;
use super::widgets::{self, Choice, DeliveryRow, Moment, Sentence, millis, span, tone_of};
use super::{DashboardState, SharedState};
use switchhook_node::deliveries::{self, DeliverySearch};
use switchhook_node::health::{self, Health};
use switchhook_node::history;
use switchhook_node::inspector::name_of;
use switchhook_node::refusal::Refusal;
use switchhook_node::webhooks::{self, Rotation, WebhookView};

/// Bound on the outages shown.
const MOST_OUTAGES: u32 = 5;

/// Bound on the recent deliveries shown.
const LATEST: u32 = 10;

/// Last failed attempt of an outage.
#[derive(Debug)]
struct FailurePart {
    delivery_id: String,
    /// Label of the line: an answer, or an error.
    name: &'static str,
    line: Option<String>,
}

/// A time in which every attempt failed.
#[derive(Debug)]
struct OutageRow {
    since: Moment,
    until: Option<Moment>,
    lasted: String,
    attempts: u32,
    last: String,
    delivery_id: String,
}

impl OutageRow {
    fn of(outage: &Outage, now: Timestamp) -> Self {
        Self {
            since: Moment(outage.since),
            until: outage.until.map(Moment),
            lasted: span(outage.until.unwrap_or(now).since(outage.since)),
            attempts: outage.attempts,
            last: outage.last.in_words(),
            delivery_id: outage.last.delivery_id.to_string(),
        }
    }
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    frame: Frame,
    id: String,
    url: String,
    state: &'static str,
    tone: &'static str,
    state_in_words: Sentence,
    /// The last attempt of an outage: its delivery, and the first line of what was answered.
    failure: Option<FailurePart>,
    last_hour: String,
    last_day: String,
    outages: Vec<OutageRow>,
    is_paused: bool,
    /// True if an attempt can be made now.
    can_retry: bool,
    /// For those who may change it, unless it is hidden.
    secret: Option<String>,
    is_signed: bool,
    /// Warning about the secret.
    weakness: Option<String>,
    inspector: Option<String>,
    facts: Vec<(&'static str, String)>,
    subscriptions: Vec<SubscriptionRow>,
    deliveries: Vec<DeliveryRow>,
    charts: Charts,
    kinds: Vec<Choice>,
    created_at: Moment,
    updated_at: Moment,
}

pub(super) async fn show(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    let company_id = viewer.caller.company_id;
    let (node, caller) = (&dashboard.node, viewer.caller);
    let WebhookView {
        webhook,
        secret_shown,
        ..
    } = webhooks::get(node, caller, id).await?;
    let subscriptions = all_subscriptions(&dashboard, caller).await?;
    let health = health::of(&dashboard.node, &webhook).await?;
    let failure = match &health.outage {
        Some(outage) => Some(FailurePart {
            delivery_id: outage.last.delivery_id.to_string(),
            name: Failure::name_of_last(outage.last.failure.and_then(|failure| failure.parts().0)),
            line: health::last_line(&dashboard.node, viewer.visibility(&dashboard), &webhook, outage).await?,
        }),
        None => None,
    };
    let rates = history::rates(&dashboard.node, company_id, &[id])
        .await?
        .remove(&id);
    let rates = rates.unwrap_or_default();
    let outages = health::outages_of(node, &webhook, MOST_OUTAGES).await?;
    let now = dashboard.node.clock.now();
    let sought = DeliverySearch {
        filter: DeliveryFilter {
            webhook_id: Some(id),
            ..DeliveryFilter::default()
        },
        ..DeliverySearch::default()
    };
    let found = deliveries::search(node, caller, &sought, PageRequest::first(LATEST)).await?;
    let url = shown_url(&webhook.hook_url).into_owned();
    let frame = viewer.frame(&dashboard, "webhooks", url.clone());
    let visibility = viewer.visibility(&dashboard);
    let own = subscriptions
        .iter()
        .filter(|one| one.webhook_id() == Some(id) && visibility.sees(one.filter.kind()));
    let secret = webhook.secret.as_ref();
    let secret = secret.and_then(|secret| secret_shown.of(secret, &webhook.settings));
    Ok(show_page(&WebhookPage {
        id: id.to_string(),
        url,
        state: health.condition.in_words(),
        tone: tone_of(health.condition.severity()),
        state_in_words: Sentence(health.text),
        failure,
        last_hour: recent(&rates.hour),
        last_day: recent(&rates.day),
        outages: outages.iter().map(|outage| OutageRow::of(outage, now)).collect(),
        is_paused: webhook.is_paused(),
        can_retry: !webhook.is_paused()
            && (health.condition.severity() == Severity::Wrong || health.waiting.count > 0),
        secret,
        is_signed: webhook.secret.is_some(),
        weakness: webhook.secret.as_ref().and_then(Secret::weakness),
        inspector: name_of(&webhook.hook_url).map(ToOwned::to_owned),
        facts: facts(&dashboard, &webhook),
        subscriptions: own
            .map(|one| SubscriptionRow::of(one, Some(&webhook.hook_url)))
            .collect(),
        deliveries: rows_about_events(&dashboard, &viewer, &found.deliveries).await?,
        charts: Charts::of(&dashboard, &viewer, Some(id)).await?,
        kinds: widgets::known_kinds(Some("call")),
        created_at: Moment(webhook.created_at),
        updated_at: Moment(webhook.updated_at),
        frame,
    }))
}

/// Success rate and latency, in words.
fn recent(counts: &Counts) -> String {
    let told = history::in_words(counts.success(), counts.latencies.percentile(0.95));
    told.unwrap_or_else(|| "no attempts".to_owned())
}

/// Settings in force, with the server's defaults.
fn facts(dashboard: &DashboardState, webhook: &Webhook) -> Vec<(&'static str, String)> {
    let defaults = &dashboard.node.settings.delivery;
    let settings = &webhook.settings;
    let set = serde_json::to_value(settings).unwrap_or_default();
    let fact = |setting: &Setting| {
        let words = match in_force(setting.name, settings, defaults) {
            Some(words) => words,
            None => value_in_words(setting, &set[setting.name])?,
        };
        Some((setting.label, words))
    };
    SETTINGS.iter().filter_map(fact).collect()
}

/// A setting in words of its own, with what the server adds; nothing for one that is shown as it was set.
fn in_force(name: &str, settings: &WebhookSettings, defaults: &DeliveryDefaults) -> Option<String> {
    let time = |time: Duration| millis(time.as_secs_f64() * 1_000.0);
    match name {
        "profile" => Some(settings.profile(defaults).to_string()),
        "ordered" if settings.ordered(defaults) => {
            Some("one call, message, agent or contact after the other".to_owned())
        }
        "ordered" => Some("none".to_owned()),
        "max_in_flight" => Some(format!("up to {} attempts", settings.max_in_flight(defaults))),
        "rate" => Some(match settings.rate {
            Some(rate) => rate.to_string(),
            None => "not limited".to_owned(),
        }),
        "connect_timeout_ms" => Some(time(settings.connect_timeout(defaults))),
        "timeout_ms" => Some(time(settings.timeout(defaults))),
        "head_timeout_ms" => Some(match settings.head_timeout(defaults) {
            Some(limit) => time(limit),
            None => "as long as the attempt".to_owned(),
        }),
        "retry_schedule" if !settings.retry_schedule.is_empty() => {
            let waits = settings.retry_schedule.iter();
            let waits: Vec<_> = waits
                .map(|seconds| span(Duration::from_secs((*seconds).into())))
                .collect();
            Some(waits.join(", "))
        }
        "disable_after_days" => Some(match settings.disable_after(defaults) {
            Some(after) => format!("{} without a success", span(after)),
            None => "never".to_owned(),
        }),
        "headers" if !settings.headers.is_empty() => {
            let names: Vec<_> = settings.headers.keys().map(String::as_str).collect();
            Some(names.join(", "))
        }
        _ => None,
    }
}

/// A setting as it was set; nothing if it follows the server. What is long, or a credential, is only said to be there.
fn value_in_words(setting: &Setting, value: &Value) -> Option<String> {
    let is_short = !matches!(
        setting.form,
        ValueFormat::EventHeaders | ValueFormat::Template | ValueFormat::Auth | ValueFormat::Pem
    );
    Some(match value {
        Value::Null => return None,
        Value::Array(none) if none.is_empty() => return None,
        Value::Object(none) if none.is_empty() => return None,
        Value::Bool(is_on) => if *is_on { "yes" } else { "no" }.to_owned(),
        Value::String(text) if is_short => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => "set".to_owned(),
    })
}

/// Holds its deliveries back.
pub(super) async fn pause(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    webhooks::pause(&dashboard.node, viewer.caller, id).await?;
    Ok(go(&format!("/dashboard/webhooks/{id}"), Flash::Paused))
}

/// Sends what was held back.
pub(super) async fn resume(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    let shown = webhooks::resume(&dashboard.node, viewer.caller, id).await?;
    let health = health::of(&dashboard.node, &shown.webhook).await?;
    let flash = match health.condition.severity() {
        Severity::Wrong => flash_of_retry(&health),
        _ => Flash::Resumed,
    };
    Ok(go(&format!("/dashboard/webhooks/{id}"), flash))
}

/// Makes an attempt now, past the breaker.
pub(super) async fn retry(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    let shown = webhooks::retry(&dashboard.node, viewer.caller, id).await?;
    let flash = flash_of_retry(&health::of(&dashboard.node, &shown.webhook).await?);
    Ok(go(&format!("/dashboard/webhooks/{id}"), flash))
}

const fn flash_of_retry(health: &Health) -> Flash {
    match health.waiting.count {
        0 => Flash::NothingToRetry,
        _ => Flash::Retrying,
    }
}

/// Cancels what waits for it.
pub(super) async fn skip_to_now(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    webhooks::skip_to_now(&dashboard.node, viewer.caller, id).await?;
    Ok(go(&format!("/dashboard/webhooks/{id}"), Flash::Skipped))
}

/// Gives it a new secret; the old one still counts for a while.
pub(super) async fn rotate_secret(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    webhooks::rotate_secret(&dashboard.node, viewer.caller, id, Rotation::default()).await?;
    Ok(go(&format!("/dashboard/webhooks/{id}"), Flash::Rotated))
}

/// Sends a test event.
pub(super) async fn test(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    let kind = form.text("kind").unwrap_or("call").parse::<Kind>();
    let kind = kind.map_err(|error| Refusal::Invalid(format!("kind: {error}")))?;
    webhooks::test(&dashboard.node, viewer.caller, id, kind).await?;
    Ok(go(&format!("/dashboard/webhooks/{id}"), Flash::Tested))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(name: &str, value: &Value, expected: Option<&str>) {
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        let said = value_in_words(setting.expect("there is such a setting"), value);
        assert_eq!(said.as_deref(), expected, "{name}");
    }

    #[test]
    fn a_setting_that_is_set_is_said_and_a_credential_is_not() {
        check("jwt", &Value::Null, None);
        check("jwt", &json!(false), Some("no"));
        check("content_type", &json!("text/plain"), Some("text/plain"));
        check(
            "auth",
            &json!({ "type": "bearer", "token": "a secret" }),
            Some("set"),
        );
        check("template", &json!("{{ event.text }}"), Some("set"));
        check("retry_schedule", &json!([]), None);
        check("event_headers", &json!({}), None);
    }

    #[test]
    fn what_the_server_adds_to_a_setting_is_said() {
        let says = |settings: &WebhookSettings, name| {
            let known = SETTINGS.iter().any(|setting| setting.name == name);
            assert!(known, "{name}");
            in_force(name, settings, &DeliveryDefaults::default())
        };
        let follows = WebhookSettings::default();
        let own = WebhookSettings {
            rate: Some(2.5),
            head_timeout_ms: Some(1_500),
            retry_schedule: vec![5, 90],
            disable_after_days: Some(3),
            headers: [("X-Team".to_owned(), "telephony".to_owned())].into(),
            ..WebhookSettings::default()
        };
        for (name, by_default, set) in [
            ("profile", Some("durable"), Some("durable")),
            ("rate", Some("not limited"), Some("2.5")),
            ("head_timeout_ms", Some("as long as the attempt"), Some("1.5 s")),
            ("retry_schedule", None, Some("5.0 s, 90 s")),
            (
                "disable_after_days",
                Some("never"),
                Some("3 days without a success"),
            ),
            ("headers", None, Some("X-Team")),
            ("template", None, None),
        ] {
            assert_eq!(says(&follows, name).as_deref(), by_default, "{name}");
            assert_eq!(says(&own, name).as_deref(), set, "{name}");
        }
    }
}
