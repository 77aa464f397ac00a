//! Stories of the change log: somebody of the company changes a setting.

use switchhook_protocol::{Kind, Timestamp};

use crate::body::Object;
use crate::company::Company;
use crate::rng::Rng;
use crate::{SimulatedEvent, Story};

/// An action, what the log says of it, and the setting it concerns.
const CHANGES: [(&str, &str, &str); 5] = [
    ("updated_ivr", "Changed the greeting of the menu", "menu"),
    ("add_team_members", "Added a member to the team", "members"),
    ("operator_removed", "Removed an operator", "operators"),
    (
        "auto_hold_seconds_changed",
        "Changed the seconds before a caller is put on hold",
        "auto_hold_seconds",
    ),
    (
        "change_retention_policies",
        "Changed how long recordings are kept",
        "retention_days",
    ),
];

pub(crate) fn tell(rng: &mut Rng, company: &Company, at: Timestamp) -> Story {
    let (action, note, setting) = *rng.pick(&CHANGES);
    let user = rng.pick(&company.users);
    let target = if rng.chance(50) {
        &company.office
    } else {
        &company.call_center
    };
    let before = rng.between(10..=60) as i64;
    let change = Object::new()
        .text("setting", setting)
        .number("before", before)
        .number("after", before + 5);
    let changed_by = Object::new()
        .number("id", user.id)
        .text("name", user.name)
        .text("type", user.target_type);
    let body = Object::new()
        .number("date", at.as_millis())
        .text("action", action)
        .text("note", note)
        .object("additional_data", change)
        .object("target", target.as_target())
        .object("changed_by", changed_by);
    vec![SimulatedEvent {
        kind: Kind::Changelog,
        at,
        body: body.finish(),
    }]
}
