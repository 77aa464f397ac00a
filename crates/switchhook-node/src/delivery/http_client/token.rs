//! Tokens of `OAuth2` servers: fetched when the first delivery needs one, kept until they expire, and fetched once for all that wait
//! meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Answer, FailureReason};
use switchhook_domain::credential::shown_url;
use switchhook_domain::webhook::{Authentication, Webhook, WebhookSettings};
use tokio::sync::Mutex as WaitingMutex;
use tokio::time::{Instant, timeout_at};
use url::form_urlencoded;

use super::HttpTransport;
use super::exchange_error::ExchangeError;
use crate::delivery::transport::Post;
use crate::destination::Destination;
use switchhook_domain::attempt::Phases;

/// Bound on the cached tokens.
const MOST_KEPT: usize = 4_096;

/// Time before its expiry from which a token is not used.
pub const MARGIN: Duration = Duration::from_secs(30);

/// Lifetime of a token whose server does not say one.
const UNLESS_TOLD: Duration = Duration::from_secs(300);

/// Time for which a refusal is reused, so that those who waited for it do not all ask again.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// The tokens that are kept.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<[u8; 32], Arc<TokenSlot>>>);

/// The place of one token. Whoever holds it fetches for all others.
type TokenSlot = WaitingMutex<Option<CachedToken>>;

/// Result of a request, and for how long it holds.
struct CachedToken {
    outcome: Result<HeaderValue, String>,
    until: Timestamp,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    /// A number of seconds; some servers write it as a text.
    #[serde(default)]
    expires_in: Value,
}

/// A token that a webhook is posted to with.
pub(super) struct Token {
    /// Value of `Authorization`.
    pub(super) header: HeaderValue,
    /// True if it was fetched for this attempt.
    pub(super) is_new: bool,
}

#[derive(Deserialize)]
struct TokenError {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
}

/// Credentials with which a token is requested.
struct ClientCredentials<'a> {
    token_url: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
    scope: Option<&'a str>,
}

impl<'a> ClientCredentials<'a> {
    fn of(settings: &'a WebhookSettings) -> Option<Self> {
        match &settings.auth.0 {
            Some(Authentication::Oauth2 {
                token_url,
                client_id,
                client_secret,
                scope,
            }) => Some(Self {
                token_url,
                client_id,
                client_secret,
                scope: scope.as_deref(),
            }),
            _ => None,
        }
    }

    fn key(&self) -> [u8; 32] {
        let parts = [
            self.token_url,
            self.client_id,
            self.client_secret,
            self.scope.unwrap_or_default(),
        ];
        let digest = digest(&SHA256, parts.join("\0").as_bytes());
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

impl Tokens {
    fn slot(&self, key: [u8; 32]) -> Arc<TokenSlot> {
        let mut slots = self.0.lock();
        if slots.len() >= MOST_KEPT && !slots.contains_key(&key) {
            slots.clear();
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

/// True if what is posted there needs a token.
pub(super) fn is_wanted(destination: &Destination) -> bool {
    ClientCredentials::of(&destination.webhook.settings).is_some()
}

impl HttpTransport {
    /// A token of the webhook's `OAuth2` server; `None` if the webhook has none.
    pub(super) async fn token(
        &self,
        destination: &Destination,
        start: Instant,
    ) -> Result<Option<Token>, ExchangeError> {
        let Some(client) = ClientCredentials::of(&destination.webhook.settings) else {
            return Ok(None);
        };
        let slot = self.tokens.slot(client.key());
        let deadline = start + destination.timeout(&self.defaults);
        let mut kept = timeout_at(deadline, slot.lock())
            .await
            .map_err(|_elapsed| failure("it does not answer".to_owned()))?;
        let token = |header, is_new| Some(Token { header, is_new });
        let now = self.clock.now();
        if let Some(kept) = kept.as_ref().filter(|kept| kept.until > now) {
            let header = kept.outcome.clone().map_err(failure)?;
            return Ok(token(header, false));
        }
        let (outcome, lasts) = match self.fetch(&client, destination, start).await {
            Ok((header, lasts)) => (Ok(header), lasts.saturating_sub(MARGIN).max(REFUSED_FOR)),
            Err(why) => (Err(why), REFUSED_FOR),
        };
        *kept = Some(CachedToken {
            outcome: outcome.clone(),
            until: self.clock.now().plus(lasts),
        });
        Ok(token(outcome.map_err(failure)?, true))
    }

    /// Forgets a token that a webhook's receiver did not take. Whoever is fetching another meanwhile is not waited for.
    pub(super) fn forget_token(&self, destination: &Destination, token: &Token) {
        let Some(client) = ClientCredentials::of(&destination.webhook.settings) else {
            return;
        };
        let slot = self.tokens.slot(client.key());
        if let Ok(mut kept) = slot.try_lock() {
            kept.take_if(|kept| kept.outcome.as_ref() == Ok(&token.header));
        }
    }

    async fn fetch(
        &self,
        client: &ClientCredentials<'_>,
        destination: &Destination,
        start: Instant,
    ) -> Result<(HeaderValue, Duration), String> {
        let post = request(client, destination);
        let mut phases = Phases::default();
        let answered = Box::pin(self.try_post(&post, &mut phases, start)).await;
        let answered = answered.map_err(|failure| failure.detail)?;
        granted(&answered.answer)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what errors are mapped to")]
fn failure(why: String) -> ExchangeError {
    let words = format!("no token could be had of the OAuth2 server: {why}");
    ExchangeError::new(FailureReason::Authentication, words)
}

/// The request for a token. It may take as long as an attempt at the webhook.
fn request(client: &ClientCredentials<'_>, destination: &Destination) -> Post {
    let own = &destination.webhook;
    let settings = WebhookSettings {
        connect_timeout_ms: own.settings.connect_timeout_ms,
        timeout_ms: own.settings.timeout_ms,
        ..WebhookSettings::default()
    };
    let server =
        Webhook::new(own.id, own.company_id, client.token_url, own.created_at).with_settings(settings);
    let server = Destination::new(server, Arc::default());
    let of_form = HeaderValue::from_static("application/x-www-form-urlencoded");
    let own_headers = vec![
        (CONTENT_TYPE, of_form),
        (ACCEPT, HeaderValue::from_static("application/json")),
        (AUTHORIZATION, basic(client)),
    ];
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if let Some(scope) = client.scope {
        form.append_pair("scope", scope);
    }
    Post {
        destination: Arc::new(server),
        own_headers,
        body: form.finish().into(),
    }
}

/// Id and secret are encoded as forms are, before they are joined (RFC 6749 §2.3.1).
fn basic(client: &ClientCredentials<'_>) -> HeaderValue {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client.client_id), encoded(client.client_secret));
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
    let mut value = value.expect("base64 may stand in a header");
    value.set_sensitive(true);
    value
}

fn granted(answer: &Answer) -> Result<(HeaderValue, Duration), String> {
    if !(200..300).contains(&answer.status) {
        let refused: Option<TokenError> = serde_json::from_slice(&answer.body_head).ok();
        let words = refused.and_then(|refused| match (refused.error, refused.error_description) {
            (Some(error), Some(more)) => Some(format!("{error} ({more})")),
            (error, more) => error.or(more),
        });
        let words: String = words
            .unwrap_or_else(|| "it does not say why".to_owned())
            .chars()
            .take(300)
            .collect();
        return Err(format!("it answers {}: {}", answer.status, shown_url(&words)));
    }
    let granted: TokenResponse = serde_json::from_slice(&answer.body_head)
        .map_err(|_| format!("it answers {} without an access_token in JSON", answer.status))?;
    let value = HeaderValue::try_from(format!("Bearer {}", granted.access_token));
    let mut value = value.map_err(|_| "its access_token cannot stand in a header".to_owned())?;
    value.set_sensitive(true);
    let lasts = match &granted.expires_in {
        Value::String(seconds) => seconds.trim().parse().ok(),
        seconds => seconds.as_f64(),
    };
    let lasts = lasts.filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    let lasts = lasts.map_or(UNLESS_TOLD, |seconds| {
        Duration::from_secs_f64(seconds.min(86_400.0))
    });
    Ok((value, lasts))
}
