//! API keys: what each may do and when it was last used, making one, which is shown once, and revoking it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::Timestamp;
use switchhook_domain::id::KeyId;
use switchhook_domain::key::{ApiKey, Right, Rights};
use switchhook_domain::scope::{Scope, Scopes};
use switchhook_node::api_keys::{self, KeyRequest, NewKey};
use switchhook_node::keys::parse_life;
use switchhook_node::refusal::Refusal;

use super::events::told;
use super::form::Form;
use super::page::{Frame, Said, Trouble, go, id_of, show, show_again};
use super::part::{Choice, Moment};
use super::session::{Filled, Visitor};
use super::{Desk, SharedDesk};

/// How many keys a page has.
const A_PAGE: u32 = 50;

/// How long a new key may be valid.
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
    /// Whether it is the viewer's.
    is_own: bool,
}

impl KeyRow {
    fn of(key: &ApiKey, visitor: &Visitor, now: Timestamp) -> Self {
        let (state, tone) = match (key.revoked_at, key.expires_at) {
            (Some(_), _) => ("revoked", "off"),
            (None, Some(at)) if at <= now => ("expired", "off"),
            _ => ("valid", "good"),
        };
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            rights: match key.admin {
                true => "everything of its company (admin)".to_owned(),
                false => key.rights.to_string().replace(',', ", "),
            },
            scopes: key.scopes.to_string().replace(',', ", "),
            state,
            tone,
            created_at: Moment(key.created_at),
            expires_at: key.expires_at.map(Moment),
            revoked_at: key.revoked_at.map(Moment),
            last_used_at: key.last_used_at.map(Moment),
            is_own: key.id == visitor.caller.key_id,
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
pub(super) async fn list(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    page(&desk, &visitor, None).await
}

async fn page(desk: &Desk, visitor: &Visitor, made: Option<NewKey>) -> Result<Response, Trouble> {
    let page = visitor.page(A_PAGE);
    let found = api_keys::list(&desk.node, visitor.caller, page).await?;
    let now = desk.node.clock.now();
    let rows = found.items.iter();
    Ok(show(&KeysPage {
        frame: visitor.frame(desk, "keys", "API keys"),
        made: made.map(|made| (made.text.expose().to_owned(), made.key.name)),
        rows: rows.map(|key| KeyRow::of(key, visitor, now)).collect(),
        next: found.next,
    }))
}

/// The form for a new key.
pub(super) async fn blank(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    visitor.caller.require_admin("API keys").map_err(Refusal::from)?;
    Ok(show(&form_page(&desk, &visitor, None, None)))
}

fn form_page(desk: &Desk, visitor: &Visitor, form: Option<&Form>, trouble: Option<String>) -> FormPage {
    let chosen = |name: &str, value: &str| form.is_some_and(|form| form.all(name).contains(&value));
    let expiry = form.and_then(|form| form.text("expires")).unwrap_or_default();
    FormPage {
        frame: visitor.frame(desk, "keys", "New API key").troubled(trouble),
        name: form
            .and_then(|form| form.text("name"))
            .unwrap_or_default()
            .to_owned(),
        is_admin: chosen("access", "admin"),
        rights: Right::ALL
            .into_iter()
            .map(|right| Choice {
                value: right.as_str().to_owned(),
                label: what_may(right).to_owned(),
                is_chosen: form.is_none() || chosen("rights", right.as_str()),
            })
            .collect(),
        scopes: (visitor.caller.scopes.iter())
            .map(|scope| Choice {
                value: scope.as_str().to_owned(),
                label: what_sees(scope).to_owned(),
                is_chosen: chosen("scopes", scope.as_str()),
            })
            .collect(),
        expiries: TIMES
            .into_iter()
            .map(|(value, label)| Choice::new(value, label, Some(expiry)))
            .collect(),
    }
}

const fn what_may(right: Right) -> &'static str {
    match right {
        Right::Read => "read: look at webhooks, events and deliveries",
        Right::Write => "write: change webhooks, subscriptions and deliveries",
        Right::Ingest => "ingest: send events in",
    }
}

const fn what_sees(scope: Scope) -> &'static str {
    match scope {
        Scope::ChangeLog => "change_log: change logs (admin keys only)",
        Scope::RecordingsExport => "recordings_export: links to recordings and voicemails",
        Scope::MessageContentExport => {
            "message_content_export: text of messages, for subscriptions with a target"
        }
        Scope::MessageContentExportAll => "message_content_export:all: text of all messages",
    }
}

/// What a form asks for; or all that is wrong with it.
fn asked(form: &Form) -> Result<KeyRequest, String> {
    let mut troubles = Vec::new();
    let admin = match form.text("access") {
        Some("admin") => true,
        Some("rights") | None => false,
        Some(other) => {
            troubles.push(format!("access: `{other}` is neither `rights` nor `admin`"));
            false
        }
    };
    let rights = match (form.all("rights"), admin) {
        (_, true) => Rights::all(),
        (rights, false) if rights.is_empty() => {
            troubles.push("rights: tick at least one, or choose the admin's access".to_owned());
            Rights::all()
        }
        (rights, false) => rights.join(",").parse().unwrap_or_else(|unknown| {
            troubles.push(format!("rights: {unknown}"));
            Rights::all()
        }),
    };
    let scopes = form.all("scopes").join(",").parse().unwrap_or_else(|unknown| {
        troubles.push(format!("scopes: {unknown}"));
        Scopes::NONE
    });
    let expires_in = form.text("expires").map(parse_life).transpose();
    let expires_in = expires_in.unwrap_or_else(|invalid| {
        troubles.push(format!("expires: {invalid}"));
        None
    });
    match told(&troubles) {
        Some(troubles) => Err(troubles),
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
    State(desk): State<SharedDesk>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    let made = match asked(&form) {
        Ok(request) => api_keys::create(&desk.node, visitor.caller, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match made {
        Ok(made) => page(&desk, &visitor, Some(made)).await,
        Err(refusal @ Refusal::Forbidden(_)) => Err(refusal.into()),
        Err(refusal) => {
            let trouble = Trouble::from(refusal).message;
            Ok(show_again(&form_page(
                &desk,
                &visitor,
                Some(&form),
                Some(trouble),
            )))
        }
    }
}

/// Revokes a key.
pub(super) async fn revoke(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    let id: KeyId = id_of(&id)?;
    api_keys::revoke(&desk.node, visitor.caller, id).await?;
    Ok(go("/dashboard/keys", Said::Revoked))
}
