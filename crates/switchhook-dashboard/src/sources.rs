//! Sources: the list, one of them with what it refused, and judging that again. They are made and changed by the commands.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::Kind;
use switchhook_domain::credential::shown_text;
use switchhook_domain::source::{Refusal, Source};
use switchhook_node::sight::Sight;
use switchhook_node::sources::{self, MOST_COUNTED};

use super::SharedDesk;
use super::page::{Frame, Said, Trouble, go, id_of, show as show_page};
use super::part::Moment;
use super::session::{Filled, Visitor};

/// How many sources or refusals a page has.
const A_PAGE: u32 = 50;

/// A row about a source.
#[derive(Debug)]
struct SourceRow {
    id: String,
    name: String,
    kind: &'static str,
    is_signed: bool,
    /// How many requests it refused lately, in the list.
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
    fn of(refusal: &Refusal, sight: Sight) -> Self {
        Self {
            id: refusal.id.to_string(),
            at: Moment(refusal.refused_at),
            status: refusal.status,
            reason: shown_text(&refusal.reason).into_owned(),
            content_type: refusal.content_type.clone().unwrap_or_else(|| "–".to_owned()),
            size: refusal.body_bytes,
            body: sight.anything(&refusal.body),
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

/// Lists sources.
pub(super) async fn list(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let company_id = visitor.caller.company_id;
    let sources = desk
        .node
        .store
        .list_sources(company_id, visitor.page(A_PAGE))
        .await?;
    let refusing = sources::refusing(&desk.node, company_id).await?;
    let refused: HashMap<_, _> = refusing.iter().map(|one| (one.source_id, one.count)).collect();
    let rows = sources.items.iter();
    Ok(show_page(&SourcesPage {
        frame: visitor.frame(&desk, "sources", "Sources"),
        rows: rows
            .map(|source| SourceRow::of(source, refused.get(&source.id).copied()))
            .collect(),
        next: sources.next,
    }))
}

/// Shows a source and what it refused, newest first.
pub(super) async fn show(
    State(desk): State<SharedDesk>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let company_id = visitor.caller.company_id;
    let store = &desk.node.store;
    let source = store.source(company_id, id).await?;
    let refusals = store.list_refusals(company_id, id, visitor.page(A_PAGE)).await?;
    let sight = visitor.sight(&desk);
    Ok(show_page(&SourcePage {
        frame: visitor.frame(&desk, "sources", format!("Source {}", source.name)),
        row: SourceRow::of(&source, None),
        refusals: refusals
            .items
            .iter()
            .map(|refusal| RefusalRow::of(refusal, sight))
            .collect(),
        next: refusals.next,
    }))
}

/// Judges what it refused again.
pub(super) async fn retry_refusals(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    sources::retry_refusals(&desk.node, visitor.caller, id).await?;
    Ok(go(&format!("/dashboard/sources/{id}"), Said::Judged))
}
