//! What the answers of a receiver mean. Pure: observations in, findings out.

use std::time::Duration;

use super::finding::{Finding, Found};
use super::probe::{Probe, Shape, Way};

/// How a receiver answered a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Status(u16),
    TimedOut,
    /// The connection ended without an answer.
    CutOff(String),
}

/// A request, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observation {
    pub(super) way: Way,
    pub(super) probe: Probe,
    pub(super) seen: Seen,
    /// How much the receiver had stored after it, where it tells.
    pub(super) count: Option<i64>,
}

/// What was known beforehand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) is_signed: bool,
    pub(super) timeout: Duration,
    pub(super) counts: bool,
}

impl Seen {
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::Status(200..=299))
    }

    fn is_failure(&self) -> bool {
        matches!(self, Self::Status(500..) | Self::CutOff(_))
    }

    fn in_words(&self) -> String {
        match self {
            Self::Status(status) => format!("answered with {status}"),
            Self::TimedOut => "not answered in time".to_owned(),
            Self::CutOff(_) => "not answered: the connection ended".to_owned(),
        }
    }
}

/// Everything that is wrong, the worst first.
pub(super) fn judge(observations: &[Observation], setup: &Setup) -> Vec<Found> {
    let all = All { observations, setup };
    let mut found = Vec::new();
    found.extend(all.speed());
    found.extend(all.redirects());
    found.extend(all.way_in());
    found.extend(all.shapes());
    found.extend(all.other_kinds());
    found.extend(all.repeats());
    found.extend(all.effects());
    found.extend(all.forgeries());
    found
}

struct All<'a> {
    observations: &'a [Observation],
    setup: &'a Setup,
}

impl All<'_> {
    fn speed(&self) -> Option<Found> {
        let seen = self.told(|one| one.seen == Seen::TimedOut);
        let says = format!(
            "It does not answer within {} ms; Dialpad gives up after 5 s and tries twice more.",
            self.setup.timeout.as_millis()
        );
        found_if(Finding::TooSlow, says, seen)
    }

    fn redirects(&self) -> Option<Found> {
        let seen = self.told(|one| matches!(one.seen, Seen::Status(300..=399)) && is_genuine(one.probe));
        let says = "It redirects. Dialpad and Switchhook follow no redirect: the event is lost.";
        found_if(Finding::Redirects, says, seen)
    }

    /// Whether a genuine event gets in as it is sent, and if not, what else does.
    fn way_in(&self) -> Vec<Found> {
        let Some(first) = self.observations.first() else {
            return Vec::new();
        };
        let is_explained = !matches!(first.seen, Seen::Status(400..) | Seen::CutOff(_));
        let seen = || vec![told(first)];
        match self.way() {
            Some(Way::AsDialpad) => Vec::new(),
            Some(Way::Header(name, _)) => {
                let says = format!(
                    "It refuses what Dialpad sends, and accepts an event with a signature in the header {name}, which Dialpad \
                     never sends: the signature is in the body."
                );
                found_if(Finding::WaitsForAHeader, says, seen())
                    .into_iter()
                    .collect()
            }
            Some(Way::Labelled) => {
                let says =
                    "It accepts only requests with the headers of Switchhook, which Dialpad does not send.";
                found_if(Finding::WaitsForAHeader, says, seen())
                    .into_iter()
                    .collect()
            }
            Some(way) => {
                let says = format!(
                    "It refuses an event as it is sent, {}, and accepts it {}.",
                    in_words(Way::AsDialpad, self.setup.is_signed),
                    in_words(way, self.setup.is_signed)
                );
                found_if(Finding::CannotReadJwt, says, seen())
                    .into_iter()
                    .collect()
            }
            None if is_explained => Vec::new(),
            None => self.nothing_gets_in(first),
        }
    }

    fn nothing_gets_in(&self, first: &Observation) -> Vec<Found> {
        let invented = |one: &&Observation| matches!(one.probe, Probe::Invented(_)) && one.seen.is_taken();
        let Some(invented) = self.observations.iter().find(invented) else {
            let says = "It refuses every genuine event, in whatever way it comes. Does it have this secret?";
            return found_if(Finding::RefusesGenuineEvents, says, vec![told(first)])
                .into_iter()
                .collect();
        };
        let says = "It refuses every genuine event, and accepts one with a name that no phone system sends.";
        let seen = vec![told(first), told(invented)];
        let mut found: Vec<_> = found_if(Finding::InventedNames, says, seen).into_iter().collect();
        match invented.way {
            Way::AllHeaders => {
                let says = "It waits for a header with a signature, which Dialpad never sends: the signature is in the body.";
                found.extend(found_if(Finding::WaitsForAHeader, says, vec![told(invented)]));
            }
            Way::Plain => {
                let says = "It accepts an event that is not signed.";
                found.extend(found_if(Finding::DoesNotVerify, says, vec![told(invented)]));
            }
            _ => {}
        }
        found
    }

    /// Genuine events in the shapes that occur, where one shape is accepted.
    fn shapes(&self) -> Vec<Found> {
        let Some(way) = self.way() else {
            return Vec::new();
        };
        let of = |finding, shape, says: &str| {
            let seen = self.told(|one| one.way == way && one.probe == Probe::Event(shape) && is_refused(one));
            found_if(finding, says, seen)
        };
        let found = [
            of(
                Finding::RefusesMissingFields,
                Shape::Documented,
                "It wants members that not every event has.",
            ),
            of(
                Finding::RefusesNulls,
                Shape::Nulls,
                "It refuses null, {} and [], which genuine events have for what is absent.",
            ),
            of(
                Finding::RefusesUnknownFields,
                Shape::MoreMembers,
                "It refuses members that it does not know; genuine events have many.",
            ),
            of(
                Finding::RefusesUnknownStates,
                Shape::NewState,
                "It refuses a state that it does not know; new ones come.",
            ),
            of(
                Finding::RefusesFractions,
                Shape::Fractions,
                "It refuses durations with a fraction; genuine ones are milliseconds such as 8951.03.",
            ),
            of(
                Finding::RefusesLargeIds,
                Shape::LargeIds,
                "It refuses an id of more than 53 bits.",
            ),
        ];
        found.into_iter().flatten().collect()
    }

    fn other_kinds(&self) -> Option<Found> {
        let seen = self.told(|one| matches!(one.probe, Probe::Kind(_)) && is_refused(one));
        let says = "It does not answer 2xx to kinds of events that it does not use. Dialpad takes a 4xx for lost, and Switchhook \
                    tries for days.";
        found_if(Finding::RefusesOtherKinds, says, seen)
    }

    fn repeats(&self) -> Vec<Found> {
        let refused = self.told(|one| matches!(one.probe, Probe::Repeat(_)) && is_refused(one));
        let says =
            "It does not answer 2xx to an event that it has had before, so that it comes again and again.";
        let refused = found_if(Finding::RefusesRepeats, says, refused);
        let counted = self.grown(|probe| matches!(probe, Probe::Repeat(_)));
        let says = "It counts an event twice that comes twice.";
        let counted = found_if(Finding::CountsRepeatsTwice, says, counted);
        refused.into_iter().chain(counted).collect()
    }

    /// Whether what is accepted is stored, as far as the receiver counts.
    fn effects(&self) -> Vec<Found> {
        let genuine = |one: &Observation| matches!(one.probe, Probe::Counted(_)) && one.seen.is_taken();
        let has_effect = !self.grown(|probe| matches!(probe, Probe::Counted(_))).is_empty();
        if !self.setup.counts || has_effect || !self.observations.iter().any(genuine) {
            return Vec::new();
        }
        let invented = self.grown(|probe| matches!(probe, Probe::Invented(_)));
        let says = "It accepts a genuine event and stores nothing.";
        let nothing = found_if(Finding::HasNoEffect, says, self.told(genuine));
        let says = "It stores only events with a name that no phone system sends.";
        let names = found_if(Finding::InventedNames, says, invented);
        names.or(nothing).into_iter().collect()
    }

    fn forgeries(&self) -> Vec<Found> {
        let forged = |one: &Observation| matches!(one.probe, Probe::Forged(_));
        let taken = self.told(|one| forged(one) && one.seen.is_taken());
        let says = "It accepts what nobody should believe; with its URL anybody can send it events.";
        let believes = found_if(Finding::DoesNotVerify, says, taken);
        let is_wrong = |one: &Observation| forged(one) || matches!(one.probe, Probe::Broken(_));
        let failed = self.told(|one| is_wrong(one) && one.seen.is_failure());
        let says = "It fails on what is forged or broken instead of refusing it with 4xx.";
        let fails = found_if(Finding::FailsOnForgeries, says, failed);
        believes.into_iter().chain(fails).collect()
    }

    /// The way in which a genuine event was first accepted.
    fn way(&self) -> Option<Way> {
        let taken = |one: &&Observation| matches!(one.probe, Probe::Event(_)) && one.seen.is_taken();
        self.observations.iter().find(taken).map(|one| one.way)
    }

    fn told(&self, which: impl Fn(&Observation) -> bool) -> Vec<String> {
        self.observations
            .iter()
            .filter(|one| which(one))
            .map(told)
            .collect()
    }

    /// The probes after which the receiver had more than before.
    fn grown(&self, which: impl Fn(Probe) -> bool) -> Vec<String> {
        let pairs = self.observations.windows(2);
        let grown = pairs.filter_map(|pair| {
            let [before, after] = pair else { return None };
            let more = after.count? > before.count?;
            (more && which(after.probe)).then(|| format!("{}: stored", in_words_of(after.probe)))
        });
        grown.collect()
    }
}

fn found_if(finding: Finding, says: impl Into<String>, seen: Vec<String>) -> Option<Found> {
    let says = says.into();
    (!seen.is_empty()).then_some(Found { finding, says, seen })
}

fn is_genuine(probe: Probe) -> bool {
    matches!(
        probe,
        Probe::Event(_) | Probe::Counted(_) | Probe::Repeat(_) | Probe::Kind(_)
    )
}

/// A timeout and a redirect are findings of their own.
fn is_refused(one: &Observation) -> bool {
    matches!(one.seen, Seen::Status(400..) | Seen::CutOff(_))
}

fn told(one: &Observation) -> String {
    let way = match one.way {
        Way::AsDialpad => String::new(),
        way => format!(" {}", in_words(way, true)),
    };
    format!("{}{way}: {}", in_words_of(one.probe), one.seen.in_words())
}

fn in_words_of(probe: Probe) -> String {
    match probe {
        Probe::Event(shape) | Probe::Counted(shape) => match shape {
            Shape::Documented => "a genuine call event",
            Shape::Nulls => "a call event with null, {} and []",
            Shape::MoreMembers => "a call event with more members",
            Shape::NewState => "a call event in an unknown state",
            Shape::Fractions => "a call event with fractions of milliseconds",
            Shape::LargeIds => "a call event with an id beyond 2^53",
        }
        .to_owned(),
        Probe::Repeat(_) => "the same event again".to_owned(),
        Probe::Kind(kind) => format!("an event of the kind {kind}"),
        Probe::Forged(forgery) => forgery.in_words().to_owned(),
        Probe::Broken(broken) => broken.in_words().to_owned(),
        Probe::Invented(name) => format!("an invented event named {name}"),
    }
}

fn in_words(way: Way, is_signed: bool) -> String {
    match way {
        Way::AsDialpad if is_signed => "as a JWT (`application/jwt`)".to_owned(),
        Way::AsDialpad => "as JSON".to_owned(),
        Way::As(content_type) => format!("as `{content_type}`"),
        Way::Labelled => "with the headers of Switchhook".to_owned(),
        Way::Plain => "as JSON without a signature".to_owned(),
        Way::Header(name, _) => format!("with the header {name}"),
        Way::AllHeaders => "with a signature in headers".to_owned(),
    }
}

#[cfg(test)]
mod tests;
