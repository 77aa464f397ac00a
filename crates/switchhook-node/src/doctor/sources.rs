//! Findings in sources: refused requests.

use switchhook_domain::credential::shown_text;
use switchhook_domain::id::CompanyId;
use switchhook_domain::source::RecentRefusals;
use switchhook_store::StoreError;

use super::{Finding, FindingKind, Location};
use crate::sources::{self, MOST_COUNTED};
use crate::{Node, amounts};

/// Findings in a company's sources.
///
/// # Errors
/// If the store cannot be read.
pub async fn refusing_sources(node: &Node, company_id: CompanyId) -> Result<Vec<Finding>, StoreError> {
    let refusing = sources::refusing_of(node, company_id).await?;
    Ok(refusing.into_iter().map(finding).collect())
}

fn finding(refusing: RecentRefusals) -> Finding {
    let RecentRefusals { source_id, count, .. } = refusing;
    let more = if count == MOST_COUNTED { " or more" } else { "" };
    let requests = if count == 1 { "request" } else { "requests" };
    Finding {
        trouble: FindingKind::SourceRefuses,
        location: Location::Source {
            id: source_id,
            name: refusing.name,
        },
        what: format!(
            "it refused {count}{more} {requests} in the last {}, the last at {} with {}: {}",
            amounts::time(sources::LATELY),
            refusing.last_at,
            refusing.last_status,
            shown_text(&refusing.last_reason)
        ),
        last_line: None,
        last_status: None,
        remedy: format!(
            "correct the source or its sender (switchhook sources refusals {source_id}), then take what was refused: switchhook \
             sources retry-refusals {source_id}"
        ),
    }
}
