//! Replays: sending many old events again, counted first, watched while they go. The work is `switchhook_node::replay`'s.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_store::PageRequest;

use super::events::instant;
use super::form::Form;
use super::page::{Frame, Said, Trouble, go, show as show_page, show_again};
use super::part::{self, Choice, Moment, Sentence};
use super::session::{Filled, Visitor};
use super::{Desk, SharedDesk};

/// How many webhooks there are to choose from.
const MOST_WEBHOOKS: u32 = 500;

/// A replay as the API tells it.
#[derive(Debug, Deserialize)]
struct Replay {
    id: String,
    state: String,
    reason: Option<String>,
    filter: Map<String, Value>,
    to: Option<Map<String, Value>>,
    rate: Option<f64>,
    progress: Progress,
    eta: Option<i64>,
    created_at: i64,
    ended_at: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Progress {
    total: u64,
    total_is_exact: bool,
    scanned: u64,
    created: u64,
    skipped: u64,
    pending: u64,
    delivered: u64,
    exhausted: u64,
    cancelled: u64,
}

/// What a replay would do.
#[derive(Debug, Deserialize)]
struct DryRun {
    total: u64,
    total_is_exact: bool,
    scanned: u64,
    skipped: u64,
}

#[derive(Debug, Deserialize)]
struct Listed {
    items: Vec<Replay>,
    cursor: Option<String>,
}

impl Replay {
    fn tone(&self) -> &'static str {
        match self.state.as_str() {
            "running" => "wait",
            "finished" => "good",
            "failed" => "bad",
            _ => "off",
        }
    }

    fn is_running(&self) -> bool {
        self.state == "running"
    }

    fn begun(&self) -> Moment {
        Moment(Timestamp::from_millis(self.created_at))
    }

    fn ended(&self) -> Option<Moment> {
        self.ended_at.map(|at| Moment(Timestamp::from_millis(at)))
    }

    fn expected(&self) -> Option<Moment> {
        self.eta.map(|at| Moment(Timestamp::from_millis(at)))
    }

    /// What has ended, of what there is: for the progress bar.
    fn ended_count(&self) -> u64 {
        let Progress {
            skipped,
            delivered,
            exhausted,
            cancelled,
            ..
        } = self.progress;
        skipped + delivered + exhausted + cancelled
    }

    fn total(&self) -> u64 {
        (self.progress.total + self.progress.skipped).max(1)
    }

    /// Which events, in words.
    fn which(&self) -> Sentence {
        let parts: Vec<_> = self
            .filter
            .iter()
            .map(|(name, value)| narrowed(name, value))
            .collect();
        Sentence(parts.join(", "))
    }

    /// Where to, in words.
    fn whereto(&self) -> String {
        let to = self.to.as_ref().and_then(|to| to.iter().next());
        match to {
            None => "where each event went at first".to_owned(),
            Some((name, value)) if name == "webhook_id" => format!("webhook {}", plain(value)),
            Some((_, value)) => plain(value),
        }
    }
}

fn narrowed(name: &str, value: &Value) -> String {
    match (name, value) {
        ("not_delivered", _) => "not delivered".to_owned(),
        ("ids", Value::Array(ids)) => part::many(ids.len(), "event"),
        ("since" | "until", Value::Number(millis)) => {
            let at = Timestamp::from_millis(millis.as_i64().unwrap_or_default());
            format!("{name} {at}")
        }
        _ => format!("{} {}", name.replace('_', " "), plain(value)),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A replay's form, as it was filled in.
#[derive(Debug, Default)]
struct Wish {
    kind: Option<String>,
    webhook: Option<String>,
    state: Option<String>,
    since: Option<String>,
    until: Option<String>,
    not_delivered: bool,
    to_webhook: Option<String>,
    rate: Value,
}

impl Wish {
    fn read(form: &Form) -> Self {
        let text = |name: &str| form.text(name).map(ToOwned::to_owned);
        Self {
            kind: text("kind"),
            webhook: text("webhook"),
            state: text("state"),
            since: text("since"),
            until: text("until"),
            not_delivered: form.is_ticked("not_delivered"),
            to_webhook: text("to_webhook"),
            rate: form.number("rate"),
        }
    }

    fn of(visitor: &Visitor) -> Self {
        Self {
            webhook: visitor.query("webhook"),
            state: visitor.query("state"),
            kind: visitor.query("kind"),
            since: visitor.query("since"),
            until: visitor.query("until"),
            not_delivered: visitor.query("not_delivered").is_some(),
            ..Self::default()
        }
    }

    /// What to ask the API for.
    fn request(&self, is_dry_run: bool) -> Result<Value, String> {
        let mut troubles = Vec::new();
        let mut filter = Map::new();
        let words = [
            ("kind", &self.kind),
            ("webhook_id", &self.webhook),
            ("state", &self.state),
        ];
        for (name, value) in words {
            if let Some(value) = value {
                filter.insert(name.to_owned(), json!(value));
            }
        }
        for (name, text) in [("since", &self.since), ("until", &self.until)] {
            if let Some(at) = instant(name, text.clone(), &mut troubles) {
                filter.insert(name.to_owned(), json!(at.as_millis()));
            }
        }
        if self.not_delivered {
            filter.insert("not_delivered".to_owned(), json!(true));
        }
        if !troubles.is_empty() {
            return Err(troubles.join("; "));
        }
        let mut request = json!({ "filter": filter, "dry_run": is_dry_run });
        if let Some(id) = &self.to_webhook {
            request["to"] = json!({ "webhook_id": id });
        }
        if !self.rate.is_null() {
            request["rate"] = self.rate.clone();
        }
        Ok(request)
    }

    fn rate(&self) -> String {
        match &self.rate {
            Value::Null => String::new(),
            other => plain(other),
        }
    }
}

#[derive(Template)]
#[template(path = "replays.html")]
struct ReplaysPage {
    frame: Frame,
    rows: Vec<Replay>,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "replay_form.html")]
struct FormPage {
    frame: Frame,
    wish: Wish,
    kinds: Vec<Choice>,
    states: Vec<Choice>,
    webhooks: Vec<Choice>,
    targets: Vec<Choice>,
    counted: Option<DryRun>,
}

#[derive(Template)]
#[template(path = "replay.html")]
struct ReplayPage {
    frame: Frame,
    replay: Replay,
}

fn read<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, Trouble> {
    serde_json::from_value(answer).map_err(|error| {
        tracing::error!(%error, "a replay could not be read");
        Trouble::new(
            http::StatusCode::INTERNAL_SERVER_ERROR,
            "The replay could not be read.",
        )
    })
}

/// Lists replays.
pub(super) async fn list(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let cursor = visitor
        .query("cursor")
        .and_then(|cursor| cursor.parse::<i64>().ok());
    let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
    let path = format!("/v1/replays?limit=50{cursor}");
    let listed = desk
        .inside
        .ask(visitor.caller, Method::GET, &path, Value::Null)
        .await?;
    let Listed { items, cursor } = read(listed)?;
    Ok(show_page(&ReplaysPage {
        frame: Frame::new(&desk, &visitor, "replays", "Replays"),
        rows: items,
        cursor,
    }))
}

/// The form for a new replay.
pub(super) async fn blank(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    visitor.must_write()?;
    let wish = Wish::of(&visitor);
    Ok(show_page(&form_page(&desk, &visitor, wish, None, None).await?))
}

async fn form_page(
    desk: &Desk,
    visitor: &Visitor,
    wish: Wish,
    counted: Option<DryRun>,
    trouble: Option<String>,
) -> Result<FormPage, Trouble> {
    let page = PageRequest::first(MOST_WEBHOOKS);
    let webhooks = desk
        .node
        .store
        .list_webhooks(visitor.caller.company_id, page)
        .await?
        .items;
    let states = StateName::ALL.iter().map(|state| state.as_str());
    Ok(FormPage {
        frame: Frame::new(desk, visitor, "replays", "New replay").troubled(trouble),
        kinds: part::kinds(wish.kind.as_deref()),
        states: states
            .map(|state| Choice::new(state, state, wish.state.as_deref()))
            .collect(),
        webhooks: part::webhooks(&webhooks, wish.webhook.as_deref()),
        targets: part::webhooks(&webhooks, wish.to_webhook.as_deref()),
        wish,
        counted,
    })
}

/// Counts what a replay would send, or begins it.
pub(super) async fn create(
    State(desk): State<SharedDesk>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    visitor.must_write()?;
    let is_dry_run = form.text("do") != Some("begin");
    let wish = Wish::read(&form);
    let asked = match wish.request(is_dry_run) {
        Ok(request) => {
            let asked = desk
                .inside
                .ask(visitor.caller, Method::POST, "/v1/replays", request)
                .await;
            asked.map_err(|refusal| refusal.message)
        }
        Err(trouble) => Err(trouble),
    };
    match asked {
        Ok(answer) if is_dry_run => {
            let counted = read(answer)?;
            Ok(show_page(
                &form_page(&desk, &visitor, wish, Some(counted), None).await?,
            ))
        }
        Ok(answer) => {
            let id = answer["id"].as_str().unwrap_or_default();
            Ok(go(&format!("/dashboard/replays/{id}"), Said::Replaying))
        }
        Err(trouble) => Ok(show_again(
            &form_page(&desk, &visitor, wish, None, Some(trouble)).await?,
        )),
    }
}

fn path_of(id: &str) -> Result<String, Trouble> {
    let id: i64 = id
        .parse()
        .map_err(|_| Trouble::not_found("Ids are whole numbers."))?;
    Ok(format!("/v1/replays/{id}"))
}

/// Shows how far a replay has come.
pub(super) async fn show(
    State(desk): State<SharedDesk>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let answer = desk
        .inside
        .ask(visitor.caller, Method::GET, &path_of(&id)?, Value::Null)
        .await?;
    Ok(show_page(&ReplayPage {
        frame: Frame::new(&desk, &visitor, "replays", format!("Replay {id}")),
        replay: read(answer)?,
    }))
}

/// Stops it.
pub(super) async fn cancel(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    desk.inside
        .ask(visitor.caller, Method::DELETE, &path_of(&id)?, Value::Null)
        .await?;
    Ok(go(&format!("/dashboard/replays/{id}"), Said::ReplayCancelled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_asks_for_what_it_says_and_nothing_else() {
        let wish = |form: &[u8]| Wish::read(&Form::read(form));
        let request =
            wish(b"kind=call&webhook=&since=2026-11-24T10%3A30&not_delivered=on&rate=5&to_webhook=7")
                .request(true);
        assert_eq!(
            request.unwrap(),
            json!({
                "filter": { "kind": "call", "since": 1_795_516_200_000_i64, "not_delivered": true },
                "to": { "webhook_id": "7" }, "rate": 5, "dry_run": true,
            })
        );
        assert!(wish(b"since=soon").request(false).unwrap_err().contains("soon"));
    }
}
