//! Payload filters applied to stored events: why one rejected an event, and what one that is being written would do.

use switchhook_domain::credential::MASK;
use switchhook_domain::filter::{Content, Mismatch, ParsedContent, PayloadFilter};
use switchhook_domain::id::EventId;
use switchhook_domain::key::Right;
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::JsonNode;
use switchhook_store::{EventFilter, EventRecord, PageRequest};

use crate::Node;
use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::summary::Summary;
use crate::visibility::Visibility;

/// The most events that a filter is tried on at once.
pub const MOST_TRIED: u32 = 50;

/// A clause of a filter on the payload that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmetClause {
    /// Path in the event, and the condition.
    pub clause: String,
    /// Value found there, as far as the caller may see it; `None` if there is none.
    pub seen: Option<String>,
}

impl UnmetClause {
    /// Rejection in words for somebody who sees only `shown` of the event. The filter itself may have seen more, in
    /// `seen`.
    #[must_use]
    pub fn told(unmet: Mismatch, seen: &[u8], shown: &str) -> Self {
        let seen = std::str::from_utf8(seen).ok();
        let was_there = seen.and_then(|event| unmet.seen_in(&JsonNode::of(event)));
        let shown = unmet.seen_in(&JsonNode::of(shown));
        Self {
            seen: was_there.map(|_| shown.unwrap_or_else(|| MASK.to_owned())),
            clause: unmet.clause,
        }
    }

    /// As the end of a sentence.
    pub(super) fn in_words(&self) -> String {
        match self.seen.as_deref() {
            Some(MASK) => format!("{}, and your key may not see what it is", self.clause),
            Some(seen) => format!("{}, and it is {seen}", self.clause),
            None => format!("{}, and there is nothing", self.clause),
        }
    }
}

/// Decision of a filter on one recent event.
#[derive(Debug)]
pub struct FilterTrial {
    pub id: EventId,
    pub accepted_at: Timestamp,
    /// In a few words.
    pub summary: Summary,
    /// Clause that rejects it; `None` if it passes.
    pub refused_by: Option<UnmetClause>,
}

/// Tries a filter on the last events of a kind, newest first: on [`MOST_TRIED`], or on fewer if they are large. It sees of
/// them what the caller sees, as a subscription that the caller makes would.
///
/// # Errors
/// If the caller may not, or may not see events of this kind.
pub async fn try_filter(
    node: &Node,
    caller: Caller,
    kind: Kind,
    filter: &PayloadFilter,
) -> Result<Vec<FilterTrial>, Refusal> {
    caller.require(Right::Read)?;
    caller.require_visible(kind)?;
    let of_kind = EventFilter {
        kind: Some(kind),
        ..EventFilter::default()
    };
    let page = PageRequest::first(MOST_TRIED);
    let events = node.store.list_events(caller.company_id, of_kind, page).await?;
    let there = events
        .items
        .iter()
        .filter(|event| event.payload_removed.is_none());
    Ok(there.map(|event| tried(event, caller, node, filter)).collect())
}

fn tried(event: &EventRecord, caller: Caller, node: &Node, filter: &PayloadFilter) -> FilterTrial {
    let visibility = Visibility::of(caller, node);
    let content = Content::of(&event.body);
    let looks = ParsedContent::at(&content);
    let seen = looks.without(caller.clearance().hidden(event.kind));
    let refused_by = seen.and_then(|seen| {
        let unmet = filter.why_not(seen)?;
        Some(UnmetClause::told(
            unmet,
            &event.body,
            &visibility.text(event.kind, &event.body),
        ))
    });
    FilterTrial {
        id: event.id,
        accepted_at: event.accepted_at,
        summary: Summary::of(event.kind, &event.body, visibility.mask),
        refused_by,
    }
}
