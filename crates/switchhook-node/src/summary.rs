//! An event in a few words, for lists and for the live view. Never holds the text of a message.

use switchhook_protocol::{Contact, Direction, Kind, Payload, Target, Word, shortened};

use crate::mask::Mask;

/// An event in a few words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// State of a call, status of a message, or change of a contact.
    pub what: String,
    /// To whom, and which way.
    pub detail: String,
}

impl Summary {
    /// All of it in one line.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        match (self.what.as_str(), self.detail.as_str()) {
            (what, "") => what.to_owned(),
            (what, detail) => format!("{what}, {detail}"),
        }
    }

    /// Sums up an event; numbers are masked if they are to be.
    #[must_use]
    pub fn of(kind: Kind, body: &[u8], mask: Mask) -> Self {
        match Payload::read(kind, body) {
            Ok(payload) => told(&payload, mask),
            Err(_) => Self {
                what: "unreadable".to_owned(),
                detail: String::new(),
            },
        }
    }
}

fn told(payload: &Payload<'_>, mask: Mask) -> Summary {
    let what = match payload {
        Payload::Unknown => "of no known shape",
        known => known.what_happened().unwrap_or_else(|| without_state(payload)),
    };
    let way = payload.direction().map(Word::as_str);
    let detail = way_between(
        way,
        contact(payload.contact(), mask),
        target(payload.target(), mask),
    );
    // A state is a word, unless somebody sends something else in its place.
    Summary {
        what: mask.loose(&short(what)).into_owned(),
        detail: short(&detail),
    }
}

/// Text for an event without a state. Only sent messages have a status.
fn without_state(payload: &Payload<'_>) -> &'static str {
    match (payload, payload.direction().and_then(Word::known)) {
        (Payload::Sms(_), Some(Direction::Inbound)) => "received",
        (Payload::Sms(_), _) => "sent",
        _ => "no state",
    }
}

/// A contact's name, else number.
pub fn contact(contact: Option<&Contact<'_>>, mask: Mask) -> Option<String> {
    let contact = contact?;
    let name = contact.any_name().filter(|name| !name.is_empty());
    match (name, contact.any_phone()) {
        (Some(name), _) => Some(mask.name(&short(name)).into_owned()),
        (None, Some(phone)) => Some(mask.number(&short(phone))),
        (None, None) => None,
    }
}

/// A target's name, else what it is.
pub fn target(target: Option<&Target<'_>>, mask: Mask) -> Option<String> {
    let target = target?;
    let name = target.name.as_deref().filter(|name| !name.is_empty());
    let kind = target.target_type.as_ref().map(Word::as_str);
    name.or(kind).map(|name| mask.name(&short(name)).into_owned())
}

fn way_between(way: Option<&str>, contact: Option<String>, target: Option<String>) -> String {
    let (from, to) = if way == Some("outbound") {
        (target, contact)
    } else {
        (contact, target)
    };
    match (from, to) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => String::new(),
    }
}

/// Names come from anybody and may be of any length.
#[must_use]
pub fn short(name: &str) -> String {
    const LONGEST: usize = 120;
    shortened(name, LONGEST).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, body: &str, mask: Mask, what: &str, detail: &str) {
        let summary = Summary::of(kind, body.as_bytes(), mask);
        assert_eq!((summary.what.as_str(), summary.detail.as_str()), (what, detail));
    }

    #[test]
    fn an_event_is_summed_up_by_who_does_what_to_whom() {
        let call = r#"{"state":"ringing","direction":"inbound","contact":{"name":"Ann"},"target":{"name":"Support","type":"callcenter"}}"#;
        check(Kind::Call, call, Mask::NOTHING, "ringing", "Ann → Support");
        let outbound = r#"{"state":"calling","direction":"outbound","contact":{"phone":"+12025550101"},"target":{"type":"user"}}"#;
        check(
            Kind::Call,
            outbound,
            Mask::NOTHING,
            "calling",
            "user → +12025550101",
        );
        check(
            Kind::Call,
            outbound,
            "numbers".parse().unwrap(),
            "calling",
            "user → +•••••••••01",
        );
        let stranger = r#"{"state":"ringing","contact":{"name":"(202) 555-0101","phone":"+12025550101"}}"#;
        check(
            Kind::Call,
            stranger,
            "numbers".parse().unwrap(),
            "ringing",
            "(•••) •••-••01",
        );
        check(Kind::Changelog, "{}", Mask::NOTHING, "no state", "");
        let received = r#"{"id":1,"direction":"inbound","contact":{"name":"Ann"}}"#;
        check(Kind::Sms, received, Mask::NOTHING, "received", "Ann");
        check(Kind::Sms, "nonsense", Mask::NOTHING, "unreadable", "");
    }

    #[test]
    fn the_text_of_a_message_is_never_part_of_it() {
        let sms = r#"{"id":1,"message_status":"pending","text":"my password","from_number":"+12025550101"}"#;
        let summary = Summary::of(Kind::Sms, sms.as_bytes(), Mask::NOTHING);
        assert!(!format!("{summary:?}").contains("password"));
    }
}
