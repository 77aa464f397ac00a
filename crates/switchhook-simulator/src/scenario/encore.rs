//! A scenario played again and again, with another caller each time.

use std::time::Duration;

use switchhook_protocol::Timestamp;

use super::Scenario;
use crate::agenda::Agenda;
use crate::dialect::Dialect;
use crate::event::SimulatedEvent;

/// The events of all plays, by time. Endless, unless the scenario has no event in the dialect.
#[derive(Clone, Debug)]
pub struct Encore {
    scenario: Scenario,
    dialect: Dialect,
    gap: Duration,
    next_seed: u64,
    next_start: Timestamp,
    /// Number of stories in earlier plays.
    stories: u64,
    agenda: Agenda<SimulatedEvent>,
}

impl Scenario {
    /// Plays it again and again, the beginnings `gap` apart (a millisecond at least); plays may overlap. Each play has
    /// a seed of its own, so that the calls of two plays are different ones.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchhook_protocol::Timestamp;
    /// use switchhook_simulator::{Dialect, Scenario};
    ///
    /// let scenario = Scenario::find("outbound-answered").expect("it is one of them");
    /// let start = Timestamp::from_millis(1_795_420_800_000);
    /// let calls = scenario.encore(7, start, Dialect::Asyncapi, Duration::from_secs(1));
    /// assert!(calls.take(1_000).is_sorted_by_key(|event| event.at));
    /// ```
    #[must_use]
    pub fn encore(&self, seed: u64, start: Timestamp, dialect: Dialect, gap: Duration) -> Encore {
        Encore {
            scenario: *self,
            dialect,
            gap: gap.max(Duration::from_millis(1)),
            next_seed: seed,
            next_start: start,
            stories: 0,
            agenda: Agenda::new(),
        }
    }
}

impl Encore {
    fn play(&mut self) {
        let mut last_story = 0;
        for mut event in self.scenario.play(self.next_seed, self.next_start, self.dialect) {
            last_story = event.story.max(last_story);
            event.story += self.stories;
            self.agenda.enter(event.at, event);
        }
        self.stories += last_story;
        self.next_seed = self.next_seed.wrapping_add(1);
        self.next_start = self.next_start.plus(self.gap);
    }
}

impl Iterator for Encore {
    type Item = SimulatedEvent;

    fn next(&mut self) -> Option<SimulatedEvent> {
        while self.agenda.next_at().is_none_or(|at| at >= self.next_start) {
            let before = self.stories;
            self.play();
            if self.stories == before {
                return None;
            }
        }
        self.agenda.next().map(|(_, event)| event)
    }
}
