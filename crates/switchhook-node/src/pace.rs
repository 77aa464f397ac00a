//! Pace of simulated events: each when it is due in accelerated time, or as fast as they are taken.

use std::iter::Peekable;
use std::str::FromStr;

use switchhook_domain::Timestamp;
use switchhook_simulator::Sending;
use tokio::time::{Duration, Instant, sleep_until};

/// Speed of simulated time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// So many times as fast as ours; 1 is real time.
    Times(u32),
    /// As fast as events are taken.
    Max,
}

impl Speed {
    /// Real time for a simulated duration.
    #[must_use]
    pub fn real(self, simulated: Duration) -> Duration {
        match self {
            Self::Times(factor) => simulated / factor.max(1),
            Self::Max => Duration::ZERO,
        }
    }
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.to_ascii_lowercase();
        match text.as_str() {
            "real" => Ok(Self::Times(1)),
            "max" => Ok(Self::Max),
            other => match other.strip_suffix('x').unwrap_or(other).parse() {
                Ok(factor) if factor > 0 => Ok(Self::Times(factor)),
                _ => Err("a speed is real, max, or a factor like 60x".to_owned()),
            },
        }
    }
}

/// Events that come when they are due.
pub struct Paced<I: Iterator<Item = Sending>> {
    events: Peekable<I>,
    start: Timestamp,
    begun: Instant,
    speed: Speed,
}

impl<I: Iterator<Item = Sending>> Paced<I> {
    /// `start` of the company's time is now.
    pub fn new(events: I, start: Timestamp, speed: Speed) -> Self {
        Self {
            events: events.peekable(),
            start,
            begun: Instant::now(),
            speed,
        }
    }

    /// Waits until at least one event is due, and answers all that are, at most `most`; `None` when there are no more.
    pub async fn next_due(&mut self, most: usize) -> Option<Vec<Sending>> {
        let first_at = self.next_at()?;
        sleep_until(first_at).await;
        let now = Instant::now();
        let mut due = Vec::new();
        while due.len() < most && self.next_at().is_some_and(|at| at <= now) {
            due.extend(self.events.next());
        }
        Some(due)
    }

    /// Real time at which the next event is due.
    fn next_at(&mut self) -> Option<Instant> {
        let at = self.events.peek()?.event.at;
        Some(self.begun + self.speed.real(at.since(self.start)))
    }
}

#[cfg(test)]
mod tests {
    use switchhook_simulator::{Dialect, Faults, FaultyStream, Scenario};

    use super::*;

    fn paced(speed: Speed) -> Paced<impl Iterator<Item = Sending>> {
        let scenario = Scenario::find("inbound-answered").expect("it is one of them");
        let start = Timestamp::from_millis(1_795_420_800_000);
        let events = scenario.play(1, start, Dialect::Asyncapi);
        Paced::new(
            FaultyStream::new(events.into_iter(), Faults::none(), 1),
            start,
            speed,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn events_come_when_they_are_due() {
        let begun = Instant::now();
        let mut paced = paced(Speed::Times(2));
        for expected in [0, 2, 23] {
            let due = paced.next_due(10).await.expect("there are three");
            assert_eq!(due.len(), 1);
            assert_eq!(begun.elapsed().as_secs(), expected);
        }
        assert!(paced.next_due(10).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn as_fast_as_possible_is_at_once() {
        let begun = Instant::now();
        let due = paced(Speed::Max).next_due(2).await.expect("there are three");
        assert_eq!(due.len(), 2);
        assert!(begun.elapsed().is_zero());
    }

    #[test]
    fn speeds_are_written_as_people_say_them() {
        assert_eq!("real".parse(), Ok(Speed::Times(1)));
        assert_eq!("60x".parse(), Ok(Speed::Times(60)));
        assert_eq!("60".parse(), Ok(Speed::Times(60)));
        assert_eq!("MAX".parse(), Ok(Speed::Max));
        for wrong in ["", "x", "0x", "-1", "fast", "ma"] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }
}
