//! Judgement of a receiver's answers: observations in, findings out, without IO.

use std::time::Duration;

use super::finding::{Finding, FindingReport};
use super::probe::{EventShape, Probe, RequestStyle};

/// Answer of a receiver to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProbeAnswer {
    Status(u16),
    TimedOut,
    /// The connection ended without an answer.
    CutOff(String),
}

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observation {
    pub(super) style: RequestStyle,
    pub(super) probe: Probe,
    pub(super) seen: ProbeAnswer,
    /// Number of events stored after it, if the receiver tells.
    pub(super) count: Option<i64>,
}

/// Conditions of the diagnosis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) is_signed: bool,
    pub(super) timeout: Duration,
    pub(super) counts: bool,
}

impl ProbeAnswer {
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

/// Findings, the worst first.
pub(super) fn judge(observations: &[Observation], setup: &Setup) -> Vec<FindingReport> {
    let judge = Judge { observations, setup };
    let mut findings = Vec::new();
    findings.extend(judge.speed());
    findings.extend(judge.redirects());
    findings.extend(judge.entry());
    findings.extend(judge.shapes());
    findings.extend(judge.other_kinds());
    findings.extend(judge.repeats());
    findings.extend(judge.effects());
    findings.extend(judge.forgeries());
    findings
}

struct Judge<'a> {
    observations: &'a [Observation],
    setup: &'a Setup,
}

impl Judge<'_> {
    fn speed(&self) -> Option<FindingReport> {
        let seen = self.evidence(|one| one.seen == ProbeAnswer::TimedOut);
        let says = format!(
            "It does not answer within {} ms; Dialpad gives up after 5 s and tries twice more.",
            self.setup.timeout.as_millis()
        );
        found_if(Finding::TooSlow, says, seen)
    }

    fn redirects(&self) -> Option<FindingReport> {
        let seen =
            self.evidence(|one| matches!(one.seen, ProbeAnswer::Status(300..=399)) && is_genuine(one.probe));
        let says = "It redirects. Dialpad and Switchhook follow no redirect: the event is lost.";
        found_if(Finding::Redirects, says, seen)
    }

    /// Findings if a genuine event is refused as it is sent, by what is accepted instead.
    fn entry(&self) -> Vec<FindingReport> {
        let Some(first) = self.observations.first() else {
            return Vec::new();
        };
        let is_explained = !matches!(first.seen, ProbeAnswer::Status(400..) | ProbeAnswer::CutOff(_));
        let seen = || vec![evidence(first)];
        match self.style() {
            Some(RequestStyle::AsDialpad) => Vec::new(),
            Some(RequestStyle::Header(name, _)) => {
                let says = format!(
                    "It refuses what Dialpad sends, and accepts an event with a signature in the header {name}, which Dialpad \
                     never sends: the signature is in the body."
                );
                found_if(Finding::WaitsForAHeader, says, seen())
                    .into_iter()
                    .collect()
            }
            Some(RequestStyle::Labelled) => {
                let says =
                    "It accepts only requests with the headers of Switchhook, which Dialpad does not send.";
                found_if(Finding::WaitsForAHeader, says, seen())
                    .into_iter()
                    .collect()
            }
            Some(style) => {
                let says = format!(
                    "It refuses an event as it is sent, {}, and accepts it {}.",
                    in_words(RequestStyle::AsDialpad, self.setup.is_signed),
                    in_words(style, self.setup.is_signed)
                );
                found_if(Finding::CannotReadJwt, says, seen())
                    .into_iter()
                    .collect()
            }
            None if is_explained => Vec::new(),
            None => self.nothing_gets_in(first),
        }
    }

    fn nothing_gets_in(&self, first: &Observation) -> Vec<FindingReport> {
        let invented = |one: &&Observation| matches!(one.probe, Probe::Invented(_)) && one.seen.is_taken();
        let Some(invented) = self.observations.iter().find(invented) else {
            let says = "It refuses every genuine event, however it is sent. Does it have this secret?";
            return found_if(Finding::RefusesGenuineEvents, says, vec![evidence(first)])
                .into_iter()
                .collect();
        };
        let says = "It refuses every genuine event, and accepts one with a name that no phone system sends.";
        let seen = vec![evidence(first), evidence(invented)];
        let mut findings: Vec<_> = found_if(Finding::InventedNames, says, seen).into_iter().collect();
        match invented.style {
            RequestStyle::AllHeaders => {
                let says = "It waits for a header with a signature, which Dialpad never sends: the signature is in the body.";
                findings.extend(found_if(Finding::WaitsForAHeader, says, vec![evidence(invented)]));
            }
            RequestStyle::Plain => {
                let says = "It accepts an event that is not signed.";
                findings.extend(found_if(Finding::DoesNotVerify, says, vec![evidence(invented)]));
            }
            _ => {}
        }
        findings
    }

    /// Genuine events in the shapes that occur, where one shape is accepted.
    fn shapes(&self) -> Vec<FindingReport> {
        let Some(style) = self.style() else {
            return Vec::new();
        };
        let of = |finding, shape, says: &str| {
            let seen = self
                .evidence(|one| one.style == style && one.probe == Probe::Event(shape) && is_refused(one));
            found_if(finding, says, seen)
        };
        let findings = [
            of(
                Finding::RefusesMissingFields,
                EventShape::Documented,
                "It wants members that not every event has.",
            ),
            of(
                Finding::RefusesNulls,
                EventShape::Nulls,
                "It refuses null, {} and [], which genuine events have for what is absent.",
            ),
            of(
                Finding::RefusesUnknownFields,
                EventShape::MoreMembers,
                "It refuses members that it does not know; genuine events have many.",
            ),
            of(
                Finding::RefusesUnknownStates,
                EventShape::NewState,
                "It refuses a state that it does not know; new ones come.",
            ),
            of(
                Finding::RefusesFractions,
                EventShape::Fractions,
                "It refuses durations with a fraction; genuine ones are milliseconds such as 8951.03.",
            ),
            of(
                Finding::RefusesLargeIds,
                EventShape::LargeIds,
                "It refuses an id of more than 53 bits.",
            ),
        ];
        findings.into_iter().flatten().collect()
    }

    fn other_kinds(&self) -> Option<FindingReport> {
        let seen = self.evidence(|one| matches!(one.probe, Probe::Kind(_)) && is_refused(one));
        let says = "It does not answer 2xx to kinds of events that it does not use. Dialpad takes a 4xx for lost, and Switchhook \
                    tries for days.";
        found_if(Finding::RefusesOtherKinds, says, seen)
    }

    fn repeats(&self) -> Vec<FindingReport> {
        let refused = self.evidence(|one| matches!(one.probe, Probe::Repeat(_)) && is_refused(one));
        let says =
            "It does not answer 2xx to an event that it has had before, so that it comes again and again.";
        let refused = found_if(Finding::RefusesRepeats, says, refused);
        let counted = self.stored_after(|probe| matches!(probe, Probe::Repeat(_)));
        let says = "It counts an event twice that comes twice.";
        let counted = found_if(Finding::CountsRepeatsTwice, says, counted);
        refused.into_iter().chain(counted).collect()
    }

    /// Findings if accepted events are not stored, as far as the receiver counts.
    fn effects(&self) -> Vec<FindingReport> {
        let genuine = |one: &Observation| matches!(one.probe, Probe::Counted(_)) && one.seen.is_taken();
        let has_effect = !self
            .stored_after(|probe| matches!(probe, Probe::Counted(_)))
            .is_empty();
        if !self.setup.counts || has_effect || !self.observations.iter().any(genuine) {
            return Vec::new();
        }
        let invented = self.stored_after(|probe| matches!(probe, Probe::Invented(_)));
        let says = "It accepts a genuine event and stores nothing.";
        let nothing = found_if(Finding::HasNoEffect, says, self.evidence(genuine));
        let says = "It stores only events with a name that no phone system sends.";
        let names = found_if(Finding::InventedNames, says, invented);
        names.or(nothing).into_iter().collect()
    }

    fn forgeries(&self) -> Vec<FindingReport> {
        let forged = |one: &Observation| matches!(one.probe, Probe::Forged(_));
        let taken = self.evidence(|one| forged(one) && one.seen.is_taken());
        let says = "It accepts forged events: whoever knows its URL can send it events.";
        let believes = found_if(Finding::DoesNotVerify, says, taken);
        let is_wrong = |one: &Observation| forged(one) || matches!(one.probe, Probe::Broken(_));
        let failed = self.evidence(|one| is_wrong(one) && one.seen.is_failure());
        let says = "It fails on what is forged or broken instead of refusing it with 4xx.";
        let fails = found_if(Finding::FailsOnForgeries, says, failed);
        believes.into_iter().chain(fails).collect()
    }

    /// The way in which a genuine event was first accepted.
    fn style(&self) -> Option<RequestStyle> {
        let taken = |one: &&Observation| matches!(one.probe, Probe::Event(_)) && one.seen.is_taken();
        self.observations.iter().find(taken).map(|one| one.style)
    }

    fn evidence(&self, which: impl Fn(&Observation) -> bool) -> Vec<String> {
        self.observations
            .iter()
            .filter(|one| which(one))
            .map(evidence)
            .collect()
    }

    /// Probes after which the receiver had stored more than before.
    fn stored_after(&self, which: impl Fn(Probe) -> bool) -> Vec<String> {
        let pairs = self.observations.windows(2);
        let stored_after = pairs.filter_map(|pair| {
            let [before, after] = pair else { return None };
            let more = after.count? > before.count?;
            (more && which(after.probe)).then(|| format!("{}: stored", probe_in_words(after.probe)))
        });
        stored_after.collect()
    }
}

fn found_if(finding: Finding, says: impl Into<String>, seen: Vec<String>) -> Option<FindingReport> {
    let says = says.into();
    (!seen.is_empty()).then_some(FindingReport { finding, says, seen })
}

fn is_genuine(probe: Probe) -> bool {
    matches!(
        probe,
        Probe::Event(_) | Probe::Counted(_) | Probe::Repeat(_) | Probe::Kind(_)
    )
}

/// A timeout and a redirect are findings of their own.
fn is_refused(one: &Observation) -> bool {
    matches!(one.seen, ProbeAnswer::Status(400..) | ProbeAnswer::CutOff(_))
}

fn evidence(one: &Observation) -> String {
    let style = match one.style {
        RequestStyle::AsDialpad => String::new(),
        style => format!(" {}", in_words(style, true)),
    };
    format!("{}{style}: {}", probe_in_words(one.probe), one.seen.in_words())
}

fn probe_in_words(probe: Probe) -> String {
    match probe {
        Probe::Event(shape) | Probe::Counted(shape) => match shape {
            EventShape::Documented => "a genuine call event",
            EventShape::Nulls => "a call event with null, {} and []",
            EventShape::MoreMembers => "a call event with more members",
            EventShape::NewState => "a call event in an unknown state",
            EventShape::Fractions => "a call event with fractions of milliseconds",
            EventShape::LargeIds => "a call event with an id beyond 2^53",
        }
        .to_owned(),
        Probe::Repeat(_) => "the same event again".to_owned(),
        Probe::Kind(kind) => format!("an event of the kind {kind}"),
        Probe::Forged(forgery) => forgery.in_words().to_owned(),
        Probe::Broken(broken) => broken.in_words().to_owned(),
        Probe::Invented(name) => format!("an invented event named {name}"),
    }
}

fn in_words(style: RequestStyle, is_signed: bool) -> String {
    match style {
        RequestStyle::AsDialpad if is_signed => "as a JWT (`application/jwt`)".to_owned(),
        RequestStyle::AsDialpad => "as JSON".to_owned(),
        RequestStyle::As(content_type) => format!("as `{content_type}`"),
        RequestStyle::Labelled => "with the headers of Switchhook".to_owned(),
        RequestStyle::Plain => "as JSON without a signature".to_owned(),
        RequestStyle::Header(name, _) => format!("with the header {name}"),
        RequestStyle::AllHeaders => "with a signature in headers".to_owned(),
    }
}

#[cfg(test)]
mod tests;
