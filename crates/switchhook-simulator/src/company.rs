//! Who is in the simulated company, and who calls it. Names, addresses and numbers are fictional: numbers end in the
//! range 555-0100 to 555-0199, which belongs to nobody, and addresses in `.example`.

use crate::body::Object;
use crate::rng::Rng;

/// The company. Names are always the same; ids come from the seed.
#[derive(Clone, Debug)]
pub(crate) struct Company {
    pub(crate) office: Entity,
    pub(crate) call_center: Entity,
    pub(crate) users: Vec<Entity>,
    pub(crate) contacts: Vec<Person>,
}

/// Somebody or something of the company: what events call a target.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub(crate) id: i64,
    pub(crate) target_type: &'static str,
    pub(crate) name: &'static str,
    pub(crate) email: Option<String>,
    pub(crate) phone: String,
}

/// Somebody outside: what events call a contact.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) contact_type: &'static str,
    pub(crate) first_name: &'static str,
    pub(crate) last_name: &'static str,
    pub(crate) phone: String,
    pub(crate) company_name: &'static str,
    pub(crate) job_title: &'static str,
}

const USERS: [&str; 6] = [
    "Amara Osei",
    "Bruno Keller",
    "Chiara Longo",
    "Dev Raman",
    "Elif Demir",
    "Frances O'Neill",
];

const CONTACTS: [(&str, &str, &str, &str, &str); 10] = [
    ("local", "Grace", "Abara", "Pinewood Bakery", "Owner"),
    ("shared", "Henrik", "Solberg", "Northlight Studio", "Producer"),
    ("local", "Ines", "Carvalho", "Carvalho & Daughters", "Partner"),
    ("shared", "Jonas", "Weiß", "Tannhof Farm", "Manager"),
    ("google", "Keiko", "Mori", "Blue Heron Books", "Buyer"),
    ("local", "Liam", "Doyle", "Doyle Roofing", "Foreman"),
    ("microsoft", "Maya", "Patel", "Lakeside Clinic", "Reception"),
    ("shared", "Nadia", "Haddad", "Cedar Travel", "Agent"),
    ("local", "Óscar", "Ruiz", "Ruiz Print", "Founder"),
    ("local", "Priya", "Nair", "Nair Ceramics", "Potter"),
];

const AREAS: [&str; 5] = ["212", "312", "415", "503", "617"];

impl Company {
    pub(crate) fn found(rng: &mut Rng) -> Self {
        Self {
            office: Entity::group(rng, "office", "Larkfield Supply", 100),
            call_center: Entity::group(rng, "callcenter", "Larkfield Support", 101),
            users: USERS
                .iter()
                .enumerate()
                .map(|(index, name)| Entity::user(rng, name, 110 + index))
                .collect(),
            contacts: CONTACTS
                .iter()
                .enumerate()
                .map(|(index, facts)| Person::meet(rng, *facts, 150 + index))
                .collect(),
        }
    }
}

impl Entity {
    fn group(rng: &mut Rng, target_type: &'static str, name: &'static str, line: usize) -> Self {
        Self {
            id: rng.id(),
            target_type,
            name,
            email: None,
            phone: number("646", line),
        }
    }

    fn user(rng: &mut Rng, name: &'static str, line: usize) -> Self {
        let first_name = name.split(' ').next().unwrap_or(name).to_lowercase();
        let email = Some(format!("{first_name}@larkfield.example"));
        Self {
            id: rng.id(),
            target_type: "user",
            name,
            email,
            phone: number("646", line),
        }
    }

    /// The entity as an event's `target` shows it.
    pub(crate) fn as_target(&self) -> Object {
        let target = Object::new()
            .number("id", self.id)
            .text("type", self.target_type)
            .text("name", self.name);
        match &self.email {
            Some(email) => target.text("email", email),
            None => target,
        }
        .text("phone", &self.phone)
    }
}

impl Person {
    fn meet(
        rng: &mut Rng,
        facts: (
            &'static str,
            &'static str,
            &'static str,
            &'static str,
            &'static str,
        ),
        line: usize,
    ) -> Self {
        let (contact_type, first_name, last_name, company_name, job_title) = facts;
        Self {
            id: rng.id().to_string(),
            contact_type,
            first_name,
            last_name,
            phone: number(rng.pick::<&str>(&AREAS), line),
            company_name,
            job_title,
        }
    }

    /// The same person as somebody new in the address book.
    pub(crate) fn with_id(&self, id: i64) -> Self {
        Self {
            id: id.to_string(),
            ..self.clone()
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    pub(crate) fn email(&self) -> String {
        let host: String = self
            .company_name
            .chars()
            .filter(char::is_ascii_alphabetic)
            .collect();
        format!("{}@{}.example", ascii(self.first_name), host.to_lowercase())
    }

    /// The person as a call's or a message's `contact` shows it.
    pub(crate) fn as_party(&self) -> Object {
        Object::new()
            .text("id", &self.id)
            .text("type", self.contact_type)
            .text("display_name", &self.name())
            .text("primary_phone", &self.phone)
            .text("primary_email", &self.email())
    }
}

fn ascii(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphabetic)
        .collect::<String>()
        .to_lowercase()
}

fn number(area: &str, line: usize) -> String {
    format!("+1{area}5550{line}")
}
