//! Agents of a contact centre.

use switchhook_protocol::CallState::*;

use super::{SUPPORT, Scenario, Scene};
use crate::company::Duty;
use crate::story::agent_status::Shift;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "agent-day",
        "An agent comes to work, takes calls, has lunch, is busy, and goes home.",
        day,
    ),
    Scenario::new(
        "powerdialer-session",
        "An agent calls three numbers with the power dialler.",
        powerdialer,
    ),
];

const MINUTE: u64 = 60_000;

fn day(scene: &mut Scene) {
    let agent = scene.world().company.centers[SUPPORT].agents[0];
    let mut shift = Shift::of(agent);
    shift
        .after(0, Duty::Available)
        .after(20 * MINUTE, Duty::Occupied)
        .after(6 * MINUTE, Duty::Wrapup)
        .after(MINUTE, Duty::Available)
        .after(90 * MINUTE, Duty::Unavailable("Lunch"))
        .after(30 * MINUTE, Duty::Available)
        .after(15 * MINUTE, Duty::Busy)
        .after(8 * MINUTE, Duty::Available)
        .after(60 * MINUTE, Duty::Unavailable("Off duty"));
    scene.begin(shift);
}

fn powerdialer(scene: &mut Scene) {
    let agent = scene.world().company.centers[SUPPORT].agents[0];
    let session = scene.world().rng.id();
    let mut shift = Shift::of(agent);
    shift
        .powerdialer(0, Some(session))
        .after(2_000, Duty::Occupied)
        .after(31_000, Duty::Wrapup)
        .after(7_000, Duty::Available)
        .after(2_000, Duty::Occupied)
        .after(22_000, Duty::Wrapup)
        .after(5_000, Duty::Available)
        .after(2_000, Duty::Occupied)
        .after(41_000, Duty::Wrapup)
        .after(9_000, Duty::Available)
        .powerdialer(3_000, None);
    scene.begin(shift);

    let user = scene.agent(0);
    let talks_ms = [Some(20_000), None, Some(30_000)];
    for (begins_after, talk_ms) in [2_000, 40_000, 29_000].into_iter().zip(talks_ms) {
        scene.wait(begins_after);
        let (mut call, leg) = scene.call_from(user);
        call.to(leg, Calling).wait(1_000).to(leg, Ringing);
        match talk_ms {
            Some(talk_ms) => call.wait(9_000).to(leg, Connected).wait(talk_ms),
            None => call.wait(20_000),
        };
        call.to(leg, Hangup);
        scene.begin(call);
    }
}
