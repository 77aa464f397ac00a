//! Webhooks: where we send, and how each wants to be sent to.
//!
//! Owns the object, its settings and how a change applies to it. Whether a `hook_url` may be used at all is decided
//! where connections are made (the address guard) and where requests are read (the API).

mod authentication;
mod condition;
mod settings;
mod together;

use std::time::Duration;

use switchhook_protocol::Timestamp;

use crate::id::{CompanyId, WebhookId};
use crate::lease::Lease;
use crate::retry::Profile;
use crate::secret::Secret;

pub use self::authentication::{Auth, Authentication, LONGEST_PEM};
pub use self::condition::{Condition, Severity};
pub use self::settings::{
    Bounds, HIGHEST_RATE, LONGEST_DISABLE_DAYS, LONGEST_HEADERS, LONGEST_MEDIA_TYPE, LONGEST_RETRY_STEP,
    MOST_EVENT_HEADERS, MOST_HEADERS, MOST_RETRY_STEPS, SETTINGS, Setting, SettingsPatch, SettingsView,
    ValueFormat, WebhookRequest, WebhookSettings,
};

/// Receiver of deliveries.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    pub id: WebhookId,
    pub company_id: CompanyId,
    /// URL that deliveries are posted to; unique within the company.
    pub hook_url: String,
    /// With a secret deliveries are signed JWTs, without one plain JSON.
    pub secret: Option<Secret>,
    /// The secrets before it that still count, the newest last.
    pub old_secrets: Vec<OldSecret>,
    pub settings: WebhookSettings,
    /// Since when its deliveries are held back.
    pub paused_at: Option<Timestamp>,
    /// Since when that is so because its receiver had failed for too long or asked for it, rather than because somebody here did.
    pub disabled_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A secret that was replaced. No JWT is signed with it any more, but what others signed with it is still accepted, and
/// Deliveries with the headers of Standard Webhooks are signed with both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSecret {
    pub secret: Secret,
    /// Time at which it stops being valid.
    pub valid_until: Timestamp,
}

/// Bound on the replaced secrets: further rotations drop the oldest.
pub const MOST_OLD_SECRETS: usize = 4;

/// Default time limit of connecting.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Server's defaults for settings of webhooks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeliveryDefaults {
    pub profile: Profile,
    /// Bound on the attempts in flight to one webhook.
    pub max_in_flight: u32,
    /// After how many days without a success a webhook is disabled; 0 never.
    pub disable_after_days: u32,
    /// The longest that an attempt may take, whatever its webhook says: it must end within its lease.
    pub longest_attempt: Duration,
}

impl Default for DeliveryDefaults {
    fn default() -> Self {
        Self {
            profile: Profile::Durable,
            max_in_flight: 64,
            disable_after_days: 0,
            longest_attempt: Lease::DEFAULT.longest_attempt(),
        }
    }
}

impl WebhookSettings {
    /// The profile in force.
    #[must_use]
    pub fn profile(&self, defaults: &DeliveryDefaults) -> Profile {
        self.profile.unwrap_or(defaults.profile)
    }

    /// True if order is kept within an order key. The `dialpad` profile keeps none.
    #[must_use]
    pub fn ordered(&self, defaults: &DeliveryDefaults) -> bool {
        self.ordered.unwrap_or(self.profile(defaults) == Profile::Durable)
    }

    /// Bound on the attempts in flight, at least one.
    #[must_use]
    pub fn max_in_flight(&self, defaults: &DeliveryDefaults) -> u32 {
        self.max_in_flight.unwrap_or(defaults.max_in_flight).max(1)
    }

    /// Time limit of connecting.
    #[must_use]
    pub fn connect_timeout(&self, defaults: &DeliveryDefaults) -> Duration {
        let own = self.connect_timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        own.unwrap_or(CONNECT_TIMEOUT).min(self.timeout(defaults))
    }

    /// Time limit of the answer's head after connecting, if it is shorter than the whole.
    #[must_use]
    pub fn head_timeout(&self, defaults: &DeliveryDefaults) -> Option<Duration> {
        let own = self.head_timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        own.filter(|own| *own < self.timeout(defaults))
    }

    /// Time of failure after which the webhook is disabled, if it ever is.
    #[must_use]
    pub fn disable_after(&self, defaults: &DeliveryDefaults) -> Option<Duration> {
        let days = self.disable_after_days.unwrap_or(defaults.disable_after_days);
        (days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 3_600))
    }

    /// Time limit of the whole attempt, connecting included.
    #[must_use]
    pub fn timeout(&self, defaults: &DeliveryDefaults) -> Duration {
        let own = self.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        let wanted = own.unwrap_or_else(|| self.profile(defaults).timeout());
        wanted.min(defaults.longest_attempt)
    }
}

/// A change to a webhook: outer `None` leaves as it is, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WebhookChange {
    /// New URL.
    pub hook_url: Option<String>,
    /// A new secret, or none any more.
    pub secret: Option<Option<Secret>>,
    /// Until when the secret that is replaced still counts; `None` forgets it at once.
    pub old_secret_until: Option<Timestamp>,
    /// The settings that change. Two changes of different settings at once both count.
    pub settings: SettingsPatch,
    /// Held back since, or not any more.
    pub paused_at: Option<Option<Timestamp>>,
    /// Held back because its receiver had failed for too long or asked for it; counts together with `paused_at`.
    pub disabled: bool,
}

impl Webhook {
    /// A webhook that is made at `now`: unsigned, and as the server sends by default.
    #[must_use]
    pub fn new(id: WebhookId, company_id: CompanyId, hook_url: impl Into<String>, now: Timestamp) -> Self {
        Self {
            id,
            company_id,
            hook_url: hook_url.into(),
            secret: None,
            old_secrets: Vec::new(),
            settings: WebhookSettings::default(),
            paused_at: None,
            disabled_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The new webhook with a secret, or with none.
    #[must_use]
    pub fn with_secret(self, secret: Option<Secret>) -> Self {
        Self { secret, ..self }
    }

    /// The new webhook with settings of its own.
    #[must_use]
    pub fn with_settings(self, settings: WebhookSettings) -> Self {
        Self { settings, ..self }
    }

    /// The webhook with `change` made at `now`.
    #[must_use]
    pub fn changed(mut self, change: WebhookChange, now: Timestamp) -> Self {
        self.hook_url = change.hook_url.unwrap_or(self.hook_url);
        if let Some(secret) = change.secret {
            let until = change.old_secret_until;
            replace_secret(&mut self.secret, &mut self.old_secrets, secret, until);
        }
        self.old_secrets.retain(|old| old.valid_until > now);
        self.settings = change.settings.apply(self.settings);
        if let Some(paused_at) = change.paused_at {
            // One that is paused already stays so since then.
            let since = paused_at.map(|at| self.paused_at.unwrap_or(at));
            self.paused_at = since;
            self.disabled_at = since.filter(|_| change.disabled);
        }
        self.updated_at = now;
        self
    }

    /// True if nothing is sent until it is resumed.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        Condition::of_paused(self).is_some()
    }

    /// True if bodies are signed JWTs.
    #[must_use]
    pub fn sends_jwt(&self) -> bool {
        let unless_told = self.settings.template.is_none();
        self.secret.is_some() && self.settings.jwt.unwrap_or(unless_told)
    }

    /// True if the receiver gets something else than before, or more time, so that a failed delivery may succeed now.
    #[must_use]
    pub fn is_sent_otherwise_than(&self, before: &Self) -> bool {
        self.hook_url != before.hook_url
            || self.secret != before.secret
            || self.settings.is_sent_otherwise_than(&before.settings)
    }

    /// The secret and those before it that count at `now`.
    pub fn valid_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        valid_secrets(self.secret.as_ref(), &self.old_secrets, now)
    }
}

/// A secret and those before it that count at `now`.
pub(crate) fn valid_secrets<'a>(
    secret: Option<&'a Secret>,
    old_secrets: &'a [OldSecret],
    now: Timestamp,
) -> impl Iterator<Item = &'a Secret> {
    let old = old_secrets.iter().rev();
    let valid = old
        .filter(move |old| old.valid_until > now)
        .map(|old| &old.secret);
    secret.into_iter().chain(valid)
}

/// Puts another secret in the place of `secret`, which counts for a while if it is to.
pub(crate) fn replace_secret(
    secret: &mut Option<Secret>,
    old_secrets: &mut Vec<OldSecret>,
    new: Option<Secret>,
    old_secret_until: Option<Timestamp>,
) {
    let replaced = std::mem::replace(secret, new);
    let (Some(replaced), Some(valid_until)) = (replaced, old_secret_until) else {
        return;
    };
    if secret.as_ref() == Some(&replaced) {
        return;
    }
    old_secrets.retain(|old| old.secret != replaced);
    old_secrets.push(OldSecret {
        secret: replaced,
        valid_until,
    });
    let surplus = old_secrets.len().saturating_sub(MOST_OLD_SECRETS);
    old_secrets.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn webhook() -> Webhook {
        let webhook = Webhook::new(WebhookId(1), CompanyId(1), "https://example.com", NOW);
        webhook.with_secret(Some(Secret::new("one")))
    }

    fn rotated(webhook: Webhook, secret: &str, at: Timestamp) -> Webhook {
        let change = WebhookChange {
            secret: Some(Some(Secret::new(secret))),
            old_secret_until: Some(at.plus(DAY)),
            ..WebhookChange::default()
        };
        webhook.changed(change, at)
    }

    #[track_caller]
    fn check(webhook: &Webhook, at: Timestamp, secrets: &[&str]) {
        let valid: Vec<_> = webhook.valid_secrets(at).map(Secret::expose).collect();
        assert_eq!(valid, secrets);
    }

    #[test]
    fn a_replaced_secret_counts_until_its_overlap_ends() {
        let rotated_once = rotated(webhook(), "two", NOW);
        check(&rotated_once, NOW, &["two", "one"]);
        check(&rotated_once, NOW.plus(DAY), &["two"]);
        let rotated_twice = rotated(rotated_once.clone(), "three", NOW.plus(DAY / 2));
        check(&rotated_twice, NOW.plus(DAY / 2), &["three", "two", "one"]);
        check(&rotated_twice, NOW.plus(DAY), &["three", "two"]);
        let later = rotated_once.changed(WebhookChange::default(), NOW.plus(DAY));
        assert_eq!(later.old_secrets, [], "what no longer counts is not kept");
    }

    #[test]
    fn a_secret_that_is_simply_changed_is_forgotten() {
        let change = WebhookChange {
            secret: Some(Some(Secret::new("two"))),
            ..WebhookChange::default()
        };
        check(&webhook().changed(change, NOW), NOW, &["two"]);
    }

    #[test]
    fn the_same_secret_again_is_no_rotation_and_few_are_kept() {
        check(&rotated(webhook(), "one", NOW), NOW, &["one"]);
        let many = (0..9).fold(webhook(), |webhook, n| {
            rotated(webhook, &format!("secret {n}"), NOW)
        });
        assert_eq!(many.old_secrets.len(), MOST_OLD_SECRETS);
        check(
            &many,
            NOW,
            &["secret 8", "secret 7", "secret 6", "secret 5", "secret 4"],
        );
    }
}
