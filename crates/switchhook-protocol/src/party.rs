//! The outside party: the subject of contact events, and the other side of calls and messages. There it is a small object
//! with field names of its own; both forms are one view.

use crate::reading::view;
use crate::text::Text;
use crate::value::Id;

view! {
    /// A contact. Only `local` and `shared` of its types can be subscribed to.
    pub struct Contact<'a> {
        /// Its id, documented as a string.
        id: Option<Id<'a>>,
        /// `google`, `local`, `microsoft`, `shared`, `all`; in call events also `user` and `nylas` (observed).
        contact_type: Option<Text<'a>> = "type",
        first_name: Option<Text<'a>>,
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
        /// Job title.
        job_title: Option<Text<'a>>,
        /// Web addresses.
        urls: Vec<Text<'a>>,
        trunk_group: Option<Text<'a>>,
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
