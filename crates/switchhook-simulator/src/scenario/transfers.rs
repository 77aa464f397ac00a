//! Calls that change hands, and calls that somebody joins.

use switchhook_protocol::CallState::*;

use super::{OUT, Scenario, Scene};
use crate::story::call::{Call, LegIndex, Outside};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "cold-transfer",
        "The first agent hands the caller on without asking.",
        cold_transfer,
    ),
    Scenario::new(
        "warm-transfer",
        "The first agent asks the second while the caller is on hold; then all three talk.",
        warm_transfer,
    ),
    Scenario::new(
        "parked-and-picked-up",
        "One parks the call, another one picks it up.",
        parked_and_picked_up,
    ),
    Scenario::new(
        "merged-calls",
        "A third party is called and joins the call.",
        merged_calls,
    ),
    Scenario::new(
        "supervisor-monitor",
        "A supervisor listens, then speaks, then leaves.",
        supervisor_monitor,
    ),
    Scenario::new(
        "supervisor-takeover",
        "A supervisor listens and takes the call over.",
        supervisor_takeover,
    ),
];

/// A caller of the support centre talks with an agent.
fn talk_with_an_agent(scene: &mut Scene) -> (Call, LegIndex, LegIndex) {
    let (support, agent) = (scene.support(), scene.agent(0));
    let (mut call, entry) = scene.call_to(support);
    let operator = call.operator(scene.world(), entry, agent);
    call.to(entry, Ringing)
        .wait(500)
        .to(operator, Ringing)
        .wait(3_500)
        .to(operator, Connected)
        .to(entry, Connected)
        .wait(25_000);
    (call, entry, operator)
}

fn cold_transfer(scene: &mut Scene) {
    let (mut call, entry, first) = talk_with_an_agent(scene);
    let colleague = scene.user(0);
    let second = call.successor(scene.world(), first, colleague);
    call.to(first, Hangup)
        .wait(300)
        .to(second, Ringing)
        .wait(6_000)
        .to(second, Connected)
        .wait(40_000)
        .to(second, Hangup)
        .wait(60)
        .to(entry, Hangup);
    scene.begin(call);
}

fn warm_transfer(scene: &mut Scene) {
    let (mut call, entry, first) = talk_with_an_agent(scene);
    let colleague = scene.user(0);
    let second = call.successor(scene.world(), first, colleague);
    call.to(first, Hold)
        .wait(1_500)
        .to(second, Ringing)
        .wait(4_000)
        .to(second, Connected)
        .wait(12_000)
        .to(first, Merged)
        .wait(5_000)
        .to(first, Hangup)
        .wait(30_000)
        .to(second, Hangup)
        .wait(60)
        .to(entry, Hangup);
    scene.begin(call);
}

fn parked_and_picked_up(scene: &mut Scene) {
    let (mut call, entry, first) = talk_with_an_agent(scene);
    let colleague = scene.user(0);
    let second = call.successor(scene.world(), first, colleague);
    call.to(first, Parked)
        .wait(20_000)
        .to(second, Ringing)
        .wait(300)
        .to(second, Connected)
        .wait(50)
        .to(first, Hangup)
        .wait(30_000)
        .to(second, Hangup)
        .wait(60)
        .to(entry, Hangup);
    scene.begin(call);
}

fn merged_calls(scene: &mut Scene) {
    let user = scene.user(0);
    let third = scene.contact();
    let (mut call, first) = scene.call_to(user);
    let second = call.second_line(scene.world(), first);
    call.talking_with(second, OUT, Outside::Contact(third))
        .to(first, Ringing)
        .wait(3_000)
        .to(first, Connected)
        .wait(20_000)
        .to(first, Hold)
        .wait(2_000)
        .to(second, Calling)
        .wait(900)
        .to(second, Ringing)
        .wait(5_000)
        .to(second, Connected)
        .wait(8_000)
        .to(first, Merged)
        .to(second, Merged)
        .wait(45_000)
        .to(second, Hangup)
        .wait(700)
        .to(first, Hangup);
    scene.begin(call);
}

fn supervisor_monitor(scene: &mut Scene) {
    let (mut call, entry, operator) = talk_with_an_agent(scene);
    let supervisor = scene.user(3);
    let ear = call.supervisor(scene.world(), operator, supervisor);
    call.to(ear, Monitor)
        .wait(20_000)
        .to(ear, Barge)
        .wait(10_000)
        .to(ear, Hangup)
        .wait(15_000)
        .to(operator, Hangup)
        .wait(60)
        .to(entry, Hangup);
    scene.begin(call);
}

fn supervisor_takeover(scene: &mut Scene) {
    let (mut call, entry, operator) = talk_with_an_agent(scene);
    let supervisor = scene.user(3);
    let next = call.supervisor(scene.world(), operator, supervisor);
    call.to(next, Monitor)
        .wait(12_000)
        .to(next, Takeover)
        .wait(100)
        .to(operator, Hangup)
        .wait(40_000)
        .to(next, Hangup)
        .wait(60)
        .to(entry, Hangup);
    scene.begin(call);
}
