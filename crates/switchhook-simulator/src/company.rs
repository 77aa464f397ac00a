//! Simulated company: Larkfield Supply, its offices, departments, contact centres, people and address book. What they
//! do is in other files; `names` has the names.
//!
//! The company is the same for every seed, ids included, so that a subscription to its support centre keeps its
//! meaning from run to run. A larger one contains the smaller one. Names, addresses and numbers are fictional:
//! numbers are in the range 555-0100 to 555-0199, which belongs to nobody, and addresses end in `.example`.

mod names;

use std::collections::VecDeque;

use switchhook_protocol::TargetType;

use crate::json::Json;

/// The smallest company's people.
pub(crate) const FEWEST_USERS: usize = 12;

/// As many as there are fictional numbers for, and more than anybody can watch.
pub(crate) const MOST_USERS: usize = 20_000;

/// Number of users of whom one is an agent.
const USERS_PER_CENTER: usize = 12;
const AGENTS_PER_CENTER: usize = 8;

/// The first people of the company look after its groups.
const ADMINS_PER_GROUP: usize = 2;

/// The place of an entity in [`Company::entities`].
pub(crate) type EntityIndex = usize;

/// The company and its address book.
#[derive(Clone, Debug)]
pub(crate) struct Company {
    /// Everybody and everything that can be a target.
    pub(crate) entities: Vec<Entity>,
    pub(crate) main_office: EntityIndex,
    pub(crate) menu: EntityIndex,
    pub(crate) departments: Vec<EntityIndex>,
    pub(crate) centers: Vec<Center>,
    pub(crate) users: Vec<EntityIndex>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) contacts: Vec<Contact>,
}

/// Somebody or something of the company: what events call a target.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub(crate) id: i64,
    pub(crate) target_type: TargetType,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) phone: String,
    pub(crate) office_id: i64,
    /// The place in [`Company::agents`], if it is somebody who works for a contact centre.
    pub(crate) agent: Option<usize>,
}

/// A contact centre.
#[derive(Clone, Debug)]
pub(crate) struct Center {
    pub(crate) entity: EntityIndex,
    /// Indexes into [`Company::agents`].
    pub(crate) agents: Vec<usize>,
    /// The entry legs of callers who wait, first come, first served.
    pub(crate) queue: VecDeque<i64>,
}

/// Somebody who works for contact centres.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) entity: EntityIndex,
    pub(crate) center_ids: Vec<i64>,
    pub(crate) duty: Duty,
    /// True while a call rings the agent.
    pub(crate) is_rung: bool,
    /// The power dialler's session, if one runs.
    pub(crate) powerdialer: Option<i64>,
}

/// Duty status of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    Available,
    /// With the reason that the agent gave.
    Unavailable(&'static str),
    Occupied,
    Wrapup,
    /// With something other than a centre's call.
    Busy,
}

/// Somebody outside: what events call a contact.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) id: i64,
    pub(crate) contact_type: &'static str,
    /// First and last name; a caller whom nobody knows has none.
    pub(crate) name: Option<(&'static str, &'static str)>,
    pub(crate) phone: String,
    pub(crate) business: &'static str,
    pub(crate) job_title: &'static str,
}

impl Company {
    /// The company with about so many people.
    pub(crate) fn found(users: usize) -> Self {
        let users = users.clamp(FEWEST_USERS, MOST_USERS);
        let mut company = Self {
            entities: Vec::new(),
            main_office: 0,
            menu: 0,
            departments: Vec::new(),
            centers: Vec::new(),
            users: Vec::new(),
            agents: Vec::new(),
            contacts: Vec::new(),
        };
        company.main_office = company.add(TargetType::Office, 1, "Larkfield Supply");
        company.menu = company.add(TargetType::Callrouter, 1, "Larkfield welcome menu");
        for (number, name) in (1..).zip(["Larkfield Sales", "Larkfield Billing"]) {
            let department = company.add(TargetType::Department, number, name);
            company.departments.push(department);
        }
        for number in 0..users {
            if number % USERS_PER_CENTER == 0 {
                company.open_center(number / USERS_PER_CENTER);
            }
            company.hire(number);
        }
        company.contacts = (0..users.max(24)).map(Contact::meet).collect();
        company
    }

    pub(crate) fn entity(&self, index: EntityIndex) -> &Entity {
        &self.entities[index]
    }

    /// Administrators of a group; a person has none.
    pub(crate) fn admins_of(&self, target: EntityIndex) -> impl Iterator<Item = &Entity> {
        let is_group = self.entity(target).target_type != TargetType::User;
        let admins = self
            .users
            .iter()
            .take(if is_group { ADMINS_PER_GROUP } else { 0 });
        admins.map(|admin| self.entity(*admin))
    }

    /// The agents of a centre whom a call may ask for.
    pub(crate) fn free_agents(&self, center: usize) -> impl Iterator<Item = usize> {
        let agents = self.centers[center].agents.iter().copied();
        agents.filter(|agent| {
            let agent = &self.agents[*agent];
            agent.duty == Duty::Available && !agent.is_rung && agent.powerdialer.is_none()
        })
    }

    fn open_center(&mut self, number: usize) {
        let name = match number {
            0 => "Larkfield Support".to_owned(),
            1 => "Larkfield Orders".to_owned(),
            _ => format!("Larkfield Support {number}"),
        };
        let entity = self.add(TargetType::Callcenter, number + 1, &name);
        self.centers.push(Center {
            entity,
            agents: Vec::new(),
            queue: VecDeque::new(),
        });
    }

    /// The first of each dozen work for its contact centre, the others have a telephone of their own only.
    fn hire(&mut self, number: usize) {
        let (first, last) = names::of_user(number);
        let entity = self.add(TargetType::User, number + 1, &format!("{first} {last}"));
        let address = names::address(first, last);
        let suffix = if number < names::distinct() {
            String::new()
        } else {
            (number / names::distinct()).to_string()
        };
        self.entities[entity].email = Some(format!("{address}{suffix}@larkfield.example"));
        self.users.push(entity);
        if number % USERS_PER_CENTER < AGENTS_PER_CENTER {
            let center = number / USERS_PER_CENTER;
            let center_id = self.entities[self.centers[center].entity].id;
            self.centers[center].agents.push(self.agents.len());
            self.entities[entity].agent = Some(self.agents.len());
            self.agents.push(Agent {
                entity,
                center_ids: vec![center_id],
                duty: Duty::Available,
                is_rung: false,
                powerdialer: None,
            });
        }
    }

    fn add(&mut self, target_type: TargetType, number: usize, name: &str) -> EntityIndex {
        let id = fixed_id(target_type as u64 + 1, number);
        self.entities.push(Entity {
            id,
            target_type,
            name: name.to_owned(),
            email: None,
            phone: names::phone(self.entities.len()),
            office_id: fixed_id(TargetType::Office as u64 + 1, 1),
            agent: None,
        });
        self.entities.len() - 1
    }
}

impl Entity {
    /// The entity as a call's `target` shows it.
    pub(crate) fn write(&self, json: &mut Json) {
        self.write_name(json);
        match &self.email {
            Some(email) => json.text("email", email),
            None => json.observed(|json| _ = json.text("email", "")),
        };
        json.text("phone", &self.phone)
            .observed(|json| _ = json.number("office_id", self.office_id));
    }

    /// The entity as a message's `target` shows it: real traffic has another word for the number there, and writes it as
    /// people do.
    pub(crate) fn write_for_sms(&self, json: &mut Json) {
        self.write_name(json);
        json.contract(|json| {
            if let Some(email) = &self.email {
                json.text("email", email);
            }
            json.text("phone", &self.phone);
        })
        .observed(|json| _ = json.text("phone_number", &national(&self.phone)));
    }

    /// A colleague as the other side of a call. The contract has no word for such a contact's type.
    pub(crate) fn write_as_contact(&self, json: &mut Json) {
        json.contract(|json| self.write_party(json)).observed(|json| {
            json.number("id", self.id)
                .text("type", "user")
                .text("name", &self.name)
                .text("email", self.email.as_deref().unwrap_or_default())
                .text("phone", &self.phone);
        });
    }

    /// A colleague as the other side of a message.
    pub(crate) fn write_as_sms_contact(&self, json: &mut Json) {
        json.contract(|json| self.write_party(json)).observed(|json| {
            json.number("id", self.id)
                .text("name", &self.name)
                .text("phone_number", &self.phone);
        });
    }

    fn write_party(&self, json: &mut Json) {
        json.text("id", &self.id.to_string())
            .text("display_name", &self.name)
            .text("primary_phone", &self.phone)
            .text_or("primary_email", self.email.as_deref());
    }

    fn write_name(&self, json: &mut Json) {
        json.number("id", self.id)
            .contract(|json| _ = json.text("type", self.target_type.as_str()))
            .observed(|json| _ = json.text("type", self.observed_type()))
            .text("name", &self.name);
    }

    /// The entity's type as real targets have it.
    const fn observed_type(&self) -> &'static str {
        match self.target_type {
            TargetType::Callcenter => "call_center",
            other => other.as_str(),
        }
    }

    /// The entity's type as the change log and groups write it: `CallCenter`, `Office`.
    pub(crate) const fn capitalised_type(&self) -> &'static str {
        match self.target_type {
            TargetType::Callcenter => "CallCenter",
            TargetType::Callrouter => "CallRouter",
            TargetType::Department => "Department",
            TargetType::Office => "Office",
            TargetType::Room => "Room",
            _ => "User",
        }
    }
}

impl Duty {
    /// As the contract spells it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Unavailable(_) => "Unavailable",
            Self::Occupied => "Occupied",
            Self::Wrapup => "Wrapup",
            Self::Busy => "Busy",
        }
    }
}

impl Contact {
    fn meet(number: usize) -> Self {
        let (contact_type, business, job_title) = names::of_contact(number);
        // One caller in twelve is in nobody's address book.
        let is_known = number % 12 != 11;
        Self {
            id: fixed_id(100, number + 1),
            contact_type: if is_known { contact_type } else { "local" },
            name: is_known.then(|| names::of_outsider(number)),
            phone: names::phone_of_contact(number),
            business,
            job_title,
        }
    }

    /// The name, or the number as people write it.
    pub(crate) fn display_name(&self) -> String {
        match self.name {
            Some((first, last)) => format!("{first} {last}"),
            None => national(&self.phone),
        }
    }

    pub(crate) fn email(&self) -> Option<String> {
        let (first, last) = self.name?;
        let host: String = self.business.chars().filter(char::is_ascii_alphabetic).collect();
        Some(format!(
            "{}@{}.example",
            names::address(first, last),
            host.to_lowercase()
        ))
    }

    /// The contact as a call's `contact` shows it.
    pub(crate) fn write(&self, json: &mut Json) {
        json.contract(|json| self.write_party(json)).observed(|json| {
            self.write_id(json);
            json.text("type", self.contact_type)
                .text("name", &self.display_name())
                .text("email", &self.email().unwrap_or_default())
                .text("phone", &self.phone);
        });
    }

    /// The contact as a message's `contact` shows it.
    pub(crate) fn write_for_sms(&self, json: &mut Json) {
        json.contract(|json| self.write_party(json)).observed(|json| {
            self.write_id(json);
            json.text("name", &self.display_name())
                .text("phone_number", &self.phone);
        });
    }

    fn write_party(&self, json: &mut Json) {
        json.text("id", &self.id.to_string())
            .text("type", self.contact_type)
            .text("display_name", &self.display_name())
            .text("primary_phone", &self.phone)
            .text_or("primary_email", self.email().as_deref());
    }

    /// Real traffic numbers local contacts; those of an address book elsewhere have its word for them.
    fn write_id(&self, json: &mut Json) {
        if self.contact_type == "local" {
            json.number("id", self.id);
        } else {
            json.text("id", &self.id.to_string());
        }
    }
}

/// A number of North America as people write it there: `(212) 555-0142`.
fn national(phone: &str) -> String {
    format!("({}) {}-{}", &phone[2..5], &phone[5..8], &phone[8..])
}

/// An id that is always the same for the same thing: 16 digits, exact in a double.
fn fixed_id(sort: u64, number: usize) -> i64 {
    crate::rng::Rng::new((sort << 32) | number as u64).id()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_has_an_id_a_number_and_an_address_of_their_own() {
        for users in [0, 500, MOST_USERS + 1] {
            let company = Company::found(users);
            let ids: BTreeSet<i64> = company.entities.iter().map(|entity| entity.id).collect();
            assert_eq!(ids.len(), company.entities.len());
            let phones = company.entities.iter().map(|entity| entity.phone.as_str());
            let others = company.contacts.iter().map(|contact| contact.phone.as_str());
            let distinct: BTreeSet<&str> = phones.chain(others).collect();
            assert_eq!(
                distinct.len(),
                company.entities.len() + company.contacts.len(),
                "{users}"
            );
            let emails: Vec<_> = company
                .entities
                .iter()
                .filter_map(|entity| entity.email.clone())
                .collect();
            assert_eq!(emails.iter().collect::<BTreeSet<_>>().len(), emails.len());
        }
    }

    #[test]
    fn a_larger_company_has_the_smaller_one_in_it() {
        let (small, large) = (Company::found(12), Company::found(300));
        for (a, b) in small.users.iter().zip(&large.users) {
            assert_eq!(small.entity(*a).id, large.entity(*b).id);
            assert_eq!(small.entity(*a).name, large.entity(*b).name);
        }
        assert!(large.centers.len() > small.centers.len());
    }
}
