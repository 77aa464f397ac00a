//! Random histories: what a node does in any order keeps the promises.
//!
//! A small model of the node runs beside the store: it knows what it was handed over and what came of it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::order::LONGEST_BLOCK;
use switchhook_store::HandedOver;

use crate::samples::COMPANY;
use crate::world::World;

const HOOKS: [WebhookId; 2] = [WebhookId(1), WebhookId(2)];
const STEPS: u32 = 300;
const LONGEST_PATIENCE: u32 = 200;
const SEEDS: [u64; 4] = [1, 2, 3, 0x5eed];

/// Numbers that a failure can be repeated with.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Node's knowledge.
#[derive(Default)]
struct Node {
    /// The attempts that it was handed, and when the lease ends.
    open: BTreeMap<DeliveryId, (u32, Timestamp)>,
    all: Vec<DeliveryId>,
    finals: HashMap<DeliveryId, DeliveryState>,
    /// Handed over but not settled: each claim must end in exactly one `Settled`.
    unsettled: i64,
}

pub(crate) async fn they_hold_whatever_is_done(world: &mut World) {
    for seed in SEEDS {
        let mut dice = Dice(seed);
        let mut node = Node::default();
        for step in 0..STEPS {
            act(world, &mut node, &mut dice).await;
            listen(world, &mut node, seed, step);
            world.now = world.now.plus(Duration::from_millis(dice.below(4_000)));
        }
        check_rows(world, &mut node, seed).await;
        run_dry(world, &mut node, seed).await;
    }
}

async fn act(world: &World, node: &mut Node, dice: &mut Dice) {
    let hook = HOOKS[usize::from(dice.below(2) == 1)];
    let call = i64::try_from(dice.below(3)).expect("small");
    match dice.below(10) {
        0..=2 => node.all.push(world.send(call, hook).await),
        3 => node.all.push(world.leave(call, hook).await),
        4 => drop(
            world
                .claim(hook, u32::try_from(dice.below(3)).expect("small"))
                .await,
        ),
        5..=7 => finish_one(world, node, dice).await,
        8 => release_one(world, node, dice).await,
        _ => cancel_one(world, node, dice).await,
    }
}

fn pick<T: Copy>(items: &[T], dice: &mut Dice) -> Option<T> {
    if items.is_empty() {
        return None;
    }
    let place = dice.below(items.len() as u64);
    items.get(usize::try_from(place).expect("small")).copied()
}

fn an_open_one(node: &Node, dice: &mut Dice) -> Option<(DeliveryId, u32)> {
    let open: Vec<_> = node.open.iter().map(|(id, (number, _))| (*id, *number)).collect();
    pick(&open, dice)
}

async fn finish_one(world: &World, node: &mut Node, dice: &mut Dice) {
    let Some((id, number)) = an_open_one(node, dice) else {
        return;
    };
    node.open.remove(&id);
    let was_in_time = match dice.below(4) {
        0 => world.fail(id, number, dice.below(20)).await,
        1 => {
            let attempt = crate::samples::answered(number, 410, world.now);
            world
                .finish(id, attempt, DeliveryState::Exhausted { at: world.now })
                .await
        }
        _ => world.succeed(id, number).await,
    };
    assert!(was_in_time, "nobody else took delivery {id}");
}

async fn release_one(world: &World, node: &mut Node, dice: &mut Dice) {
    let Some((id, number)) = an_open_one(node, dice) else {
        return;
    };
    node.open.remove(&id);
    world.release(id, number).await;
}

async fn cancel_one(world: &World, node: &Node, dice: &mut Dice) {
    if let Some(id) = pick(&node.all, dice) {
        let is_final = world.state(id).await.is_final();
        let answer = world.store.cancel_delivery(COMPANY, id, world.now).await;
        assert_eq!(answer.is_err(), is_final, "{answer:?}");
    }
}

fn listen(world: &mut World, node: &mut Node, seed: u64, step: u32) {
    let now = world.now;
    for item in world.handed_over() {
        match item {
            HandedOver::Claimed(claimed) => {
                let (id, number) = (claimed.delivery.id, claimed.delivery.attempt_number);
                let before = node.open.insert(id, (number, claimed.delivery.state.at()));
                if let Some((older, lease_end)) = before {
                    assert!(
                        lease_end <= now && older < number,
                        "seed {seed}, step {step}: {id} is open twice"
                    );
                } else {
                    node.unsettled += 1;
                }
            }
            HandedOver::Settled { .. } => node.unsettled -= 1,
            HandedOver::Due { .. } | HandedOver::Cancelled { .. } | HandedOver::Doubtful(_) => {}
        }
    }
    let open = i64::try_from(node.open.len()).expect("small");
    assert_eq!(
        node.unsettled, open,
        "seed {seed}, step {step}: every claim is settled once"
    );
}

/// Attempts count from 1 without gaps, final states stay, and nothing overtakes without saying so.
async fn check_rows(world: &World, node: &mut Node, seed: u64) {
    for id in &node.all {
        let delivery = world.get(*id).await;
        let numbers: Vec<u32> = world
            .attempts(*id)
            .await
            .iter()
            .map(|attempt| attempt.number)
            .collect();
        let is_open = delivery.attempt_number as usize == numbers.len() + 1;
        assert!(
            is_open || delivery.attempt_number as usize == numbers.len(),
            "seed {seed}, {delivery:?}: {numbers:?}"
        );
        assert_eq!(
            numbers,
            (1..).take(numbers.len()).collect::<Vec<_>>(),
            "seed {seed}, delivery {id}"
        );
        assert!(
            !node.open.contains_key(id) || is_open || delivery.state.is_final(),
            "seed {seed}, {delivery:?}"
        );
        if let Some(state) = node.finals.get(id) {
            assert_eq!(*state, delivery.state, "seed {seed}, delivery {id}");
        }
        if delivery.state.is_final() {
            node.finals.insert(*id, delivery.state);
        }
    }
}

/// Whatever state things are in, some patience brings every delivery to its end.
async fn run_dry(world: &mut World, node: &mut Node, seed: u64) {
    for round in 0..LONGEST_PATIENCE {
        if world.store.pending_webhooks(None, 1).await.unwrap().is_empty() {
            break;
        }
        for hook in HOOKS {
            world.claim(hook, 100).await;
        }
        listen(world, node, seed, STEPS + round);
        for (id, (number, _)) in std::mem::take(&mut node.open) {
            world.succeed(id, number).await;
        }
        listen(world, node, seed, STEPS + round);
        world.now = world.now.plus(Duration::from_secs(61));
    }
    check_rows(world, node, seed).await;
    for id in &node.all {
        assert!(
            node.finals.contains_key(id),
            "seed {seed}: delivery {id} never ended: {:?}",
            world.get(*id).await
        );
    }
    assert!(world.store.pending_webhooks(None, 9).await.unwrap().is_empty());
    world.now = world.now.plus(LONGEST_BLOCK);
}
