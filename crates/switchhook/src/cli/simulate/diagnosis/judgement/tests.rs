//! Observations and what follows from them.

use super::super::probe::{BrokenBody, Forgery, HeaderForm};
use super::*;
use switchhook_domain::Kind;

const GENUINE: Probe = Probe::Event(EventShape::Documented);

fn status(style: RequestStyle, probe: Probe, status: u16) -> Observation {
    Observation {
        style,
        probe,
        seen: ProbeAnswer::Status(status),
        count: None,
    }
}

fn as_sent(probe: Probe, answered: u16) -> Observation {
    status(RequestStyle::AsDialpad, probe, answered)
}

fn counted(probe: Probe, count: i64) -> Observation {
    Observation {
        count: Some(count),
        ..as_sent(probe, 200)
    }
}

#[track_caller]
fn check(observations: &[Observation], wanted: &[Finding]) {
    let setup = Setup {
        is_signed: true,
        timeout: Duration::from_secs(5),
        counts: observations.iter().any(|one| one.count.is_some()),
    };
    let findings = judge(observations, &setup);
    let names: Vec<_> = findings.iter().map(|findings| findings.finding).collect();
    assert_eq!(names, wanted, "{findings:?}");
    assert!(findings.iter().all(|findings| !findings.seen.is_empty()));
}

#[test]
fn a_right_receiver_has_no_findings() {
    let forged = Forgery::ALL.map(|forgery| as_sent(Probe::Forged(forgery), 401));
    let kinds = Kind::ALL.map(|kind| as_sent(Probe::Kind(kind), 204));
    let shapes = EventShape::ALL.map(|shape| as_sent(Probe::Event(shape), 200));
    check(&[&shapes[..], &kinds, &forged].concat(), &[]);
}

#[test]
fn each_way_in_tells_what_it_waits_for() {
    let refused = as_sent(GENUINE, 401);
    let header = RequestStyle::Header("X-Signature", HeaderForm::Hexadecimal);
    for (style, wanted) in [
        (header, Finding::WaitsForAHeader),
        (RequestStyle::Labelled, Finding::WaitsForAHeader),
        (RequestStyle::Plain, Finding::CannotReadJwt),
        (RequestStyle::As("text/plain"), Finding::CannotReadJwt),
    ] {
        check(&[refused.clone(), status(style, GENUINE, 200)], &[wanted]);
    }
    check(std::slice::from_ref(&refused), &[Finding::RefusesGenuineEvents]);
    let invented = |style| status(style, Probe::Invented("call.ended"), 200);
    let both = [Finding::InventedNames, Finding::WaitsForAHeader];
    check(&[refused.clone(), invented(RequestStyle::AllHeaders)], &both);
    check(
        &[refused, invented(RequestStyle::AsDialpad)],
        &[Finding::InventedNames],
    );
}

#[test]
fn a_shape_that_is_refused_where_another_is_accepted_is_a_finding() {
    for (shape, wanted) in [
        (EventShape::Nulls, Finding::RefusesNulls),
        (EventShape::MoreMembers, Finding::RefusesUnknownFields),
        (EventShape::NewState, Finding::RefusesUnknownStates),
        (EventShape::Fractions, Finding::RefusesFractions),
        (EventShape::LargeIds, Finding::RefusesLargeIds),
    ] {
        for answered in [400, 422, 500] {
            check(
                &[as_sent(GENUINE, 200), as_sent(Probe::Event(shape), answered)],
                &[wanted],
            );
        }
    }
    let observed_only = [
        as_sent(GENUINE, 400),
        as_sent(Probe::Event(EventShape::Nulls), 200),
    ];
    check(&observed_only, &[Finding::RefusesMissingFields]);
}

#[test]
fn a_timeout_and_a_redirect_are_nothing_else_beside() {
    let silent = Observation {
        seen: ProbeAnswer::TimedOut,
        ..as_sent(GENUINE, 0)
    };
    check(&[silent], &[Finding::TooSlow]);
    check(&[as_sent(GENUINE, 308)], &[Finding::Redirects]);
}

#[test]
fn forgeries_must_be_refused_and_not_crashed_on() {
    let forged = |answered| as_sent(Probe::Forged(Forgery::AlgorithmNone), answered);
    check(&[as_sent(GENUINE, 200), forged(200)], &[Finding::DoesNotVerify]);
    check(
        &[as_sent(GENUINE, 200), forged(500)],
        &[Finding::FailsOnForgeries],
    );
    let cut = Observation {
        seen: ProbeAnswer::CutOff("reset".to_owned()),
        ..as_sent(Probe::Broken(BrokenBody::Truncated), 0)
    };
    check(&[as_sent(GENUINE, 200), cut], &[Finding::FailsOnForgeries]);
}

#[test]
fn a_count_shows_what_statuses_do_not() {
    let [first, again] = [
        Probe::Counted(EventShape::Documented),
        Probe::Repeat(EventShape::Documented),
    ];
    let invented = Probe::Invented("call.ended");
    let right = [counted(GENUINE, 1), counted(first, 2), counted(again, 2)];
    check(&right, &[]);
    let twice = [counted(GENUINE, 1), counted(first, 2), counted(again, 3)];
    check(&twice, &[Finding::CountsRepeatsTwice]);
    let nothing = [counted(GENUINE, 0), counted(first, 0), counted(again, 0)];
    check(&nothing, &[Finding::HasNoEffect]);
    let named = [&nothing[..], &[counted(invented, 1)]].concat();
    check(&named, &[Finding::InventedNames]);
}

#[test]
fn other_kinds_and_repeats_are_answered_with_2xx() {
    let sms = as_sent(Probe::Kind(Kind::Sms), 400);
    check(&[as_sent(GENUINE, 200), sms], &[Finding::RefusesOtherKinds]);
    let again = as_sent(Probe::Repeat(EventShape::Documented), 409);
    check(&[as_sent(GENUINE, 200), again], &[Finding::RefusesRepeats]);
}
