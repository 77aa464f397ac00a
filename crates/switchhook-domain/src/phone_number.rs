//! Telephone numbers in texts: whether one occurs, however it is written there, and what looks like any.
//!
//! Numbers are compared by what they mean: country code and what follows it. Which digits people dial for that at home
//! is the numbering plans' to say (`phonelib`); where the digits stand in a text is `run.rs`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use phonelib::PhoneFormat;

mod detection;
mod run;

pub use detection::{FieldKind, numbers_in};
use run::{LONGEST_NUMBER, Run, is_separator, value};

/// True for digits as telephones show them.
#[must_use]
pub fn is_digit(letter: char) -> bool {
    value(letter).is_some()
}

/// True if the digits occur in a text, one after the other, with at most a few separators between them: part of a
/// number that somebody remembers. JSON escapes are not decoded.
#[must_use]
pub fn has_digits(text: &str, digits: &str) -> bool {
    let sought = digits_of(digits);
    !sought.is_empty()
        && Run::all(text).any(|run| {
            run.digits
                .windows(sought.len())
                .any(|part| part == sought.as_slice())
        })
}

/// The shortest number that is looked for: fewer digits are in every event.
const SHORTEST: usize = 7;

/// Prefixes dialled before a country code: most of the world, North America, Australia, Japan, Russia. Some are also
/// the beginning of numbers elsewhere: `011` is Leeds, Delhi and Turin as well, `010` Rotterdam and Beijing.
const INTERNATIONAL_PREFIXES: [&[u8]; 5] = [&[0, 0], &[0, 1, 1], &[0, 0, 1, 1], &[0, 1, 0], &[8, 1, 0]];

/// Digits that a spelling needs to count as the number where nothing but its digits shows that it is one.
pub const MANY: usize = 10;

/// A telephone number with its country code. Its `Debug` and `Display` show the last two digits only.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber {
    /// Country code first.
    digits: Vec<u8>,
    /// The digits that people write for it.
    spellings: Vec<Spelling>,
}

/// A text that is no telephone number. It does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a phone number: write it with its country code, as +15551234567 ({SHORTEST} to {LONGEST_NUMBER} digits)"
)]
pub struct InvalidNumber;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Spelling {
    digits: Vec<u8>,
    /// True if its country code is in it.
    is_international: bool,
    /// True if it is the number even where its digits stand alone, like those of ids.
    stands_alone: bool,
}

impl Spelling {
    fn international(digits: Vec<u8>) -> Self {
        Self {
            is_international: true,
            stands_alone: digits.len() >= MANY,
            digits,
        }
    }
}

impl FromStr for PhoneNumber {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        let text = text.trim();
        let mut runs = Run::all(text);
        let (run, None) = (runs.next().ok_or(InvalidNumber)?, runs.next()) else {
            return Err(InvalidNumber);
        };
        let digits = text.strip_prefix(['+', '\u{FF0B}']).ok_or(InvalidNumber)?;
        let is_number = digits
            .chars()
            .all(|letter| value(letter).is_some() || is_separator(letter));
        // With a trunk's zero there may be one more.
        if !is_number || !(SHORTEST..=LONGEST_NUMBER + 1).contains(&run.digits.len()) {
            return Err(InvalidNumber);
        }
        Self::of(&run.digits)
    }
}

impl PhoneNumber {
    /// Digits as they follow a plus. A trunk's zero between country code and the rest is none of them.
    fn of(written: &[u8]) -> Result<Self, InvalidNumber> {
        let known = phonelib::PhoneNumber::parse(&international(written));
        let digits = known
            .as_ref()
            .map_or_else(|| written.to_vec(), |number| digits_of(number.e164()));
        if digits.len() > LONGEST_NUMBER {
            return Err(InvalidNumber);
        }
        let mut spellings = vec![Spelling::international(digits.clone())];
        for prefix in INTERNATIONAL_PREFIXES {
            spellings.push(Spelling::international([prefix, &digits].concat()));
        }
        match known {
            Some(number) => {
                let code = number.country_code().to_string().len();
                let national = digits_of(&number.format(PhoneFormat::National));
                spellings.extend(at_home(&digits, code, national));
            }
            // Of North America the form is known whether an area has numbers or not.
            None if digits.len() == 11 && digits[0] == 1 => {
                spellings.extend(at_home(&digits, 1, digits[1..].to_vec()));
            }
            None => {}
        }
        Ok(Self { digits, spellings })
    }

    /// True if the number occurs in `text`, in one of its spellings: with its country code, or as it is dialled at home;
    /// all its digits and no others beside them, with a few separators between them or none. JSON's escapes are seen
    /// through.
    ///
    /// ```
    /// use switchhook_domain::phone_number::PhoneNumber;
    ///
    /// let number: PhoneNumber = "+16195550142".parse().unwrap();
    /// assert!(number.occurs_in(br#"{"from_number":"+16195550142"}"#));
    /// assert!(number.occurs_in(br#"{"name":"(619) 555-0142"}"#));
    /// assert!(!number.occurs_in(br#"{"call_id":6195550142000000}"#));
    /// ```
    #[must_use]
    pub fn occurs_in(&self, text: &[u8]) -> bool {
        let text = String::from_utf8_lossy(text);
        Run::all(&without_escapes(&text)).any(|run| self.is_in(&run))
    }

    fn is_in(&self, run: &Run<'_>) -> bool {
        let starts = 0..run.groups.len();
        starts.into_iter().any(|start| {
            self.spellings
                .iter()
                .any(|spelling| stands_at(run, start, spelling))
        })
    }
}

/// Spellings of a number without its country code: `national` is how it is dialled in its country.
fn at_home(digits: &[u8], code: usize, national: Vec<u8>) -> Vec<Spelling> {
    let (code, significant) = digits.split_at(code);
    let has_trunk = national.len() > significant.len() && national.ends_with(significant);
    let mut spellings = Vec::new();
    if has_trunk {
        // `+44 (0)20 …`
        spellings.push(Spelling::international([code, &national].concat()));
    }
    if national != digits {
        spellings.push(Spelling {
            is_international: false,
            stands_alone: national.len() >= MANY,
            digits: national,
        });
    }
    if !has_trunk && *code != [1] && significant.first() != Some(&0) {
        // Where a trunk has no zero, or a carrier is named behind it, people write one nevertheless: `011 98765-4321`.
        let digits = [&[0], significant].concat();
        spellings.push(Spelling::international([code, &digits].concat()));
        spellings.push(Spelling {
            is_international: false,
            stands_alone: digits.len() >= MANY,
            digits,
        });
    }
    if has_trunk {
        // Nobody dials it so, and as digits alone it might be a time in seconds.
        spellings.push(Spelling {
            is_international: false,
            stands_alone: false,
            digits: significant.to_vec(),
        });
    }
    spellings
}

/// True if the digits from this group on are the spelling, and end with a group.
fn stands_at(run: &Run<'_>, start: usize, spelling: &Spelling) -> bool {
    let first = run.groups[start].first;
    if !run.digits[first..].starts_with(&spelling.digits) {
        return false;
    }
    let end = first + spelling.digits.len();
    let last = match run.groups.iter().position(|group| group.first == end) {
        Some(next) => next - 1,
        None if end == run.digits.len() => run.groups.len() - 1,
        None => return false,
    };
    is_own(run, start, end, spelling) && is_written_as_number(run, start, last, spelling)
}

/// True if the digits before it do not belong to it: `+49 619 555 0142` is no number of North America.
fn is_own(run: &Run<'_>, start: usize, end: usize, spelling: &Spelling) -> bool {
    let prefix = match run.digits.as_slice() {
        _ if run.has_plus => 0,
        [0, 0, ..] => 2,
        [0, 1, 1, ..] => 3,
        _ => return true,
    };
    // What begins with a prefix and is the number from there on is the number, whether that was meant as one or not.
    let is_first = start == 0 && (spelling.is_international || !run.has_plus);
    is_first || end > prefix + LONGEST_NUMBER
}

/// True if it is more than digits that happen to be the same.
fn is_written_as_number(run: &Run<'_>, start: usize, last: usize, spelling: &Spelling) -> bool {
    if run.has_plus && start == 0 {
        return true;
    }
    let has_gaps = last > start;
    !run.is_decimal() && (has_gaps || spelling.stands_alone || is_quoted(run, start))
}

fn is_quoted(run: &Run<'_>, place: usize) -> bool {
    let group = run.groups[place];
    run.text[..group.start].ends_with('"') && run.text[group.end..].starts_with('"')
}

/// The digits with a plus before them.
fn international(digits: &[u8]) -> String {
    let digits = digits.iter().map(|digit| char::from(b'0' + digit));
    std::iter::once('+').chain(digits).collect()
}

fn digits_of(text: &str) -> Vec<u8> {
    text.chars().filter_map(value).collect()
}

/// The text with its escapes resolved: `\u0031` is `1`, `\"` is `"`. What cannot be is left as it is.
fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        plain.push_str(&rest[..place]);
        let escape = &rest[place..];
        let letter = escape.chars().nth(1);
        let (meant, length) = match letter {
            Some('u') => (escaped(escape), ESCAPE_LENGTH),
            Some(letter @ ('"' | '\\' | '/')) => (Some(letter), 2),
            Some('n' | 'r' | 't' | 'b' | 'f') => (Some('\n'), 2),
            _ => (None, 1),
        };
        match meant {
            Some(meant) => {
                plain.push(meant);
                rest = &escape[length..];
            }
            None => {
                plain.push('\\');
                rest = &escape[1..];
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

const ESCAPE_LENGTH: usize = r"\u0031".len();

/// The character that `\u0031` at the start of a text means; half of one means none.
fn escaped(text: &str) -> Option<char> {
    let digits = text.get(2..ESCAPE_LENGTH)?;
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("+…")?;
        let last = &self.digits[self.digits.len() - 2..];
        last.iter().try_for_each(|digit| write!(f, "{digit}"))
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({self})")
    }
}

#[cfg(test)]
mod tests;
