//! What comes in: sources that refuse it.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::credential::shown_text;
use switchhook_domain::id::CompanyId;
use switchhook_domain::source::{Refusal, Source};
use switchhook_store::{PageRequest, StoreError, all_pages};

use super::{Finding, Place, Trouble};
use crate::Node;

/// How long ago a refusal still counts.
const LATELY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many refusals of a source are counted.
const MOST_COUNTED: u32 = 100;

/// What is wrong with what comes in to a company's sources.
pub(super) async fn all(node: &Node, company_id: CompanyId) -> Result<Vec<Finding>, StoreError> {
    let store = &node.store;
    let now = node.clock.now();
    let mut findings = Vec::new();
    for source in all_pages(|page| store.list_sources(company_id, page)).await? {
        let page = PageRequest::first(MOST_COUNTED);
        let refusals = store.list_refusals(company_id, source.id, page).await?.items;
        findings.extend(refuses(&source, &refusals, now));
    }
    Ok(findings)
}

/// `refusals`: the newest ones, newest first.
fn refuses(source: &Source, refusals: &[Refusal], now: Timestamp) -> Option<Finding> {
    let is_late = |refusal: &&Refusal| now.since(refusal.refused_at) < LATELY;
    let count = refusals.iter().filter(is_late).count();
    let last = refusals.first().filter(is_late)?;
    let more = if count == MOST_COUNTED as usize {
        " or more"
    } else {
        ""
    };
    let requests = if count == 1 { "request" } else { "requests" };
    let id = source.id;
    Some(Finding {
        trouble: Trouble::SourceRefuses,
        place: Place::Source {
            id,
            name: source.name.clone(),
        },
        what: format!(
            "it refused {count}{more} {requests} in the last 24 hours, the last at {} with {}: {}",
            last.refused_at,
            last.status,
            shown_text(&last.reason)
        ),
        last_line: None,
        remedy: format!(
            "correct the source or its sender (switchhook sources refusals {id}), then take what was refused: switchhook sources \
             retry-refusals {id}"
        ),
    })
}
