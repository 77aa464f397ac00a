//! API keys: what each may do and when it was last used, making one, which is shown once, and revoking it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::Timestamp;
use switchhook_domain::id::KeyId;
use switchhook_domain::key::{ApiKey, KeyState, Right, Rights};
use switchhook_domain::scope::Scopes;
use switchhook_node::api_keys::{self, KeyRequest, NewKey};
use switchhook_node::keys::parse_life;
use switchhook_node::refusal::Refusal;

use super::events::joined;
use super::form::Form;
use super::page::{Flash, Frame, PageError, go, id_of, show, show_again};
use super::session::{SignedForm, Viewer};
use super::widgets::{Choice, Moment};
use super::{DashboardState, SharedState};

/// Choices for the lifetime of a new key.
const TIMES: [(&str, &str); 5] = [
    ("", "never"),
    ("1d", "after a day"),
    ("30d", "after 30 days"),
    ("90d", "after 90 days"),
    ("365d", "after a year"),
];

/// A row about a key.
#[derive(Debug)]
struct KeyRow {
    id: String,
    name: String,
    rights: String,
    scopes: String,
    state: &'static str,
    tone: &'static str,
    created_at: Moment,
    expires_at: Option<Moment>,
    revoked_at: Option<Moment>,
    last_used_at: Option<Moment>,
    /// True for the key of this session.
    is_own: bool,
}

impl KeyRow {
    fn of(key: &ApiKey, viewer: &Viewer, now: Timestamp) -> Self {
        let state = key.state_at(now);
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            rights: match key.admin {
                true => "everything of its company (admin)".to_owned(),
                false => key.rights.to_string().replace(',', ", "),
            },
            scopes: key.scopes.to_string().replace(',', ", "),
            state: state.as_str(),
            tone: match state {
                KeyState::Valid => "good",
                KeyState::Revoked | KeyState::Expired => "off",
            },
            created_at: Moment(key.created_at),
            expires_at: key.expires_at.map(Moment),
            revoked_at: key.revoked_at.map(Moment),
            last_used_at: key.last_used_at.map(Moment),
            is_own: key.id == viewer.caller.key_id,
        }
    }
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    /// The key that was just made, and its name: shown this once.
    made: Option<(String, String)>,
    rows: Vec<KeyRow>,
    next: Option<i64>,
}

#[derive(Template)]
#[template(path = "key_form.html")]
struct FormPage {
    frame: Frame,
    name: String,
    is_admin: bool,
    rights: Vec<Choice>,
    /// Those that the viewer has.
    scopes: Vec<Choice>,
    expiries: Vec<Choice>,
}

/// Lists the company's keys.
pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    page(&dashboard, &viewer, None).await
}

async fn page(
    dashboard: &DashboardState,
    viewer: &Viewer,
    made: Option<NewKey>,
) -> Result<Response, PageError> {
    let page = viewer.page();
    let found = api_keys::list(&dashboard.node, viewer.caller, page).await?;
    let now = dashboard.node.clock.now();
    let rows = found.items.iter();
    Ok(show(&KeysPage {
        frame: viewer.frame(dashboard, "keys", "API keys"),
        made: made.map(|made| (made.text.expose().to_owned(), made.key.name)),
        rows: rows.map(|key| KeyRow::of(key, viewer, now)).collect(),
        next: found.next,
    }))
}

/// The form for a new key.
pub(super) async fn blank(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    viewer.caller.require_admin("API keys").map_err(Refusal::from)?;
    Ok(show(&form_page(&dashboard, &viewer, None, None)))
}

fn form_page(
    dashboard: &DashboardState,
    viewer: &Viewer,
    form: Option<&Form>,
    error: Option<String>,
) -> FormPage {
    let chosen = |name: &str, value: &str| form.is_some_and(|form| form.all(name).contains(&value));
    let expiry = form.and_then(|form| form.text("expires")).unwrap_or_default();
    FormPage {
        frame: viewer.frame(dashboard, "keys", "New API key").with_error(error),
        name: form
            .and_then(|form| form.text("name"))
            .unwrap_or_default()
            .to_owned(),
        is_admin: chosen("access", "admin"),
        rights: Right::ALL
            .into_iter()
            .map(|right| Choice {
                value: right.as_str().to_owned(),
                label: format!("{right}: {}", right.allows()),
                is_chosen: form.is_none() || chosen("rights", right.as_str()),
            })
            .collect(),
        scopes: (viewer.caller.scopes.iter())
            .map(|scope| Choice {
                value: scope.as_str().to_owned(),
                label: format!("{scope}: {}", scope.shows()),
                is_chosen: chosen("scopes", scope.as_str()),
            })
            .collect(),
        expiries: TIMES
            .into_iter()
            .map(|(value, label)| Choice::new(value, label, Some(expiry)))
            .collect(),
    }
}

/// Request made from a form, or all its errors.
fn asked(form: &Form) -> Result<KeyRequest, String> {
    let mut errors = Vec::new();
    let admin = match form.text("access") {
        Some("admin") => true,
        Some("rights") | None => false,
        Some(other) => {
            errors.push(format!("access: `{other}` is neither `rights` nor `admin`"));
            false
        }
    };
    let rights = match (form.all("rights"), admin) {
        (_, true) => Rights::all(),
        (rights, false) if rights.is_empty() => {
            errors.push("rights: tick at least one, or choose the admin's access".to_owned());
            Rights::all()
        }
        (rights, false) => rights.join(",").parse().unwrap_or_else(|unknown| {
            errors.push(format!("rights: {unknown}"));
            Rights::all()
        }),
    };
    let scopes = form.all("scopes").join(",").parse().unwrap_or_else(|unknown| {
        errors.push(format!("scopes: {unknown}"));
        Scopes::NONE
    });
    let expires_in = form.text("expires").map(parse_life).transpose();
    let expires_in = expires_in.unwrap_or_else(|invalid| {
        errors.push(format!("expires: {invalid}"));
        None
    });
    match joined(&errors) {
        Some(errors) => Err(errors),
        None => Ok(KeyRequest {
            name: form.text("name").unwrap_or_default().to_owned(),
            admin,
            rights,
            scopes,
            expires_in,
        }),
    }
}

/// Makes a key and shows it, this once.
pub(super) async fn create(
    State(dashboard): State<SharedState>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    let made = match asked(&form) {
        Ok(request) => api_keys::create(&dashboard.node, viewer.caller, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match made {
        Ok(made) => page(&dashboard, &viewer, Some(made)).await,
        Err(refusal @ Refusal::Forbidden(_)) => Err(refusal.into()),
        Err(refusal) => {
            let error = PageError::from(refusal).message;
            Ok(show_again(&form_page(
                &dashboard,
                &viewer,
                Some(&form),
                Some(error),
            )))
        }
    }
}

pub(super) async fn revoke(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id: KeyId = id_of(&id)?;
    api_keys::revoke(&dashboard.node, viewer.caller, id).await?;
    Ok(go("/dashboard/keys", Flash::Revoked))
}
