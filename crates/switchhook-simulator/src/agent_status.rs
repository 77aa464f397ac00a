//! Stories of agents: one is free, becomes busy with a call, wraps it up and is free again; or takes a break.

use std::time::Duration;

use switchhook_protocol::{Kind, Timestamp};

use crate::body::Object;
use crate::company::Company;
use crate::rng::Rng;
use crate::{SimulatedEvent, Story};

const REASONS: [&str; 3] = ["Lunch", "Training", "Back in ten minutes"];

pub(crate) fn tell(rng: &mut Rng, company: &Company, at: Timestamp) -> Story {
    let agent = rng.pick(&company.users);
    let mut at = at;
    let mut next = |status: &str, reason: Option<&str>, rng: &mut Rng| {
        let body = Object::new()
            .flag("availability_status", status == "Available")
            .text("on_duty_status", status)
            .text("on_duty_status_reason", reason.unwrap_or_default())
            .numbers("call_center_ids", &[company.call_center.id])
            .object("target", agent.as_target())
            .number("date", at.as_millis())
            .number("event_timestamp", at.as_millis());
        let event = SimulatedEvent {
            kind: Kind::AgentStatus,
            at,
            body: body.finish(),
        };
        at = at.plus(Duration::from_millis(rng.between(8_000..=60_000)));
        event
    };
    if rng.chance(60) {
        ["Occupied", "Wrapup", "Available"]
            .map(|status| next(status, None, rng))
            .into()
    } else {
        let reason = *rng.pick(&REASONS);
        vec![
            next("Unavailable", Some(reason), rng),
            next("Available", None, rng),
        ]
    }
}
