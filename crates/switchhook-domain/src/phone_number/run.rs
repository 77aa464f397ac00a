//! Runs of digits in a text, with what people put between the digits of a telephone number.
//!
//! What a run means is asked by `phone_number.rs` (is it this number?) and `detection.rs` (is it any?).

use smallvec::SmallVec;

/// Bound on the separators between two digits of a number: `+1 (555) …` has two.
const MOST_SEPARATORS: usize = 3;

/// Length up to which a group of digits can be part of a number. Longer ones are timestamps in milliseconds or ids,
/// and stand alone; only behind a plus may a number have so many.
const LONGEST_GROUP: usize = 12;

/// The most digits of a number (E.164).
pub(super) const LONGEST_NUMBER: usize = 15;

/// Digits that follow each other with a few separators between them or none.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) text: &'a str,
    pub(super) digits: SmallVec<[u8; 24]>,
    pub(super) groups: SmallVec<[Group; 6]>,
    /// True behind a plus.
    pub(super) has_plus: bool,
}

/// Digits with nothing between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    /// Offset in the text.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Index of its first digit in the run.
    pub(super) first: usize,
}

impl<'a> Run<'a> {
    /// All runs of a text.
    pub(super) fn all(text: &'a str) -> impl Iterator<Item = Self> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let run = Self::next(text, at)?;
            at = run.end();
            Some(run)
        })
    }

    fn next(text: &'a str, from: usize) -> Option<Self> {
        let start = first_digit(text, from)?;
        let mut run = Self {
            text,
            digits: SmallVec::new(),
            groups: SmallVec::new(),
            has_plus: has_plus(&text[..start]),
        };
        run.take_group(start);
        while run.may_go_on()
            && let Some(next) = after_gap(text, run.end())
        {
            let (end, digits) = (run.end(), run.digits.len());
            run.take_group(next);
            if !run.may_go_on() && run.groups.len() > 1 {
                run.groups.pop();
                run.digits.truncate(digits);
                debug_assert_eq!(run.end(), end);
                break;
            }
        }
        Some(run)
    }

    fn take_group(&mut self, start: usize) {
        let rest = &self.text[start..];
        let first = self.digits.len();
        let digits = rest.chars().map_while(value);
        self.digits.extend(digits);
        let length = rest.find(|letter| value(letter).is_none()).unwrap_or(rest.len());
        let end = start + length;
        self.groups.push(Group { start, end, first });
    }

    /// True if what was read last may be part of a number.
    fn may_go_on(&self) -> bool {
        let last = self
            .groups
            .last()
            .map_or(0, |group| self.digits.len() - group.first);
        last <= LONGEST_GROUP || self.has_plus && self.digits.len() <= LONGEST_NUMBER
    }

    /// Offset of its first digit.
    pub(super) fn start(&self) -> usize {
        self.groups[0].start
    }

    /// Offset behind its last digit.
    pub(super) fn end(&self) -> usize {
        self.groups[self.groups.len() - 1].end
    }

    /// True if it is written like a decimal number.
    pub(super) fn is_decimal(&self) -> bool {
        self.groups.len() == 2 && !self.has_plus && self.gap(0) == "."
    }

    /// The digits of the group in that place.
    pub(super) fn group(&self, place: usize) -> &[u8] {
        let end = self
            .groups
            .get(place + 1)
            .map_or(self.digits.len(), |next| next.first);
        &self.digits[self.groups[place].first..end]
    }

    /// Number of digits in a group.
    pub(super) fn length(&self, place: usize) -> usize {
        self.group(place).len()
    }

    /// Text between a group and the next.
    pub(super) fn gap(&self, place: usize) -> &'a str {
        &self.text[self.groups[place].end..self.groups[place + 1].start]
    }
}

/// Offset of the next digit. Most of a text is ASCII without digits, which is checked without decoding.
fn first_digit(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += text.as_bytes()[at..]
            .iter()
            .position(|byte| byte.is_ascii_digit() || !byte.is_ascii())?;
        let letter = text[at..].chars().next()?;
        if value(letter).is_some() {
            return Some(at);
        }
        at += letter.len_utf8();
    }
}

/// Value of a digit, in the scripts that telephones show.
pub(super) fn value(letter: char) -> Option<u8> {
    let zero = match letter {
        '0'..='9' => '0',
        '\u{0660}'..='\u{0669}' => '\u{0660}',
        '\u{06F0}'..='\u{06F9}' => '\u{06F0}',
        '\u{FF10}'..='\u{FF19}' => '\u{FF10}',
        _ => return None,
    };
    u8::try_from(u32::from(letter) - u32::from(zero)).ok()
}

/// True for separators that people put between digits, and for invisible marks that address books put around them.
pub(super) fn is_separator(letter: char) -> bool {
    matches!(
        letter,
        ' ' | '-' | '.' | '(' | ')' | '/' | '_' | '·' | '\u{A0}' | '\u{AD}' | '\u{2000}'..='\u{2015}' | '\u{202A}'..='\u{202F}'
            | '\u{2060}'..='\u{2069}' | '\u{2212}' | '\u{3000}' | '\u{FF08}' | '\u{FF09}' | '\u{FF0D}' | '\u{FF0E}'
    )
}

/// Offset of the next digit, if at most a few separators precede it.
fn after_gap(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    for _ in 0..=MOST_SEPARATORS {
        let rest = &text[at..];
        if value(rest.chars().next()?).is_some() {
            return Some(at);
        }
        at += separator_length(rest)?;
    }
    None
}

/// Length of the separator at the start of a text, plain or URL-encoded.
fn separator_length(text: &str) -> Option<usize> {
    const IN_URLS: [&str; 7] = ["%20", "%28", "%29", "%2D", "%2d", "%2E", "%2e"];
    if let Some(written) = IN_URLS.iter().find(|written| text.starts_with(**written)) {
        return Some(written.len());
    }
    let letter = text.chars().next()?;
    is_separator(letter).then(|| letter.len_utf8())
}

/// True if a text ends with a plus and hardly anything behind it.
fn has_plus(text: &str) -> bool {
    let mut rest = text;
    for _ in 0..MOST_SEPARATORS {
        if rest.ends_with(['+', '\u{FF0B}']) || rest.ends_with("%2B") || rest.ends_with("%2b") {
            return true;
        }
        match rest.strip_suffix(is_separator) {
            Some(shorter) => rest = shorter,
            None => return false,
        }
    }
    false
}
