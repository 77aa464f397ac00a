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
use switchhook_node::webhooks;
use switchhook_store::{DeadLetterFilter, PageRequest};
use url::form_urlencoded::Serializer;

use super::SharedState;
use super::events::{instant, joined, kind, word};
use super::form::Form;
use super::page::{Flash, Frame, PageError, go, show};
use super::session::{SignedForm, Viewer};
use super::widgets::{self, Choice, Moment};
use switchhook_web::api::{MOST_EXPORTED, export_dead_letters};

/// Bound on the options of the webhook filter.
const MOST_WEBHOOKS: u32 = 500;

/// Query parameters of the filter, which each form on the page repeats.
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
    /// Filter as hidden fields for the forms.
    narrowed: Vec<(&'static str, String)>,
    export: String,
    rows: Vec<GroupRow>,
    are_more: bool,
}

pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let query = |name: &str| viewer.query(name);
    let mut errors = Vec::new();
    let filter = filter(query, &mut errors);
    let found = dead_letters::list(&dashboard.node, viewer.caller, filter).await?;
    let page = PageRequest::first(MOST_WEBHOOKS);
    let webhooks = webhooks::list(&dashboard.node, viewer.caller, page).await?;
    let narrowed: Vec<_> = NAMES
        .into_iter()
        .filter_map(|name| Some((name, query(name)?)))
        .collect();
    let mut export = Serializer::new(String::new());
    export.extend_pairs(&narrowed);
    Ok(show(&DeadLettersPage {
        frame: viewer
            .frame(&dashboard, "dead_letters", "Dead letters")
            .with_error(joined(&errors)),
        webhooks: widgets::webhooks(&webhooks.items, query("webhook").as_deref()),
        kinds: widgets::kinds(query("kind").as_deref()),
        failure: query("failure").unwrap_or_default(),
        since: query("since").unwrap_or_default(),
        until: query("until").unwrap_or_default(),
        narrowed,
        export: format!("/dashboard/dead-letters/export?{}", export.finish()),
        rows: found.groups.into_iter().map(GroupRow::of).collect(),
        are_more: found.are_more,
    }))
}

fn filter(value: impl Fn(&str) -> Option<String>, errors: &mut Vec<String>) -> DeadLetterFilter {
    DeadLetterFilter {
        webhook_id: word::<WebhookId>("webhook", value("webhook"), errors),
        failure: word::<Failure>("failure", value("failure"), errors),
        kind: kind(value("kind"), errors),
        since: instant("from", value("since"), errors),
        until: instant("until", value("until"), errors),
    }
}

/// Filter of a form. A mistake is an error, because leaving it out would widen what the form acts on.
fn asked(value: impl Fn(&str) -> Option<String>) -> Result<DeadLetterFilter, PageError> {
    let mut errors = Vec::new();
    let filter = filter(value, &mut errors);
    match joined(&errors) {
        Some(errors) => Err(PageError::new(http::StatusCode::BAD_REQUEST, errors)),
        None => Ok(filter),
    }
}

fn named(form: &Form) -> impl Fn(&str) -> Option<String> {
    |name| form.text(name).map(ToOwned::to_owned)
}

/// A file with them and their events.
pub(super) async fn export(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let filter = asked(|name| viewer.query(name))?;
    let page = PageRequest::first(MOST_EXPORTED);
    let mut file = export_dead_letters(&dashboard.node, viewer.caller, filter, page).await?;
    file.headers_mut().insert(CONTENT_DISPOSITION, FILE);
    Ok(file)
}

const FILE: HeaderValue = HeaderValue::from_static(r#"attachment; filename="dead-letters.ndjson""#);

/// Resends all dead letters that the form selects.
pub(super) async fn resend(
    State(dashboard): State<SharedState>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    let replay = dead_letters::resend(&dashboard.node, viewer.caller, asked(named(&form))?, None).await?;
    Ok(go(&format!("/dashboard/replays/{}", replay.id), Flash::Replaying))
}

/// Dismisses all dead letters that the form selects.
pub(super) async fn dismiss(
    State(dashboard): State<SharedState>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    let dismissed = dead_letters::dismiss(&dashboard.node, viewer.caller, asked(named(&form))?).await?;
    let flash = match dismissed.is_more {
        true => Flash::DismissedInPart,
        false => Flash::Dismissed,
    };
    Ok(go("/dashboard/dead-letters", flash))
}
