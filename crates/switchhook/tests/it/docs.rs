//! The limits that the pages for people speak of are the limits that hold.

use switchhook_domain::attempt::ANSWER_HEAD;
use switchhook_domain::filter::{self, MOST_CLAUSES, MOST_DEPTH};
use switchhook_domain::id::SLOTS;
use switchhook_domain::notification::{MOST_CHANNELS, MOST_RECIPIENTS};
use switchhook_domain::order::LONGEST_BLOCK;
use switchhook_domain::source::RefusalBounds;
use switchhook_domain::template::{LARGEST_OUTPUT, LONGEST_TEMPLATE};
use switchhook_http::server::MOST_BY_DEFAULT;
use switchhook_node::amounts::{count, size, time};
use switchhook_node::events::MOST_TRIED;
use switchhook_node::feed::{EARLIER_EVENTS, LONGEST_WAIT};
use switchhook_node::health::{MOST_COUNTED, MOST_COUNTED_OF_EACH};
use switchhook_node::listeners::MOST_CONNECTIONS;
use switchhook_node::retention::NOTIFICATIONS_LAST;
use switchhook_node::settings::Settings;
use switchhook_node::webhooks::OVERLAP;
use switchhook_node::websocket::connection::LARGEST_MESSAGE;
use switchhook_store::LARGEST_SMALL_EVENT;

macro_rules! page {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../docs/", $name)))
    };
}

#[track_caller]
fn check((name, page): (&str, &str), says: &str) {
    // Where lines break does not matter.
    let words: Vec<_> = page.split_whitespace().collect();
    assert!(words.join(" ").contains(says), "docs/{name} does not say: {says}");
}

#[test]
fn the_pages_speak_of_the_limits_that_hold() {
    let bytes = |number: usize| size(number as u64);
    let refusals = RefusalBounds::DEFAULT;
    check(
        page!("ARCHITECTURE.md"),
        &format!("for at most {} after its acceptance", time(LONGEST_BLOCK)),
    );
    check(
        page!("connecting.md"),
        &format!(
            "for {} and up to the newest {} of each",
            time(refusals.age),
            size(refusals.bytes)
        ),
    );
    check(
        page!("connecting.md"),
        &format!("1009 after more than {}", bytes(LARGEST_MESSAGE)),
    );
    check(
        page!("connecting.md"),
        &format!(
            "A node serves up to {} connections",
            count(MOST_CONNECTIONS as u64)
        ),
    );
    check(
        page!("connecting.md"),
        &format!("`wait` (up to {} s)", LONGEST_WAIT.as_secs()),
    );
    check(
        page!("connecting.md"),
        &format!("the last {} events are in it then", count(EARLIER_EVENTS.into())),
    );
    check(page!("delivery.md"), &format!("{} of body", bytes(ANSWER_HEAD)));
    check(
        page!("delivery.md"),
        &format!(
            "counted up to {}, in lists up to {}",
            count(MOST_COUNTED.into()),
            count(MOST_COUNTED_OF_EACH.into())
        ),
    );
    check(
        page!("filters.md"),
        &format!(
            "at most {}, {MOST_CLAUSES} conditions and {MOST_DEPTH} levels",
            bytes(filter::MOST_BYTES)
        ),
    );
    check(
        page!("filters.md"),
        &format!("which of the last {MOST_TRIED} events"),
    );
    check(
        page!("notifications.md"),
        &format!("A company can have {MOST_CHANNELS} channels"),
    );
    check(page!("notifications.md"), &format!("or up to {MOST_RECIPIENTS}"));
    check(
        page!("notifications.md"),
        &format!("shows for {} what was told", time(NOTIFICATIONS_LAST)),
    );
    check(
        page!("operating.md"),
        &format!("({} h) for checking", OVERLAP.as_secs() / 3_600),
    );
    check(
        page!("operating.md"),
        &format!("at least half of it and at most {}", count(MOST_BY_DEFAULT)),
    );
    let Settings {
        max_handed_over,
        max_handed_over_bytes,
        ..
    } = Settings::default();
    check(
        page!("operating.md"),
        &format!(
            "limited twice: to {}, and to `--max-handed-over-bytes` ({})",
            count(max_handed_over.into()),
            size(max_handed_over_bytes)
        ),
    );
    check(
        page!("operating.md"),
        &format!("for large events (over {})", bytes(LARGEST_SMALL_EVENT)),
    );
    check(page!("operating.md"), &format!("up to {SLOTS} nodes"));
    check(
        page!("templates.md"),
        &format!("a template has at most {}", bytes(LONGEST_TEMPLATE)),
    );
    check(
        page!("templates.md"),
        &format!("(up to {})", bytes(LARGEST_OUTPUT)),
    );
}
