//! Stories of contacts: somebody is added to the address book, corrected later, and sometimes removed.

use std::time::Duration;

use switchhook_protocol::{ContactChange, Kind, Timestamp};

use crate::body::Object;
use crate::company::{Company, Person};
use crate::rng::Rng;
use crate::{SimulatedEvent, Story};

pub(crate) fn tell(rng: &mut Rng, company: &Company, at: Timestamp) -> Story {
    let person = rng.pick(&company.contacts).with_id(rng.id());
    let corrected = Person {
        job_title: "Director",
        ..person.clone()
    };
    let corrected_at = at.plus(Duration::from_millis(rng.between(5_000..=60_000)));
    let mut story = vec![
        event(ContactChange::Created, &person, at),
        event(ContactChange::Updated, &corrected, corrected_at),
    ];
    if rng.chance(20) {
        let removed_at = corrected_at.plus(Duration::from_millis(rng.between(5_000..=60_000)));
        story.push(event(ContactChange::Deleted, &corrected, removed_at));
    }
    story
}

fn event(change: ContactChange, person: &Person, at: Timestamp) -> SimulatedEvent {
    let contact = Object::new()
        .text("id", &person.id)
        .text("type", person.contact_type)
        .text("first_name", person.first_name)
        .text("last_name", person.last_name)
        .text("display_name", &person.name())
        .texts("phones", &[&person.phone])
        .text("primary_phone", &person.phone)
        .texts("emails", &[&person.email()])
        .text("primary_email", &person.email())
        .text("company_name", person.company_name)
        .text("job_title", person.job_title)
        .texts("urls", &[]);
    let body = Object::new()
        .text("event", change.as_str())
        .object("contact", contact);
    SimulatedEvent {
        kind: Kind::Contact,
        at,
        body: body.finish(),
    }
}
