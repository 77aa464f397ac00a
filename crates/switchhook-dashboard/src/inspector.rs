//! The inspector's pages: what arrived, whether it is to be believed, and how to answer from now on.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use switchhook_domain::Kind;
use switchhook_domain::credential::{MASK, shown_value};
use switchhook_domain::redaction::Hidden;
use switchhook_protocol::headers;

use super::json_text::pretty;
use super::page::{Flash, Frame, PageError, go, show as show_page};
use super::session::{SignedForm, Viewer};
use super::widgets::{Moment, many};
use super::{DashboardState, SharedState};
use switchhook_node::blocking;
use switchhook_node::inspector::{
    Behaviour, Inspector, InspectorSummary, MOST_REQUESTS, ReceivedRequest, SCHEME, Verdict, name_of,
};
use switchhook_node::mask::Mask;
use switchhook_node::summary::Summary;
use switchhook_node::visibility::Visibility;

/// Bound on the requests listed.
const MOST_ROWS: usize = 100;

struct InspectorRow {
    name: String,
    arrived: String,
    behaviour: &'static str,
    is_failing: bool,
}

struct ArrivalRow {
    number: u64,
    at: Moment,
    kind: &'static str,
    what: String,
    detail: String,
    attempt: String,
    verdict: &'static str,
    tone: &'static str,
    answered: String,
    answered_tone: &'static str,
}

#[derive(Template)]
#[template(path = "inspectors.html")]
struct InspectorsPage {
    frame: Frame,
    rows: Vec<InspectorRow>,
    scheme: &'static str,
}

#[derive(Template)]
#[template(path = "inspector.html")]
struct InspectorPage {
    frame: Frame,
    name: String,
    url: String,
    behaviours: [(Behaviour, bool); 4],
    arrived: String,
    kept: usize,
    rows: Vec<ArrivalRow>,
}

#[derive(Template)]
#[template(path = "arrival.html")]
struct ArrivalPage {
    frame: Frame,
    name: String,
    number: u64,
    at: Moment,
    verdict: String,
    tone: &'static str,
    answered: String,
    headers: Vec<(String, String)>,
    body: String,
    pretty: Option<String>,
    is_masked: bool,
    event_id: String,
    delivery_id: String,
}

fn inspector(dashboard: &DashboardState) -> Result<&Inspector, PageError> {
    dashboard.node.inspector.as_deref().ok_or_else(|| {
        PageError::not_found(
            "This server has no inspector: start it with --inspector, or use `switchhook dev`.",
        )
    })
}

fn checked(name: &str) -> Result<&str, PageError> {
    let is_name = name_of(&format!("{SCHEME}{name}")).is_some();
    is_name
        .then_some(name)
        .ok_or_else(|| PageError::not_found("Inspectors have names of small letters, digits and hyphens."))
}

pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let overviews = inspector(&dashboard)?.overviews(viewer.caller.company_id);
    let rows = overviews.into_iter().map(|one| InspectorRow {
        arrived: many(usize::try_from(one.arrived).unwrap_or(usize::MAX), "delivery"),
        behaviour: one.behaviour.in_words(),
        is_failing: one.behaviour != Behaviour::Accept,
        name: one.name,
    });
    Ok(show_page(&InspectorsPage {
        rows: rows.collect(),
        frame: viewer.frame(&dashboard, "inspector", "Inspector"),
        scheme: SCHEME,
    }))
}

/// Shows one of them.
pub(super) async fn show(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    let name = checked(&name)?;
    let visibility = viewer.visibility(&dashboard);
    let InspectorSummary {
        behaviour,
        arrived,
        kept,
        ..
    } = inspector(&dashboard)?.overview(viewer.caller.company_id, name);
    let frame = viewer.frame(&dashboard, "inspector", format!("Inspector {name}"));
    let name = name.to_owned();
    let count = kept.len();
    let is_seen = |arrival: &Arc<ReceivedRequest>| arrival.kind().is_some_and(|kind| visibility.sees(kind));
    let listed: Vec<_> = kept.into_iter().filter(is_seen).take(MOST_ROWS).collect();
    let bytes = listed.iter().map(|arrival| arrival.body.len()).sum();
    let page = move || {
        show_page(&InspectorPage {
            frame,
            url: format!("{SCHEME}{name}"),
            name,
            behaviours: Behaviour::ALL.map(|one| (one, one == behaviour)),
            arrived: many(usize::try_from(arrived).unwrap_or(usize::MAX), "delivery"),
            kept: count,
            rows: listed
                .iter()
                .map(|arrival| row(arrival, visibility.mask))
                .collect(),
        })
    };
    Ok(blocking::run(bytes, page).await)
}

fn row(arrival: &ReceivedRequest, mask: Mask) -> ArrivalRow {
    let summary = match (arrival.kind(), &arrival.event) {
        (Some(kind), Some(event)) => Summary::of(kind, event, mask),
        _ => Summary::default(),
    };
    let (verdict, tone) = judged(&arrival.verdict);
    ArrivalRow {
        number: arrival.number,
        at: Moment(arrival.at),
        kind: arrival.kind().map_or("", Kind::title),
        what: summary.what,
        detail: summary.detail,
        attempt: arrival.header(headers::ATTEMPT).to_owned(),
        verdict,
        tone,
        answered: answered(arrival),
        answered_tone: if arrival.answered == Some(200) {
            "good"
        } else {
            "bad"
        },
    }
}

fn judged(verdict: &Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Verified => ("verified", "good"),
        Verdict::Unsigned => ("not signed", "off"),
        Verdict::Refused(_) => ("not verified", "bad"),
    }
}

fn answered(arrival: &ReceivedRequest) -> String {
    arrival
        .answered
        .map_or_else(|| "not at all".to_owned(), |status| status.to_string())
}

/// Shows something that arrived.
pub(super) async fn arrival(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path((name, number)): Path<(String, u64)>,
) -> Result<Response, PageError> {
    let name = checked(&name)?;
    let visibility = viewer.visibility(&dashboard);
    let overview = inspector(&dashboard)?.overview(viewer.caller.company_id, name);
    let found: Option<&Arc<ReceivedRequest>> = overview.kept.iter().find(|arrival| arrival.number == number);
    let arrival = found.ok_or_else(|| {
        PageError::not_found(format!(
            "The inspector has forgotten it: it keeps the last {MOST_REQUESTS} deliveries, in memory."
        ))
    })?;
    let kind = arrival.kind().unwrap_or(Kind::Unknown);
    viewer.must_see(kind)?;
    let arrival = Arc::clone(arrival);
    let title = format!("Inspector {name}, delivery {number}");
    let frame = viewer.frame(&dashboard, "inspector", title);
    let name = name.to_owned();
    let bytes = arrival.body.len();
    Ok(blocking::run(bytes, move || {
        arrival_page(frame, name, &arrival, kind, visibility)
    })
    .await)
}

fn arrival_page(
    frame: Frame,
    name: String,
    arrival: &ReceivedRequest,
    kind: Kind,
    visibility: Visibility,
) -> Response {
    let is_token = arrival.verdict != Verdict::Unsigned;
    // Content hidden from the webhook is gone from it already; a token shows all that is in it.
    let is_withheld = visibility.sees_less_than(kind, Hidden::NOTHING);
    let is_masked = !visibility.mask.is_nothing() || is_withheld;
    let header = |name: &str| arrival.header(name).to_owned();
    show_page(&ArrivalPage {
        frame,
        name,
        number: arrival.number,
        at: Moment(arrival.at),
        verdict: arrival.verdict.to_string(),
        tone: judged(&arrival.verdict).1,
        answered: answered(arrival),
        headers: arrival
            .headers
            .iter()
            .map(|(name, value)| {
                let value = shown(name.as_str(), value);
                (name.to_string(), visibility.mask.loose(&value).into_owned())
            })
            .collect(),
        body: match (is_token, is_masked) {
            (true, true) => "•••".to_owned(),
            (_, _) => visibility.head(kind, &arrival.body),
        },
        pretty: arrival.event.as_ref().map(|event| {
            pretty(
                &String::from_utf8_lossy(&visibility.redacted(kind, event)),
                visibility.mask,
            )
        }),
        is_masked,
        event_id: header(headers::EVENT_ID),
        delivery_id: header(headers::DELIVERY_ID),
    })
}

fn shown(name: &str, value: &http::HeaderValue) -> String {
    if value.is_sensitive() {
        return MASK.to_owned();
    }
    shown_value(name, &String::from_utf8_lossy(value.as_bytes())).into_owned()
}

/// Tells one how to answer.
pub(super) async fn behave(
    State(dashboard): State<SharedState>,
    Path(name): Path<String>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    let name = checked(&name)?;
    viewer.must_write()?;
    let behaviour = form.text("behaviour").unwrap_or_default().parse::<Behaviour>();
    let behaviour =
        behaviour.map_err(|error| PageError::new(StatusCode::BAD_REQUEST, format!("behaviour: {error}")))?;
    inspector(&dashboard)?.behave(viewer.caller.company_id, name, behaviour);
    Ok(go(&format!("/dashboard/inspector/{name}"), Flash::Behaves))
}

/// Forgets the received requests.
pub(super) async fn clear(
    State(dashboard): State<SharedState>,
    Path(name): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let name = checked(&name)?;
    viewer.must_write()?;
    inspector(&dashboard)?.clear(viewer.caller.company_id, name);
    Ok(go(&format!("/dashboard/inspector/{name}"), Flash::Cleared))
}
