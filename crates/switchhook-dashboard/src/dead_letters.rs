//! Dead letters: what was given up and waits for a decision, by webhook and by how it failed.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_DISPOSITION;
use switchhook_domain::attempt::Failure;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::WebhookId;
use switchhook_node::dead_letters::{self, Group};
use switchhook_store::{DeadLetterFilter, PageRequest};
use url::form_urlencoded::Serializer;

use super::SharedDesk;
use super::events::{instant, kind, told, word};
use super::form::Form;
use super::page::{Frame, Said, Trouble, go, show};
use super::part::{self, Choice, Moment};
use super::session::{Filled, Visitor};
use switchhook_web::api::{MOST_EXPORTED, export_dead_letters};

/// How many webhooks there are to choose from.
const MOST_WEBHOOKS: u32 = 500;

/// What narrows the page, and each form on it.
const NAMES: [&str; 5] = ["webhook", "failure", "kind", "since", "until"];

/// Dead letters that failed alike, as they are shown.
#[derive(Debug)]
struct GroupRow {
    count: String,
    webhook_id: String,
    url: String,
    is_webhook_gone: bool,
    failure: String,
    text: String,
    last_line: Option<String>,
    oldest: Moment,
    newest: Moment,
    newest_id: String,
    deliveries: String,
}

impl GroupRow {
    fn of(group: Group) -> Self {
        let webhook_id = group.webhook_id.to_string();
        let failure = group.failure.to_string();
        let mut query = Serializer::new(String::new());
        query
            .append_pair("webhook", &webhook_id)
            .append_pair("state", "exhausted")
            .append_pair("failure", &failure);
        Self {
            count: group.in_words(),
            url: group.hook_url.as_deref().map_or_else(
                || format!("webhook {webhook_id}, deleted"),
                |url| shown_url(url).into_owned(),
            ),
            is_webhook_gone: group.hook_url.is_none(),
            webhook_id,
            failure,
            text: group.failure.in_words(),
            last_line: group.last_line,
            oldest: Moment(group.oldest_at),
            newest: Moment(group.newest_at),
            newest_id: group.newest.to_string(),
            deliveries: format!("/dashboard/deliveries?{}", query.finish()),
        }
    }
}

#[derive(Template)]
#[template(path = "dead_letters.html")]
struct DeadLettersPage {
    frame: Frame,
    webhooks: Vec<Choice>,
    kinds: Vec<Choice>,
    failure: String,
    since: String,
    until: String,
    /// What the page is narrowed to, for the forms on it.
    narrowed: Vec<(&'static str, String)>,
    export: String,
    rows: Vec<GroupRow>,
    are_more: bool,
}

/// Shows dead letters.
pub(super) async fn list(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let query = |name: &str| visitor.query(name);
    let mut troubles = Vec::new();
    let filter = filter(query, &mut troubles);
    let found = dead_letters::list(&desk.node, visitor.caller, filter).await?;
    let page = PageRequest::first(MOST_WEBHOOKS);
    let webhooks = desk
        .node
        .store
        .list_webhooks(visitor.caller.company_id, page)
        .await?;
    let narrowed: Vec<_> = NAMES
        .into_iter()
        .filter_map(|name| Some((name, query(name)?)))
        .collect();
    let mut export = Serializer::new(String::new());
    export.extend_pairs(&narrowed);
    Ok(show(&DeadLettersPage {
        frame: visitor
            .frame(&desk, "dead_letters", "Dead letters")
            .troubled(told(&troubles)),
        webhooks: part::webhooks(&webhooks.items, query("webhook").as_deref()),
        kinds: part::kinds(query("kind").as_deref()),
        failure: query("failure").unwrap_or_default(),
        since: query("since").unwrap_or_default(),
        until: query("until").unwrap_or_default(),
        narrowed,
        export: format!("/dashboard/dead-letters/export?{}", export.finish()),
        rows: found.groups.into_iter().map(GroupRow::of).collect(),
        are_more: found.are_more,
    }))
}

fn filter(value: impl Fn(&str) -> Option<String>, troubles: &mut Vec<String>) -> DeadLetterFilter {
    DeadLetterFilter {
        webhook_id: word::<WebhookId>("webhook", value("webhook"), troubles),
        failure: word::<Failure>("failure", value("failure"), troubles),
        kind: kind(value("kind"), troubles),
        since: instant("from", value("since"), troubles),
        until: instant("until", value("until"), troubles),
    }
}

/// What is to be done with; a mistake in it must not make it mean more.
fn asked(value: impl Fn(&str) -> Option<String>) -> Result<DeadLetterFilter, Trouble> {
    let mut troubles = Vec::new();
    let filter = filter(value, &mut troubles);
    match told(&troubles) {
        Some(troubles) => Err(Trouble::new(http::StatusCode::BAD_REQUEST, troubles)),
        None => Ok(filter),
    }
}

fn named(form: &Form) -> impl Fn(&str) -> Option<String> {
    |name| form.text(name).map(ToOwned::to_owned)
}

/// A file with them and their events.
pub(super) async fn export(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let filter = asked(|name| visitor.query(name))?;
    let page = PageRequest::first(MOST_EXPORTED);
    let mut file = export_dead_letters(&desk.node, visitor.caller, filter, page).await?;
    file.headers_mut().insert(CONTENT_DISPOSITION, FILE);
    Ok(file)
}

const FILE: HeaderValue = HeaderValue::from_static(r#"attachment; filename="dead-letters.ndjson""#);

/// Sends them again.
pub(super) async fn resend(
    State(desk): State<SharedDesk>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    let replay = dead_letters::resend(&desk.node, visitor.caller, asked(named(&form))?, None).await?;
    Ok(go(&format!("/dashboard/replays/{}", replay.id), Said::Replaying))
}

/// Dismisses them.
pub(super) async fn dismiss(
    State(desk): State<SharedDesk>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    let dismissed = dead_letters::dismiss(&desk.node, visitor.caller, asked(named(&form))?).await?;
    let said = match dismissed.is_more {
        true => Said::DismissedInPart,
        false => Said::Dismissed,
    };
    Ok(go("/dashboard/dead-letters", said))
}
