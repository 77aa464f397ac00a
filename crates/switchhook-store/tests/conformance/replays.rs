//! Replays: what they select, make, count, and how they end.

use std::time::Duration;

use switchhook_domain::delivery::{DeliveryState, StateName};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, ReplayId, WebhookId};
use switchhook_domain::order::LONGEST_BLOCK;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::replay::{Destination, Estimate, Progress, Replay, ReplayFilter, ReplayState};
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::{
    DeliveryFilter, Idempotency, NewEvent, NewReplay, PageRequest, PayloadSlice, Recorded, ReplayDelivery,
    ReplayEnd, ReplayStep, Scan, Selection, StoreError,
};

use crate::samples::{self, COMPANY, OTHER_COMPANY, order_key};
use crate::world::{Effect, World};

const HOOK: WebhookId = WebhookId(7);
const FIRST: PageRequest = PageRequest::first(100);

impl World {
    pub(crate) fn replay(&self, filter: ReplayFilter, to: Destination) -> Replay {
        let id = ReplayId(self.id());
        Replay {
            id,
            company_id: COMPANY,
            cursor: filter.span(id).0,
            filter,
            to,
            rate: Some(2.5),
            hidden: Hidden::EVERYTHING,
            made_with: "admin,recordings_export".parse().expect("it is a clearance"),
            estimate: Estimate {
                total: 3,
                is_exact: true,
            },
            is_all_created: false,
            next_due_at: self.now,
            progress: Progress::default(),
            state: ReplayState::Running,
            created_at: self.now,
        }
    }

    async fn keep_replay(&self, replay: Replay) -> Result<Replay, StoreError> {
        let webhook = match &replay.to {
            Destination::Url { webhook_id, url } => {
                let mut webhook = samples::webhook(webhook_id.0, replay.company_id);
                url.clone_into(&mut webhook.hook_url);
                Some(webhook)
            }
            Destination::Origins | Destination::Webhook(_) => None,
        };
        let new = NewReplay {
            replay,
            webhook,
            most_running: 3,
        };
        self.store.create_replay(new).await
    }

    /// A running replay of everything to where it went.
    async fn replay_all(&self) -> Replay {
        let replay = self.replay(ReplayFilter::default(), Destination::Origins);
        self.keep_replay(replay).await.unwrap()
    }

    pub(crate) async fn select(
        &self,
        replay: &Replay,
        after: EventId,
        scanned: u32,
        selected: u32,
    ) -> Selection {
        let scan = Scan {
            after,
            most_scanned: scanned,
            most_selected: selected,
        };
        self.store.select_for_replay(replay.clone(), scan).await.unwrap()
    }

    /// The next step of a replay, with everything that it selects now.
    async fn step(&self, replay: &Replay) -> ReplayStep {
        let selection = self.select(replay, replay.cursor, 100, 100).await;
        let planned = selection.candidates.iter().flat_map(|event| replay.plan(event));
        let deliveries = planned.map(|planned| ReplayDelivery {
            id: DeliveryId(self.id()),
            planned,
            due_at: self.now,
        });
        ReplayStep {
            id: replay.id,
            from: replay.cursor,
            to: selection.cursor,
            is_last: selection.is_last,
            scanned: selection.scanned,
            skipped: 1,
            deliveries: deliveries.collect(),
            next_due_at: self.now.plus(Duration::from_millis(1)),
            now: self.now,
        }
    }

    async fn advance(&self, replay: &Replay) -> (Replay, Vec<DeliveryId>) {
        let step = self.step(replay).await;
        let ids = step.deliveries.iter().map(|one| one.id).collect();
        (self.store.advance_replay(step).await.unwrap(), ids)
    }

    async fn current(&self, replay: &Replay) -> Replay {
        self.store.replay(COMPANY, replay.id).await.unwrap()
    }
}

fn ids(selection: &Selection) -> Vec<EventId> {
    selection.candidates.iter().map(|event| event.event_id).collect()
}

pub(crate) async fn a_replay_reads_back_as_it_was(world: &mut World) {
    let webhook_id = world.webhook().await;
    let filter = ReplayFilter {
        kind: Some(Kind::Call),
        order_key: Some(order_key(1)),
        not_delivered: true,
        ..ReplayFilter::default()
    };
    let url = Destination::Url {
        webhook_id: WebhookId(world.id()),
        url: "https://example.com/elsewhere".to_owned(),
    };
    for (to, rate) in [
        (Destination::Origins, None),
        (Destination::Webhook(webhook_id), Some(0.5)),
        (url, Some(100.0)),
    ] {
        let replay = Replay {
            rate,
            ..world.replay(filter.clone(), to)
        };
        let kept = world.keep_replay(replay.clone()).await.unwrap();
        assert_eq!(kept, replay);
        assert_eq!(world.current(&replay).await, replay);
    }
    let theirs = world.store.replay(OTHER_COMPANY, ReplayId(world.id())).await;
    assert!(
        matches!(theirs, Err(StoreError::NotFound("replay"))),
        "{theirs:?}"
    );
}

pub(crate) async fn replays_are_listed_newest_first_and_running_ones_by_id(world: &mut World) {
    let (one, two) = (world.replay_all().await, world.replay_all().await);
    let other = Replay {
        company_id: OTHER_COMPANY,
        ..world.replay(ReplayFilter::default(), Destination::Origins)
    };
    let other = world.keep_replay(other).await.unwrap();
    world
        .store
        .end_replay(one.id, ReplayEnd::Finished, world.now)
        .await
        .unwrap();
    let ended = world.current(&one).await;
    let listed = world.store.list_replays(COMPANY, FIRST).await.unwrap();
    assert_eq!(listed.items, [two.clone(), ended]);
    let page = world
        .store
        .list_replays(COMPANY, PageRequest::first(1))
        .await
        .unwrap();
    assert_eq!((page.items, page.next), (vec![two.clone()], Some(two.id.0)));
    let running = world.store.running_replays(FIRST).await.unwrap();
    assert_eq!(running.items, [two, other.clone()]);
    assert_eq!(world.store.last_id().await.unwrap(), other.id.0);
    let theirs = world.store.replay(COMPANY, other.id).await;
    assert!(
        matches!(theirs, Err(StoreError::NotFound("replay"))),
        "{theirs:?}"
    );
}

pub(crate) async fn a_replay_goes_to_a_webhook_of_its_company(world: &mut World) {
    let theirs = samples::webhook(world.id(), OTHER_COMPANY);
    world.store.create_webhook(theirs.clone()).await.unwrap();
    for id in [theirs.id, WebhookId(404)] {
        let replay = world.replay(ReplayFilter::default(), Destination::Webhook(id));
        let refused = world.keep_replay(replay).await;
        assert!(
            matches!(refused, Err(StoreError::NotFound("webhook"))),
            "{refused:?}"
        );
    }
}

pub(crate) async fn no_more_replays_run_at_once_than_allowed(world: &mut World) {
    let first = world.replay_all().await;
    world.replay_all().await;
    world.replay_all().await;
    let fourth = || world.replay(ReplayFilter::default(), Destination::Origins);
    let refused = world.keep_replay(fourth()).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    world
        .store
        .cancel_replay(COMPANY, first.id, world.now)
        .await
        .unwrap();
    world.keep_replay(fourth()).await.unwrap();
}

pub(crate) async fn a_webhook_of_a_replay_is_known_to_nodes_only_and_goes_with_it(world: &mut World) {
    let own = samples::webhook(world.id(), COMPANY);
    world.store.create_webhook(own.clone()).await.unwrap();
    let webhook_id = WebhookId(world.id());
    // An address that a webhook has too: the two do not meet.
    let to = Destination::Url {
        webhook_id,
        url: own.hook_url.clone(),
    };
    let replay = world
        .keep_replay(world.replay(ReplayFilter::default(), to.clone()))
        .await
        .unwrap();
    assert_eq!(
        world.store.list_webhooks(COMPANY, FIRST).await.unwrap().items,
        std::slice::from_ref(&own)
    );
    let hidden = world.store.webhook(COMPANY, webhook_id).await;
    assert!(
        matches!(hidden, Err(StoreError::NotFound("webhook"))),
        "{hidden:?}"
    );
    let of_replays = world.store.replay_webhooks(COMPANY).await.unwrap();
    assert_eq!((of_replays.len(), of_replays[0].id), (1, webhook_id));
    assert_eq!(of_replays[0].secret, own.secret);
    assert_eq!(world.store.replay_webhooks(OTHER_COMPANY).await.unwrap(), []);
    assert_eq!(world.store.scan_webhooks(FIRST).await.unwrap().items.len(), 2);

    let cancelled = world
        .store
        .cancel_replay(COMPANY, replay.id, world.now)
        .await
        .unwrap();
    assert_eq!(cancelled.to, to, "it still tells where it went");
    assert_eq!(world.store.replay_webhooks(COMPANY).await.unwrap(), []);
    assert_eq!(world.store.scan_webhooks(FIRST).await.unwrap().items, [own]);
}

pub(crate) async fn events_are_selected_in_order_and_within_bounds(world: &mut World) {
    let mut sent = Vec::new();
    for call in 0..6 {
        let delivery = world.leave(call % 2, HOOK).await;
        sent.push(world.event_of(delivery).await);
    }
    let replay = world.replay_all().await;
    let all = world.select(&replay, replay.cursor, 100, 100).await;
    assert_eq!(ids(&all), sent);
    assert_eq!(
        (all.scanned, all.first, all.cursor, all.is_last),
        (6, Some(sent[0]), sent[5], true)
    );
    let some = world.select(&replay, sent[0], 4, 2).await;
    assert_eq!(ids(&some), sent[1..3]);
    assert_eq!((some.scanned, some.cursor, some.is_last), (2, sent[2], false));
    let none = world.select(&replay, sent[5], 4, 4).await;
    assert_eq!((ids(&none), none.cursor, none.is_last), (vec![], sent[5], true));

    let of_call = ReplayFilter {
        order_key: Some(order_key(1)),
        ..ReplayFilter::default()
    };
    let replay = world.replay(of_call, Destination::Origins);
    let some = world.select(&replay, replay.cursor, 4, 100).await;
    assert_eq!(ids(&some), [sent[1], sent[3]]);
    assert_eq!(
        (some.scanned, some.is_last),
        (4, false),
        "as many looked at as allowed"
    );
    let not_delivered = ReplayFilter {
        not_delivered: true,
        ..ReplayFilter::default()
    };
    let replay = world.replay(not_delivered, Destination::Origins);
    assert_eq!(ids(&world.select(&replay, replay.cursor, 100, 100).await), []);
}

pub(crate) async fn only_what_was_accepted_before_the_replay_is_selected(world: &mut World) {
    let early = world.event_of(world.leave(1, HOOK).await).await;
    world.after(60);
    let since = world.now;
    let late = world.event_of(world.leave(1, HOOK).await).await;
    let all = world.replay_all().await;
    let of_time = |since, until| ReplayFilter {
        since,
        until,
        ..ReplayFilter::default()
    };
    let replays = [
        (all, vec![early, late]),
        (
            world.replay(of_time(Some(since), None), Destination::Origins),
            vec![late],
        ),
        (
            world.replay(of_time(None, Some(since)), Destination::Origins),
            vec![early],
        ),
        (
            world.replay(of_time(Some(since), Some(since)), Destination::Origins),
            vec![],
        ),
    ];
    world.leave(1, HOOK).await;
    for (replay, expected) in replays {
        let selection = world.select(&replay, replay.cursor, 100, 100).await;
        assert_eq!(ids(&selection), expected, "{:?}", replay.filter);
    }
    let theirs = Replay {
        company_id: CompanyId(5),
        ..world.replay(ReplayFilter::default(), Destination::Webhook(HOOK))
    };
    assert_eq!(ids(&world.select(&theirs, theirs.cursor, 100, 100).await), []);
}

pub(crate) async fn named_events_are_selected_and_missing_ones_passed_over(world: &mut World) {
    let mut sent = Vec::new();
    for call in 0..4 {
        sent.push(world.event_of(world.leave(call, HOOK).await).await);
    }
    let missing = EventId(sent[3].0 + 1);
    let named = |ids| ReplayFilter {
        ids: Some(ids),
        ..ReplayFilter::default()
    };
    world.after(1);
    let replay = world.replay(
        named(vec![sent[0], sent[2], sent[3], missing]),
        Destination::Origins,
    );
    let first = world.select(&replay, replay.cursor, 2, 100).await;
    assert_eq!((ids(&first), first.is_last), (vec![sent[0], sent[2]], false));
    let rest = world.select(&replay, first.cursor, 2, 100).await;
    assert_eq!(
        (ids(&rest), rest.is_last, rest.cursor),
        (vec![sent[3]], true, missing)
    );
    let one = world.select(&replay, replay.cursor, 100, 1).await;
    assert_eq!(
        (ids(&one), one.is_last, one.cursor),
        (vec![sent[0]], false, sent[0])
    );
}

pub(crate) async fn a_step_makes_deliveries_and_moves_the_cursor_together(world: &mut World) {
    let (first, second) = (world.send(1, HOOK).await, world.leave(2, HOOK).await);
    world.succeed(first, 1).await;
    let before = (world.get(first).await, world.get(second).await);
    let replay = world.replay_all().await;
    world.effects();
    world.after(1);
    let (advanced, made) = world.advance(&replay).await;
    assert_eq!(
        world.effects(),
        [Effect::Due(HOOK, world.now)],
        "once for a webhook"
    );
    let event_id = world.event_of(second).await;
    assert_eq!((advanced.cursor, advanced.is_all_created), (event_id, true));
    assert_eq!(advanced.next_due_at, world.now.plus(Duration::from_millis(1)));
    let expected = Progress {
        scanned: 2,
        created: 2,
        skipped: 1,
        untried: 2,
        ..Progress::default()
    };
    assert_eq!((advanced.progress, advanced.progress.pending()), (expected, 2));
    assert_eq!(world.current(&replay).await, advanced);

    let delivery = world.get(made[0]).await;
    assert_eq!((delivery.event_id, delivery.ordinal), (before.0.event_id, 1));
    assert_eq!(
        (delivery.origin, delivery.replay_id),
        (Some(first), Some(replay.id))
    );
    assert_eq!(delivery.order_key, Some(order_key(1).in_replay(replay.id)));
    assert_eq!(
        (delivery.hidden, &delivery.subscription_ids),
        (before.0.hidden, &before.0.subscription_ids)
    );
    assert_eq!(delivery.state, DeliveryState::Pending { due_at: world.now });
    assert_eq!(delivery.blocks_until, world.now.plus(LONGEST_BLOCK));
    assert_eq!(
        (world.get(first).await, world.get(second).await),
        before,
        "history is not rewritten"
    );
    let of_replay = DeliveryFilter {
        replay_id: Some(replay.id),
        ..DeliveryFilter::default()
    };
    let listed = world
        .store
        .list_deliveries(COMPANY, of_replay, FIRST)
        .await
        .unwrap();
    assert_eq!(
        listed.items.iter().map(|one| one.id).collect::<Vec<_>>(),
        [made[1], made[0]]
    );
}

pub(crate) async fn a_step_from_elsewhere_does_nothing(world: &mut World) {
    world.leave(1, HOOK).await;
    let replay = world.replay_all().await;
    let step = world.step(&replay).await;
    let advanced = world.store.advance_replay(step.clone()).await.unwrap();
    world.effects();
    for step in [
        step.clone(),
        ReplayStep {
            from: advanced.cursor,
            ..step
        },
    ] {
        let refused = world.store.advance_replay(step).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    assert_eq!(world.effects(), []);
    assert_eq!(world.current(&replay).await, advanced);

    let cancelled = world.replay_all().await;
    let step = world.step(&cancelled).await;
    world
        .store
        .cancel_replay(COMPANY, cancelled.id, world.now)
        .await
        .unwrap();
    let refused = world.store.advance_replay(step.clone()).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");

    // An event that is gone is skipped.
    let other = world.replay_all().await;
    let mut step = ReplayStep {
        id: other.id,
        from: other.cursor,
        ..step
    };
    step.deliveries[0].planned.event_id = EventId(404);
    let advanced = world.store.advance_replay(step).await.unwrap();
    assert_eq!((advanced.progress.created, advanced.progress.skipped), (0, 2));
}

pub(crate) async fn a_replayed_delivery_of_a_key_waits_for_the_one_before_it(world: &mut World) {
    for _ in 0..2 {
        let id = world.send(1, HOOK).await;
        world.succeed(id, 1).await;
    }
    let (_, made) = world.advance(&world.replay_all().await).await;
    assert_eq!(world.claim(HOOK, 1).await.claimed, 1);
    world.fail(made[0], 1, 30).await;
    // What is live does not wait for what is replayed.
    let live = world.send(1, HOOK).await;
    world.succeed(live, 1).await;
    assert_eq!(world.claim(HOOK, 9).await.claimed, 0);
    assert_eq!(world.get(made[1]).await.attempt_number, 0);
    world.after(30);
    assert_eq!(world.claim(HOOK, 9).await.claimed, 1);
    world.succeed(made[0], 2).await;
    assert_eq!(world.claim(HOOK, 9).await.claimed, 1);
    assert!(world.succeed(made[1], 1).await);
}

pub(crate) async fn a_replay_counts_how_its_deliveries_end(world: &mut World) {
    for call in 0..5 {
        let id = world.send(call, HOOK).await;
        world.succeed(id, 1).await;
    }
    let (replay, made) = world.advance(&world.replay_all().await).await;
    assert_eq!(replay.progress.untried, 5);
    world.claim(HOOK, 9).await;
    assert_eq!(world.current(&replay).await.progress.untried, 0);
    world.succeed(made[0], 1).await;
    world
        .finish(
            made[1],
            samples::answered(1, 410, world.now),
            DeliveryState::Exhausted { at: world.now },
        )
        .await;
    world.fail(made[2], 1, 30).await;
    world
        .store
        .cancel_delivery(COMPANY, made[3], world.now)
        .await
        .unwrap();
    // Its attempt ends, which makes it no more final than it is.
    world.succeed(made[3], 1).await;
    let again = DeliveryId(world.id());
    world
        .store
        .redeliver(COMPANY, made[0], again, world.now)
        .await
        .ok();
    let progress = world.current(&replay).await.progress;
    assert_eq!(
        (progress.delivered, progress.exhausted, progress.cancelled),
        (1, 1, 1)
    );
    assert_eq!(progress.pending(), 2);
    world
        .store
        .cancel_deliveries_of(HOOK, world.now, 100)
        .await
        .unwrap();
    let progress = world.current(&replay).await.progress;
    assert_eq!((progress.cancelled, progress.pending()), (3, 0));
}

pub(crate) async fn cancelling_a_replay_cancels_what_is_pending(world: &mut World) {
    let mut originals = Vec::new();
    for call in 0..3 {
        originals.push(world.send(call, HOOK).await);
    }
    world.succeed(originals[0], 1).await;
    let (replay, made) = world.advance(&world.replay_all().await).await;
    world.claim(HOOK, 1).await;
    world.succeed(made[0], 1).await;
    world.claim(HOOK, 1).await;
    world.after(1);
    let cancelled = world
        .store
        .cancel_replay(COMPANY, replay.id, world.now)
        .await
        .unwrap();
    assert_eq!(cancelled.state, ReplayState::Cancelled { at: world.now });
    let progress = cancelled.progress;
    assert_eq!(
        (progress.delivered, progress.cancelled, progress.pending()),
        (1, 2, 0)
    );
    let state = world.state(made[0]).await;
    assert_eq!(state.name(), StateName::Delivered);
    for id in &made[1..] {
        assert_eq!(world.state(*id).await, DeliveryState::Cancelled { at: world.now });
    }
    assert_eq!(
        world.state(originals[1]).await.name(),
        StateName::Pending,
        "not its own"
    );
    assert!(world.succeed(made[1], 1).await, "an attempt under way still ends");
    assert_eq!(world.current(&replay).await, cancelled);
}

pub(crate) async fn a_replay_ends_once(world: &mut World) {
    let (one, two) = (world.replay_all().await, world.replay_all().await);
    let later: Timestamp = world.now.plus(Duration::from_secs(5));
    let cancelled = world
        .store
        .cancel_replay(COMPANY, one.id, world.now)
        .await
        .unwrap();
    assert_eq!(
        world.store.cancel_replay(COMPANY, one.id, later).await.unwrap(),
        cancelled
    );
    let reason = ReplayEnd::Failed("its webhook is gone".to_owned());
    let failed = world.store.end_replay(two.id, reason, world.now).await.unwrap();
    assert_eq!(
        failed.state,
        ReplayState::Failed {
            at: world.now,
            reason: "its webhook is gone".to_owned()
        }
    );
    for refused in [
        world.store.end_replay(one.id, ReplayEnd::Finished, later).await,
        world.store.end_replay(two.id, ReplayEnd::Finished, later).await,
        world.store.cancel_replay(COMPANY, two.id, later).await,
    ] {
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    let theirs = world.store.cancel_replay(OTHER_COMPANY, two.id, later).await;
    assert!(
        matches!(theirs, Err(StoreError::NotFound("replay"))),
        "{theirs:?}"
    );
    assert_eq!(world.current(&two).await, failed);
}

pub(crate) async fn a_replayed_delivery_is_no_part_of_the_first_answer(world: &mut World) {
    let webhook_id = world.webhook().await;
    let idempotency = Some(Idempotency {
        key: "once".to_owned(),
        not_before: world.now,
    });
    let event = NewEvent {
        idempotency,
        ..world.event()
    };
    world.record(event.clone()).await;
    // It went nowhere at first: the replay's delivery repeats none.
    let replay = world.replay(ReplayFilter::default(), Destination::Webhook(webhook_id));
    let replay = world.keep_replay(replay).await.unwrap();
    let (_, made) = world.advance(&replay).await;
    assert_eq!(world.get(made[0]).await.origin, None);
    let Recorded::Repeated { deliveries, .. } = world.record(event).await else {
        panic!("it is a repetition");
    };
    assert_eq!(deliveries, []);
    let again = world
        .keep_replay(world.replay(ReplayFilter::default(), Destination::Origins))
        .await
        .unwrap();
    let selection = world.select(&again, again.cursor, 100, 100).await;
    assert_eq!(ids(&selection), [], "what a replay sent is no origin");
}

pub(crate) async fn a_replay_stands_where_it_stood_after_a_restart(world: &mut World) {
    if !world.fixture.outlives_its_process() {
        return;
    }
    for call in 0..3 {
        world.leave(call, HOOK).await;
    }
    let replay = world.replay_all().await;
    let selection = world.select(&replay, replay.cursor, 100, 1).await;
    let step = ReplayStep {
        to: selection.cursor,
        is_last: false,
        scanned: 1,
        ..world.step(&replay).await
    };
    let step = ReplayStep {
        deliveries: step.deliveries[..1].to_vec(),
        ..step
    };
    let advanced = world.store.advance_replay(step).await.unwrap();
    world.reopen().await;
    assert_eq!(
        world.store.running_replays(FIRST).await.unwrap().items,
        std::slice::from_ref(&advanced)
    );
    let (done, made) = world.advance(&advanced).await;
    assert_eq!(
        (made.len(), done.progress.created, done.is_all_created),
        (2, 3, true)
    );
}

pub(crate) async fn an_event_without_a_payload_is_not_replayed(world: &mut World) {
    for call in 0..3 {
        let id = world.send(call, HOOK).await;
        world.succeed(id, 1).await;
    }
    let replay = world.replay_all().await;
    let step = world.step(&replay).await;
    let drop = PayloadSlice {
        company_id: COMPANY,
        after: None,
        limit: 1,
    };
    world.store.drop_payloads(drop, world.now).await.unwrap();
    let advanced = world.store.advance_replay(step).await.unwrap();
    assert_eq!((advanced.progress.created, advanced.progress.skipped), (2, 2));
    let others = PayloadSlice { limit: 9, ..drop };
    let dropped = world.store.drop_payloads(others, world.now).await.unwrap();
    assert_eq!(dropped.payloads, 0, "what a replay is about to send stays");
}
