//! Answers about webhooks with their settings, as the API writes and its clients read them. Their health is `answer/health.rs`.

pub(in crate::api) mod health;

use serde::{Deserialize, Serialize};
use switchhook_domain::breaker::{Breaker, BreakerState};
use switchhook_domain::credential::MASK;
use switchhook_domain::id::WebhookId;
use switchhook_domain::retry::Profile;
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::{DeliveryDefaults, OldSecret, Webhook, WebhookSettings};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::Node;
use switchhook_node::caller::Caller;
use switchhook_node::history;
use switchhook_node::secret_display::{SecretDisplay, shown_settings};
use switchhook_node::visibility::Visibility;
use switchhook_node::webhooks::WebhookView;
use switchhook_protocol::key_id;
use utoipa::ToSchema;

use self::health::HealthAnswer;
pub use super::schema::SettingsAnswer;
use crate::api::compat::WebhookAnswer;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// A webhook with its settings; what is null follows the server.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct WebhookWithSettings {
    #[serde(flatten)]
    pub webhook: WebhookAnswer,
    #[serde(flatten)]
    pub settings: SettingsAnswer,
    /// The name of the secret: what `kid` is, if it is announced. `***` for read-only keys, since guesses of the secret could be tested against it.
    #[schema(required, example = "9f86d081884c7d65")]
    pub kid: Option<String>,
    /// The secret as libraries for Standard Webhooks take it; null unless `standard_webhooks` is on and the secret is shown.
    #[schema(required, example = "whsec_YSBzaGFyZWQgc2VjcmV0")]
    pub standard_secret: Option<String>,
    /// The secrets before it that still count, the newest first.
    pub old_secrets: Vec<OldSecretAnswer>,
    /// Warnings for people.
    pub warnings: Vec<String>,
    /// Settings in force, with the server's defaults.
    pub in_force: SettingsInForce,
    /// Time since which its deliveries are held back, in unix milliseconds; null if they are not.
    #[schema(value_type = Option<i64>, required)]
    pub paused_at: Option<Timestamp>,
    /// Time since which it is held back because its receiver failed for too long or asked for it; null if that is not why.
    #[schema(value_type = Option<i64>, required)]
    pub disabled_at: Option<Timestamp>,
    /// Health of its receiver.
    pub health: HealthAnswer,
    /// State of its breaker.
    pub breaker: BreakerAnswer,
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
    #[schema(value_type = i64)]
    pub updated_at: Timestamp,
}

/// A secret that was replaced. No JWT is signed with it any more; the header of Standard Webhooks holds a signature with it beside the new one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct OldSecretAnswer {
    /// Name of the secret.
    pub kid: String,
    /// Time at which it stops being valid, in unix milliseconds.
    #[schema(value_type = i64)]
    pub valid_until: Timestamp,
    /// The secret; absent if the webhook or the server hides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub secret: Option<String>,
}

/// State of the breaker. It opens after failures in a row, and then lets one attempt through now and then.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BreakerAnswer {
    /// `closed`, `open`, or `probing` when the next attempt is due.
    #[schema(schema_with = words::breaker_state)]
    pub state: BreakerState,
    /// Failures since the last success.
    pub failures: u32,
    /// Time since which it is open, in unix milliseconds.
    #[schema(value_type = Option<i64>, required)]
    pub since: Option<Timestamp>,
    /// Time of the next attempt, in unix milliseconds.
    #[schema(value_type = Option<i64>, required)]
    pub next_probe_at: Option<Timestamp>,
}

/// The settings that hold, the server's defaults included.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingsInForce {
    #[schema(schema_with = words::profile)]
    pub profile: Profile,
    pub ordered: bool,
    pub max_in_flight: u32,
    pub connect_timeout_ms: u64,
    pub head_timeout_ms: u64,
    pub timeout_ms: u64,
    /// 0 for never.
    pub disable_after_days: u32,
}

/// Output of a template for an event.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PreviewAnswer {
    /// The event; null if there is none yet, and it is a sample.
    #[schema(required)]
    pub event_id: Option<IdText>,
    #[schema(schema_with = words::kept_kind)]
    pub kind: Kind,
    pub content_type: String,
    /// Body that would be sent; null if there is none.
    #[schema(required)]
    pub body: Option<String>,
    /// Error in the template, with its line; null if there is none.
    #[schema(required, example = "line 2: syntax error: unexpected end of input")]
    pub error: Option<String>,
}

/// Result of skipping.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SkippedAnswer {
    /// Number of deliveries cancelled.
    #[schema(example = 214)]
    pub skipped: usize,
    /// True if there are more: one request cancels no more than about {most-skipped}.
    pub has_more: bool,
}

impl WebhookWithSettings {
    pub(in crate::api) async fn of(
        node: &Node,
        caller: Caller,
        shown: WebhookView,
    ) -> Result<Self, ApiError> {
        let health = switchhook_node::health::of(node, &shown.webhook).await?;
        let visibility = Visibility::of(caller, node);
        let id = shown.webhook.id;
        let rates = history::rates(node, caller.company_id, &[id]).await?;
        let health = HealthAnswer::of(node, visibility, &shown.webhook, health, &rates[&id]).await?;
        Ok(Self::with_health(node, shown, health))
    }

    pub(in crate::api) fn with_health(node: &Node, shown: WebhookView, health: HealthAnswer) -> Self {
        let webhook = WebhookAnswer::of(&shown);
        let WebhookView {
            webhook: own,
            secret_shown,
            shown,
        } = shown;
        let standard = own.secret.as_ref().filter(|_| own.settings.standard_webhooks);
        let standard_secret = standard.and_then(|secret| secret_shown.of(secret, &own.settings));
        let standard_secret = standard_secret
            .as_deref()
            .map(switchhook_protocol::standard_secret);
        Self {
            webhook,
            standard_secret,
            kid: own.secret.as_ref().map(|secret| name_of(secret, shown)),
            old_secrets: old_secrets(node, &own, shown),
            warnings: own.secret.iter().filter_map(Secret::weakness).collect(),
            in_force: SettingsInForce::of(&own.settings, &node.settings.delivery),
            paused_at: own.paused_at,
            disabled_at: own.disabled_at,
            health,
            breaker: BreakerAnswer::of(node, own.id),
            created_at: own.created_at,
            updated_at: own.updated_at,
            settings: SettingsAnswer::of(shown_settings(own.settings, shown)),
        }
    }
}

fn name_of(secret: &Secret, shown: SecretDisplay) -> String {
    match shown {
        SecretDisplay::Masked => MASK.to_owned(),
        SecretDisplay::AsSet | SecretDisplay::Never | SecretDisplay::Always => key_id(secret.expose()),
    }
}

fn old_secrets(node: &Node, webhook: &Webhook, shown: SecretDisplay) -> Vec<OldSecretAnswer> {
    let now = node.clock.now();
    let valid = webhook
        .old_secrets
        .iter()
        .rev()
        .filter(|old| old.valid_until > now);
    let answer = |old: &OldSecret| OldSecretAnswer {
        kid: name_of(&old.secret, shown),
        valid_until: old.valid_until,
        secret: shown.of(&old.secret, &webhook.settings),
    };
    valid.map(answer).collect()
}

impl BreakerAnswer {
    fn of(node: &Node, id: WebhookId) -> Self {
        let destination = node.registry.destination(id);
        let breaker = destination.map_or_else(Breaker::default, |destination| destination.breaker());
        let (failures, since, next_probe_at) = match breaker {
            Breaker::Closed { failures } => (failures, None, None),
            Breaker::Open {
                since,
                probe_at,
                failures,
            } => (failures, Some(since), Some(probe_at)),
        };
        Self {
            state: breaker.state(node.clock.now()),
            failures,
            since,
            next_probe_at,
        }
    }
}

impl SettingsInForce {
    fn of(settings: &WebhookSettings, defaults: &DeliveryDefaults) -> Self {
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            profile: settings.profile(defaults),
            ordered: settings.ordered(defaults),
            max_in_flight: settings.max_in_flight(defaults),
            connect_timeout_ms: millis(settings.connect_timeout(defaults)),
            head_timeout_ms: millis(
                settings
                    .head_timeout(defaults)
                    .unwrap_or(settings.timeout(defaults)),
            ),
            timeout_ms: millis(settings.timeout(defaults)),
            disable_after_days: settings.disable_after_days.unwrap_or(defaults.disable_after_days),
        }
    }
}
