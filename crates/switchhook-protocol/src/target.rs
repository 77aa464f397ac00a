//! The Dialpad entity an event is about: a user, a group, an office.
//! The types a subscription can name and those a payload can hold are the same words; a payload may hold others.
//! Which target a subscription matches is decided in the domain.

use crate::reading::view;
use crate::spelled_enum;
use crate::text::Text;
use crate::value::{Id, Word};

spelled_enum! {
    /// Type of the entity that a target is. Real change-log events write the first letter large (`Office`).
    pub enum TargetType: "target type" {
        Callcenter = "callcenter",
        Callrouter = "callrouter",
        Channel = "channel",
        Coachinggroup = "coachinggroup",
        Coachingteam = "coachingteam",
        Department = "department",
        Office = "office",
        Room = "room",
        Staffgroup = "staffgroup",
        Unknown = "unknown",
        User = "user",
    }
}

view! {
    /// The Dialpad entity an event is about.
    pub struct Target<'a> {
        id: Option<Id<'a>>,
        /// Type of the entity.
        target_type: Option<Word<'a, TargetType>> = "type",
        name: Option<Text<'a>>,
        /// Its e-mail address.
        email: Option<Text<'a>>,
        /// Its number, in every kind but sms.
        phone: Option<Text<'a>>,
        /// Its number, in sms events (observed).
        phone_number: Option<Text<'a>>,
        /// The office it belongs to (observed in call events).
        office_id: Option<Id<'a>>,
    }
}

impl Target<'_> {
    /// Type of the entity, if this program knows it.
    #[must_use]
    pub fn known_type(&self) -> Option<TargetType> {
        self.target_type.as_ref().and_then(Word::known)
    }

    /// Its number, whichever of the two fields holds it.
    #[must_use]
    pub fn any_phone(&self) -> Option<&str> {
        self.phone.as_deref().or(self.phone_number.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Read, read_alone};

    #[test]
    fn there_are_eleven_target_types_and_neither_case_nor_separators_matter() {
        assert_eq!(TargetType::ALL.len(), 11);
        assert_eq!("Office".parse(), Ok(TargetType::Office));
        for word in ["CallCenter", "call_center", "Call-Center", "CALL_CENTER"] {
            assert_eq!(word.parse(), Ok(TargetType::Callcenter));
        }
        assert_eq!("coaching_team".parse(), Ok(TargetType::Coachingteam));
        let error = "desk".parse::<TargetType>().unwrap_err().to_string();
        assert!(error.starts_with("`desk` is not a target type: use callcenter,"));
    }

    #[test]
    fn a_target_keeps_a_type_that_is_not_known() {
        let json = r#"{"id": 1, "type": "desk", "phone_number": "+15550100"}"#;
        read_alone(json, |value| {
            let target = Target::read(value).expect("it is not empty");
            assert_eq!(target.known_type(), None);
            assert_eq!(target.target_type.as_ref().map(Word::as_str), Some("desk"));
            assert_eq!(target.any_phone(), Some("+15550100"));
        });
    }
}
