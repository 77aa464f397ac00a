//! Stories of calls: each leg goes through its states in causal order, and what needs the recording comes after it.
//!
//! A call to the call centre has an entry leg and one leg per agent rung, as real ones do; the agent's leg names the
//! entry leg, and once somebody answers, the entry leg names the agent's. Only the states of the published document.

use std::time::Duration;

use switchhook_protocol::{CallState, Direction, Kind, Timestamp};

use crate::company::{Company, Entity, Person};
use crate::rng::Rng;
use crate::{SimulatedEvent, Story};

pub(crate) fn tell(rng: &mut Rng, company: &Company, at: Timestamp) -> Story {
    let contact = rng.pick(&company.contacts).clone();
    match rng.between(1..=100) {
        1..=35 => answered_by_the_call_center(rng, company, contact, at),
        36..=50 => {
            let user = rng.pick(&company.users).clone();
            Telling::new(Leg::new(rng, Direction::Inbound, user, contact), at)
                .after(0, CallState::Ringing)
                .conversation(rng)
        }
        51..=65 => into_voicemail(rng, company, contact, at),
        66..=75 => missed(rng, company, contact, at),
        _ => outbound(rng, company, contact, at),
    }
}

/// One leg of a call, as far as it has come.
#[derive(Clone)]
struct Leg {
    call_id: i64,
    entry_point_call_id: Option<i64>,
    operator_call_id: Option<i64>,
    direction: Direction,
    target: Entity,
    contact: Person,
    started_at: Option<Timestamp>,
    connected_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl Leg {
    fn new(rng: &mut Rng, direction: Direction, target: Entity, contact: Person) -> Self {
        Self {
            call_id: rng.id(),
            entry_point_call_id: None,
            operator_call_id: None,
            direction,
            target,
            contact,
            started_at: None,
            connected_at: None,
            ended_at: None,
        }
    }

    fn enter(&mut self, state: CallState, at: Timestamp) -> SimulatedEvent {
        self.started_at.get_or_insert(at);
        match state {
            CallState::Connected => _ = self.connected_at.get_or_insert(at),
            CallState::Hangup | CallState::Missed => _ = self.ended_at.get_or_insert(at),
            _ => {}
        }
        self.event(state, at)
    }

    fn event(&self, state: CallState, at: Timestamp) -> SimulatedEvent {
        let duration = self
            .ended_at
            .map(|end| end.since(self.connected_at.unwrap_or(end)).as_millis() as i64);
        let body = crate::body::Object::new()
            .number("call_id", self.call_id)
            .number_if("entry_point_call_id", self.entry_point_call_id)
            .number_if("operator_call_id", self.operator_call_id)
            .text("state", state.as_str())
            .text("direction", self.direction.as_str())
            .object("target", self.target.as_target())
            .object("contact", self.contact.as_party())
            .number_if("date_started", self.started_at.map(Timestamp::as_millis))
            .number_if("date_connected", self.connected_at.map(Timestamp::as_millis))
            .number_if("date_ended", self.ended_at.map(Timestamp::as_millis))
            .number_if("duration", duration)
            .number("event_timestamp", at.as_millis());
        SimulatedEvent {
            kind: Kind::Call,
            at,
            body: body.finish(),
        }
    }
}

/// A leg's story while it is told.
struct Telling {
    leg: Leg,
    now: Timestamp,
    story: Story,
}

impl Telling {
    fn new(leg: Leg, at: Timestamp) -> Self {
        Self {
            leg,
            now: at,
            story: Story::new(),
        }
    }

    fn after(mut self, millis: u64, state: CallState) -> Self {
        self.now = self.now.plus(Duration::from_millis(millis));
        self.story.push(self.leg.enter(state, self.now));
        self
    }

    /// Two parties talk, perhaps with a pause, and what was said is worked up afterwards.
    fn conversation(self, rng: &mut Rng) -> Story {
        let mut telling = self.after(rng.between(2_000..=12_000), CallState::Connected);
        if rng.chance(25) {
            telling = telling.after(rng.between(5_000..=20_000), CallState::Hold);
            telling = telling.after(rng.between(5_000..=20_000), CallState::Connected);
        }
        telling = telling.after(rng.between(10_000..=90_000), CallState::Hangup);
        if rng.chance(60) {
            telling = telling.after(rng.between(3_000..=15_000), CallState::Recording);
            telling = telling.after(rng.between(4_000..=15_000), CallState::CallTranscription);
            telling = telling.after(rng.between(1_000..=9_000), CallState::RecapSummary);
        }
        telling.story
    }
}

fn answered_by_the_call_center(rng: &mut Rng, company: &Company, contact: Person, at: Timestamp) -> Story {
    let entry = Leg::new(
        rng,
        Direction::Inbound,
        company.call_center.clone(),
        contact.clone(),
    );
    let agent = rng.pick(&company.users).clone();
    let mut operator = Leg::new(rng, Direction::Inbound, agent, contact);
    operator.entry_point_call_id = Some(entry.call_id);
    let operator_call_id = operator.call_id;

    let rung_at = at.plus(Duration::from_millis(rng.between(800..=4_000)));
    let answered = Telling::new(operator, rung_at)
        .after(0, CallState::Ringing)
        .conversation(rng);
    let time_of = |state: &str| {
        answered
            .iter()
            .find(|event| event.body.contains(state))
            .map(|event| event.at)
    };
    let connected_at = time_of(r#""state":"connected""#).unwrap_or(rung_at);
    let ended_at = time_of(r#""state":"hangup""#).unwrap_or(connected_at);

    let mut entry = Telling::new(entry, at).after(0, CallState::Ringing);
    entry.leg.operator_call_id = Some(operator_call_id);
    let until_connected = connected_at.since(at).as_millis() as u64;
    let talking = ended_at.since(connected_at).as_millis() as u64;
    let mut story = entry
        .after(until_connected, CallState::Connected)
        .after(talking, CallState::Hangup)
        .story;
    story.extend(answered);
    story
}

fn into_voicemail(rng: &mut Rng, company: &Company, contact: Person, at: Timestamp) -> Story {
    let user = rng.pick(&company.users).clone();
    Telling::new(Leg::new(rng, Direction::Inbound, user, contact), at)
        .after(0, CallState::Ringing)
        .after(rng.between(15_000..=25_000), CallState::Missed)
        .after(rng.between(300..=900), CallState::Voicemail)
        .after(rng.between(8_000..=45_000), CallState::Hangup)
        .after(rng.between(2_000..=9_000), CallState::VoicemailUploaded)
        .after(rng.between(2_000..=9_000), CallState::Transcription)
        .story
}

fn missed(rng: &mut Rng, company: &Company, contact: Person, at: Timestamp) -> Story {
    Telling::new(
        Leg::new(rng, Direction::Inbound, company.office.clone(), contact),
        at,
    )
    .after(0, CallState::Ringing)
    .after(rng.between(10_000..=30_000), CallState::Missed)
    .story
}

fn outbound(rng: &mut Rng, company: &Company, contact: Person, at: Timestamp) -> Story {
    let user = rng.pick(&company.users).clone();
    let telling = Telling::new(Leg::new(rng, Direction::Outbound, user, contact), at)
        .after(0, CallState::Calling)
        .after(rng.between(500..=2_500), CallState::Ringing);
    if rng.chance(70) {
        return telling.conversation(rng);
    }
    telling
        .after(rng.between(15_000..=30_000), CallState::Hangup)
        .story
}
