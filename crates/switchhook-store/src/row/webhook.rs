//! A webhook as a row. Its credentials beside the secret have a column of their own, sealed as the secret is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use switchhook_domain::address::ComparedAddress;
use switchhook_domain::credential::{MASK, shown_value, user_info};
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::{Auth, Authentication, Webhook, WebhookSettings};

use super::{Columns, Row, secret};
use crate::error::StoreError;
use crate::sealing::{Sealing, SecretOwner};

/// Columns for [`read`].
macro_rules! webhook_columns {
    () => {
        "id, company_id, hook_url, secret, old_secrets, settings, credentials, paused_at, disabled_at, created_at, updated_at"
    };
}
pub(crate) use webhook_columns;

pub(crate) fn read(row: &Row<'_>, sealing: &Sealing) -> Result<Webhook, StoreError> {
    let mut columns = Columns::of("webhooks", row)?;
    let id = WebhookId(columns.id());
    let company_id = CompanyId(columns.read()?);
    let mut hook_url: String = columns.read()?;
    let secret = secret::read(&mut columns, id, sealing)?;
    let old_secrets = secret::read_old(&mut columns, id, sealing)?;
    let mut settings: WebhookSettings = columns.json()?;
    let credentials = secret::read(&mut columns, SecretOwner::Credentials(id), sealing)?;
    if let Some(credentials) = credentials {
        let credentials: Credentials = serde_json::from_str(credentials.expose())
            .map_err(|_| columns.corrupt("the credentials are no JSON"))?;
        credentials.put_back(&mut hook_url, &mut settings);
    }
    Ok(Webhook {
        id,
        company_id,
        hook_url,
        secret,
        old_secrets,
        settings,
        paused_at: columns.maybe_time()?,
        disabled_at: columns.maybe_time()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// Stored address and settings of a webhook.
pub(crate) struct WebhookRow {
    /// Without user and password; a webhook's own, so that no two are equal where those are not.
    pub(crate) hook_url: String,
    /// By which webhooks with the same address are found.
    pub(crate) url_key: String,
    /// Without headers that are credentials.
    pub(crate) settings: String,
    /// Credentials removed from both, sealed like the secret.
    pub(crate) credentials: Option<String>,
}

/// Credentials of a webhook beside its secret.
#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Credentials {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_info: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    event_headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<Authentication>,
}

impl Credentials {
    fn put_back(self, hook_url: &mut String, settings: &mut WebhookSettings) {
        if let (Some(own), Some(place)) = (self.user_info, user_info(hook_url)) {
            hook_url.replace_range(place, &own);
        }
        settings.headers.extend(self.headers);
        settings.event_headers.extend(self.event_headers);
        settings.auth = Auth(self.auth);
    }
}

/// Takes a webhook's credentials out of its address and settings.
pub(crate) fn kept(webhook: &Webhook, sealing: &Sealing) -> Result<WebhookRow, StoreError> {
    let unkept = |error| StoreError::Conflict(format!("the webhook's settings cannot be kept: {error}"));
    let (mut hook_url, mut settings) = (webhook.hook_url.clone(), webhook.settings.clone());
    let place = user_info(&hook_url);
    let own = place.clone().map(|place| hook_url[place].to_owned());
    if let Some(place) = place {
        hook_url.replace_range(place, &format!("{MASK}{}", webhook.id));
    }
    let credentials = Credentials {
        user_info: own,
        headers: take_credentials(&mut settings.headers),
        event_headers: take_credentials(&mut settings.event_headers),
        auth: settings.auth.0.take(),
    };
    let credentials = if credentials == Credentials::default() {
        None
    } else {
        let text = Secret::new(serde_json::to_string(&credentials).map_err(unkept)?);
        Some(sealing.keep(SecretOwner::Credentials(webhook.id), &text))
    };
    Ok(WebhookRow {
        hook_url,
        url_key: ComparedAddress::of(&webhook.hook_url).place,
        settings: serde_json::to_string(&settings).map_err(unkept)?,
        credentials,
    })
}

fn take_credentials(headers: &mut BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_credential = |(name, value): &(String, String)| shown_value(name, value) != *value;
    let (credentials, others) = std::mem::take(headers).into_iter().partition(is_credential);
    *headers = others;
    credentials
}

/// Refuses a webhook whose address one of these has, which have the same key: their users or passwords may differ.
pub(crate) fn refuse_second(webhook: &Webhook, others: &[Webhook]) -> Result<(), StoreError> {
    let address = ComparedAddress::of(&webhook.hook_url);
    let same = |other: &&Webhook| ComparedAddress::of(&other.hook_url) == address;
    let Some(other) = others.iter().find(same) else {
        return Ok(());
    };
    let spelling = if other.hook_url == webhook.hook_url {
        ""
    } else {
        ", spelled in another way"
    };
    Err(StoreError::Conflict(format!(
        "webhook {} already has this hook_url{spelling}: use that one, or change or delete it first",
        other.id
    )))
}

/// Comparable form of an address without user and password.
pub(crate) fn url_key(kept_hook_url: &str) -> String {
    ComparedAddress::of(kept_hook_url).place
}
