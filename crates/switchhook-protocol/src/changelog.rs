//! Change-log events: who changed which setting of the company.
//! What exactly changed has no fixed form and stays JSON text.
//! Seeing these events at all needs the scope `change_log`, which is checked where subscriptions are made.

use crate::common::Event;
use crate::reading::view;
use crate::target::Target;
use crate::text::Text;
use crate::timestamp::Timestamp;
use crate::value::{Id, Json};

view! {
    /// Somebody changed the company's settings.
    pub struct ChangelogEvent<'a> {
        date: Option<Timestamp>,
        /// Code of the change: `updated_ivr`, `operator_removed` and many more.
        action: Option<Text<'a>>,
        /// The same for people; its form is not fixed.
        note: Option<Text<'a>>,
        /// Data of the change; its form is not fixed.
        additional_data: Option<Json<'a>>,
        /// Changed entity. Real traffic writes its type with a capital (`Office`).
        target: Option<Target<'a>>,
        /// Author of the change; redacted for the provider's own staff.
        changed_by: Option<ChangedBy<'a>>,
    }
}

view! {
    /// Author of a change.
    pub struct ChangedBy<'a> {
        /// The user's id.
        id: Option<Id<'a>>,
        /// The user's name.
        name: Option<Text<'a>>,
        /// The user's type.
        changer_type: Option<Text<'a>> = "type",
    }
}

impl<'a> Event<'a> for ChangelogEvent<'a> {
    fn target(&self) -> Option<&Target<'a>> {
        self.target.as_ref()
    }

    fn event_timestamp(&self) -> Option<Timestamp> {
        self.date
    }

    fn what_happened(&self) -> Option<&str> {
        self.action.as_deref()
    }
}
