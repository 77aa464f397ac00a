//! API keys: what each may do. They are made and revoked by the commands, at the server.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use switchhook_domain::Timestamp;
use switchhook_domain::key::ApiKey;
use switchhook_node::refusal::Refusal;
use switchhook_store::PageRequest;

use super::SharedDesk;
use super::page::{Frame, Trouble, show};
use super::part::Moment;
use super::session::Visitor;

/// How many keys a page has.
const A_PAGE: u32 = 50;

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
            is_own: key.id == visitor.caller.key_id,
        }
    }
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    rows: Vec<KeyRow>,
    next: Option<i64>,
}

/// Lists the company's keys, for admins.
pub(super) async fn list(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let allowed = visitor.caller.require_admin("API keys");
    allowed.map_err(Refusal::from)?;
    let page = PageRequest {
        after: visitor.query("cursor").and_then(|cursor| cursor.parse().ok()),
        limit: A_PAGE,
    };
    let found = desk
        .node
        .store
        .list_keys(Some(visitor.caller.company_id), page)
        .await?;
    let now = desk.node.clock.now();
    let rows = found.items.iter();
    Ok(show(&KeysPage {
        frame: Frame::new(&desk, &visitor, "keys", "API keys"),
        rows: rows.map(|key| KeyRow::of(key, &visitor, now)).collect(),
        next: found.next,
    }))
}
