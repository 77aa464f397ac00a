//! States after attempts, and reasons for waiting.

use std::time::Duration;

use super::*;
use crate::attempt::FailureReason;
use crate::retry::Profile;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const HOUR: u64 = 3_600;

/// An outcome of each class.
fn outcome(class: OutcomeClass) -> AttemptOutcome {
    match class {
        OutcomeClass::Accepted => answered(204),
        OutcomeClass::Redirected => answered(302),
        OutcomeClass::Postponed => answered(429),
        OutcomeClass::Gone => answered(410),
        OutcomeClass::Refused => answered(400),
        OutcomeClass::Failed => answered(503),
        OutcomeClass::Unanswered => AttemptOutcome::Unanswered {
            reason: FailureReason::AnswerTimeout,
            detail: String::new(),
        },
        OutcomeClass::Lost => AttemptOutcome::Lost,
    }
}

const fn answered(status: u16) -> AttemptOutcome {
    AttemptOutcome::Answered {
        status,
        retry_after: None,
    }
}

fn first_context(class: OutcomeClass) -> RetryContext {
    RetryContext {
        failures: Failures::default().and(class),
        age: Duration::ZERO,
        is_opted_out: false,
    }
}

fn after(profile: Profile, outcome: &AttemptOutcome, context: RetryContext) -> DeliveryState {
    let policy = RetryPolicy {
        profile,
        kind: Kind::Call,
        schedule: &[],
    };
    state_after_attempt(outcome, context, policy, NOW, Jitter::NONE)
}

fn due_in(delay: Duration) -> DeliveryState {
    DeliveryState::Pending {
        due_at: NOW.plus(delay),
    }
}

#[test]
fn what_a_delivery_waits_for_is_what_keeps_it_now() {
    let mut delivery = delivery(DeliveryState::Pending { due_at: NOW });
    let later = NOW.plus(Duration::from_secs(5));
    let waits = |delivery: &Delivery, facts| delivery.waiting_for(facts, NOW).map(WaitingFor::as_str);
    let none = PendingFacts::default();
    assert_eq!(waits(&delivery, none), Some("turn"));
    delivery.state = DeliveryState::Pending { due_at: later };
    assert_eq!(
        waits(&delivery, none),
        Some("turn"),
        "a replay's pace is a turn too"
    );
    delivery.failures.answered = 1;
    assert_eq!(waits(&delivery, none), Some("retry"));
    let open = PendingFacts {
        is_breaker_open: true,
        ..none
    };
    assert_eq!(waits(&delivery, open), Some("receiver"));
    let behind = PendingFacts {
        behind: Some(DeliveryId(7)),
        ..open
    };
    assert_eq!(
        delivery.waiting_for(behind, NOW),
        Some(WaitingFor::Delivery(DeliveryId(7)))
    );
    let quiet = PendingFacts {
        is_quiet: true,
        ..behind
    };
    assert_eq!(waits(&delivery, quiet), Some("quiet"));
    let paused = PendingFacts {
        is_paused: true,
        ..quiet
    };
    assert_eq!(waits(&delivery, paused), Some("resume"));
    let claimed = PendingFacts {
        is_claimed: true,
        ..paused
    };
    assert_eq!(waits(&delivery, claimed), Some("answer"));
    delivery.state = DeliveryState::Delivered { at: NOW };
    assert_eq!(waits(&delivery, claimed), None);
}

fn delivery(state: DeliveryState) -> Delivery {
    Delivery {
        id: DeliveryId(1),
        event_id: EventId(1),
        ordinal: 0,
        company_id: CompanyId(1),
        webhook_id: WebhookId(1),
        kind: Kind::Call,
        subscription_ids: Vec::new(),
        hidden: Hidden::NOTHING,
        order_key: None,
        state,
        attempt_number: 0,
        failures: Failures::default(),
        blocks_until: NOW,
        note: None,
        origin: None,
        replay_id: None,
        created_at: NOW,
        suspended: Duration::ZERO,
        last_failure: None,
        resolved: None,
    }
}

#[test]
fn every_test_outcome_has_the_class_it_stands_for() {
    for class in OutcomeClass::ALL {
        assert_eq!(outcome(class).class(), class);
    }
}

#[test]
fn a_first_attempt_leads_where_its_class_and_the_profile_say() {
    let delivered = DeliveryState::Delivered { at: NOW };
    let exhausted = DeliveryState::Exhausted { at: NOW };
    let (soon, at_once) = (due_in(Duration::from_secs(5)), due_in(Duration::ZERO));
    for (class, durable, dialpad) in [
        (OutcomeClass::Accepted, delivered, delivered),
        (OutcomeClass::Redirected, soon, exhausted),
        (OutcomeClass::Postponed, soon, exhausted),
        (OutcomeClass::Gone, exhausted, exhausted),
        (OutcomeClass::Refused, soon, exhausted),
        (OutcomeClass::Failed, soon, due_in(Duration::from_secs(2))),
        (OutcomeClass::Unanswered, soon, at_once),
        (OutcomeClass::Lost, at_once, at_once),
    ] {
        for (profile, expected) in [(Profile::Durable, durable), (Profile::Dialpad, dialpad)] {
            let state = after(profile, &outcome(class), first_context(class));
            assert_eq!(state, expected, "{} under {profile}", class.as_str());
        }
    }
}

#[test]
fn success_counts_at_any_age_and_after_any_failures() {
    let context = RetryContext {
        failures: Failures {
            answered: 100,
            unanswered: 100,
        },
        age: Duration::from_secs(30 * 24 * HOUR),
        is_opted_out: false,
    };
    for profile in [Profile::Durable, Profile::Dialpad] {
        assert_eq!(
            after(profile, &answered(200), context),
            DeliveryState::Delivered { at: NOW }
        );
    }
}

#[test]
fn every_status_has_a_class() {
    for status in 0..=u16::MAX {
        let expected = match status {
            200..=299 => OutcomeClass::Accepted,
            300..=399 => OutcomeClass::Redirected,
            408 | 425 | 429 => OutcomeClass::Postponed,
            410 => OutcomeClass::Gone,
            400..=499 => OutcomeClass::Refused,
            _ => OutcomeClass::Failed,
        };
        assert_eq!(answered(status).class(), expected, "{status}");
    }
}

#[track_caller]
fn check_retry_after(profile: Profile, status: u16, asked: i64, expected: Duration) {
    let until = Timestamp::from_millis(NOW.as_millis() + asked * 1_000);
    let outcome = AttemptOutcome::Answered {
        status,
        retry_after: Some(until),
    };
    let state = after(profile, &outcome, first_context(outcome.class()));
    assert_eq!(
        state,
        due_in(expected),
        "{status} asked {profile} to wait {asked} s"
    );
}

#[test]
fn a_receiver_may_ask_for_a_longer_wait_but_not_a_shorter_one() {
    for status in [301, 400, 429, 500, 503] {
        check_retry_after(Profile::Durable, status, 120, Duration::from_secs(120));
        check_retry_after(Profile::Durable, status, 2, Duration::from_secs(5));
        check_retry_after(Profile::Durable, status, -60, Duration::from_secs(5));
    }
}

#[test]
fn nobody_may_ask_for_more_than_a_day() {
    let day = 24 * 3_600;
    for asked in [day, day + 1, 100 * day] {
        check_retry_after(Profile::Durable, 503, asked, Duration::from_secs(24 * HOUR));
    }
}

#[test]
fn the_dialpad_profile_does_not_listen_to_retry_after() {
    check_retry_after(Profile::Dialpad, 503, 120, Duration::from_secs(2));
}

#[test]
fn asking_for_a_wait_does_not_bring_back_what_is_over() {
    let until = Some(NOW.plus(Duration::from_secs(60)));
    let gone = AttemptOutcome::Answered {
        status: 410,
        retry_after: until,
    };
    assert_eq!(
        after(Profile::Durable, &gone, first_context(gone.class())),
        DeliveryState::Exhausted { at: NOW }
    );
    let late = RetryContext {
        failures: Failures {
            answered: 12,
            unanswered: 0,
        },
        age: Duration::from_secs(72 * HOUR),
        is_opted_out: false,
    };
    let failed = AttemptOutcome::Answered {
        status: 503,
        retry_after: until,
    };
    assert_eq!(
        after(Profile::Durable, &failed, late),
        DeliveryState::Exhausted { at: NOW }
    );
}

#[test]
fn what_the_receiver_wants_no_more_is_given_up_at_once() {
    for class in [
        OutcomeClass::Failed,
        OutcomeClass::Refused,
        OutcomeClass::Postponed,
    ] {
        let unwanted = RetryContext {
            is_opted_out: true,
            ..first_context(class)
        };
        for profile in [Profile::Durable, Profile::Dialpad] {
            let state = after(profile, &outcome(class), unwanted);
            assert_eq!(state, DeliveryState::Exhausted { at: NOW });
            let taken = after(profile, &answered(200), unwanted);
            assert_eq!(taken, DeliveryState::Delivered { at: NOW });
        }
    }
}

#[test]
fn a_lost_attempt_is_no_failure() {
    let failures = Failures {
        answered: 3,
        unanswered: 2,
    };
    assert_eq!(failures.and(OutcomeClass::Lost), failures);
    let context = RetryContext {
        failures,
        age: Duration::from_secs(100 * HOUR),
        is_opted_out: false,
    };
    for profile in [Profile::Durable, Profile::Dialpad] {
        assert_eq!(
            after(profile, &AttemptOutcome::Lost, context),
            due_in(Duration::ZERO)
        );
    }
}

#[track_caller]
fn check_blocks(class: OutcomeClass, answered: u32, expected: bool) {
    let failures = Failures {
        answered,
        unanswered: 0,
    };
    assert_eq!(
        still_blocks(class, failures),
        expected,
        "{} after {answered}",
        class.as_str()
    );
}

#[test]
fn a_refusal_stops_blocking_at_the_third_attempt_and_other_failures_do_not() {
    for attempts in 1..=10 {
        check_blocks(OutcomeClass::Refused, attempts, attempts < 3);
        check_blocks(OutcomeClass::Accepted, attempts, false);
        check_blocks(OutcomeClass::Gone, attempts, false);
        for class in [
            OutcomeClass::Redirected,
            OutcomeClass::Postponed,
            OutcomeClass::Failed,
            OutcomeClass::Unanswered,
            OutcomeClass::Lost,
        ] {
            check_blocks(class, attempts, true);
        }
    }
}

#[test]
fn only_pending_is_not_final_and_every_state_says_its_name_and_time() {
    for (state, name) in [
        (DeliveryState::Pending { due_at: NOW }, "pending"),
        (DeliveryState::Delivered { at: NOW }, "delivered"),
        (DeliveryState::Exhausted { at: NOW }, "exhausted"),
        (DeliveryState::Cancelled { at: NOW }, "cancelled"),
    ] {
        assert_eq!(state.name().as_str(), name);
        assert_eq!(name.parse(), Ok(state.name()));
        assert_eq!(state.at(), NOW);
        assert_eq!(state.is_final(), name != "pending");
    }
    assert!("running".parse::<StateName>().is_err());
}
