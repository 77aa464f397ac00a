//! Order within a leg, for those who ask for it: events wait a moment for the ones that should have come before them.
//! Switchhook keeps that order itself; Dialpad does not, and a `ringing` that comes after its `hangup` leaves a record
//! stuck. Store an event before you answer; put it in order afterwards.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use switchhook_protocol::{CallState, Timestamp};

use crate::received::Received;

/// Puts the call events of each leg in the order in which they were made. Everything else passes at once.
#[derive(Debug)]
pub struct LegOrder {
    patience: Duration,
    max_waiting: usize,
    /// By when they are let go, then in the order they came.
    waiting: BTreeMap<(Timestamp, u64), Waiting>,
    /// The newest place that was let go of each leg.
    passed: HashMap<String, Place>,
    /// The legs of `passed`, longest known first.
    known: VecDeque<String>,
    count: u64,
}

/// Time at which an event was made, and for events of one instant the stage of the call.
type Place = (Timestamp, u8);

#[derive(Debug)]
struct Waiting {
    event: Received,
    leg: Option<(String, Place)>,
}

/// An event whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ordered {
    /// The event.
    pub event: Received,
    /// True if a newer event of this leg was released before: do not take its state over.
    pub is_late: bool,
}

impl LegOrder {
    /// Events wait for `patience`, and no more than `max_waiting` of them: beyond that the first ones go early.
    #[must_use]
    pub fn new(patience: Duration, max_waiting: usize) -> Self {
        Self {
            patience,
            max_waiting,
            waiting: BTreeMap::new(),
            passed: HashMap::new(),
            known: VecDeque::new(),
            count: 0,
        }
    }

    /// Lets an event wait for its turn.
    pub fn add(&mut self, event: Received, now: Timestamp) {
        self.count += 1;
        let leg = leg_of(&event);
        let until = if leg.is_some() {
            now.plus(self.patience)
        } else {
            now
        };
        self.waiting.insert((until, self.count), Waiting { event, leg });
    }

    /// Time to ask again with [`LegOrder::next`]; `None` if nothing waits.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        self.waiting.keys().next().map(|(until, _)| *until)
    }

    /// The next event whose turn it is at this time. Of a leg whose event is due, the oldest one goes first, even if it
    /// came later.
    pub fn next(&mut self, now: Timestamp) -> Option<Ordered> {
        let (&(until, count), first) = self.waiting.iter().next()?;
        if until > now && self.waiting.len() <= self.max_waiting {
            return None;
        }
        let Some((leg, _)) = &first.leg else {
            return self.let_go((until, count));
        };
        let same_leg = self.waiting.iter().filter_map(|(key, waiting)| {
            let (other, place) = waiting.leg.as_ref()?;
            (other == leg).then_some((*place, *key))
        });
        let oldest = same_leg.min().map_or((until, count), |(_, key)| key);
        self.let_go(oldest)
    }

    fn let_go(&mut self, key: (Timestamp, u64)) -> Option<Ordered> {
        let Waiting { event, leg } = self.waiting.remove(&key)?;
        let is_late = leg.is_some_and(|(leg, place)| self.pass(leg, place));
        Some(Ordered { event, is_late })
    }

    /// Notes that the leg has come to this place; whether it was further already.
    fn pass(&mut self, leg: String, place: Place) -> bool {
        const MAX_KNOWN: usize = 100_000;
        match self.passed.get_mut(&leg) {
            Some(newest) if *newest > place => true,
            Some(newest) => {
                *newest = place;
                false
            }
            None => {
                self.known.push_back(leg.clone());
                self.passed.insert(leg, place);
                if self.known.len() > MAX_KNOWN {
                    let forgotten = self.known.pop_front();
                    forgotten.and_then(|leg| self.passed.remove(&leg));
                }
                false
            }
        }
    }
}

fn leg_of(event: &Received) -> Option<(String, Place)> {
    let call = event.call().ok()?;
    let leg = call.call_id?.to_string();
    let state = call.state.and_then(|state| state.known());
    Some((leg, (call.event_timestamp?, state.map_or(MIDDLE, stage))))
}

const MIDDLE: u8 = 2;

/// Stage of a call in a state, for events of the same instant.
fn stage(state: CallState) -> u8 {
    match state {
        CallState::Calling | CallState::Queued | CallState::Ringing => 0,
        CallState::Preanswer => 1,
        CallState::Missed | CallState::Voicemail | CallState::Blocked => 3,
        CallState::Hangup => 4,
        CallState::VoicemailUploaded
        | CallState::Recording
        | CallState::AdminRecording
        | CallState::Transcription
        | CallState::CallTranscription => 5,
        CallState::RecapSummary
        | CallState::RecapOutcome
        | CallState::RecapPurposes
        | CallState::RecapActionItems
        | CallState::AiPlaybook
        | CallState::Csat
        | CallState::Pcsat
        | CallState::Dispositions
        | CallState::Postcall => 6,
        _ => MIDDLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Receiver;

    fn event(body: &str) -> Received {
        let receiver = Receiver::builder()
            .build()
            .expect("there is no secret to be wrong");
        receiver.receive(body.as_bytes()).expect("it is an event")
    }

    fn leg(leg: u8, state: &str, at: i64) -> Received {
        event(&format!(
            r#"{{"call_id":{leg},"state":"{state}","event_timestamp":{at}}}"#
        ))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn all(order: &mut LegOrder, now: Timestamp) -> Vec<(String, bool)> {
        let next = || {
            order
                .next(now)
                .map(|ordered| (ordered.event.summary(), ordered.is_late))
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn what_came_too_early_waits_for_what_was_before_it() {
        let mut order = LegOrder::new(Duration::from_secs(2), 100);
        order.add(leg(1, "hangup", 30), at(0));
        order.add(leg(2, "ringing", 20), at(500));
        order.add(leg(1, "ringing", 10), at(1_000));
        assert_eq!(order.due_at(), Some(at(2_000)));
        assert_eq!(all(&mut order, at(1_999)), []);
        let went = all(&mut order, at(2_000));
        assert_eq!(
            went,
            [
                ("ringing ? call 1".to_owned(), false),
                ("hangup ? call 1".to_owned(), false)
            ]
        );
        assert_eq!(
            all(&mut order, at(2_500)),
            [("ringing ? call 2".to_owned(), false)]
        );
        order.add(leg(1, "connected", 20), at(3_000));
        assert_eq!(
            all(&mut order, at(5_000)),
            [("connected ? call 1".to_owned(), true)]
        );
        assert_eq!(order.due_at(), None);
    }

    #[test]
    fn events_of_one_instant_follow_the_course_of_a_call() {
        let mut order = LegOrder::new(Duration::ZERO, 100);
        for state in ["recording", "hangup", "connected", "ringing"] {
            order.add(leg(1, state, 5), at(0));
        }
        let states: Vec<String> = all(&mut order, at(0))
            .into_iter()
            .map(|(state, _)| state)
            .collect();
        let expected = ["ringing", "connected", "hangup", "recording"];
        assert_eq!(states, expected.map(|state| format!("{state} ? call 1")));
    }

    #[test]
    fn what_has_no_leg_does_not_wait_and_too_many_do_not_either() {
        let mut order = LegOrder::new(Duration::from_secs(2), 2);
        order.add(event(r#"{"on_duty_status":"busy"}"#), at(0));
        assert_eq!(all(&mut order, at(0)), [("agent is busy".to_owned(), false)]);
        for minute in 0..3 {
            order.add(leg(1, "hold", minute), at(0));
        }
        assert_eq!(all(&mut order, at(0)).len(), 1);
    }
}
