//! Verbs for stored events. Accepting them is `ingest`.

mod erasure;
mod explanation;
mod filtering;
mod summaries;

use switchhook_domain::Kind;
use switchhook_domain::id::EventId;
use switchhook_domain::key::Right;
use switchhook_protocol::check_object;
use switchhook_store::{EventFilter, EventHead, EventRecord, Page, PageRequest};

pub use self::erasure::{Erasure, LONGEST_ERASURE, erase};
pub use self::explanation::{Explained, Explanation, explain};
pub use self::filtering::{FilterTrial, MOST_TRIED, UnmetClause, try_filter};
pub use self::summaries::{summaries, summary};

use crate::Node;
use crate::caller::Caller;
use crate::ingest::{self, Accepted, Submission};
use crate::refusal::{Refusal, of_events};
use crate::visibility::Visibility;

/// Lists the company's events without their bytes, newest first; kinds that the caller may not see are left out.
///
/// # Errors
/// If the caller may not, or may not see events of the kind that is asked for; or the store cannot be read.
pub async fn list(
    node: &Node,
    caller: Caller,
    filter: EventFilter,
    page: PageRequest,
) -> Result<Page<EventHead>, Refusal> {
    caller.require(Right::Read)?;
    if let Some(kind) = filter.kind {
        caller.require_visible(kind)?;
    }
    let store = &node.store;
    let mut page = store.list_event_heads(caller.company_id, filter, page).await?;
    let visibility = Visibility::of(caller, node);
    page.items.retain(|event| visibility.sees(event.kind));
    Ok(page)
}

/// Reads the company's events as they came, newest first. What the caller may not see of them is still in them, whole kinds
/// too: whoever shows them passes them through [`Visibility`].
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn read(
    node: &Node,
    caller: Caller,
    filter: EventFilter,
    page: PageRequest,
) -> Result<Page<EventRecord>, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.list_events(caller.company_id, filter, page).await?)
}

/// Reads an event as it came: what the caller's scopes hide and what the server masks is still in it.
///
/// # Errors
/// If the caller may not, or may not see events of its kind; if there is no such event.
pub async fn get(node: &Node, caller: Caller, id: EventId) -> Result<EventRecord, Refusal> {
    caller.require(Right::Read)?;
    let event = node.store.event(caller.company_id, id).await?;
    caller.require_visible(event.kind)?;
    Ok(event)
}

/// Takes the bytes of an event of unknown kind in again as one of this kind: a new event. The one that is there stays.
/// Within 24 hours the same request gets the same answer.
///
/// # Errors
/// If the caller may not, or may not see what is unknown; if there is no such event, its kind is known, its payload is
/// gone, or it could not be kept.
pub async fn route(node: &Node, caller: Caller, id: EventId, kind: Kind) -> Result<Accepted, Refusal> {
    caller.require(Right::Ingest)?;
    let kind = of_events(kind)?;
    caller.require_visible(Kind::Unknown)?;
    let event = node.store.event(caller.company_id, id).await?;
    if event.kind != Kind::Unknown {
        return Err(Refusal::Conflict(format!(
            "event {id} is of kind {} already: a replay sends it again",
            event.kind
        )));
    }
    if event.payload_removed.is_some() {
        return Err(Refusal::Conflict(format!("event {id} has no payload any more")));
    }
    if let Err(why) = check_object(&event.body) {
        return Err(Refusal::Conflict(format!(
            "event {id} is of no kind: {why}; a replay sends it as it is (switchhook replays create --kind unknown --to-webhook ID)"
        )));
    }
    let submission = Submission {
        company_id: caller.company_id,
        kind,
        body: event.body,
        idempotency_key: Some(format!("route:{id}:{kind}").into()),
    };
    Ok(ingest::accept_from_source(node, submission).await?)
}
