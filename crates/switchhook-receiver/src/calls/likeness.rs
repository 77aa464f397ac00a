//! Likeness of legs that no id links: caller, line and time. That is a weaker tie: two calls of one person to one
//! line within a minute look the same.

use std::time::Duration;

use switchhook_protocol::{CallEvent, Contact, Direction, Target, Timestamp, Word};

/// The fewest digits of a number that somebody calls from or to: shorter ones are extensions, which many have.
const FEWEST_DIGITS: usize = 7;

/// By what a leg can be known as one of a call's, weaker than by an id.
///
/// Real accounts send legs of one missed call that share no id: the leg of the office and that of the person whose
/// telephone rang, say. Whether they are one call can only be guessed.
///
/// ```
/// use switchhook_receiver::{Kind, Likeness, Payload};
///
/// let likeness = |body: &str| {
///     let Ok(Payload::Call(call)) = Payload::read(Kind::Call, body.as_bytes()) else { unreachable!() };
///     Likeness::of(&call).expect("it says who calls, on which line, and when")
/// };
/// let office = likeness(
///     r#"{"call_id": 1, "external_number": "+15415550102", "internal_number": "+15415550103", "date_started": 1795624039404}"#,
/// );
/// let person = likeness(
///     r#"{"call_id": 2, "contact": {"phone": "+15415550102"}, "target": {"phone": "(541) 555-0199"},
///         "entry_point_target": {"phone": "+15415550103"}, "date_started": 1795624041000}"#,
/// );
/// assert!(office.may_be_one_call_with(&person));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    pub(super) caller: String,
    pub(super) lines: Vec<String>,
    pub(super) began_at: Timestamp,
    direction: Option<Direction>,
}

impl Likeness {
    /// Longest time between the starts of two legs of one call.
    pub const WITHIN: Duration = Duration::from_secs(60);

    /// Likeness of an event's leg; `None` if the event lacks the caller, the line or the time.
    #[must_use]
    pub fn of(event: &CallEvent<'_>) -> Option<Self> {
        let contact = event.contact.as_ref().and_then(Contact::any_phone);
        let external = event.external_number.as_deref();
        let caller = [external, contact].into_iter().flatten().find_map(digits)?;
        let targets = [&event.target, &event.entry_point_target, &event.proxy_target];
        let targets = targets.into_iter().flatten().filter_map(Target::any_phone);
        let mut lines: Vec<String> = Vec::with_capacity(4);
        for line in event
            .internal_number
            .as_deref()
            .into_iter()
            .chain(targets)
            .filter_map(digits)
        {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        (!lines.is_empty()).then_some(Self {
            caller,
            lines,
            began_at: event.date_started.or(event.event_timestamp)?,
            direction: event.direction.as_ref().and_then(Word::known),
        })
    }

    /// True if both may be legs of one call: the same caller, the same line, within 60 seconds.
    #[must_use]
    pub fn may_be_one_call_with(&self, other: &Self) -> bool {
        let apart = self.began_at.as_millis().abs_diff(other.began_at.as_millis());
        let is_against = |direction: Direction| other.direction.is_some_and(|other| other != direction);
        self.caller == other.caller
            && self.lines.iter().any(|line| other.lines.contains(line))
            && u128::from(apart) <= Self::WITHIN.as_millis()
            && !self.direction.is_some_and(is_against)
    }
}

/// A number's last eight digits, so that one with its country code is the same as one without: before them may stand a
/// trunk's zero (`01 42 68 53 00` is `+33142685300`), and in many countries numbers have no more.
fn digits(number: &str) -> Option<String> {
    const MOST_DIGITS: usize = 8;
    let digits = || number.bytes().rev().filter(u8::is_ascii_digit);
    let is_number = digits().take(FEWEST_DIGITS).count() == FEWEST_DIGITS;
    is_number.then(|| digits().take(MOST_DIGITS).map(char::from).collect())
}
