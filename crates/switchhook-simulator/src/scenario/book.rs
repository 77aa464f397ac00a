//! The address book and the change log.

use super::{Scenario, Scene};
use crate::story::changelog::Change;
use crate::story::contact::ContactStory;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "contact-lifecycle",
        "A contact is added, corrected with an echo, and removed.",
        lifecycle,
    ),
    Scenario::new(
        "contact-merge",
        "Somebody is in the book twice; the entries are merged, with an echo.",
        merge,
    ),
    Scenario::new(
        "settings-changed",
        "Somebody changes the company's settings, and the provider's staff does.",
        settings,
    ),
];

fn lifecycle(scene: &mut Scene) {
    let story = ContactStory::with_echo(scene.world());
    scene.begin(story);
}

fn merge(scene: &mut Scene) {
    let story = ContactStory::merged(scene.world());
    scene.begin(story);
}

fn settings(scene: &mut Scene) {
    for (action, by_staff) in [
        ("updated_ivr", false),
        ("add_team_members", false),
        ("admin_call_recording_turned_on", false),
        ("change_retention_policies", true),
        ("operator_removed", false),
    ] {
        let change = Change::named(scene.world(), action, by_staff);
        scene.begin(change).wait(5_000);
    }
}
