//! The outside party: as the subject of contact events, and as the other side of calls and messages.
//! What a subscription can ask for (two types) and what a payload can hold (an open set) are different things.
//! In calls and messages a contact is a small object with field names of its own; both forms are one view.

use crate::reading::view;
use crate::spelled_enum;
use crate::text::Text;
use crate::value::{Id, Word};

spelled_enum! {
    /// Which contacts a contact subscription is about.
    pub enum ContactType: "contact type" {
        Local = "local",
        Shared = "shared",
    }
}

spelled_enum! {
    /// What happened to a contact.
    pub enum ContactChange: "contact change" {
        Created = "Created",
        Updated = "Updated",
        Deleted = "Deleted",
    }
}

view! {
    /// A contact. Only `local` and `shared` of its types can be subscribed to.
    pub struct Contact<'a> {
        /// Its id, documented as a string.
        id: Option<Id<'a>>,
        /// `google`, `local`, `microsoft`, `shared`, `all`; in call events also `user` and `nylas` (observed).
        contact_type: Option<Text<'a>> = "type",
        /// First name.
        first_name: Option<Text<'a>>,
        /// Last name.
        last_name: Option<Text<'a>>,
        /// The name as Dialpad shows it, in contact events.
        display_name: Option<Text<'a>>,
        /// The name, in call and sms events (observed).
        name: Option<Text<'a>>,
        /// Every number.
        phones: Vec<Text<'a>>,
        /// The number to call first, in contact events.
        primary_phone: Option<Text<'a>>,
        /// The number, in call events (observed).
        phone: Option<Text<'a>>,
        /// The number, in sms events (observed).
        phone_number: Option<Text<'a>>,
        /// Every e-mail address.
        emails: Vec<Text<'a>>,
        /// The address to write to first, in contact events.
        primary_email: Option<Text<'a>>,
        /// The address, in call events (observed).
        email: Option<Text<'a>>,
        /// The company the contact works for.
        company_name: Option<Text<'a>>,
        /// What the contact does there.
        job_title: Option<Text<'a>>,
        /// Web addresses.
        urls: Vec<Text<'a>>,
        /// The trunk group.
        trunk_group: Option<Text<'a>>,
        /// The extension.
        extension: Option<Text<'a>>,
    }
}

impl Contact<'_> {
    /// The contact's name, whichever field holds it.
    #[must_use]
    pub fn any_name(&self) -> Option<&str> {
        self.display_name.as_deref().or(self.name.as_deref())
    }

    /// The contact's number, whichever field holds it.
    #[must_use]
    pub fn any_phone(&self) -> Option<&str> {
        [&self.primary_phone, &self.phone, &self.phone_number]
            .into_iter()
            .flatten()
            .chain(self.phones.first())
            .map(AsRef::as_ref)
            .next()
    }
}

view! {
    /// A contact was made, changed or removed. The only kind whose payload says nothing about when.
    pub struct ContactEvent<'a> {
        /// What happened.
        event: Option<Word<'a, ContactChange>>,
        /// To whom.
        contact: Option<Contact<'a>>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::Outline;
    use crate::reading::read_view;

    #[test]
    fn a_contact_event_is_read() {
        let body = r#"{"event": "Updated", "contact": {"id": "local_1", "type": "local",
            "display_name": "Ada Byron", "phones": ["+15550101"], "emails": null}}"#;
        let event: ContactEvent<'_> = read_view(&Outline::read(body.as_bytes()).unwrap());
        assert_eq!(
            event.event.and_then(|word| word.known()),
            Some(ContactChange::Updated)
        );
        let contact = event.contact.unwrap();
        assert_eq!(contact.contact_type.as_deref(), Some("local"));
        assert_eq!(contact.any_name(), Some("Ada Byron"));
        assert_eq!(contact.any_phone(), Some("+15550101"));
    }
}
