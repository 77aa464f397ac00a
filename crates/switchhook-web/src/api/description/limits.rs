//! The limits that the document speaks of. Its texts and `overlay.json` name them, such as `{longest-overlap}`; a schema's own bound
//! becomes a number, and in a sentence stands what people read.

use std::time::Duration;

use serde_json::{Value, json};
use switchhook_domain::attempt::ANSWER_HEAD;
use switchhook_domain::history::{MINUTES_KEPT, MOST_POINTS, USUAL_POINTS};
use switchhook_domain::notification::{MOST_CHANNELS, MOST_RECIPIENTS};
use switchhook_domain::replay::{LOWEST_RATE, MOST_NAMED};
use switchhook_domain::source::{REFUSAL_HEAD, RefusalBounds};
use switchhook_domain::webhook::HIGHEST_RATE;
use switchhook_node::callers::REMEMBERED;
use switchhook_node::events::{LONGEST_ERASURE, MOST_TRIED};
use switchhook_node::ingest::batch::{MOST_REJECTED, MOST_WARNED};
use switchhook_node::ingest::{KEY_LASTS, LARGEST_EVENT};
use switchhook_node::retention::NOTIFICATIONS_LAST;
use switchhook_node::websocket::token;
use switchhook_node::{amounts, api_keys, dead_letters, feed, health, keys, sources, webhooks};
use switchhook_protocol::STANDARD_TOLERANCE;
use switchhook_store::LARGEST_SMALL_EVENT;

use crate::api::compat::LARGEST_PAGE;
use crate::api::dead_letters::export::MOST_EXPORTED;
use crate::api::query::LARGEST_PAGE_OF_OURS;
use crate::api::{doctor, events};

enum Limit {
    Count(u64),
    Size(u64),
    Time(Duration),
    Rate(f64),
}

use Limit::{Count, Rate, Size, Time};

fn limit(name: &str) -> Option<Limit> {
    let count = |number: usize| Count(number as u64);
    let size = |bytes: usize| Size(bytes as u64);
    Some(match name {
        "answer-head" => size(ANSWER_HEAD),
        "earlier-events" => Count(feed::EARLIER_EVENTS.into()),
        "highest-rate" => Rate(HIGHEST_RATE),
        "idempotency-key-lasts" => Time(KEY_LASTS),
        "largest-event" => size(LARGEST_EVENT),
        "largest-page" => Count(LARGEST_PAGE.into()),
        "largest-page-of-ours" => Count(LARGEST_PAGE_OF_OURS.into()),
        "largest-summed-up" => size(LARGEST_SMALL_EVENT),
        "longest-consumer-name" => count(feed::consumers::LONGEST_NAME),
        "longest-erasure" => Time(LONGEST_ERASURE),
        "longest-key-life" => Time(*keys::LIFE.end()),
        "longest-key-name" => count(api_keys::LONGEST_NAME),
        "longest-overlap" => Time(webhooks::LONGEST_OVERLAP),
        "longest-source-name" => count(sources::LONGEST_NAME),
        "longest-url" => count(webhooks::LONGEST_URL),
        "longest-wait-seconds" => Count(feed::LONGEST_WAIT.as_secs()),
        "lowest-rate" => Rate(LOWEST_RATE),
        "minutes-kept" => Time(MINUTES_KEPT),
        "most-channels" => Count(MOST_CHANNELS.into()),
        "most-consumers" => Count(feed::consumers::MOST_CONSUMERS.into()),
        "most-dead-letters-counted" => Count(dead_letters::MOST_COUNTED.into()),
        "most-deliveries" => Count(events::MOST_DELIVERIES.into()),
        "most-exported" => Count(MOST_EXPORTED.into()),
        "most-feed-items" => Count(feed::MOST_ITEMS.into()),
        "most-findings" => count(doctor::MOST_FINDINGS),
        "most-named" => count(MOST_NAMED),
        "most-points" => Count(MOST_POINTS.into()),
        "most-recipients" => count(MOST_RECIPIENTS),
        "most-rejected" => count(MOST_REJECTED),
        "most-skipped" => count(webhooks::MOST_SKIPPED),
        "most-tried" => Count(MOST_TRIED.into()),
        "most-waiting-counted" => Count(health::MOST_COUNTED.into()),
        "most-waiting-counted-in-lists" => Count(health::MOST_COUNTED_OF_EACH.into()),
        "most-warned" => count(MOST_WARNED),
        "notifications-last" => Time(NOTIFICATIONS_LAST),
        "usual-overlap" => Time(webhooks::OVERLAP),
        "refusals-last" => Time(RefusalBounds::DEFAULT.age),
        "refusal-bytes" => Size(RefusalBounds::DEFAULT.bytes),
        "refusal-head" => size(REFUSAL_HEAD),
        "revoked-keys-last" => Time(REMEMBERED),
        "signed-within" => Time(STANDARD_TOLERANCE),
        "usual-feed-items" => Count(feed::USUAL_ITEMS.into()),
        "usual-points" => Count(USUAL_POINTS.into()),
        "websocket-urls-last" => Time(token::LASTS),
        _ => return None,
    })
}

impl Limit {
    fn number(&self) -> Value {
        match self {
            Count(number) | Size(number) => json!(number),
            Time(length) => json!(length.as_secs()),
            Rate(rate) => json!(rate),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Count(number) => amounts::count(*number),
            Size(bytes) => amounts::size(*bytes),
            Time(length) => amounts::time(*length),
            Rate(rate) => rate.to_string(),
        }
    }
}

/// Puts every limit in the place of its name.
pub(super) fn fill_in(document: &mut Value) {
    match document {
        Value::String(text) => {
            let whole = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            if let Some(limit) = whole.and_then(limit) {
                *document = limit.number();
            } else if text.contains('{') {
                *text = filled_in(text);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(fill_in),
        Value::Object(members) => members.values_mut().for_each(fill_in),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn filled_in(text: &str) -> String {
    let mut parts = text.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part
            .split_once('}')
            .and_then(|(name, rest)| Some((limit(name)?, rest)))
        {
            Some((limit, rest)) => {
                filled += &limit.in_words();
                filled += rest;
            }
            None => {
                filled.push('{');
                filled += part;
            }
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use switchhook_node::settings::Settings;

    use super::*;

    #[test]
    fn a_limit_is_a_number_by_itself_and_in_words_in_a_sentence() {
        let mut document = json!({
            "maxItems": "{most-named}",
            "description": "At most {most-named}, of {longest-overlap}; `/v1/events/{event}` stays.",
            "pattern": "^[0-9]{1,18}$",
        });
        fill_in(&mut document);
        assert_eq!(
            document,
            json!({
                "maxItems": MOST_NAMED,
                "description": "At most 1,000, of 90 days; `/v1/events/{event}` stays.",
                "pattern": "^[0-9]{1,18}$",
            })
        );
    }

    #[test]
    fn no_limit_is_left_as_its_name() {
        let document = crate::api::openapi_text(&Settings::default());
        let mut names = document
            .split('{')
            .skip(1)
            .filter_map(|part| Some(part.split_once('}')?.0));
        let left = names.find(|name| {
            // Parts of a path have no dash.
            name.contains('-')
                && name
                    .chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '-')
        });
        assert_eq!(left, None);
    }

    /// Patterns cannot be made from a limit; they must go with it.
    #[test]
    fn the_pattern_of_an_overlap_ends_where_overlaps_do() {
        let overlap = webhooks::LONGEST_OVERLAP.as_secs();
        let overlay = include_str!("overlay.json");
        let ends = format!("|{}d|", overlap / (24 * 60 * 60));
        assert_eq!(
            overlay.matches("\"overlap\"").count(),
            overlay.matches(&ends).count()
        );
        let ends = format!("|{})h|", overlap / (60 * 60));
        assert_eq!(
            overlay.matches("\"overlap\"").count(),
            overlay.matches(&ends).count()
        );
    }

    #[test]
    fn the_pattern_of_a_keys_life_ends_where_lives_do() {
        let life = keys::LIFE.end().as_secs();
        for (unit, seconds) in [("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60), ("s", 1)] {
            let ends = format!("|{}){unit}", life / seconds);
            assert!(include_str!("overlay.json").contains(&ends), "{ends}");
        }
    }
}
