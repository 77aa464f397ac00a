//! The list of events, and what it can be narrowed to. How payloads are searched is `search.rs`.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::events;
use switchhook_protocol::{CallState, MessageStatus};
use switchhook_store::EventFilter;

use super::SharedState;
use super::event_row::EventRow;
use super::page::{Frame, PageError, show};
use super::search::{SearchExtent, SearchTerms, look, sought_number};
use super::session::Viewer;
use super::widgets::{self, Choice};

/// The longest text to look for. Looking for a longer one takes long.
const LONGEST_TEXT: usize = 256;

/// Filter as entered in the form.
#[derive(Debug, Default)]
struct Narrowed {
    state: String,
    call: String,
    number: String,
    text: String,
    since: String,
    until: String,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    kinds: Vec<Choice>,
    states: Vec<&'static str>,
    narrowed: Narrowed,
    is_narrowed: bool,
    can_search_text: bool,
    rows: Vec<EventRow>,
    looked: Option<SearchExtent>,
    next: Option<String>,
    is_live: bool,
}

pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let mask = dashboard.node.settings.mask;
    let query = |name: &str| viewer.query(name);
    let mut errors = Vec::new();
    let kind = kind(query("kind"), &mut errors);
    // Searching what one may not see would tell what it is.
    let text = query("text").filter(|_| !mask.text);
    let (text, too_long) = match text {
        Some(text) if text.len() > LONGEST_TEXT => (None, true),
        text => (text, false),
    };
    if too_long {
        errors.push(format!("text: look for at most {LONGEST_TEXT} bytes"));
    }
    let wanted = SearchTerms {
        kind,
        state: query("state"),
        call: query("call"),
        number: query("number").and_then(|number| {
            sought_number(&number, mask)
                .map_err(|error| errors.push(error))
                .ok()
        }),
        text,
    };
    let filter = EventFilter {
        // No index knows kinds: a rare one would be looked for in the whole log.
        kind: None,
        since: instant("from", query("since"), &mut errors),
        until: instant("until", query("until"), &mut errors),
        order_key: None,
    };
    let page = viewer.page();
    let is_search = wanted.looks_inside();
    let (rows, next, looked) = if wanted.is_anything() {
        let found = look(&dashboard.node, viewer.caller, filter, wanted, page).await?;
        (found.rows, found.next, Some(found.looked))
    } else {
        let events = events::read(&dashboard.node, viewer.caller, filter, page).await?;
        let rows = EventRow::all(events.items, viewer.visibility(&dashboard)).await;
        (rows, events.next, None)
    };
    let or_nothing = |name: &str| query(name).unwrap_or_default();
    let narrowed = Narrowed {
        state: or_nothing("state"),
        call: or_nothing("call"),
        number: or_nothing("number"),
        text: or_nothing("text"),
        since: or_nothing("since"),
        until: or_nothing("until"),
    };
    let names = ["kind", "state", "call", "number", "text", "since", "until"];
    Ok(show(&EventsPage {
        frame: viewer
            .frame(&dashboard, "events", "Events")
            .with_error(joined(&errors)),
        kinds: widgets::kinds(query("kind").as_deref()),
        states: states(),
        is_narrowed: names.iter().any(|name| query(name).is_some()),
        narrowed,
        can_search_text: !mask.text,
        rows: EventRow::with_deliveries(&dashboard, viewer.caller, rows).await?,
        looked,
        next: next.map(|cursor| next_page("/dashboard/events", &viewer, &names, cursor)),
        is_live: page.after.is_none() && !is_search,
    }))
}

/// The words that a state can be, for the field to offer; others are taken too.
fn states() -> Vec<&'static str> {
    let calls = CallState::ALL.iter().copied().map(CallState::as_str);
    calls
        .chain(MessageStatus::ALL.iter().copied().map(MessageStatus::as_str))
        .collect()
}

/// Address of the next page with the same filter.
pub(super) fn next_page(path: &str, viewer: &Viewer, names: &[&str], cursor: i64) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in names {
        if let Some(value) = viewer.query(name) {
            query.append_pair(name, &value);
        }
    }
    query.append_pair("cursor", &cursor.to_string());
    format!("{path}?{}", query.finish())
}

/// A parameter as one of some words.
pub(super) fn word<T>(name: &str, text: Option<String>, errors: &mut Vec<String>) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    match text?.parse() {
        Ok(word) => Some(word),
        Err(error) => {
            errors.push(format!("{name}: {error}"));
            None
        }
    }
}

/// A parameter as the kind of events that are kept.
pub(super) fn kind(text: Option<String>, errors: &mut Vec<String>) -> Option<Kind> {
    let kind = text.map(|text| Kind::of_kept(&text)).transpose();
    kind.unwrap_or_else(|error| {
        errors.push(format!("kind: {error}"));
        None
    })
}

/// A parameter as an instant; without a zone it is UTC, as the field says where there is no script.
pub(super) fn instant(name: &str, text: Option<String>, errors: &mut Vec<String>) -> Option<Timestamp> {
    let text = text?.replace(' ', "T");
    let attempts = [
        text.clone(),
        format!("{text}Z"),
        format!("{text}:00Z"),
        format!("{text}T00:00:00Z"),
    ];
    let read = attempts.iter().find_map(|attempt| attempt.parse().ok());
    if read.is_none() {
        errors.push(format!(
            "{name}: `{text}` is no instant; write it as 2026-11-24T10:30"
        ));
    }
    read
}

/// The errors, as one message.
pub(super) fn joined(errors: &[String]) -> Option<String> {
    (!errors.is_empty()).then(|| errors.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_browsers_and_people_write_them() {
        let expected: Timestamp = "2026-11-24T10:30:00Z".parse().unwrap();
        let mut errors = Vec::new();
        for text in [
            "2026-11-24T10:30",
            "2026-11-24 10:30",
            "2026-11-24T10:30:00",
            "2026-11-24T10:30:00Z",
            "2026-11-24T11:30:00+01:00",
        ] {
            assert_eq!(
                instant("from", Some(text.to_owned()), &mut errors),
                Some(expected),
                "{text}"
            );
        }
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!(instant("from", Some("yesterday".to_owned()), &mut errors), None);
        assert!(errors[0].contains("yesterday"));
    }
}
