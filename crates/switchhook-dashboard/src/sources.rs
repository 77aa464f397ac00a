//! Sources: the list, one of them with what it refused, and judging that again. They are made and changed by the commands.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::Kind;
use switchhook_domain::credential::shown_text;
use switchhook_domain::source::{Refusal, Source};
use switchhook_node::sources::{self, MOST_COUNTED};
use switchhook_node::visibility::Visibility;

use super::SharedState;
use super::page::{Flash, Frame, PageError, go, id_of, show as show_page};
use super::session::{SignedForm, Viewer};
use super::widgets::Moment;

/// A row about a source.
#[derive(Debug)]
struct SourceRow {
    id: String,
    name: String,
    kind: &'static str,
    is_signed: bool,
    /// Count of recent refusals, for the list.
    refused: Option<String>,
    created_at: Moment,
}

impl SourceRow {
    fn of(source: &Source, refused: Option<u32>) -> Self {
        Self {
            id: source.id.to_string(),
            name: source.name.clone(),
            kind: source.kind.map_or("any, told by its shape", Kind::title),
            is_signed: source.secret.is_some(),
            refused: refused.map(|count| match count {
                MOST_COUNTED => format!("{count}+"),
                count => count.to_string(),
            }),
            created_at: Moment(source.created_at),
        }
    }
}

/// Something that a source refused.
#[derive(Debug)]
struct RefusalRow {
    id: String,
    at: Moment,
    status: u16,
    reason: String,
    content_type: String,
    size: u32,
    /// For those who may see everything.
    body: Option<String>,
}

impl RefusalRow {
    fn of(refusal: &Refusal, visibility: Visibility) -> Self {
        Self {
            id: refusal.id.to_string(),
            at: Moment(refusal.refused_at),
            status: refusal.status,
            reason: shown_text(&refusal.reason).into_owned(),
            content_type: refusal.content_type.clone().unwrap_or_else(|| "–".to_owned()),
            size: refusal.body_bytes,
            body: visibility.anything(&refusal.body),
        }
    }
}

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    frame: Frame,
    rows: Vec<SourceRow>,
    next: Option<i64>,
}

#[derive(Template)]
#[template(path = "source.html")]
struct SourcePage {
    frame: Frame,
    row: SourceRow,
    refusals: Vec<RefusalRow>,
    next: Option<i64>,
}

pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let all = sources::list(&dashboard.node, viewer.caller, viewer.page()).await?;
    let refusing = sources::refusing(&dashboard.node, viewer.caller).await?;
    let refused: HashMap<_, _> = refusing.iter().map(|one| (one.source_id, one.count)).collect();
    let rows = all.items.iter();
    Ok(show_page(&SourcesPage {
        frame: viewer.frame(&dashboard, "sources", "Sources"),
        rows: rows
            .map(|source| SourceRow::of(source, refused.get(&source.id).copied()))
            .collect(),
        next: all.next,
    }))
}

/// Shows a source and what it refused, newest first.
pub(super) async fn show(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    let (node, caller) = (&dashboard.node, viewer.caller);
    let source = sources::get(node, caller, id).await?;
    let refusals = sources::list_refusals(node, caller, id, viewer.page()).await?;
    let visibility = viewer.visibility(&dashboard);
    Ok(show_page(&SourcePage {
        frame: viewer.frame(&dashboard, "sources", format!("Source {}", source.name)),
        row: SourceRow::of(&source, None),
        refusals: refusals
            .items
            .iter()
            .map(|refusal| RefusalRow::of(refusal, visibility))
            .collect(),
        next: refusals.next,
    }))
}

/// Judges what it refused again.
pub(super) async fn retry_refusals(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    sources::retry_refusals(&dashboard.node, viewer.caller, id).await?;
    Ok(go(&format!("/dashboard/sources/{id}"), Flash::Judged))
}
