//! What a request says of a webhook, and may: its URL, its secret, the time that a replaced one stays valid, and settings that need the
//! server to judge. Bounds of single settings are the domain's.

use std::time::Duration;

use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::{Auth, Authentication, Bounds, SettingsPatch, WebhookSettings};

use crate::caller::Caller;
use crate::destination::{TlsIdentity, pieces_of};
use crate::duration::parse_duration;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::{Node, amounts, inspector};

/// The longest URL and the longest secret, in characters.
pub const LONGEST_URL: usize = 2_048;

/// Time for which a replaced secret stays valid unless the request says.
pub const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest that a replaced secret can stay valid.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Bounds of settings on this server: an attempt must end within its claim's lease.
#[must_use]
pub fn bounds(settings: &Settings) -> Bounds {
    let longest = settings.delivery.longest_attempt.as_millis();
    Bounds {
        max_in_flight: settings.max_in_flight,
        timeout_ms: u32::try_from(longest).unwrap_or(u32::MAX),
    }
}

pub(super) async fn check_settings(
    node: &Node,
    caller: Caller,
    patch: &SettingsPatch,
    before: &WebhookSettings,
) -> Result<(), Refusal> {
    patch.check(&bounds(&node.settings)).map_err(Refusal::Invalid)?;
    if patch.has_unknown_auth(before) {
        return Err(Refusal::Invalid(
            "auth: *** keeps the value that is set, and none is for this type and token_url: write its value"
                .to_owned(),
        ));
    }
    if let Some(Auth(Some(Authentication::Oauth2 { token_url, .. }))) = &patch.auth {
        check_url(node, "auth.token_url", token_url)?;
    }
    if patch.auth.is_some() || patch.ca.is_some() {
        let after = patch.clone().apply(before.clone());
        let identity = TlsIdentity::of(&after).map_err(Refusal::Invalid)?;
        let checked = identity.map_or(Ok(()), |identity| identity.check());
        checked.map_err(Refusal::Invalid)?;
    }
    if let Some((setting, name)) = patch.unknown_mask(before) {
        return Err(Refusal::Invalid(format!(
            "{setting}: *** keeps the value that is set, and there is no `{name}` yet: write its value"
        )));
    }
    if patch.template.is_some() || patch.event_headers.is_some() {
        let after = patch.clone().apply(before.clone());
        check_templates(node, caller, &after).await?;
    }
    Ok(())
}

async fn check_templates(node: &Node, caller: Caller, settings: &WebhookSettings) -> Result<(), Refusal> {
    let (names, pieces) = pieces_of(settings);
    let (nth, error) = match node.templates.check(caller.company_id, &pieces).await {
        Ok(()) => return Ok(()),
        Err(wrong) => wrong,
    };
    let setting = match names.get(nth) {
        Some(name) => format!("event_headers: `{name}`"),
        None => "template".to_owned(),
    };
    Err(Refusal::Invalid(format!("{setting}: {error}")))
}

/// Checks a URL that events are to be posted to, and that stands under this name in the request.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_url(node: &Node, name: &str, url: &str) -> Result<(), Refusal> {
    if url.is_empty() {
        return Err(Refusal::Required(format!(
            "{name} is empty: send the URL that events are posted to"
        )));
    }
    if url.chars().count() > LONGEST_URL {
        return Err(Refusal::Invalid(format!(
            "{name} is longer than {LONGEST_URL} characters"
        )));
    }
    if url.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        return Err(Refusal::Invalid(format!(
            "{name} has white space in it: escape it as %20"
        )));
    }
    if node.inspector.is_some() && inspector::name_of(url).is_some() {
        return Ok(());
    }
    let checked = node.address_guard.check_url(url);
    checked.map_err(|refused| Refusal::Invalid(format!("{name}: {refused}")))
}

/// A secret as a request says it: an empty one is none.
///
/// # Errors
/// If it is too long.
pub fn secret_of(text: Option<String>) -> Result<Option<Secret>, Refusal> {
    match text {
        Some(text) if text.chars().count() > LONGEST_URL => Err(Refusal::Invalid(format!(
            "secret is longer than {LONGEST_URL} characters"
        ))),
        text => Ok(text.filter(|text| !text.is_empty()).map(Secret::new)),
    }
}

/// Time for which a replaced secret stays valid.
///
/// # Errors
/// If it is not a duration, or too long.
pub fn overlap_of(text: Option<&str>) -> Result<Duration, Refusal> {
    let Some(text) = text else {
        return Ok(OVERLAP);
    };
    let overlap = parse_duration(text).map_err(|error| Refusal::Invalid(format!("overlap: {error}")))?;
    if overlap > LONGEST_OVERLAP {
        return Err(Refusal::Invalid(format!(
            "overlap: an old secret counts for at most {}",
            amounts::time(LONGEST_OVERLAP)
        )));
    }
    Ok(overlap)
}
