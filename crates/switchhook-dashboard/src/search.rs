//! Looking for events by what is in them. No index helps, so a search looks at a bounded number and says how far it came.

use std::ops::RangeInclusive;
use std::time::Duration;

use memchr::memchr2_iter;
use switchhook_domain::Kind;
use switchhook_domain::phone_number::{PhoneNumber, has_digits};
use switchhook_protocol::{Id, Payload};
use switchhook_store::{EventFilter, EventRecord, PageRequest};
use tokio::time::Instant;

use super::event_row::{EventRow, bytes_of};
use super::widgets::{Moment, many};
use switchhook_node::caller::Caller;
use switchhook_node::json_text::raw;
use switchhook_node::mask::Mask;
use switchhook_node::refusal::Refusal;
use switchhook_node::summary::Summary;
use switchhook_node::visibility::Visibility;
use switchhook_node::{Node, blocking, events};

/// Bound on the events one search reads.
pub const MOST_LOOKED_AT: usize = 10_000;

/// Approximate time limit of one search.
const LONGEST: Duration = Duration::from_millis(800);

/// Bounds on the page size of a read. It grows while reads are quick and shrinks while they are slow (a disk has to
/// be waited for), because a read that takes longer than the store allows fails.
const AT_ONCE: RangeInclusive<u32> = 50..=800;
const FIRST_AT_ONCE: u32 = 200;
const QUICK: Duration = Duration::from_millis(100);

/// Conditions of a search.
#[derive(Debug, Clone, Default)]
pub(super) struct SearchTerms {
    pub(super) kind: Option<Kind>,
    pub(super) state: Option<String>,
    pub(super) call: Option<String>,
    pub(super) number: Option<Number>,
    pub(super) text: Option<String>,
}

/// A telephone number to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Number {
    /// With its country code: however it is written.
    Whole(PhoneNumber),
    /// Some of its digits.
    Part(String),
}

/// Amount that a search has read.
#[derive(Debug, Clone)]
pub(super) struct SearchExtent {
    pub(super) events: String,
    /// At the oldest of them.
    pub(super) back_to: Option<Moment>,
    /// True if older events were not searched.
    pub(super) is_partial: bool,
}

/// Result of a search.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) rows: Vec<EventRow>,
    pub(super) next: Option<i64>,
    pub(super) looked: SearchExtent,
}

/// Looks for events, newest first, until a page is full or it has looked long enough.
pub(super) async fn look(
    node: &Node,
    caller: Caller,
    filter: EventFilter,
    wanted: SearchTerms,
    page: PageRequest,
) -> Result<Found, Refusal> {
    let begun = Instant::now();
    let mut search = Search {
        needles: PreparedTerms::of(&wanted, node.settings.mask),
        visibility: Visibility::of(caller, node),
        begun,
        most_rows: page.limit as usize,
        rows: Vec::new(),
        looked_at: 0,
        last: None,
    };
    let (mut after, mut limit) = (page.after, FIRST_AT_ONCE);
    let next = loop {
        let request = PageRequest { after, limit };
        let asked = Instant::now();
        let read = events::read(node, caller, filter.clone(), request).await?;
        limit = at_once_after(limit, asked.elapsed());
        let events = read.items;
        let is_done;
        (search, is_done) = blocking::run(bytes_of(&events), move || {
            let is_done = search.go_over(&events);
            (search, is_done)
        })
        .await;
        match read.next {
            _ if is_done => break search.last.map(|(id, _)| id),
            Some(next) if search.is_enough() => break Some(next),
            Some(next) => after = Some(next),
            None => break None,
        }
    };
    Ok(Found {
        rows: search.rows,
        next,
        looked: SearchExtent {
            events: many(search.looked_at, "event"),
            back_to: search.last.map(|(_, at)| at),
            is_partial: next.is_some(),
        },
    })
}

/// Page size of the next read, from the duration of the last.
fn at_once_after(limit: u32, took: Duration) -> u32 {
    let next = if took < QUICK { limit * 2 } else { limit / 2 };
    next.clamp(*AT_ONCE.start(), *AT_ONCE.end())
}

/// A search on its way.
struct Search {
    needles: PreparedTerms,
    visibility: Visibility,
    begun: Instant,
    most_rows: usize,
    rows: Vec<EventRow>,
    looked_at: usize,
    /// The last event that was looked at.
    last: Option<(i64, Moment)>,
}

impl Search {
    /// Looks at events, and says whether it stopped among them.
    fn go_over(&mut self, events: &[EventRecord]) -> bool {
        for (place, event) in events.iter().enumerate() {
            self.looked_at += 1;
            self.last = Some((event.id.0, Moment(event.accepted_at)));
            if self.needles.are_in(event) {
                // Hidden text must not be found: a match would reveal it.
                let seen = self.visibility.event(event.clone());
                if let Some(event) = seen.filter(|event| self.needles.are_in(event)) {
                    self.rows.push(EventRow::of(&event, self.needles.mask));
                }
            }
            let is_full = self.rows.len() >= self.most_rows;
            if is_full || (self.is_enough() && place + 1 < events.len()) {
                return true;
            }
        }
        false
    }

    fn is_enough(&self) -> bool {
        self.looked_at >= MOST_LOOKED_AT || self.begun.elapsed() > LONGEST
    }
}

/// Search terms, prepared once.
struct PreparedTerms {
    kind: Option<Kind>,
    state: Option<String>,
    call: Option<String>,
    number: Option<Number>,
    text: Option<String>,
    mask: Mask,
}

/// Shortest number that can be searched for where numbers are masked: shorter ones could be guessed digit by digit.
const MANY_DIGITS: usize = 9;

/// A number to look for; an error says why it is not looked for.
pub(super) fn sought_number(number: &str, mask: Mask) -> Result<Number, String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if mask.numbers && digits.len() < MANY_DIGITS {
        return Err(format!(
            "number: numbers are masked here, so write the whole of it, at least {MANY_DIGITS} digits"
        ));
    }
    Ok(number.parse().map_or(Number::Part(digits), Number::Whole))
}

impl Number {
    fn is_in(&self, body: &str) -> bool {
        match self {
            Self::Whole(number) => number.occurs_in(body.as_bytes()),
            Self::Part(digits) => digits.is_empty() || has_digits(body, digits),
        }
    }
}

impl PreparedTerms {
    fn of(wanted: &SearchTerms, mask: Mask) -> Self {
        Self {
            mask,
            kind: wanted.kind,
            state: wanted.state.as_ref().map(|state| state.to_lowercase()),
            call: wanted.call.clone(),
            number: wanted.number.clone(),
            text: wanted.text.as_ref().map(|text| text.to_lowercase()),
        }
    }

    fn are_in(&self, event: &EventRecord) -> bool {
        if self.kind.is_some_and(|kind| kind != event.kind) {
            return false;
        }
        let body = String::from_utf8_lossy(&event.body);
        self.call
            .as_ref()
            .is_none_or(|call| body.contains(call.as_str()) && is_of_call(event, call))
            && self.number.as_ref().is_none_or(|number| number.is_in(&body))
            && self.text.as_ref().is_none_or(|text| self.shows(&body, text))
            && self
                .state
                .as_ref()
                .is_none_or(|state| is_in_state(event, &body, state))
    }

    /// True if the shown form of a body contains the text. Masked text never matches, because a match would reveal
    /// it.
    fn shows(&self, body: &str, text: &str) -> bool {
        contains(body, text) && (self.mask.is_nothing() || contains(&raw(body, self.mask), text))
    }
}

fn is_in_state(event: &EventRecord, body: &str, state: &str) -> bool {
    // A state is a word of the payload; only what is said where there is none has a space.
    let is_possible = state.contains(' ') || contains(body, state);
    is_possible
        && Summary::of(event.kind, &event.body, Mask::NOTHING)
            .what
            .to_lowercase()
            == state
}

/// Case-insensitive search. `other` is in lower case.
fn contains(text: &str, other: &str) -> bool {
    if !other.is_ascii() {
        return text.to_lowercase().contains(other);
    }
    let (text, other) = (text.as_bytes(), other.as_bytes());
    let Some((first, rest)) = other.split_first() else {
        return true;
    };
    memchr2_iter(*first, first.to_ascii_uppercase(), text).any(|place| {
        let behind = text.get(place + 1..place + other.len());
        behind.is_some_and(|behind| behind.eq_ignore_ascii_case(rest))
    })
}

/// True if the event belongs to the call, message, agent or contact with this id.
fn is_of_call(event: &EventRecord, id: &str) -> bool {
    let is_key = event
        .order_key
        .as_ref()
        .is_some_and(|key| key.as_str().split_once(':').is_some_and(|(_, own)| own == id));
    let Ok(Payload::Call(call)) = Payload::read(event.kind, &event.body) else {
        return is_key;
    };
    let others = [
        &call.master_call_id,
        &call.operator_call_id,
        &call.entry_point_call_id,
    ];
    is_key || others.into_iter().flatten().any(|other| Id::as_str(other) == id)
}

impl SearchTerms {
    /// True if there is any condition.
    pub(super) const fn is_anything(&self) -> bool {
        self.kind.is_some() || self.looks_inside()
    }

    /// True if payloads must be read for it.
    pub(super) const fn looks_inside(&self) -> bool {
        self.state.is_some() || self.call.is_some() || self.number.is_some() || self.text.is_some()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use switchhook_domain::Timestamp;
    use switchhook_domain::id::{CompanyId, EventId};

    use super::*;

    const BODY: &str = r#"{"call_id":11,"master_call_id":22,"state":"hangup","contact":{"phone":"+12025550101","name":"Ann Lee"}}"#;

    fn event() -> EventRecord {
        EventRecord {
            id: EventId(1),
            company_id: CompanyId(1),
            kind: Kind::Call,
            body: Bytes::from_static(BODY.as_bytes()),
            accepted_at: Timestamp::from_millis(0),
            order_key: None,
            warnings: Vec::new(),
            idempotency_key: None,
            payload_removed: None,
            revision: None,
        }
    }

    #[track_caller]
    fn check(wanted: &SearchTerms, is_found: bool) {
        let event = event();
        let needles = PreparedTerms::of(wanted, Mask::NOTHING);
        assert_eq!(needles.are_in(&event), is_found, "{wanted:?}");
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_slow_disk_is_asked_for_less_at_a_time() {
        let slow = QUICK * 2;
        assert_eq!(at_once_after(200, slow), 100);
        assert_eq!(at_once_after(50, slow), 50);
        assert_eq!(at_once_after(200, Duration::ZERO), 400);
        assert_eq!(at_once_after(800, Duration::ZERO), 800);
    }

    #[test]
    fn everything_that_is_asked_for_must_be_there() {
        let wanted = SearchTerms::default();
        check(&wanted, true);
        check(
            &SearchTerms {
                state: some("Hangup"),
                ..SearchTerms::default()
            },
            true,
        );
        check(
            &SearchTerms {
                state: some("hang"),
                ..SearchTerms::default()
            },
            false,
        );
        check(
            &SearchTerms {
                number: sought_number("(202) 555-0101", Mask::NOTHING).ok(),
                ..SearchTerms::default()
            },
            true,
        );
        check(
            &SearchTerms {
                call: some("22"),
                ..SearchTerms::default()
            },
            true,
        );
        check(
            &SearchTerms {
                call: some("2025550101"),
                ..SearchTerms::default()
            },
            false,
        );
        check(
            &SearchTerms {
                text: some("ann lee"),
                ..SearchTerms::default()
            },
            true,
        );
        let both = SearchTerms {
            text: some("ann"),
            state: some("ringing"),
            ..SearchTerms::default()
        };
        check(&both, false);
    }

    #[test]
    fn letters_are_found_large_and_small_wherever_they_stand() {
        for (text, other, is_in) in [
            ("Ann Lee", "ann lee", true),
            ("Ann Lee", "lee", true),
            ("Ann Lee", "leer", false),
            ("Ann", "", true),
            ("", "a", false),
            ("aab", "ab", true),
            ("ÜBER", "über", true),
            ("Über Ann", "ann", true),
        ] {
            assert_eq!(contains(text, other), is_in, "{other} in {text}");
        }
    }

    #[test]
    fn a_masked_number_cannot_be_found_out_by_searching_for_parts_of_it() {
        let mask = Mask {
            numbers: true,
            text: false,
        };
        assert!(sought_number("0101", mask).is_err());
        assert_eq!(
            sought_number("+1 (202) 555-0101", mask),
            Ok(Number::Whole("+12025550101".parse().unwrap()))
        );
        assert_eq!(
            sought_number("(202) 555-0101", mask),
            Ok(Number::Part("2025550101".to_owned()))
        );
        let event = event();
        let finds = |text: &str| {
            let wanted = SearchTerms {
                text: some(text),
                ..SearchTerms::default()
            };
            PreparedTerms::of(&wanted, mask).are_in(&event)
        };
        assert!(finds("Ann Lee") && finds("01\""));
        assert!(!finds("5550101"));
    }
}
