//! Selection, destinations, and visible parts.

use super::*;
use crate::attempt::Failure;
use crate::clearance::Clearance;
use crate::id::{CompanyId, ReplayId};
use crate::replay::{Estimate, Progress, ReplayState};
use switchhook_protocol::Timestamp;

const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const ONE: WebhookId = WebhookId(1);
const TWO: WebhookId = WebhookId(2);
const RECORDINGS: Hidden = Hidden {
    recordings: true,
    message_text: false,
};

fn replay(filter: ReplayFilter, to: Destination) -> Replay {
    Replay {
        id: ReplayId(900),
        company_id: CompanyId(1),
        filter,
        to,
        rate: None,
        hidden: Hidden::EVERYTHING,
        made_with: Clearance::FULL,
        estimate: Estimate {
            total: 0,
            is_exact: true,
        },
        cursor: EventId(0),
        is_all_created: false,
        next_due_at: NOON,
        progress: Progress::default(),
        state: ReplayState::Running,
        created_at: NOON,
    }
}

fn original(id: i64, webhook_id: WebhookId, state: StateName) -> PastDelivery {
    PastDelivery {
        id: DeliveryId(id),
        webhook_id,
        state,
        hidden: Hidden::NOTHING,
        subscription_ids: vec![SubscriptionId(7)],
        is_original: true,
    }
}

fn again(id: i64, webhook_id: WebhookId, state: StateName) -> PastDelivery {
    PastDelivery {
        is_original: false,
        ..original(id, webhook_id, state)
    }
}

fn candidate(deliveries: Vec<PastDelivery>) -> Candidate {
    Candidate {
        event_id: EventId(10),
        kind: Kind::Call,
        order_key: Some(OrderKey::new("call:5")),
        deliveries,
    }
}

/// Checks where the event goes and which deliveries are repeated.
#[track_caller]
fn check(
    filter: ReplayFilter,
    to: Destination,
    deliveries: &[PastDelivery],
    expected: &[(i64, Option<i64>)],
) {
    let replay = replay(filter, to);
    let planned = replay.plan(&candidate(deliveries.to_vec()));
    let planned: Vec<_> = planned
        .iter()
        .map(|one| (one.webhook_id.0, one.origin.map(|id| id.0)))
        .collect();
    assert_eq!(planned, expected, "{:?}", replay.filter);
}

fn not_delivered() -> ReplayFilter {
    ReplayFilter {
        not_delivered: true,
        ..ReplayFilter::default()
    }
}

#[test]
fn without_a_destination_each_webhook_gets_again_what_it_was_sent() {
    use StateName::{Delivered, Exhausted};
    let past = [
        original(1, ONE, Delivered),
        original(2, TWO, Exhausted),
        again(3, ONE, Delivered),
    ];
    let all = ReplayFilter::default();
    check(
        all.clone(),
        Destination::Origins,
        &past,
        &[(1, Some(1)), (2, Some(2))],
    );
    check(all.clone(), Destination::Origins, &[], &[]);
    let of_two = ReplayFilter {
        webhook_id: Some(TWO),
        ..all.clone()
    };
    check(of_two, Destination::Origins, &past, &[(2, Some(2))]);
    let delivered = ReplayFilter {
        state: Some(Delivered),
        ..all
    };
    check(delivered, Destination::Origins, &past, &[(1, Some(1))]);
}

#[test]
fn one_destination_gets_an_event_once_however_many_deliveries_it_had() {
    use StateName::{Cancelled, Exhausted};
    let past = [original(1, ONE, Exhausted), original(2, TWO, Cancelled)];
    let all = ReplayFilter::default();
    let three = || Destination::Webhook(WebhookId(3));
    check(all.clone(), three(), &past, &[(3, Some(1))]);
    check(all.clone(), three(), &[], &[(3, None)]);
    check(all, Destination::Webhook(TWO), &past, &[(2, Some(2))]);
    check(not_delivered(), three(), &past, &[(3, Some(1))]);
    check(not_delivered(), three(), &[], &[]);
}

#[test]
fn a_dead_letter_is_sent_again_whatever_made_it() {
    use StateName::Exhausted;
    let filter = ReplayFilter {
        dead_letters: true,
        ..ReplayFilter::default()
    };
    let past = [again(4, TWO, Exhausted)];
    check(filter.clone(), Destination::Origins, &past, &[(2, Some(4))]);
    check(filter, Destination::Origins, &[], &[]);
}

#[test]
fn what_was_not_delivered_is_what_neither_came_nor_is_on_its_way() {
    use StateName::{Cancelled, Delivered, Exhausted, Pending};
    for (state, expected) in [
        (Exhausted, true),
        (Cancelled, true),
        (Delivered, false),
        (Pending, false),
    ] {
        let expected: &[_] = if expected { &[(1, Some(1))] } else { &[] };
        check(
            not_delivered(),
            Destination::Origins,
            &[original(1, ONE, state)],
            expected,
        );
        // As does what was sent since.
        let past = [original(1, ONE, Exhausted), again(3, ONE, state)];
        check(not_delivered(), Destination::Origins, &past, expected);
    }
    let elsewhere = [original(1, ONE, Exhausted), original(2, TWO, Delivered)];
    check(not_delivered(), Destination::Origins, &elsewhere, &[(1, Some(1))]);
}

#[test]
fn kind_and_order_key_are_the_events_own() {
    let past = [original(1, ONE, StateName::Delivered)];
    let of_kind = |kind| ReplayFilter {
        kind: Some(kind),
        ..ReplayFilter::default()
    };
    check(of_kind(Kind::Call), Destination::Origins, &past, &[(1, Some(1))]);
    check(of_kind(Kind::Sms), Destination::Origins, &past, &[]);
    let of_call = |key: &str| ReplayFilter {
        order_key: Some(OrderKey::new(key)),
        ..ReplayFilter::default()
    };
    check(of_call("call:5"), Destination::Origins, &past, &[(1, Some(1))]);
    check(of_call("call:6"), Destination::Origins, &past, &[]);
}

#[track_caller]
fn check_hidden(to: Destination, allowed: Hidden, past: &[PastDelivery], expected: Hidden) {
    let replay = Replay {
        hidden: allowed,
        ..replay(ReplayFilter::default(), to)
    };
    let planned = replay.plan(&candidate(past.to_vec()));
    assert_eq!(planned[0].hidden, expected, "{:?}", replay.to);
}

#[test]
fn nobody_sees_more_than_before() {
    let url = || Destination::Url {
        webhook_id: WebhookId(3),
        url: "https://example.com".to_owned(),
    };
    let showed_all = [original(1, ONE, StateName::Delivered)];
    let hid_recordings = [PastDelivery {
        hidden: RECORDINGS,
        ..original(1, ONE, StateName::Delivered)
    }];
    // The same webhook sees what it saw, whatever its subscriptions are now.
    check_hidden(
        Destination::Origins,
        Hidden::EVERYTHING,
        &showed_all,
        Hidden::NOTHING,
    );
    check_hidden(Destination::Origins, Hidden::NOTHING, &hid_recordings, RECORDINGS);
    check_hidden(
        Destination::Webhook(ONE),
        Hidden::NOTHING,
        &hid_recordings,
        RECORDINGS,
    );
    // Another one sees what its own subscriptions allow.
    check_hidden(
        Destination::Webhook(TWO),
        Hidden::EVERYTHING,
        &showed_all,
        Hidden::EVERYTHING,
    );
    check_hidden(Destination::Webhook(TWO), RECORDINGS, &[], RECORDINGS);
    // An address sees what both the replayed delivery and the caller's key allow.
    check_hidden(url(), Hidden::NOTHING, &hid_recordings, RECORDINGS);
    check_hidden(url(), RECORDINGS, &showed_all, RECORDINGS);
    check_hidden(url(), Hidden::NOTHING, &[], Hidden::NOTHING);
}

#[test]
fn a_replay_keeps_order_among_its_own() {
    let past = [original(1, ONE, StateName::Delivered)];
    let planned = replay(ReplayFilter::default(), Destination::Origins).plan(&candidate(past.to_vec()));
    let key = planned[0].order_key.as_ref().map(OrderKey::as_str);
    assert_eq!(key, Some("replay:900:call:5"));
    assert_eq!(planned[0].subscription_ids, [SubscriptionId(7)]);
    let elsewhere =
        replay(ReplayFilter::default(), Destination::Webhook(TWO)).plan(&candidate(past.to_vec()));
    assert_eq!(elsewhere[0].subscription_ids, []);
}

#[test]
fn a_filter_reads_back_what_it_writes() {
    let filter = ReplayFilter {
        ids: Some(vec![EventId(1), EventId(2)]),
        kind: Some(Kind::AgentStatus),
        order_key: Some(OrderKey::new("agent:\"5\"")),
        since: Some(NOON),
        until: Some(NOON),
        webhook_id: Some(ONE),
        state: Some(StateName::Exhausted),
        not_delivered: true,
        dead_letters: false,
        failure: Some(Failure::Status(503)),
    };
    for filter in [filter, ReplayFilter::default()] {
        let text = serde_json::to_string(&filter).unwrap();
        assert_eq!(
            serde_json::from_str::<ReplayFilter>(&text).unwrap(),
            filter,
            "{text}"
        );
    }
    assert_eq!(serde_json::to_string(&ReplayFilter::default()).unwrap(), "{}");
}

#[test]
fn nothing_is_sent_that_the_maker_may_not_see() {
    let showed_all = [original(1, ONE, StateName::Delivered)];
    let destinations = [
        Destination::Origins,
        Destination::Webhook(ONE),
        Destination::Webhook(TWO),
        Destination::Url {
            webhook_id: TWO,
            url: "https://example.com".into(),
        },
    ];
    for to in destinations {
        let all = ReplayFilter::default();
        let replay = Replay {
            hidden: Hidden::NOTHING,
            made_with: Clearance::default(),
            ..replay(all, to)
        };
        let planned = replay.plan(&candidate(showed_all.to_vec()));
        assert_eq!(planned[0].hidden, RECORDINGS, "{:?}", replay.to);
        for kind in [Kind::AgentStatus, Kind::Contact, Kind::Changelog] {
            let candidate = Candidate {
                kind,
                ..candidate(showed_all.to_vec())
            };
            assert_eq!(replay.plan(&candidate), [], "{kind} to {:?}", replay.to);
        }
    }
}
