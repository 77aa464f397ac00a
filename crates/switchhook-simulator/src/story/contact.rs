//! Stories of contacts: somebody is added to the address book, corrected, merged with a double, removed. Programs that
//! keep address books in step answer a change with the same change: an echo.

use std::collections::VecDeque;

use switchhook_protocol::{ContactChange, Kind};

use crate::company::Contact;
use crate::story::Next;
use crate::story::world::World;

/// A contact and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct ContactStory {
    /// Changes, each some milliseconds after the one before.
    changes: VecDeque<(u64, ContactChange, Entry)>,
}

/// A contact as the address book has it.
#[derive(Clone, Debug)]
struct Entry {
    contact: Contact,
    more_phones: Vec<String>,
    job_title: &'static str,
    url: Option<String>,
}

impl ContactStory {
    pub(crate) fn any(world: &mut World) -> Self {
        if world.rng.chance(15) {
            Self::merged(world)
        } else {
            Self::lifecycle(world)
        }
    }

    /// Somebody is added, corrected (perhaps with an echo), and now and then removed.
    pub(crate) fn lifecycle(world: &mut World) -> Self {
        let entry = Entry::new(world);
        let corrected = Entry {
            job_title: "Director",
            ..entry.clone()
        };
        let mut changes = VecDeque::from([(0, ContactChange::Created, entry)]);
        let after = world.rng.between(5_000..=60_000);
        changes.push_back((after, ContactChange::Updated, corrected.clone()));
        if world.rng.chance(35) {
            let echo_after = world.rng.between(80..=900);
            changes.push_back((echo_after, ContactChange::Updated, corrected.clone()));
        }
        if world.rng.chance(20) {
            let after = world.rng.between(5_000..=60_000);
            changes.push_back((after, ContactChange::Deleted, corrected));
        }
        Self { changes }
    }

    /// Somebody is in the book twice: one entry takes over the other's number, the other goes, and the change echoes.
    pub(crate) fn merged(world: &mut World) -> Self {
        let kept = Entry::new(world);
        let mut double = Entry::new(world);
        double.contact.name = kept.contact.name;
        double.contact.contact_type = kept.contact.contact_type;
        let merged = Entry {
            more_phones: vec![double.contact.phone.clone()],
            ..kept.clone()
        };
        Self {
            changes: VecDeque::from([
                (0, ContactChange::Created, kept),
                (4_000, ContactChange::Created, double.clone()),
                (30_000, ContactChange::Updated, merged.clone()),
                (40, ContactChange::Deleted, double),
                (700, ContactChange::Updated, merged),
            ]),
        }
    }

    /// Added, corrected with an echo, removed: always the same.
    pub(crate) fn with_echo(world: &mut World) -> Self {
        let entry = Entry::new(world);
        let corrected = Entry {
            job_title: "Director",
            ..entry.clone()
        };
        Self {
            changes: VecDeque::from([
                (0, ContactChange::Created, entry),
                (20_000, ContactChange::Updated, corrected.clone()),
                (300, ContactChange::Updated, corrected.clone()),
                (60_000, ContactChange::Deleted, corrected),
            ]),
        }
    }

    pub(crate) fn advance(&mut self, world: &mut World) -> Next {
        if let Some((_, change, entry)) = self.changes.pop_front() {
            entry.tell(change, world);
        }
        match self.changes.front() {
            Some((after, ..)) => Next::After(*after),
            None => Next::Ended,
        }
    }
}

impl Entry {
    /// Somebody like one of the contacts, newly in the book.
    fn new(world: &mut World) -> Self {
        let known: Vec<&Contact> = world
            .company
            .contacts
            .iter()
            .take(24)
            .filter(|contact| contact.name.is_some())
            .collect();
        let model = (*world.rng.pick(&known)).clone();
        let url = world
            .rng
            .chance(30)
            .then(|| model.email())
            .flatten()
            .and_then(|email| email.split_once('@').map(|(_, host)| format!("https://{host}")));
        Self {
            job_title: model.job_title,
            contact: Contact {
                id: world.rng.id(),
                ..model
            },
            more_phones: Vec::new(),
            url,
        }
    }

    fn tell(&self, change: ContactChange, world: &mut World) {
        let contact = &self.contact;
        world.tell(Kind::Contact, contact.id, change.as_str(), |json, _| {
            let (first, last) = contact.name.unwrap_or_default();
            let email = contact.email();
            let phones = std::iter::once(&contact.phone).chain(&self.more_phones);
            json.text("event", change.as_str()).object("contact", |json| {
                json.text("id", &contact.id.to_string())
                    .text("type", contact.contact_type)
                    .text("first_name", first)
                    .text("last_name", last)
                    .text("display_name", &contact.display_name())
                    .texts("phones", phones.map(String::as_str))
                    .text("primary_phone", &contact.phone)
                    .texts("emails", email.as_deref())
                    .text_or("primary_email", email.as_deref())
                    .text("company_name", contact.business)
                    .text("job_title", self.job_title)
                    .texts("urls", self.url.as_deref())
                    .text_or("trunk_group", None)
                    .text_or("extension", None);
            });
        });
    }
}
