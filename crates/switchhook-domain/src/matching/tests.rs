//! The rule and its index, asked the same questions.

use proptest::prelude::*;
use proptest::sample::select;
use switchhook_protocol::{AgentType, CallState, Kind, Payload, TargetType, Timestamp};

use super::index::Facet;
use super::*;
use crate::filter::{Content, PayloadFilter};
use crate::id::{CompanyId, SubscriptionId, WebhookId, WebsocketId};
use crate::redaction::Hidden;
use crate::scope::{Scope, Scopes};
use crate::subscription::{Endpoint, Revision, SubscriptionVersion, VersionChange};

fn subscription(filter: Filter) -> Subscription {
    Subscription {
        id: SubscriptionId(1),
        company_id: CompanyId(1),
        endpoint: Some(Endpoint::Webhook(WebhookId(1))),
        enabled: true,
        filter,
        payload_filter: None,
        scopes: Scopes::NONE,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
    }
}

fn event(kind: Kind, body: &str) -> EventFacts {
    EventFacts::of(&Payload::read(kind, body.as_bytes()).unwrap())
}

/// Verdict of a subscription on an event with these bytes.
fn said(subscription: &Subscription, facts: &EventFacts, body: &str) -> Verdict {
    judge(
        subscription,
        facts,
        &ParsedContent::at(&Content::of(body.as_bytes())),
    )
}

fn states(names: &[&str]) -> CallFilter {
    let call_states = names
        .iter()
        .map(|name| name.parse::<CallStateFilter>().unwrap())
        .collect();
    CallFilter {
        call_states,
        ..CallFilter::default()
    }
}

fn messages(direction: SmsDirection) -> SmsFilter {
    SmsFilter {
        direction,
        include_internal: false,
        status: false,
        target: None,
    }
}

const OFFICE: TargetRef = TargetRef {
    target_type: TargetType::Office,
    target_id: 7,
};

/// Judges, and asks the index too.
#[track_caller]
fn check(filter: Filter, kind: Kind, body: &str, expected: Option<Reason>) {
    let (subscription, facts) = (subscription(filter), event(kind, body));
    let verdict = expected.map_or(Verdict::Matches, Verdict::PassedOver);
    assert_eq!(
        said(&subscription, &facts, body),
        verdict,
        "{:?} and {body}",
        subscription.filter
    );
    let found = CompanyIndex::build([subscription]).match_event(&facts, &Content::of(body.as_bytes()));
    assert_eq!(
        found.is_empty(),
        expected.is_some(),
        "the index disagrees about {body}"
    );
}

#[test]
fn a_call_matches_by_its_state() {
    let not_in_list = Some(Reason::StateNotInList);
    for (names, body, expected) in [
        ([].as_slice(), r#"{"state":"hangup"}"#, None),
        (&[], r#"{"state":"teleported"}"#, None),
        (&[], "{}", None),
        (&["all"], r#"{"state":"hangup"}"#, None),
        (&["all", "ringing"], r#"{"state":"hangup"}"#, None),
        (&["all"], r#"{"state":"teleported"}"#, None),
        (&["all"], "{}", None),
        (&["hangup"], r#"{"state":"hangup"}"#, None),
        (&["ringing", "hangup"], r#"{"state":"HANGUP"}"#, None),
        (&["ringing", "connected"], r#"{"state":"hangup"}"#, not_in_list),
        (&["hangup"], r#"{"state":"teleported"}"#, not_in_list),
        (&["hangup"], r#"{"state":"all"}"#, not_in_list),
        (&["hangup"], r#"{"state":null}"#, not_in_list),
        (&["hangup"], "{}", not_in_list),
        (&["admin"], r#"{"state":"admin"}"#, None),
        (&["admin_recording"], r#"{"state":"admin_recording"}"#, None),
        (&["admin"], r#"{"state":"admin_recording"}"#, not_in_list),
    ] {
        check(Filter::Call(states(names)), Kind::Call, body, expected);
    }
}

#[test]
fn every_state_that_can_be_asked_for_is_delivered() {
    for state in CallState::ALL {
        let body = format!(r#"{{"state":"{state}"}}"#);
        for filter in CallState::ALL {
            let expected = (state != filter).then_some(Reason::StateNotInList);
            check(
                Filter::Call(states(&[filter.as_str()])),
                Kind::Call,
                &body,
                expected,
            );
        }
    }
}

#[test]
fn a_call_matches_by_any_of_its_three_targets() {
    let filter = Filter::Call(CallFilter {
        target: Some(OFFICE),
        ..states(&["hangup"])
    });
    for name in ["target", "entry_point_target", "proxy_target"] {
        let with = |target: &str| format!(r#"{{"state":"hangup","{name}":{target}}}"#);
        check(
            filter.clone(),
            Kind::Call,
            &with(r#"{"id":7,"type":"office"}"#),
            None,
        );
        check(
            filter.clone(),
            Kind::Call,
            &with(r#"{"id":"7","type":"Office"}"#),
            None,
        );
        check(
            filter.clone(),
            Kind::Call,
            &with(r#"{"id":8,"type":"office"}"#),
            Some(Reason::OtherTarget),
        );
        check(
            filter.clone(),
            Kind::Call,
            &with(r#"{"id":7,"type":"user"}"#),
            Some(Reason::OtherTarget),
        );
    }
    check(
        filter,
        Kind::Call,
        r#"{"state":"hangup"}"#,
        Some(Reason::OtherTarget),
    );
}

#[test]
fn group_calls_only_passes_over_what_went_to_no_group() {
    let filter = Filter::Call(CallFilter {
        group_calls_only: true,
        ..CallFilter::default()
    });
    for (body, expected) in [
        (r#"{"target":{"id":1,"type":"department"}}"#, None),
        (
            r#"{"target":{"id":1,"type":"user"},"entry_point_target":{"id":2,"type":"callcenter"}}"#,
            None,
        ),
        (
            r#"{"target":{"id":1,"type":"user"},"entry_point_target":{}}"#,
            Some(Reason::NotAGroupCall),
        ),
        (
            r#"{"target":{"id":1,"type":"room"}}"#,
            Some(Reason::NotAGroupCall),
        ),
    ] {
        check(filter.clone(), Kind::Call, body, expected);
    }
}

#[test]
fn a_message_matches_by_its_direction() {
    let other = Some(Reason::OtherDirection);
    let (inbound, outbound) = (r#"{"direction":"inbound"}"#, r#"{"direction":"outbound"}"#);
    for (direction, body, expected) in [
        (SmsDirection::All, inbound, None),
        (SmsDirection::All, outbound, None),
        (SmsDirection::All, "{}", None),
        (SmsDirection::Inbound, inbound, None),
        (SmsDirection::Inbound, outbound, other),
        (SmsDirection::Inbound, "{}", other),
        (SmsDirection::Outbound, outbound, None),
        (SmsDirection::Outbound, inbound, other),
        (SmsDirection::Outbound, "{}", other),
    ] {
        check(Filter::Sms(messages(direction)), Kind::Sms, body, expected);
    }
}

#[test]
fn status_updates_and_internal_messages_are_sent_when_asked_for() {
    let update = r#"{"direction":"outbound","message_status":"delivered"}"#;
    let internal = r#"{"direction":"inbound","is_internal":true}"#;
    let plain = messages(SmsDirection::All);
    let with_status = SmsFilter {
        status: true,
        ..plain.clone()
    };
    let with_internal = SmsFilter {
        include_internal: true,
        ..plain.clone()
    };
    for (filter, body, expected) in [
        (&plain, update, Some(Reason::StatusUpdatesOff)),
        (&with_status, update, None),
        (&plain, internal, Some(Reason::InternalMessagesOff)),
        (&with_internal, internal, None),
        (&with_internal, update, Some(Reason::StatusUpdatesOff)),
        (&with_status, internal, Some(Reason::InternalMessagesOff)),
    ] {
        check(Filter::Sms(filter.clone()), Kind::Sms, body, expected);
    }
}

#[test]
fn a_message_matches_by_its_target() {
    let filter = Filter::Sms(SmsFilter {
        target: Some(OFFICE),
        ..messages(SmsDirection::All)
    });
    check(
        filter.clone(),
        Kind::Sms,
        r#"{"target":{"id":7,"type":"office"}}"#,
        None,
    );
    check(
        filter,
        Kind::Sms,
        r#"{"target":{"id":7,"type":"room"}}"#,
        Some(Reason::OtherTarget),
    );
}

#[test]
fn contacts_match_by_their_type() {
    let (local, shared) = (ContactType::Local, ContactType::Shared);
    let other = Some(Reason::OtherContactType);
    for (contact_type, word, expected) in [
        (local, "local", None),
        (local, "shared", other),
        (local, "google", other),
        (shared, "shared", None),
        (shared, "google", None),
        (shared, "local", other),
    ] {
        let body = format!(r#"{{"contact":{{"id":"1","type":"{word}"}}}}"#);
        check(Filter::Contact { contact_type }, Kind::Contact, &body, expected);
    }
}

#[test]
fn no_kind_gets_another_kinds_events() {
    let filters = [
        Filter::Call(CallFilter::default()),
        Filter::Sms(messages(SmsDirection::All)),
        Filter::AgentStatus {
            agent_type: AgentType::Callcenter,
        },
        Filter::Contact {
            contact_type: ContactType::Shared,
        },
        Filter::Changelog,
    ];
    for filter in filters {
        for kind in Kind::ALL {
            let expected = (filter.kind() != kind).then_some(Reason::OtherKind);
            check(filter.clone(), kind, "{}", expected);
        }
    }
}

#[test]
fn the_disabled_and_the_orphaned_are_passed_over() {
    let facts = event(Kind::Changelog, "{}");
    let disabled = Subscription {
        enabled: false,
        ..subscription(Filter::Changelog)
    };
    let orphaned = Subscription {
        endpoint: None,
        ..subscription(Filter::Changelog)
    };
    assert_eq!(
        said(&disabled, &facts, "{}"),
        Verdict::PassedOver(Reason::Disabled)
    );
    assert_eq!(
        said(&orphaned, &facts, "{}"),
        Verdict::PassedOver(Reason::NoWebhook)
    );
    assert!(CompanyIndex::build([disabled, orphaned]).is_empty());
}

#[track_caller]
fn check_explained(filter: Filter, kind: Kind, body: &str, expected: &str) {
    let (subscription, facts) = (subscription(filter), event(kind, body));
    let Verdict::PassedOver(reason) = said(&subscription, &facts, "{}") else {
        panic!("{body} matches")
    };
    assert_eq!(reason.explain(&subscription, &facts), expected);
}

#[test]
fn a_person_is_told_what_would_have_to_be_different() {
    let call = |names: &[&str]| Filter::Call(states(names));
    let targeted = Filter::Call(CallFilter {
        target: Some(OFFICE),
        ..CallFilter::default()
    });
    let groups = Filter::Call(CallFilter {
        group_calls_only: true,
        ..CallFilter::default()
    });
    let inbound = Filter::Sms(messages(SmsDirection::Inbound));
    let any_way = Filter::Sms(messages(SmsDirection::All));
    let local = Filter::Contact {
        contact_type: ContactType::Local,
    };
    for (filter, kind, body, expected) in [
        (
            call(&[]),
            Kind::Sms,
            "{}",
            "it is for events of kind call, this one is of kind sms",
        ),
        (
            call(&["ringing", "connected"]),
            Kind::Call,
            r#"{"state":"hangup"}"#,
            "its call_states (connected, ringing) do not include hangup",
        ),
        (
            call(&["ringing"]),
            Kind::Call,
            "{}",
            "its call_states are ringing, and this call has no state",
        ),
        (
            targeted.clone(),
            Kind::Call,
            r#"{"target":{"id":8,"type":"user"},"proxy_target":{"id":9,"type":"room"}}"#,
            "its target is office 7, this event is about user 8, room 9",
        ),
        (
            targeted,
            Kind::Call,
            "{}",
            "its target is office 7, and this event has none that can be matched",
        ),
        (
            groups,
            Kind::Call,
            "{}",
            "it has group_calls_only, and this call went to no group",
        ),
        (
            inbound.clone(),
            Kind::Sms,
            r#"{"direction":"outbound"}"#,
            "its direction is inbound, this message is outbound",
        ),
        (
            inbound,
            Kind::Sms,
            "{}",
            "its direction is inbound, this message is of no known direction",
        ),
        (
            any_way,
            Kind::Sms,
            r#"{"is_internal":true}"#,
            "this message is between two users of the company, and its include_internal is false",
        ),
        (
            local,
            Kind::Contact,
            r#"{"contact":{"type":"shared"}}"#,
            "its contact_type is local, this contact is of the other type",
        ),
    ] {
        check_explained(filter, kind, body, expected);
    }
}

#[test]
fn every_reason_has_a_sentence() {
    assert!(Reason::ALL.iter().all(|reason| reason.in_words().contains(' ')));
}

#[test]
fn several_subscriptions_of_a_webhook_make_one_match() {
    let made = |id, webhook, scopes: &[Scope]| Subscription {
        id: SubscriptionId(id),
        endpoint: Some(Endpoint::Webhook(WebhookId(webhook))),
        scopes: scopes.iter().copied().collect(),
        ..subscription(Filter::Call(states(&["hangup"])))
    };
    let index = CompanyIndex::build([
        made(5, 2, &[]),
        made(4, 1, &[Scope::RecordingsExport]),
        made(3, 2, &[Scope::MessageContentExportAll]),
        made(2, 1, &[]),
    ]);
    let hidden = Hidden {
        recordings: true,
        message_text: false,
    };
    let ids = |ids: [i64; 2]| ids.map(SubscriptionId).to_vec();
    assert_eq!(
        index.match_event(&event(Kind::Call, r#"{"state":"hangup"}"#), &Content::of(b"{}")),
        [
            Match {
                endpoint: Endpoint::Webhook(WebhookId(1)),
                subscription_ids: ids([2, 4]),
                hidden: Hidden::NOTHING
            },
            Match {
                endpoint: Endpoint::Webhook(WebhookId(2)),
                subscription_ids: ids([3, 5]),
                hidden
            },
        ]
    );
    assert!(
        index
            .match_event(&event(Kind::Call, r#"{"state":"ringing"}"#), &Content::of(b"{}"))
            .is_empty()
    );
}

#[track_caller]
fn check_hidden(filter: &Filter, scopes: &[Scope], expected: Hidden) {
    let scopes: Scopes = scopes.iter().copied().collect();
    let subscription = Subscription {
        scopes,
        ..subscription(filter.clone())
    };
    assert_eq!(Hidden::of(&subscription), expected, "{filter:?} with {scopes}");
}

#[test]
fn scopes_show_what_they_are_for() {
    let recordings = Hidden {
        recordings: true,
        message_text: false,
    };
    let text = Hidden {
        recordings: false,
        message_text: true,
    };
    let call = Filter::Call(CallFilter::default());
    let company = Filter::Sms(messages(SmsDirection::All));
    let office = Filter::Sms(SmsFilter {
        target: Some(OFFICE),
        ..messages(SmsDirection::All)
    });
    let (of_target, of_all) = (Scope::MessageContentExport, Scope::MessageContentExportAll);
    for (filter, scopes, expected) in [
        (&call, [].as_slice(), recordings),
        (&call, &[of_target, of_all, Scope::ChangeLog], recordings),
        (&call, &[Scope::RecordingsExport], Hidden::NOTHING),
        (&company, &[], text),
        (&company, &[Scope::RecordingsExport], text),
        (&company, &[of_target], text),
        (&company, &[of_all], Hidden::NOTHING),
        (&office, &[], text),
        (&office, &[of_target], Hidden::NOTHING),
        (&office, &[of_all], Hidden::NOTHING),
        (&Filter::Changelog, &[], Hidden::NOTHING),
        (
            &Filter::Contact {
                contact_type: ContactType::Local,
            },
            &[],
            Hidden::NOTHING,
        ),
        (
            &Filter::AgentStatus {
                agent_type: AgentType::Callcenter,
            },
            &[],
            Hidden::NOTHING,
        ),
    ] {
        check_hidden(filter, scopes, expected);
    }
}

#[test]
fn other_targets_and_states_cost_nothing() {
    let other = |id| {
        let target = TargetRef {
            target_id: id,
            ..OFFICE
        };
        let filter = if id % 2 == 0 {
            CallFilter {
                target: Some(target),
                ..CallFilter::default()
            }
        } else {
            states(&["ringing"])
        };
        Subscription {
            id: SubscriptionId(id),
            ..subscription(Filter::Call(filter))
        }
    };
    let index = CompanyIndex::build((100..20_100).map(other));
    let facts = event(
        Kind::Call,
        r#"{"state":"hangup","target":{"id":7,"type":"office"}}"#,
    );
    let keys = Facet::of_event(&facts.detail)
        .into_iter()
        .flat_map(|facet| [(facet, Some(OFFICE)), (facet, None)]);
    assert_eq!(keys.map(|key| index.candidates(key).count()).sum::<usize>(), 0);
    let found = index.match_event(&facts, &Content::of(b"{}"));
    assert_eq!(found.capacity(), 0, "nothing was allocated");
}

fn targets() -> impl Strategy<Value = TargetRef> {
    (
        select(vec![TargetType::User, TargetType::Office, TargetType::Room]),
        1..4_i64,
    )
        .prop_map(|(target_type, target_id)| TargetRef {
            target_type,
            target_id,
        })
}

fn call_states() -> impl Strategy<Value = CallState> {
    select(CallState::ALL[..5].to_vec())
}

fn filters() -> impl Strategy<Value = Filter> {
    let asked =
        prop_oneof![1 => Just(CallStateFilter::All), 9 => call_states().prop_map(CallStateFilter::State)];
    let asked = proptest::collection::vec(asked, 0..4);
    let target = || proptest::option::of(targets());
    let call = (asked, any::<bool>(), target()).prop_map(|(asked, group_calls_only, target)| {
        Filter::Call(CallFilter {
            call_states: asked.into(),
            group_calls_only,
            target,
        })
    });
    let sms = (select(&SmsDirection::ALL), any::<bool>(), any::<bool>(), target()).prop_map(
        |(direction, include_internal, status, target)| {
            Filter::Sms(SmsFilter {
                direction,
                include_internal,
                status,
                target,
            })
        },
    );
    prop_oneof![
        6 => call,
        3 => sms,
        1 => Just(Filter::AgentStatus { agent_type: AgentType::Callcenter }),
        1 => select(&ContactType::ALL).prop_map(|contact_type| Filter::Contact { contact_type }),
        1 => Just(Filter::Changelog),
    ]
}

fn subscriptions() -> impl Strategy<Value = Vec<Subscription>> {
    let webhook = (1..4_i64).prop_map(|id| Some(Endpoint::Webhook(WebhookId(id))));
    let websocket = (1..3_i64).prop_map(|id| Some(Endpoint::Websocket(WebsocketId(id))));
    let endpoint = prop_oneof![1 => Just(None), 7 => webhook, 2 => websocket];
    let scopes = proptest::sample::subsequence(Scope::ALL.to_vec(), 0..=4);
    let one = (endpoint, prop::bool::weighted(0.9), filters(), scopes).prop_map(
        |(endpoint, enabled, filter, scopes)| {
            let scopes = scopes.into_iter().collect();
            Subscription {
                endpoint,
                enabled,
                scopes,
                ..subscription(filter)
            }
        },
    );
    proptest::collection::vec(one, 0..60).prop_map(|list| {
        // Ids out of order, as a database may answer.
        let numbered = list.into_iter().enumerate();
        numbered
            .map(|(nth, one)| Subscription {
                id: SubscriptionId((nth as i64 * 37) % 61),
                ..one
            })
            .collect()
    })
}

fn events() -> impl Strategy<Value = EventFacts> {
    let state = prop_oneof![
        1 => Just(None),
        1 => Just(Some(PayloadState::Unknown("teleported".to_owned()))),
        8 => call_states().prop_map(|state| Some(PayloadState::Known(state))),
    ];
    let few = || proptest::collection::vec(targets(), 0..4).prop_map(crate::event::Targets::from_vec);
    let call = (state, few(), any::<bool>()).prop_map(|(state, targets, is_group_call)| EventDetail::Call {
        state,
        targets,
        is_group_call,
    });
    let direction = proptest::option::of(select(&Direction::ALL));
    let sms = (direction, any::<bool>(), any::<bool>(), few()).prop_map(
        |(direction, is_internal, is_status_update, targets)| EventDetail::Sms {
            direction,
            is_internal,
            is_status_update,
            targets,
        },
    );
    let detail = prop_oneof![
        6 => call,
        3 => sms,
        1 => Just(EventDetail::AgentStatus),
        1 => any::<bool>().prop_map(|is_local| EventDetail::Contact { is_local }),
        1 => Just(EventDetail::Changelog),
    ];
    detail.prop_map(|detail| EventFacts {
        detail,
        order_key: None,
    })
}

proptest! {
    #[test]
    fn the_index_says_what_judging_one_by_one_says(all in subscriptions(), facts in events()) {
        let found = CompanyIndex::build(all.clone()).match_event(&facts, &Content::of(b"{}"));
        let webhooks: Vec<_> = found.iter().map(|one| one.endpoint).collect();
        prop_assert!(webhooks.is_sorted_by(|one, next| one < next), "one match per webhook: {:?}", webhooks);

        let mut expected: Vec<_> = all.iter().filter(|one| said(one, &facts, "{}") == Verdict::Matches).collect();
        expected.sort_by_key(|one| (one.endpoint, one.id));
        let pairs = |one: &Match| one.subscription_ids.iter().map(|id| (Some(one.endpoint), *id)).collect::<Vec<_>>();
        let said: Vec<_> = found.iter().flat_map(pairs).collect();
        prop_assert_eq!(said, expected.iter().map(|one| (one.endpoint, one.id)).collect::<Vec<_>>());

        for one in &found {
            let of_webhook = expected.iter().copied().filter(|other| other.endpoint == Some(one.endpoint));
            prop_assert_eq!(one.hidden, Hidden::of_all(of_webhook));
        }
    }

    #[test]
    fn the_filters_for_everything_of_a_kind_let_each_of_its_events_through_once(facts in events()) {
        let everything = Filter::everything_of(facts.kind()).into_iter().map(subscription);
        let matching = everything.filter(|one| said(one, &facts, "{}") == Verdict::Matches);
        prop_assert_eq!(matching.count(), 1);
    }

    #[test]
    fn every_reason_can_be_explained(all in subscriptions(), facts in events()) {
        for one in &all {
            if let Verdict::PassedOver(reason) = said(one, &facts, "{}") {
                prop_assert!(!reason.explain(one, &facts).is_empty());
            }
        }
    }
}

fn version(revision: i64, change: VersionChange) -> SubscriptionVersion {
    let of_hangups = Filter::Call(states(&["hangup"]));
    SubscriptionVersion {
        revision: Revision(revision),
        change,
        subscription: subscription(of_hangups),
        from_at: Timestamp::from_millis(0),
        until_at: None,
    }
}

fn decided(body: &str) -> PastDecision {
    PastDecision {
        revision: Revision(7),
        facts: event(Kind::Call, body),
        body: body.as_bytes().to_vec(),
        has_payload: true,
        is_test: false,
    }
}

#[track_caller]
fn check_verdict(decided: &PastDecision, version: &SubscriptionVersion, expected: Reason) {
    assert_eq!(
        decided.verdict(version, false),
        Verdict::PassedOver(expected),
        "{version:?}"
    );
    assert_eq!(
        decided.verdict(version, true),
        Verdict::Matches,
        "a delivery is a fact"
    );
}

#[test]
fn what_was_not_sent_is_explained_by_the_version_that_was_in_force() {
    use VersionChange::{Created, Deleted, Updated};
    let (hangup, ringing) = (
        decided(r#"{"state":"hangup"}"#),
        decided(r#"{"state":"ringing"}"#),
    );
    check_verdict(&ringing, &version(7, Updated), Reason::StateNotInList);
    check_verdict(&ringing, &version(8, Created), Reason::CreatedAfterwards);
    check_verdict(&ringing, &version(7, Deleted), Reason::DeletedBefore);
    check_verdict(&ringing, &version(8, Deleted), Reason::CreatedAfterwards);
    check_verdict(&hangup, &version(7, Created), Reason::WebhookGone);
    let mut for_a_websocket = version(7, Created);
    for_a_websocket.subscription.endpoint = Some(Endpoint::Websocket(WebsocketId(2)));
    check_verdict(&hangup, &for_a_websocket, Reason::Websocket);
    check_verdict(&ringing, &for_a_websocket, Reason::StateNotInList);
}

#[test]
fn a_test_event_and_one_without_its_payload_are_not_judged_by_filters() {
    let test = PastDecision {
        is_test: true,
        ..decided(r#"{"state":"hangup"}"#)
    };
    check_verdict(&test, &version(1, VersionChange::Created), Reason::TestEvent);
    let emptied = PastDecision {
        has_payload: false,
        ..decided("{}")
    };
    let mut version = version(1, VersionChange::Created);
    check_verdict(&emptied, &version, Reason::PayloadGone);
    version.subscription.enabled = false;
    check_verdict(&emptied, &version, Reason::Disabled);
}

fn filtered(filter: Filter, scopes: &[Scope], payload_filter: &str) -> Subscription {
    Subscription {
        payload_filter: Some(PayloadFilter::parse(payload_filter).unwrap()),
        scopes: scopes.iter().copied().collect(),
        ..subscription(filter)
    }
}

#[track_caller]
fn check_filtered(subscription: Subscription, body: &str, expected: Option<Reason>) {
    let facts = event(subscription.filter.kind(), body);
    let verdict = expected.map_or(Verdict::Matches, Verdict::PassedOver);
    assert_eq!(said(&subscription, &facts, body), verdict, "{body}");
    let found = CompanyIndex::build([subscription]).match_event(&facts, &Content::of(body.as_bytes()));
    assert_eq!(
        found.is_empty(),
        expected.is_some(),
        "the index disagrees about {body}"
    );
}

#[test]
fn a_filter_on_the_payload_is_asked_last_and_says_no_or_nothing() {
    let long = |states_wanted: &[&str]| {
        let filter = r#"{"duration": {"$gt": 30000}}"#;
        filtered(Filter::Call(states(states_wanted)), &[], filter)
    };
    check_filtered(long(&[]), r#"{"state":"hangup","duration":30000.5}"#, None);
    check_filtered(
        long(&[]),
        r#"{"state":"hangup","duration":30000}"#,
        Some(Reason::Filter),
    );
    check_filtered(long(&[]), r#"{"state":"hangup"}"#, Some(Reason::Filter));
    check_filtered(
        long(&["ringing"]),
        r#"{"state":"hangup"}"#,
        Some(Reason::StateNotInList),
    );
}

#[test]
fn a_filter_sees_what_its_subscription_sees_and_no_more() {
    let body = r#"{"direction":"inbound","text":"the code is 1234","recording_url":"https://x"}"#;
    for (scopes, expected) in [
        ([].as_slice(), Some(Reason::Filter)),
        (&[Scope::MessageContentExportAll], None),
    ] {
        let asks = r#"{"text": {"$contains": "1234"}}"#;
        let subscription = filtered(Filter::Sms(messages(SmsDirection::All)), scopes, asks);
        check_filtered(subscription, body, expected);
    }
    let asks = r#"{"text": {"$exist": false}}"#;
    check_filtered(
        filtered(Filter::Sms(messages(SmsDirection::All)), &[], asks),
        body,
        None,
    );
    let asks = r#"{"recording_url": {"$startsWith": "https://x"}}"#;
    let call = |scopes| filtered(Filter::Call(CallFilter::default()), scopes, asks);
    check_filtered(call(&[]), body, Some(Reason::Filter));
    check_filtered(call(&[Scope::RecordingsExport]), body, None);
}

#[test]
fn what_a_filter_saw_is_explained_as_of_its_version() {
    let decided = decided(r#"{"state":"hangup","duration":5}"#);
    let mut version = version(7, VersionChange::Updated);
    version.subscription.payload_filter = Some(PayloadFilter::parse(r#"{"duration": {"$gt": 30}}"#).unwrap());
    check_verdict(&decided, &version, Reason::Filter);
    let unmet = decided.unmet(&version.subscription).unwrap();
    assert_eq!(unmet.clause, r#"duration: {"$gt":30}"#);
    version.subscription.payload_filter = Some(PayloadFilter::parse(r#"{"duration": 5.0}"#).unwrap());
    check_verdict(&decided, &version, Reason::WebhookGone);
    assert_eq!(decided.unmet(&version.subscription), None);
}
