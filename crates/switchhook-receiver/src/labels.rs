//! Headers of a delivery, which describe it beside its body. Dialpad sends none of them; then all of it is absent.
//! Labels are not signed: believe the body where both say something.

use switchhook_protocol::{Kind, headers};

/// The headers of a delivery that Switchhook sends, as far as they are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Labels {
    /// The event: the same however often and to whomever it is delivered.
    pub event_id: Option<String>,
    /// The event's kind.
    pub kind: Option<Kind>,
    /// The delivery: one event for one webhook.
    pub delivery_id: Option<String>,
    /// The number of the attempt at this delivery, counted from 1.
    pub attempt: Option<u32>,
}

impl Labels {
    /// The longest id that is taken over; ours are numbers.
    pub const MAX_ID_BYTES: usize = 128;

    /// True if an id can be used anywhere: in a file's name, the environment of a command or a line of a log. It
    /// begins with a letter or digit, so that no program takes it for an option; then `-`, `_`, `.` and `:` may
    /// follow.
    fn is_sane(id: &str) -> bool {
        let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.:".contains(&letter);
        id.len() <= Self::MAX_ID_BYTES
            && id.starts_with(|first: char| first.is_ascii_alphanumeric())
            && id.bytes().all(is_plain)
    }

    /// Reads the labels with a function that looks up a header by its lower-case name. Anybody may have written them:
    /// an id of other letters than ids have, or too long a one, is absent.
    ///
    /// ```
    /// use switchhook_receiver::Labels;
    ///
    /// // With the `http` crate: Labels::read(|name| headers.get(name)?.to_str().ok())
    /// let headers = [("switchhook-event-id", "17"), ("switchhook-attempt", "2")];
    /// let labels = Labels::read(|name| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value));
    /// assert_eq!(labels.event_id.as_deref(), Some("17"));
    /// assert_eq!(labels.attempt, Some(2));
    /// ```
    #[must_use]
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let id = |name| {
            let id = header(name)?.trim();
            Self::is_sane(id).then(|| id.to_owned())
        };
        Self {
            event_id: id(headers::EVENT_ID),
            kind: header(headers::EVENT_KIND).and_then(|kind| kind.parse().ok()),
            delivery_id: id(headers::DELIVERY_ID),
            attempt: header(headers::ATTEMPT).and_then(|attempt| attempt.parse().ok()),
        }
    }

    /// The labels among the headers of a request.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn of(headers: &http::HeaderMap) -> Self {
        Self::read(|name| headers.get(name)?.to_str().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &str, expected: Option<&str>) {
        let labels = Labels::read(|name| (name == headers::EVENT_ID).then_some(id));
        assert_eq!(labels.event_id.as_deref(), expected, "{id:?}");
    }

    #[test]
    fn an_id_is_taken_over_only_if_it_can_go_anywhere() {
        check(" 7730318061039616 ", Some("7730318061039616"));
        check("evt_1.a:2-B", Some("evt_1.a:2-B"));
        let longest = "9".repeat(128);
        check(&longest, Some(&longest));
        for wrong in [
            "",
            " ",
            "-rf",
            "../x",
            "a/b",
            "a b",
            "a\nb",
            "a\0",
            "() { :;}; echo",
            "$(id)",
            "`id`",
            "a=b",
            "é",
            "\u{202e}1",
        ] {
            check(wrong, None);
        }
        check(&"9".repeat(129), None);
    }
}
