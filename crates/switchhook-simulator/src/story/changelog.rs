//! Stories of the change log: somebody of the company changes a setting, or the provider's staff does.

use switchhook_protocol::Kind;

use crate::company::{Entity, EntityIndex};
use crate::json::Json;
use crate::story::Next;
use crate::story::world::World;

/// A change of one setting.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    action: &'static Action,
    target: EntityIndex,
    /// Author; `None` for the provider's staff, who may not be named.
    by: Option<EntityIndex>,
    /// Person concerned.
    whom: EntityIndex,
    before: u64,
}

/// Something that the change log knows.
#[derive(Debug)]
struct Action {
    name: &'static str,
    concerns: Concerns,
    /// Text of the log for people.
    note: fn(&Facts<'_>) -> String,
    /// Data of the log for programs; real traffic often has none.
    data: Option<fn(&Facts<'_>, &mut Json)>,
}

/// Type of entity that an action concerns.
#[derive(Clone, Copy, Debug)]
enum Concerns {
    Office,
    Center,
    User,
}

struct Facts<'a> {
    target: &'a str,
    whom: &'a str,
    whom_id: i64,
    before: u64,
}

const ACTIONS: [Action; 13] = [
    Action {
        name: "add_team_members",
        concerns: Concerns::Center,
        note: |facts| format!("{} was added to {}", facts.whom, facts.target),
        data: Some(|facts, json| {
            json.numbers("added", [facts.whom_id]).text("role", "operator");
        }),
    },
    Action {
        name: "add_vm_fax_subscriber",
        concerns: Concerns::Office,
        note: |facts| format!("{} now gets voicemails and faxes of {}", facts.whom, facts.target),
        data: Some(|facts, json| _ = json.number("subscriber_id", facts.whom_id)),
    },
    Action {
        name: "admin_call_recording_override",
        concerns: Concerns::User,
        note: |facts| format!("Recording for {} no longer follows the office", facts.target),
        data: Some(|_, json| _ = json.flag("override", true)),
    },
    Action {
        name: "admin_call_recording_turned_on",
        concerns: Concerns::Center,
        note: |facts| format!("Calls of {} are recorded", facts.target),
        data: Some(|_, json| {
            json.object("admin_call_recording", |json| {
                json.flag("before", false).flag("after", true);
            });
        }),
    },
    Action {
        name: "admin_call_recording_turned_off",
        concerns: Concerns::Center,
        note: |facts| format!("Calls of {} are no longer recorded", facts.target),
        data: Some(|_, json| {
            json.object("admin_call_recording", |json| {
                json.flag("before", true).flag("after", false);
            });
        }),
    },
    Action {
        name: "assistant_added",
        concerns: Concerns::User,
        note: |facts| format!("{} may act for {}", facts.whom, facts.target),
        data: None,
    },
    Action {
        name: "auto_hold_max_changed",
        concerns: Concerns::Center,
        note: |facts| {
            format!(
                "At most {} callers of {} may wait, before: {}",
                facts.before + 5,
                facts.target,
                facts.before
            )
        },
        data: Some(|facts, json| {
            json.number("before", facts.before as i64)
                .number("after", facts.before as i64 + 5);
        }),
    },
    Action {
        name: "auto_hold_seconds_changed",
        concerns: Concerns::Center,
        note: |facts| {
            format!(
                "Callers of {} wait {} seconds, before: {}",
                facts.target,
                facts.before * 2,
                facts.before
            )
        },
        data: Some(|facts, json| {
            json.number("before", facts.before as i64)
                .number("after", facts.before as i64 * 2);
        }),
    },
    Action {
        name: "change_retention_policies",
        concerns: Concerns::Office,
        note: |facts| {
            format!(
                "Recordings of {} are kept for {} days",
                facts.target,
                facts.before * 6
            )
        },
        data: Some(|facts, json| {
            json.object("recordings", |json| {
                json.number("before_days", facts.before as i64 * 3)
                    .number("after_days", facts.before as i64 * 6);
            })
            .flag("voicemails", false);
        }),
    },
    Action {
        name: "changed_allow_pause_vi",
        concerns: Concerns::Center,
        note: |facts| format!("Agents of {} may pause the transcript", facts.target),
        data: Some(|_, json| _ = json.flag("allow_pause_vi", true)),
    },
    Action {
        name: "operator_removed",
        concerns: Concerns::Center,
        note: |facts| format!("{} is no longer an operator of {}", facts.whom, facts.target),
        data: Some(|facts, json| _ = json.number("operator_id", facts.whom_id)),
    },
    Action {
        name: "updated_ivr",
        concerns: Concerns::Office,
        note: |facts| format!("The menu of {} has a new greeting", facts.target),
        data: Some(|_, json| {
            json.text("menu", "welcome").texts("changed", ["greeting"]);
        }),
    },
    Action {
        name: "updated_ivr",
        concerns: Concerns::Office,
        note: |facts| format!("Key 2 of the menu of {} leads to Larkfield Billing", facts.target),
        data: None,
    },
];

impl Change {
    pub(crate) fn any(world: &mut World) -> Self {
        let action = world.rng.between(0..=ACTIONS.len() as u64 - 1) as usize;
        let by_staff = world.rng.chance(10);
        Self::of(world, action, by_staff)
    }

    /// The change of that action, by name; the provider's staff can do it instead of somebody of the company.
    pub(crate) fn named(world: &mut World, name: &str, by_staff: bool) -> Self {
        let action = ACTIONS.iter().position(|action| action.name == name);
        Self::of(world, action.expect("scenarios name known actions"), by_staff)
    }

    fn of(world: &mut World, action: usize, by_staff: bool) -> Self {
        let action = &ACTIONS[action];
        let target = match action.concerns {
            Concerns::Office => world.company.main_office,
            Concerns::Center => world.rng.pick(&world.company.centers).entity,
            Concerns::User => *world.rng.pick(&world.company.users),
        };
        let by = *world.rng.pick(&world.company.users);
        Self {
            action,
            target,
            by: (!by_staff).then_some(by),
            whom: *world.rng.pick(&world.company.users),
            before: world.rng.between(10..=60),
        }
    }

    pub(crate) fn advance(&self, world: &mut World) -> Next {
        world.tell(Kind::Changelog, 0, self.action.name, |json, world| {
            let (target, whom) = (world.company.entity(self.target), world.company.entity(self.whom));
            let facts = Facts {
                target: &target.name,
                whom: &whom.name,
                whom_id: whom.id,
                before: self.before,
            };
            json.number("date", world.now.as_millis())
                .text("action", self.action.name)
                .text("note", &(self.action.note)(&facts));
            match self.action.data {
                Some(data) => _ = json.object("additional_data", |json| data(&facts, json)),
                None => _ = json.observed(|json| _ = json.null("additional_data")),
            }
            json.object("target", |json| {
                let target_type = target.target_type.as_str();
                json.number("id", target.id)
                    .contract(|json| _ = json.text("type", target_type))
                    .observed(|json| _ = json.text("type", target.capitalised_type()))
                    .text("name", &target.name);
            })
            .object("changed_by", |json| {
                let by = self.by.map(|by| world.company.entity(by));
                json.number_or("id", by.map(|by| by.id))
                    .text_or("name", by.map(|by| by.name.as_str()))
                    .contract(|json| _ = json.text_or("type", by.map(|by| by.target_type.as_str())))
                    .observed(|json| _ = json.text_or("type", by.map(Entity::capitalised_type)));
            });
        });
        Next::Ended
    }
}
