//! What the dashboard, the API and the live view leave out: numbers, the text of messages. What is delivered is not concerned.

use std::fmt;
use std::str::FromStr;

/// What is not shown.
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

/// The members of payloads that hold what people said or wrote.
const TEXTS: [&str; 8] = [
    "text",
    "text_content",
    "mms_url",
    "transcription_text",
    "recap_summary",
    "recap_action_items",
    "recap_purposes",
    "recap_outcome",
];

/// What a member of a payload holds, as far as a mask asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Content {
    /// A telephone number.
    Number,
    /// What people said or wrote.
    Text,
    /// Anything else.
    #[default]
    Other,
}

impl Content {
    /// What the member of that name holds.
    #[must_use]
    pub fn of(key: &str) -> Self {
        if NUMBERS.contains(&key) {
            Self::Number
        } else if TEXTS.contains(&key) {
            Self::Text
        } else {
            Self::Other
        }
    }
}

impl Mask {
    /// Everything is shown.
    pub const NOTHING: Self = Self {
        numbers: false,
        text: false,
    };

    /// Whether everything is shown.
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
        let digits = number.chars().filter(char::is_ascii_digit).count();
        let mut seen = 0;
        let masked = number.chars().map(|letter| {
            if !letter.is_ascii_digit() {
                return letter;
            }
            seen += 1;
            if seen + 2 > digits { letter } else { '•' }
        });
        masked.collect()
    }

    /// A value of a payload as it may be shown, if it must be changed. `content` is what its member holds.
    #[must_use]
    pub fn value(self, content: Content, value: &str) -> Option<String> {
        if self.text && content == Content::Text {
            return Some("•••".to_owned());
        }
        let looks_like_a_number = value
            .strip_prefix('+')
            .is_some_and(|rest| rest.len() >= 7 && rest.chars().all(|c| c.is_ascii_digit()));
        (self.numbers && (content == Content::Number || looks_like_a_number)).then(|| self.number(value))
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
        assert_eq!(shown(BOTH, "name", "Ann"), None);
        assert_eq!(shown(BOTH, "text", "hello").as_deref(), Some("•••"));
        assert_eq!(shown(Mask::NOTHING, "text", "+12025550101"), None);
    }
}
