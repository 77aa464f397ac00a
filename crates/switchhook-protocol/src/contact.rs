//! The outside party: as the subject of contact events, and as the other side of calls and messages.
//! What a subscription can ask for (two types) and what a payload can hold (an open set) are different things.
//! In calls and messages a contact is a small object with field names of its own; both forms are one view.

use crate::common::Event;
use crate::party::Contact;
use crate::reading::view;
use crate::spelled_enum;
use crate::value::{Id, Word};

spelled_enum! {
    /// Contacts that a contact subscription is about.
    pub enum ContactType: "contact type" {
        Local = "local",
        Shared = "shared",
    }
}

spelled_enum! {
    /// Change of a contact.
    pub enum ContactChange: "contact change" {
        Created = "Created",
        Updated = "Updated",
        Deleted = "Deleted",
    }
}

view! {
    /// A contact was made, changed or removed. The only kind whose payload says nothing about when.
    pub struct ContactEvent<'a> {
        /// Change of the contact.
        event: Option<Word<'a, ContactChange>>,
        /// Changed contact.
        contact: Option<Contact<'a>>,
    }
}

impl<'a> Event<'a> for ContactEvent<'a> {
    fn contact(&self) -> Option<&Contact<'a>> {
        self.contact.as_ref()
    }

    fn subject_id(&self) -> Option<&Id<'a>> {
        self.contact.as_ref()?.id.as_ref()
    }

    fn what_happened(&self) -> Option<&str> {
        self.event.as_ref().map(Word::as_str)
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
