//! Mask: phone numbers and message texts that the dashboard, the API and live events do not show. Deliveries are not
//! masked.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use switchhook_domain::phone_number::{FieldKind, is_digit, numbers_in};

/// Placeholder for masked text.
const HIDDEN: &str = "•••";

/// Categories that are masked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mask {
    /// Telephone numbers, but for their last two digits.
    pub numbers: bool,
    /// The text of messages, transcripts and recaps.
    pub text: bool,
}

/// The members of payloads that hold numbers.
const NUMBERS: [&str; 13] = [
    "phone",
    "phones",
    "phone_number",
    "primary_phone",
    "from_number",
    "to_number",
    "external_number",
    "internal_number",
    "selected_caller_id",
    "caller_id",
    "public_caller_id",
    "number",
    "fax",
];

/// The members of payloads that hold what people said or wrote, beside all transcripts.
const TEXTS: [&str; 10] = [
    "text",
    "text_content",
    "mms_url",
    "transcription_text",
    "recap_summary",
    "recap_action_items",
    "recap_purposes",
    "recap_outcome",
    "disposition",
    "dispositions",
];

/// Category of a payload's member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Content {
    Number,
    /// Spoken or written words.
    Text,
    /// Name of a person. Strangers are named by their number.
    Name,
    /// An id or a time, which may have as many digits as a number.
    Id,
    #[default]
    Other,
}

impl Content {
    /// Category of the members with this name.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let ends_with = |ends: &[&str]| ends.iter().any(|end| key.ends_with(end));
        if NUMBERS.contains(&key) || ends_with(&["phone", "phone_number", "phone_numbers"]) {
            Self::Number
        } else if TEXTS.contains(&key) || ends_with(&["transcript", "transcripts", "transcription"]) {
            Self::Text
        } else if key == "name" || ends_with(&["_name"]) {
            Self::Name
        } else if matches!(key, "id" | "ids" | "date" | "timestamp")
            || key.starts_with("date_")
            || ends_with(&["_id", "_ids", "_date", "_timestamp", "_at"])
        {
            Self::Id
        } else {
            Self::Other
        }
    }

    const fn place(self) -> FieldKind {
        match self {
            Self::Name => FieldKind::Name,
            Self::Id => FieldKind::Id,
            Self::Number | Self::Text | Self::Other => FieldKind::Text,
        }
    }
}

impl Mask {
    pub const NOTHING: Self = Self {
        numbers: false,
        text: false,
    };

    /// True if nothing is masked.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        !self.numbers && !self.text
    }

    /// A number as it may be shown.
    #[must_use]
    pub fn number(self, number: &str) -> String {
        if !self.numbers {
            return number.to_owned();
        }
        let digits = number.chars().filter(|letter| is_digit(*letter)).count();
        let mut seen = 0;
        let masked = number.chars().map(|letter| {
            if !is_digit(letter) {
                return letter;
            }
            seen += 1;
            if seen + 2 > digits { letter } else { '•' }
        });
        masked.collect()
    }

    /// Name with its numbers masked.
    #[must_use]
    pub fn name(self, name: &str) -> Cow<'_, str> {
        self.numbers_in(name, FieldKind::Name)
    }

    /// Id with numbers masked, since ids of contacts may contain them.
    #[must_use]
    pub fn id(self, id: &str) -> Cow<'_, str> {
        self.numbers_in(id, FieldKind::Id)
    }

    /// A text of which nobody knows what it is, without the numbers in it.
    #[must_use]
    pub fn loose(self, text: &str) -> Cow<'_, str> {
        self.numbers_in(text, FieldKind::Text)
    }

    /// Texts of which nobody knows what they are, without the numbers in them.
    #[must_use]
    pub fn all_loose(self, texts: Vec<String>) -> Vec<String> {
        if !self.numbers {
            return texts;
        }
        texts.iter().map(|text| self.loose(text).into_owned()).collect()
    }

    /// The body of an answer that is no JSON: what people wrote may be anywhere in it.
    #[must_use]
    pub fn body(self, text: &str) -> Cow<'_, str> {
        if self.text && !text.trim().is_empty() {
            return Cow::Borrowed(HIDDEN);
        }
        self.loose(text)
    }

    /// A value of a payload as it may be shown, if it must be changed. `content` is what its member holds.
    #[must_use]
    pub fn value(self, content: Content, value: &str) -> Option<String> {
        if self.text && content == Content::Text {
            return Some(HIDDEN.to_owned());
        }
        if self.numbers && content == Content::Number {
            return Some(self.number(value));
        }
        match self.numbers_in(value, content.place()) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(masked),
        }
    }

    fn numbers_in(self, text: &str, place: FieldKind) -> Cow<'_, str> {
        if !self.numbers {
            return Cow::Borrowed(text);
        }
        let mut masked = String::new();
        let mut shown_until = 0;
        for range in numbers_in(text, place) {
            masked.push_str(&text[shown_until..range.start]);
            masked.push_str(&self.number(&text[range.clone()]));
            shown_until = range.end;
        }
        if shown_until == 0 {
            return Cow::Borrowed(text);
        }
        masked.push_str(&text[shown_until..]);
        Cow::Owned(masked)
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match (self.numbers, self.text) {
            (false, false) => "nothing",
            (true, false) => "numbers",
            (false, true) => "text",
            (true, true) => "numbers,text",
        })
    }
}

/// A word that names nothing to mask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be masked: use numbers, text, both with a comma, or nothing")]
pub struct UnknownMask(String);

impl FromStr for Mask {
    type Err = UnknownMask;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut mask = Self::NOTHING;
        for word in text.split(',').map(str::trim) {
            match word {
                "nothing" | "" => {}
                "numbers" => mask.numbers = true,
                "text" => mask.text = true,
                other => return Err(UnknownMask(other.to_owned())),
            }
        }
        Ok(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Mask = Mask {
        numbers: true,
        text: true,
    };

    #[test]
    fn a_mask_reads_back_what_it_prints() {
        for text in ["nothing", "numbers", "text", "numbers,text"] {
            assert_eq!(text.parse::<Mask>().unwrap().to_string(), text);
        }
        assert!("names".parse::<Mask>().is_err());
    }

    #[test]
    fn numbers_keep_their_last_two_digits_wherever_they_stand() {
        let shown = |mask: Mask, key: &str, value: &str| mask.value(Content::of(key), value);
        assert_eq!(
            shown(BOTH, "phone", "(202) 555-0101").as_deref(),
            Some("(•••) •••-••01")
        );
        assert_eq!(
            shown(BOTH, "note", "+12025550101").as_deref(),
            Some("+•••••••••01")
        );
        assert_eq!(
            shown(BOTH, "name", "(202) 555-0101").as_deref(),
            Some("(•••) •••-••01")
        );
        assert_eq!(
            shown(
                BOTH,
                "note",
                "ring 202-555-0101 or +44 20 7946 0958, not 6412345678901248"
            )
            .as_deref(),
            Some("ring •••-•••-••01 or +•• •• •••• ••58, not 6412345678901248")
        );
        assert_eq!(
            shown(BOTH, "caller", "12025550101").as_deref(),
            Some("•••••••••01")
        );
        assert_eq!(shown(BOTH, "caller", "1795624039404"), None);
        assert_eq!(shown(BOTH, "group_id", "2025550101"), None);
        assert_eq!(BOTH.id("contact:+12025550101"), "contact:+•••••••••01");
        assert_eq!(BOTH.id("call:6412345678901248"), "call:6412345678901248");
        assert_eq!(BOTH.body("got +12025550101"), "•••");
        assert_eq!(shown(BOTH, "name", "Ann"), None);
        assert_eq!(shown(BOTH, "text", "hello").as_deref(), Some("•••"));
        assert_eq!(
            shown(BOTH, "voicemail_transcript", "hello").as_deref(),
            Some("•••")
        );
        assert_eq!(shown(BOTH, "dispositions", "angry").as_deref(), Some("•••"));
        assert_eq!(
            shown(BOTH, "note", "ring 619/555/0142 of 1/619/555/0142").as_deref(),
            Some("ring •••/•••/••42 of •/•••/•••/••42")
        );
        assert_eq!(shown(BOTH, "note", "at /123/456/7890"), None);
        assert_eq!(
            shown(BOTH, "note", "?to=%2B1%20619%20555%200142").as_deref(),
            Some("?to=%2B•%•••••%•••••%••••42")
        );
        assert_eq!(shown(Mask::NOTHING, "text", "+12025550101"), None);
    }
}
