//! Calls to groups: menus, departments, contact centres and their queues. Each has an entry leg and operators' legs.

use switchhook_protocol::CallState::*;

use super::{Scenario, Scene};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "menu-to-department",
        "The office's menu leads a caller to a department; one of two people answers.",
        menu_to_department,
    ),
    Scenario::new(
        "department-to-center",
        "Nobody in a department answers; the call goes on to a contact centre, where an agent takes it.",
        department_to_center,
    ),
    Scenario::new(
        "menu-abandoned",
        "The caller hears the menu and hangs up.",
        menu_abandoned,
    ),
    Scenario::new(
        "ring-all-answered",
        "A contact centre rings three agents; the second answers.",
        ring_all_answered,
    ),
    Scenario::new(
        "ring-all-missed",
        "A contact centre rings three agents; nobody answers, and the caller leaves a voicemail.",
        ring_all_missed,
    ),
    Scenario::new(
        "queue-then-answered",
        "Everybody is busy; the caller waits until an agent is free.",
        queue_then_answered,
    ),
    Scenario::new(
        "queue-abandoned",
        "The caller loses patience in the queue.",
        queue_abandoned,
    ),
    Scenario::new(
        "queue-callback",
        "The caller asks to be called back, and is.",
        queue_callback,
    ),
    Scenario::new(
        "survey-and-dispositions",
        "The agent's wrap-up and the caller's rating come after the call.",
        survey_and_dispositions,
    ),
];

fn menu_to_department(scene: &mut Scene) {
    let office = scene.office();
    let (first, second) = (scene.user(0), scene.user(1));
    let (mut call, entry) = scene.call_to(office);
    let ben = call.operator(scene.world(), entry, first);
    let ada = call.operator(scene.world(), entry, second);
    call.to(entry, Preanswer)
        .wait(8_000)
        .to(entry, Ringing)
        .wait(200)
        .to(ben, Ringing)
        .wait(60)
        .to(ada, Ringing)
        .wait(5_000)
        .to(ada, Connected)
        .to(entry, Connected)
        .wait(120)
        .to(ben, Hangup)
        .wait(40_000)
        .to(ada, Hangup)
        .wait(60)
        .to(entry, Hangup);
    scene.begin(call);
}

/// Three legs in a row: the department's is the master of the centre's, and the agent came in by the centre's.
fn department_to_center(scene: &mut Scene) {
    let (sales, support, agent) = (scene.sales(), scene.support(), scene.agent(0));
    let (mut call, department) = scene.call_to(sales);
    let center = call.linked(scene.world(), department, support);
    let operator = call.operator(scene.world(), center, agent);
    call.to(department, Ringing)
        .wait(15_000)
        .to(center, Ringing)
        .wait(300)
        .to(operator, Ringing)
        .wait(4_000)
        .to(operator, Connected)
        .to(center, Connected)
        .wait(90)
        .to(department, Hangup)
        .wait(45_000)
        .to(operator, Hangup)
        .wait(70)
        .to(center, Hangup);
    scene.begin(call);
}

fn menu_abandoned(scene: &mut Scene) {
    let office = scene.office();
    let (mut call, entry) = scene.call_to(office);
    call.to(entry, Preanswer).wait(9_000).to(entry, Hangup);
    scene.begin(call);
}

fn ring_all_answered(scene: &mut Scene) {
    let support = scene.support();
    let agents = [scene.agent(0), scene.agent(1), scene.agent(2)];
    let (mut call, entry) = scene.call_to(support);
    let [first, second, third] = agents.map(|agent| call.operator(scene.world(), entry, agent));
    call.to(entry, Ringing)
        .wait(700)
        .to(first, Ringing)
        .wait(90)
        .to(second, Ringing)
        .wait(70)
        .to(third, Ringing)
        .wait(5_000)
        .to(second, Connected)
        .to(entry, Connected)
        .wait(110)
        .to(first, Hangup)
        .wait(40)
        .to(third, Hangup)
        .wait(50_000)
        .to(second, Hangup)
        .wait(80)
        .to(entry, Hangup);
    scene.begin(call);
}

fn ring_all_missed(scene: &mut Scene) {
    let support = scene.support();
    let agents = [scene.agent(0), scene.agent(1), scene.agent(2)];
    let (mut call, entry) = scene.call_to(support);
    let legs = agents.map(|agent| call.operator(scene.world(), entry, agent));
    call.to(entry, Ringing).wait(700);
    for leg in legs {
        call.to(leg, Ringing).wait(80);
    }
    call.wait(18_000);
    for leg in legs {
        call.to(leg, Missed).wait(30).to(leg, Hangup);
    }
    call.to(entry, Missed)
        .wait(900)
        .to(entry, Voicemail)
        .wait(11_000)
        .to(entry, Hangup)
        .wait(5_000)
        .to(entry, VoicemailUploaded)
        .wait(7_000)
        .to(entry, Transcription);
    scene.begin(call);
}

fn queue_then_answered(scene: &mut Scene) {
    let (support, agent) = (scene.support(), scene.agent(0));
    let (mut call, entry) = scene.call_to(support);
    let operator = call.operator(scene.world(), entry, agent);
    call.to(entry, Preanswer)
        .wait(6_000)
        .to(entry, Queued)
        .wait(45_000)
        .to(operator, Ringing)
        .wait(3_000)
        .to(operator, Connected)
        .to(entry, Connected)
        .wait(60_000)
        .to(operator, Hangup)
        .wait(70)
        .to(entry, Hangup);
    scene.begin(call);
}

fn queue_abandoned(scene: &mut Scene) {
    let support = scene.support();
    let (mut call, entry) = scene.call_to(support);
    call.to(entry, Preanswer)
        .wait(6_000)
        .to(entry, Queued)
        .wait(75_000)
        .to(entry, Missed)
        .wait(60)
        .to(entry, Hangup);
    scene.begin(call);
}

fn queue_callback(scene: &mut Scene) {
    let (support, agent) = (scene.support(), scene.agent(0));
    let (mut call, entry) = scene.call_to(support);
    call.to(entry, Preanswer)
        .wait(6_000)
        .to(entry, Queued)
        .wait(30_000)
        .ask_for_callback(entry)
        .to(entry, Missed)
        .wait(4_000)
        .to(entry, Hangup);
    // The callback is a call of its own in the agent's name, linked to the one that asked for it.
    let back = call.linked(scene.world(), entry, agent);
    let contact = call.other_side();
    call.talking_with(back, super::OUT, contact)
        .wait(120_000)
        .to(back, Calling)
        .wait(1_000)
        .to(back, Ringing)
        .wait(6_000)
        .to(back, Connected)
        .wait(50_000)
        .to(back, Hangup);
    scene.begin(call);
}

fn survey_and_dispositions(scene: &mut Scene) {
    let (support, agent) = (scene.support(), scene.agent(0));
    let (mut call, entry) = scene.call_to(support);
    let operator = call.operator(scene.world(), entry, agent);
    call.to(entry, Ringing)
        .wait(500)
        .to(operator, Ringing)
        .wait(4_000)
        .to(operator, Connected)
        .to(entry, Connected)
        .wait(70_000)
        .to(operator, Hangup)
        .wait(60)
        .to(entry, Hangup)
        .wait(1_000)
        .to(operator, Postcall)
        .wait(15_000)
        .to(operator, Dispositions)
        .wait(90_000)
        .to(operator, Pcsat)
        .wait(120_000)
        .to(entry, Csat);
    scene.begin(call);
}
