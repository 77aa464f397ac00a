//! Dead letters: deliveries that were given up, until somebody deals with them.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::attempt::{Attempt, AttemptOutcome, Failure, FailureReason};
use switchhook_domain::dead_letter::{Resolution, Resolved};
use switchhook_domain::delivery::{DeliveryState, StateName};
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::replay::{Destination, ReplayFilter};
use switchhook_store::{
    DeadLetterFilter, DeadLetterGroups, DeliveryFilter, NewReplay, PageRequest, ReplayDelivery, ReplayStep,
};

use crate::samples::{self, COMPANY, OTHER_COMPANY};
use crate::world::World;

const HOOK: WebhookId = WebhookId(7);
const OTHER: WebhookId = WebhookId(8);
const FIRST: PageRequest = PageRequest::first(9);
const ALL: DeadLetterFilter = DeadLetterFilter {
    webhook_id: None,
    failure: None,
    kind: None,
    since: None,
    until: None,
};

fn refused(number: u32, world: &World) -> Attempt {
    Attempt {
        outcome: AttemptOutcome::Unanswered {
            reason: FailureReason::ConnectionRefused,
            detail: "127.0.0.1:1".to_owned(),
        },
        answer: None,
        ..samples::answered(number, 500, world.now)
    }
}

impl World {
    /// A delivery that is given up at its first attempt.
    async fn give_up(&self, call: i64, webhook_id: WebhookId, attempt: Attempt) -> DeliveryId {
        let id = self.send(call, webhook_id).await;
        assert!(
            self.finish(id, attempt, DeliveryState::Exhausted { at: self.now })
                .await
        );
        id
    }

    async fn dead(&self, filter: DeadLetterFilter) -> Vec<DeliveryId> {
        let page = self.store.dead_letters(COMPANY, filter, FIRST).await.unwrap();
        page.items.iter().map(|delivery| delivery.id).collect()
    }

    async fn found(&self, failure: Failure, state: Option<StateName>) -> Vec<DeliveryId> {
        let filter = DeliveryFilter {
            failure: Some(failure),
            state,
            ..DeliveryFilter::default()
        };
        let page = self.store.list_deliveries(COMPANY, filter, FIRST).await.unwrap();
        page.items.iter().map(|delivery| delivery.id).collect()
    }
}

pub(crate) async fn the_last_failure_of_a_delivery_is_known_whatever_became_of_it(world: &mut World) {
    let recovered = world.send(1, HOOK).await;
    world.fail(recovered, 1, 1).await;
    world.after(2);
    world.claim(HOOK, 1).await;
    world.succeed(recovered, 2).await;
    let changed = world.send(2, HOOK).await;
    world.fail(changed, 1, 1).await;
    world.after(2);
    world.claim(HOOK, 1).await;
    let due_at = world.now.plus(Duration::from_secs(60));
    world
        .finish(changed, refused(2, world), DeliveryState::Pending { due_at })
        .await;
    let fine = world.send(3, HOOK).await;
    world.succeed(fine, 1).await;
    let given_up = world
        .give_up(4, OTHER, samples::answered(1, 503, world.now))
        .await;

    let unavailable = Failure::Status(503);
    assert_eq!(world.get(recovered).await.last_failure, Some(unavailable));
    assert_eq!(world.get(fine).await.last_failure, None);
    assert_eq!(world.found(unavailable, None).await, [given_up, recovered]);
    assert_eq!(
        world.found(unavailable, Some(StateName::Exhausted)).await,
        [given_up]
    );
    assert_eq!(
        world
            .found(Failure::NoAnswer(FailureReason::ConnectionRefused), None)
            .await,
        [changed]
    );
    assert_eq!(world.found(Failure::Status(500), None).await, []);
}

pub(crate) async fn dead_letters_are_told_apart_by_what_they_have_in_common(world: &mut World) {
    let answered = |world: &World, status| samples::answered(1, status, world.now);
    let first = world.give_up(1, HOOK, answered(world, 410)).await;
    world.give_up(2, HOOK, answered(world, 410)).await;
    world.after(60);
    let since = world.now;
    let third = world.give_up(3, HOOK, answered(world, 410)).await;
    let unanswered = world.give_up(4, HOOK, refused(1, world)).await;
    let elsewhere = world.give_up(5, OTHER, answered(world, 410)).await;
    let groups = async |filter, most_of_each| {
        let groups = world.store.dead_letter_groups(COMPANY, filter, 9, most_of_each);
        let mut groups: Vec<_> = groups
            .await
            .unwrap()
            .groups
            .into_iter()
            .map(|one| {
                let alike = (one.key.webhook_id, one.key.failure.to_string());
                (alike, one.count, one.is_more, one.oldest, one.newest)
            })
            .collect();
        groups.sort();
        groups
    };
    let gone = |hook| (hook, "410".to_owned());
    let no_answer = (
        (HOOK, "connection_refused".to_owned()),
        1,
        false,
        unanswered,
        unanswered,
    );
    let other = (gone(OTHER), 1, false, elsewhere, elsewhere);
    assert_eq!(
        groups(ALL, 9).await,
        [
            (gone(HOOK), 3, false, first, third),
            no_answer.clone(),
            other.clone()
        ]
    );
    assert_eq!(groups(ALL, 2).await[0], (gone(HOOK), 2, true, first, third));
    let lately = DeadLetterFilter {
        since: Some(since),
        ..ALL
    };
    assert_eq!(
        groups(lately, 9).await,
        [(gone(HOOK), 1, false, third, third), no_answer, other.clone()]
    );
    let of_other = DeadLetterFilter {
        webhook_id: Some(OTHER),
        failure: Some(Failure::Status(410)),
        kind: Some(Kind::Call),
        ..ALL
    };
    assert_eq!(groups(of_other, 9).await, [other]);
    let none = DeadLetterFilter {
        kind: Some(Kind::Sms),
        ..ALL
    };
    assert_eq!(groups(none, 9).await, []);
    let theirs = world.store.dead_letter_groups(OTHER_COMPANY, ALL, 9, 9).await;
    assert_eq!(theirs.unwrap(), DeadLetterGroups::default());
    for (most, are_more) in [(2, true), (3, false)] {
        let some = world
            .store
            .dead_letter_groups(COMPANY, ALL, most, 9)
            .await
            .unwrap();
        assert_eq!(
            (some.groups.len(), some.are_more),
            (most as usize, are_more),
            "there are three"
        );
    }
}

pub(crate) async fn dead_letters_are_listed_oldest_first_and_narrow(world: &mut World) {
    let gone = world.give_up(1, HOOK, samples::answered(1, 410, world.now)).await;
    let unanswered = world.give_up(2, HOOK, refused(1, world)).await;
    let elsewhere = world.give_up(3, OTHER, refused(1, world)).await;
    let pending = world.send(4, HOOK).await;
    world.fail(pending, 1, 60).await;
    assert_eq!(world.dead(ALL).await, [gone, unanswered, elsewhere]);
    let refused = DeadLetterFilter {
        failure: Some(Failure::NoAnswer(FailureReason::ConnectionRefused)),
        ..ALL
    };
    assert_eq!(world.dead(refused).await, [unanswered, elsewhere]);
    let here = DeadLetterFilter {
        webhook_id: Some(HOOK),
        ..refused
    };
    assert_eq!(world.dead(here).await, [unanswered]);
    let page = world
        .store
        .dead_letters(COMPANY, ALL, PageRequest::first(1))
        .await
        .unwrap();
    assert_eq!(page.next, Some(gone.0));
    let rest = PageRequest {
        after: page.next,
        limit: 9,
    };
    let rest = world.store.dead_letters(COMPANY, ALL, rest).await.unwrap();
    assert_eq!(rest.items.len(), 2);
}

pub(crate) async fn what_is_dismissed_or_sent_again_is_no_dead_letter(world: &mut World) {
    let hook = world.webhook().await;
    let gone = |world: &World| samples::answered(1, 410, world.now);
    let dismissed = world.give_up(1, hook, gone(world)).await;
    let resent = world.give_up(2, hook, gone(world)).await;
    let left = world.give_up(3, hook, gone(world)).await;
    let pending = world.send(4, hook).await;
    world.after(5);
    let dismiss = async |company_id, ids: &[DeliveryId]| {
        let dismissed = world
            .store
            .dismiss_dead_letters(company_id, ids.to_vec(), world.now);
        dismissed.await.unwrap()
    };
    assert_eq!(dismiss(OTHER_COMPANY, &[dismissed]).await, 0);
    assert_eq!(dismiss(COMPANY, &[pending, dismissed]).await, 1);
    assert_eq!(dismiss(COMPANY, &[dismissed]).await, 0, "it is over");
    let again = DeliveryId(world.id());
    world
        .store
        .redeliver(COMPANY, resent, again, world.now)
        .await
        .unwrap();
    let resolved = |how| Some(Resolved { how, at: world.now });
    let delivery = world.get(dismissed).await;
    assert_eq!(delivery.resolved, resolved(Resolution::Dismissed));
    assert_eq!(delivery.state.name(), StateName::Exhausted, "its state is final");
    assert_eq!(world.get(resent).await.resolved, resolved(Resolution::Resent));
    assert_eq!(world.dead(ALL).await, [left]);
    assert_eq!(world.get(again).await.resolved, None);
    // What is sent again and given up again is a dead letter again.
    world.claim(hook, 9).await;
    world
        .finish(again, gone(world), DeliveryState::Exhausted { at: world.now })
        .await;
    assert_eq!(world.dead(ALL).await, [left, again]);
}

pub(crate) async fn a_replay_of_dead_letters_sends_each_event_once(world: &mut World) {
    let hook = world.webhook().await;
    let gone = |world: &World| samples::answered(1, 410, world.now);
    let first = world.give_up(1, hook, gone(world)).await;
    let other = world.give_up(2, hook, refused(1, world)).await;
    let delivered = world.send(3, hook).await;
    world.succeed(delivered, 1).await;
    // Sent again twice, and given up both times.
    let mut twice = Vec::new();
    for _ in 0..2 {
        let again = DeliveryId(world.id());
        world
            .store
            .redeliver(COMPANY, delivered, again, world.now)
            .await
            .unwrap();
        twice.push(again);
    }
    world.claim(hook, 9).await;
    for again in &twice {
        world
            .finish(*again, gone(world), DeliveryState::Exhausted { at: world.now })
            .await;
    }
    let filter = ReplayFilter {
        dead_letters: true,
        ..ReplayFilter::default()
    };
    let replay = world.replay(filter.clone(), Destination::Origins);
    let selection = world.select(&replay, EventId(0), 100, 100).await;
    let planned: Vec<_> = selection
        .candidates
        .iter()
        .flat_map(|event| replay.plan(event))
        .collect();
    let origins: Vec<_> = planned.iter().filter_map(|one| one.origin).collect();
    assert_eq!(origins, [first, other, twice[0]]);
    assert!(selection.is_last);
    let some = world.select(&replay, EventId(0), 100, 1).await;
    assert_eq!((some.candidates.len(), some.is_last), (1, false));
    let rest = world.select(&replay, some.cursor, 100, 100).await;
    assert_eq!(rest.candidates.len(), 2);
    let refused = ReplayFilter {
        failure: Some(Failure::NoAnswer(FailureReason::ConnectionRefused)),
        ..filter
    };
    let refused = world.replay(refused, Destination::Origins);
    let selected = world.select(&refused, EventId(0), 100, 100).await;
    assert_eq!(selected.candidates[0].deliveries[0].id, other);

    let new = NewReplay {
        replay: replay.clone(),
        webhook: None,
        most_running: 3,
    };
    let replay = world.store.create_replay(new).await.unwrap();
    assert_eq!(
        world.store.replay(COMPANY, replay.id).await.unwrap().filter,
        replay.filter
    );
    let step = ReplayStep {
        id: replay.id,
        from: replay.cursor,
        to: selection.cursor,
        is_last: true,
        scanned: selection.scanned,
        skipped: 0,
        deliveries: planned
            .into_iter()
            .map(|planned| ReplayDelivery {
                id: DeliveryId(world.id()),
                planned,
                due_at: world.now,
            })
            .collect(),
        next_due_at: world.now,
        now: world.now,
    };
    let replay = world.store.advance_replay(step).await.unwrap();
    assert_eq!(replay.progress.created, 3);
    assert_eq!(world.dead(ALL).await, [], "all of them were sent again");
}
