//! Calls between one person of the company and one outside.

use switchhook_protocol::CallState::*;

use super::{OUT, Scenario, Scene};
use crate::event::SimulatedEvent;
use crate::story::call::{Call, Outside};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "inbound-answered",
        "Somebody calls a person's own number; they talk.",
        inbound_answered,
    ),
    Scenario::new(
        "inbound-missed",
        "Nobody answers, and the caller gives up.",
        inbound_missed,
    ),
    Scenario::new(
        "inbound-voicemail",
        "Nobody answers; the caller leaves a voicemail, which is transcribed.",
        inbound_voicemail,
    ),
    Scenario::new(
        "outbound-answered",
        "Somebody of the company calls out; they talk.",
        outbound_answered,
    ),
    Scenario::new(
        "outbound-unanswered",
        "Somebody of the company calls out; nobody answers.",
        outbound_unanswered,
    ),
    Scenario::new(
        "internal-call",
        "One person of the company calls another: two legs, one call.",
        internal_call,
    ),
    Scenario::new(
        "hold-and-resume",
        "The caller is put on hold twice.",
        hold_and_resume,
    ),
    Scenario::new(
        "recorded-with-recap",
        "Recording, transcript and recap arrive long after the hangup.",
        recorded_with_recap,
    ),
    Scenario::new("blocked-caller", "A blocked number calls.", blocked_caller),
    Scenario::new(
        "late-ringing",
        "A `ringing` arrives after the `hangup` of its leg.",
        inbound_answered,
    )
    .with_mishap(ringing_comes_last),
    Scenario::new(
        "repeated-hangup",
        "The `hangup` is delivered three times.",
        inbound_answered,
    )
    .with_mishap(hangup_comes_thrice),
];

fn inbound_answered(scene: &mut Scene) {
    let user = scene.user(0);
    let (mut call, leg) = scene.call_to(user);
    call.to(leg, Ringing)
        .wait(4_000)
        .to(leg, Connected)
        .wait(42_000)
        .to(leg, Hangup);
    scene.begin(call);
}

fn inbound_missed(scene: &mut Scene) {
    let user = scene.user(0);
    let (mut call, leg) = scene.call_to(user);
    call.to(leg, Ringing)
        .wait(18_000)
        .to(leg, Missed)
        .wait(100)
        .to(leg, Hangup);
    scene.begin(call);
}

fn inbound_voicemail(scene: &mut Scene) {
    let user = scene.user(0);
    let (mut call, leg) = scene.call_to(user);
    call.to(leg, Ringing)
        .wait(20_000)
        .to(leg, Missed)
        .wait(800)
        .to(leg, Voicemail)
        .wait(14_000)
        .to(leg, Hangup)
        .wait(4_000)
        .to(leg, VoicemailUploaded)
        .wait(6_000)
        .to(leg, Transcription);
    scene.begin(call);
}

fn outbound_answered(scene: &mut Scene) {
    let user = scene.user(0);
    let (mut call, leg) = scene.call_from(user);
    call.to(leg, Calling)
        .wait(1_200)
        .to(leg, Ringing)
        .wait(7_000)
        .to(leg, Connected)
        .wait(35_000)
        .to(leg, Hangup);
    scene.begin(call);
}

fn outbound_unanswered(scene: &mut Scene) {
    let user = scene.user(0);
    let (mut call, leg) = scene.call_from(user);
    call.to(leg, Calling)
        .wait(1_200)
        .to(leg, Ringing)
        .wait(25_000)
        .to(leg, Hangup);
    scene.begin(call);
}

fn internal_call(scene: &mut Scene) {
    let (from, to) = (scene.user(0), scene.user(1));
    let mut call = Call::new(scene.world(), OUT, Outside::User(to));
    let calling = call.leg(scene.world(), from);
    let called = call.colleague(scene.world(), calling, from, to);
    call.to(calling, Calling)
        .wait(300)
        .to(calling, Ringing)
        .to(called, Ringing)
        .wait(4_000)
        .to(called, Connected)
        .to(calling, Connected)
        .wait(30_000)
        .to(calling, Hangup)
        .wait(50)
        .to(called, Hangup);
    scene.begin(call);
}

fn hold_and_resume(scene: &mut Scene) {
    let user = scene.user(0);
    let (mut call, leg) = scene.call_to(user);
    call.to(leg, Ringing).wait(3_000).to(leg, Connected);
    for held_ms in [12_000, 45_000] {
        call.wait(15_000).to(leg, Hold).wait(held_ms).to(leg, Connected);
    }
    call.wait(10_000).to(leg, Hangup);
    scene.begin(call);
}

fn recorded_with_recap(scene: &mut Scene) {
    let user = scene.user(0);
    let (mut call, leg) = scene.call_to(user);
    call.to(leg, Ringing)
        .wait(3_000)
        .to(leg, Connected)
        .record(leg)
        .wait(60_000)
        .to(leg, Hangup)
        .wait(6_000)
        .to(leg, Recording)
        .wait(2_000)
        .to(leg, AdminRecording)
        .wait(90_000)
        .to(leg, CallTranscription)
        .wait(12_000)
        .to(leg, RecapSummary)
        .wait(3_000)
        .to(leg, RecapPurposes)
        .wait(1_000)
        .to(leg, RecapOutcome)
        .wait(1_000)
        .to(leg, RecapActionItems)
        .wait(20_000)
        .to(leg, AiPlaybook);
    scene.begin(call);
}

fn blocked_caller(scene: &mut Scene) {
    let user = scene.user(0);
    let (mut call, leg) = scene.call_to(user);
    call.to(leg, Blocked).wait(50).to(leg, Hangup);
    scene.begin(call);
}

/// The network holds the first event back until the call is over.
fn ringing_comes_last(mut events: Vec<SimulatedEvent>) -> Vec<SimulatedEvent> {
    let mut ringing = events.remove(0);
    if let Some(last) = events.last() {
        ringing.at = super::later(last.at, 1_500);
    }
    events.push(ringing);
    events
}

/// The sender did not hear the first two answers.
fn hangup_comes_thrice(mut events: Vec<SimulatedEvent>) -> Vec<SimulatedEvent> {
    let hangup = events.iter().find(|event| event.step == "hangup").cloned();
    if let Some(mut again) = hangup {
        for after_ms in [2_000, 4_000] {
            again.at = super::later(again.at, after_ms);
            events.push(again.clone());
        }
    }
    events
}
