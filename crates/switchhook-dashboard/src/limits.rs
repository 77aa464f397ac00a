//! The limits that templates speak of.

use switchhook_domain::attempt::ANSWER_HEAD;
use switchhook_domain::source::RefusalBounds;
use switchhook_node::amounts::{size, time};
use switchhook_node::retention::NOTIFICATIONS_LAST;
use switchhook_node::sources::LATELY;
use switchhook_node::webhooks::OVERLAP;

pub(super) use switchhook_domain::secret::SHORTEST_SECRET;
pub(super) use switchhook_node::api_keys::LONGEST_NAME as LONGEST_KEY_NAME;
pub(super) use switchhook_node::events::MOST_TRIED;

pub(super) fn answer_head() -> String {
    size(ANSWER_HEAD as u64)
}

pub(super) fn notifications_last() -> String {
    time(NOTIFICATIONS_LAST)
}

pub(super) fn overlap() -> String {
    time(OVERLAP)
}

pub(super) fn refusals_last() -> String {
    time(RefusalBounds::DEFAULT.age)
}

/// Time for which a source's refusals count as new.
pub(super) fn lately() -> String {
    time(LATELY)
}
