//! A stream of events with things going wrong: some come again, some late, some in another order.

use std::collections::BTreeMap;
use std::iter::Peekable;

use switchhook_protocol::Timestamp;

use super::{Fault, Faults};
use crate::agenda::{Agenda, Place};
use crate::event::SimulatedEvent;
use crate::rng::Rng;
use crate::simulation::later;

/// An event on its way to a receiver, and what goes wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    /// The event; its `at` is when it is sent, whatever its body says.
    pub event: SimulatedEvent,
    /// Its number in the stream, from 1; what comes again has the same.
    pub number: u64,
    /// Fault of the event.
    pub fault: Option<Fault>,
}

/// A stream of events with things going wrong. Ordered by when each is sent, at most one fault to an event.
///
/// ```
/// use switchhook_protocol::Timestamp;
/// use switchhook_simulator::{Fault, Faults, FaultyStream, Simulation};
///
/// let events = Simulation::new(7, Timestamp::from_millis(1_795_420_800_000)).take(100);
/// let faults = Faults::none().with(Fault::Duplicate, 500_000);
/// let sent: Vec<_> = FaultyStream::new(events, faults, 7).collect();
/// assert!(sent.len() > 120);
/// assert!(sent.is_sorted_by_key(|sending| sending.event.at));
/// ```
#[derive(Clone, Debug)]
pub struct FaultyStream<I: Iterator<Item = SimulatedEvent>> {
    events: Peekable<I>,
    faults: Faults,
    rng: Rng,
    numbered: u64,
    agenda: Agenda<Sending>,
    /// Events that wait for the next event of a story, or for the end of a leg.
    waiting_for_story: BTreeMap<u64, Place>,
    waiting_for_end: BTreeMap<i64, Place>,
    /// Until when nothing gets through.
    burst_at: Option<Timestamp>,
}

impl<I: Iterator<Item = SimulatedEvent>> FaultyStream<I> {
    /// Lets things go wrong with `events`, the same ones for the same seed.
    pub fn new(events: I, faults: Faults, seed: u64) -> Self {
        Self {
            events: events.peekable(),
            faults,
            rng: Rng::new(seed ^ 0x5eed_fa17),
            numbered: 0,
            agenda: Agenda::new(),
            waiting_for_story: BTreeMap::new(),
            waiting_for_end: BTreeMap::new(),
            burst_at: None,
        }
    }

    fn take_in(&mut self, event: SimulatedEvent) {
        self.numbered += 1;
        let (at, story, subject) = (event.at, event.story, event.subject);
        let ends_leg = event.step == "hangup";
        let begins_leg = matches!(event.step, "ringing" | "calling");
        let fault = if self.is_held_back(at) {
            Some(Fault::Burst)
        } else {
            self.faults.roll(&mut self.rng, begins_leg)
        };
        let sending = Sending {
            event,
            number: self.numbered,
            fault,
        };
        match fault {
            Some(Fault::Duplicate) => {
                let again_at = later(at, self.rng.between(0..=Fault::DUPLICATE_WITHIN_MS));
                let first = Sending {
                    fault: None,
                    ..sending.clone()
                };
                self.send_at(at, first);
                self.send_at(again_at, sending);
            }
            Some(Fault::Delay) => {
                let late_at = later(at, self.rng.between(Fault::DELAY_MS));
                self.send_at(late_at, sending);
            }
            Some(Fault::Reorder) => {
                let place = self.send_at(later(at, LONGEST_WAIT_MS), sending);
                if let Some(other) = self.waiting_for_story.insert(story, place) {
                    self.release(other, at);
                }
                // Whoever waited for this one goes before it now; this one waits itself.
                return;
            }
            Some(Fault::LateLeg) => {
                let place = self.send_at(later(at, LONGEST_CALL_MS), sending);
                self.waiting_for_end.insert(subject, place);
            }
            Some(Fault::Burst) => {
                let burst_at = *self.burst_at.get_or_insert(later(at, Fault::BURST_MS));
                self.send_at(burst_at, sending);
            }
            _ => _ = self.send_at(at, sending),
        }
        if let Some(place) = self.waiting_for_story.remove(&story) {
            self.release(place, at);
        }
        if ends_leg && let Some(place) = self.waiting_for_end.remove(&subject) {
            let late_at = later(at, self.rng.between(200..=3_000));
            self.release(place, late_at);
        }
    }

    fn is_held_back(&mut self, at: Timestamp) -> bool {
        if self.burst_at.is_some_and(|burst_at| burst_at <= at) {
            self.burst_at = None;
        }
        self.burst_at.is_some()
    }

    fn send_at(&mut self, at: Timestamp, mut sending: Sending) -> Place {
        sending.event.at = at;
        self.agenda.enter(at, sending)
    }

    /// Releases what waited, to be sent at that time.
    fn release(&mut self, place: Place, at: Timestamp) {
        if let Some(sending) = self.agenda.take(place) {
            self.send_at(at, sending);
        }
    }
}

/// Longest wait for the next event of a story.
const LONGEST_WAIT_MS: u64 = 60_000;

/// Longest wait for the end of a leg.
const LONGEST_CALL_MS: u64 = 600_000;

impl<I: Iterator<Item = SimulatedEvent>> Iterator for FaultyStream<I> {
    type Item = Sending;

    fn next(&mut self) -> Option<Sending> {
        loop {
            let next_in = self.events.peek().map(|event| event.at);
            match (self.agenda.next_at(), next_in) {
                // Nothing that comes in any more can be sent before it.
                (Some(out_at), Some(in_at)) if out_at < in_at => break,
                (Some(_), None) => break,
                (None, None) => return None,
                _ => {
                    let event = self.events.next()?;
                    self.take_in(event);
                }
            }
        }
        self.agenda.next().map(|(_, sending)| sending)
    }
}

#[cfg(test)]
mod tests {
    use switchhook_protocol::Kind;

    use super::*;
    use crate::fault::MILLION;

    fn event(at: i64, story: u64, step: &'static str) -> SimulatedEvent {
        SimulatedEvent {
            kind: Kind::Call,
            at: Timestamp::from_millis(at),
            story,
            subject: story as i64,
            step,
            body: step.to_owned(),
        }
    }

    fn call() -> Vec<SimulatedEvent> {
        let steps = ["ringing", "connected", "hangup", "recording"];
        (0..)
            .zip(steps)
            .map(|(i, step)| event(i * 1_000, 1, step))
            .collect()
    }

    #[track_caller]
    fn check(fault: Fault, expected: &[&str]) {
        let faults = Faults::none().with(fault, MILLION);
        let sent: Vec<_> = FaultyStream::new(call().into_iter(), faults, 1).collect();
        assert!(sent.is_sorted_by_key(|sending| sending.event.at));
        let steps: Vec<_> = sent.iter().map(|sending| sending.event.step).collect();
        assert_eq!(steps, expected);
    }

    #[test]
    fn without_faults_nothing_changes() {
        let sent: Vec<_> = FaultyStream::new(call().into_iter(), Faults::none(), 1).collect();
        assert!(sent.iter().map(|sending| &sending.event).eq(&call()));
        assert!(sent.iter().map(|sending| sending.number).eq(1..=4));
    }

    #[test]
    fn a_late_leg_rings_after_its_end() {
        let late = &["connected", "hangup"];
        let faults = Faults::none().with(Fault::LateLeg, MILLION);
        let sent: Vec<_> = FaultyStream::new(call().into_iter(), faults, 1).collect();
        assert_eq!(sent[0].event.step, late[0]);
        assert_eq!(sent[1].event.step, late[1]);
        let rings = sent.iter().find(|sending| sending.event.step == "ringing");
        assert_eq!(rings.and_then(|sending| sending.fault), Some(Fault::LateLeg));
        assert_eq!(sent.len(), 4);
    }

    #[test]
    fn a_burst_holds_everything_back_and_keeps_its_order() {
        check(Fault::Burst, &["ringing", "connected", "hangup", "recording"]);
        let faults = Faults::none().with(Fault::Burst, MILLION);
        let sent: Vec<_> = FaultyStream::new(call().into_iter(), faults, 1).collect();
        assert!(
            sent.iter()
                .all(|sending| sending.event.at == Timestamp::from_millis(10_000))
        );
    }

    #[test]
    fn what_is_reordered_changes_places_with_its_successor() {
        let mut faulty = FaultyStream::new(call().into_iter(), Faults::none(), 1);
        faulty.faults = Faults::none().with(Fault::Reorder, MILLION);
        // Only the first: the fault is switched off once it has happened.
        let first = faulty.events.next().expect("there are four");
        faulty.take_in(first);
        faulty.faults = Faults::none();
        let steps: Vec<_> = faulty.map(|sending| sending.event.step).collect();
        assert_eq!(steps, ["connected", "ringing", "hangup", "recording"]);
    }

    #[test]
    fn nothing_is_lost_and_only_duplicates_are_added() {
        let all =
            "duplicate=0.1,reorder=0.1,delay=0.1,burst=0.02,late-leg=0.2,bad-signature=0.1,truncated=0.1";
        let faults: Faults = all.parse().expect("it is a list of faults");
        let start = Timestamp::from_millis(1_795_420_800_000);
        let events: Vec<_> = crate::Simulation::new(3, start).take(3_000).collect();
        let sent: Vec<_> = FaultyStream::new(events.iter().cloned(), faults, 3).collect();
        assert!(sent.is_sorted_by_key(|sending| sending.event.at));
        let mut bodies: Vec<_> = sent
            .iter()
            .filter(|sending| sending.fault != Some(Fault::Duplicate))
            .map(|sending| sending.event.body.as_str())
            .collect();
        let mut expected: Vec<_> = events.iter().map(|event| event.body.as_str()).collect();
        bodies.sort_unstable();
        expected.sort_unstable();
        assert_eq!(bodies, expected);
        for fault in faults.chosen() {
            assert!(sent.iter().any(|sending| sending.fault == Some(fault)), "{fault}");
        }
    }
}
