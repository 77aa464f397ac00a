//! Things that go wrong between a phone company and a receiver, on purpose: some with the order and the time of events
//! (`fault/stream`), some with the requests that carry them (`wire`). Here: what there is, and how often it happens.

mod stream;

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use switchhook_protocol::{quoted, spelled_enum};

pub use self::stream::{FaultyStream, Sending};
use crate::rng::Rng;

spelled_enum! {
    /// Something that goes wrong.
    pub enum Fault: "fault" {
        /// The event comes again, up to [`Self::DUPLICATE_WITHIN_MS`] later.
        Duplicate = "duplicate",
        /// The event changes places with the next one of its story.
        Reorder = "reorder",
        /// The event comes late by [`Self::DELAY_MS`].
        Delay = "delay",
        /// Nothing comes for [`Self::BURST_MS`], then everything at once.
        Burst = "burst",
        /// The beginning of a leg comes after its end.
        LateLeg = "late-leg",
        /// The signature does not hold: made with another secret, over other bytes, or left out (`alg: none`).
        BadSignature = "bad-signature",
        /// Signed with the secret of before a rotation.
        OldSecret = "old-secret",
        /// The right body under the wrong label.
        WrongContentType = "wrong-content-type",
        /// The body breaks off.
        Truncated = "truncated",
    }
}

impl Fault {
    /// Longest time between an event and its duplicate, in milliseconds.
    pub const DUPLICATE_WITHIN_MS: u64 = 20_000;

    /// Shortest and longest delay of an event, in milliseconds.
    pub const DELAY_MS: RangeInclusive<u64> = 5_000..=60_000;

    /// Time for which a burst holds events back, in milliseconds.
    pub const BURST_MS: u64 = 10_000;

    /// True if it concerns the request and not the event.
    #[must_use]
    pub const fn is_about_the_request(self) -> bool {
        matches!(
            self,
            Self::BadSignature | Self::OldSecret | Self::WrongContentType | Self::Truncated
        )
    }

    /// True if it needs a secret.
    #[must_use]
    pub const fn needs_a_secret(self) -> bool {
        matches!(self, Self::BadSignature | Self::OldSecret)
    }
}

/// Frequency of each fault.
///
/// ```
/// use switchhook_simulator::{Fault, Faults};
///
/// let faults: Faults = "duplicate=0.05,bad-signature=1".parse()?;
/// assert_eq!(faults, Faults::none().with(Fault::Duplicate, 50_000).with(Fault::BadSignature, 1_000_000));
/// assert!("gremlins=0.5".parse::<Faults>().is_err());
/// assert!("delay=1.5".parse::<Faults>().is_err());
/// # Ok::<(), switchhook_simulator::InvalidFaults>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    millionths: [u32; Fault::ALL.len()],
}

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// That happens to so many of a million events.
    #[must_use]
    pub fn with(mut self, fault: Fault, millionths: u32) -> Self {
        self.millionths[fault as usize] = millionths.min(MILLION);
        self
    }

    /// To how many of a million events that happens.
    #[must_use]
    pub const fn millionths(&self, fault: Fault) -> u32 {
        self.millionths[fault as usize]
    }

    /// Faults with a probability above zero.
    pub fn chosen(&self) -> impl Iterator<Item = Fault> {
        let millionths = self.millionths;
        Fault::ALL
            .into_iter()
            .filter(move |fault| millionths[*fault as usize] > 0)
    }

    /// Fault of the next event; at most one.
    fn roll(&self, rng: &mut Rng, can_be_late: bool) -> Option<Fault> {
        self.chosen().find(|fault| {
            let is_hit = rng.between(1..=MILLION.into()) <= self.millionths(*fault).into();
            is_hit && (*fault != Fault::LateLeg || can_be_late)
        })
    }
}

const MILLION: u32 = 1_000_000;

/// Reads `duplicate=0.05,reorder=0.1`: each share from 0 to 1.
impl FromStr for Faults {
    type Err = InvalidFaults;

    fn from_str(text: &str) -> Result<Self, InvalidFaults> {
        let mut faults = Self::none();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let invalid = || InvalidFaults {
                given: quoted(part.trim()).into_owned(),
            };
            let (name, share) = part.split_once('=').ok_or_else(invalid)?;
            let fault: Fault = name.trim().parse().map_err(|_| invalid())?;
            let share: f64 = share.trim().parse().map_err(|_| invalid())?;
            if !(0.0..=1.0).contains(&share) {
                return Err(invalid());
            }
            faults = faults.with(fault, (share * f64::from(MILLION)).round() as u32);
        }
        Ok(faults)
    }
}

/// A text that does not say what goes wrong how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidFaults {
    given: String,
}

impl fmt::Display for InvalidFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Fault::ALL.map(Fault::as_str).join(", ");
        write!(
            f,
            "`{}` is no fault with its share; write duplicate=0.05,reorder=0.1 with shares from 0 to 1. Faults are: {names}",
            self.given
        )
    }
}

impl std::error::Error for InvalidFaults {}
