//! Detection of telephone numbers of anybody, for viewers who may see none.
//!
//! A number without its country code is recognized by how it is written, so no country has to be configured.
//! Lookalikes (ids, timestamps, dates, IP addresses) stay.

use std::ops::Range;

use super::INTERNATIONAL_PREFIXES;
use super::run::{LONGEST_NUMBER, Run, value};

/// Kind of text that may have numbers in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// In what people wrote, or anywhere else.
    Text,
    /// In what somebody is called: strangers are called by their numbers, however these are written.
    Name,
    /// In an id or a time: digits alone are no number here.
    Id,
}

/// The most digits that are a number where nothing but a country code shows it: numbers with more are rare, and our own
/// ids have more.
const LONGEST_BARE: usize = 13;

/// The fewest digits of a number that stands in a text.
const SHORTEST: usize = 7;

/// Ranges of the telephone numbers in a text, from their first digit to behind their last.
///
/// ```
/// use switchhook_domain::phone_number::{FieldKind, numbers_in};
///
/// let text = "(619) 555-0142 rang about 6412345678901248, 2026-11-29 20:21";
/// assert_eq!(numbers_in(text, FieldKind::Text).collect::<Vec<_>>(), [1..14]);
/// ```
pub fn numbers_in(text: &str, place: FieldKind) -> impl Iterator<Item = Range<usize>> {
    Run::all(text).filter_map(move |run| number_in(&run, place))
}

/// Range of the number in a run, if there is one.
fn number_in(run: &Run<'_>, place: FieldKind) -> Option<Range<usize>> {
    if run.has_plus {
        return (run.digits.len() >= SHORTEST).then(|| run.start()..run.end());
    }
    let groups = Groups::of(run)?;
    groups.are_a_number(place).then(|| groups.place())
}

fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// True if an extension begins with it: `x42`.
fn is_extension(text: &str) -> bool {
    let follows = |sign| {
        text.strip_prefix(sign)
            .map(|rest: &str| !rest.starts_with(char::is_alphabetic))
    };
    ["x", "X", "ext", "Ext"]
        .iter()
        .any(|sign| follows(*sign) == Some(true))
}

/// True if digits without separators are a number: as written at home in North America or with a trunk's zero, or
/// with a country code. What could be read as both counts as either. Timestamps in milliseconds and ids of 16 digits
/// never do.
fn is_number_without_gaps(digits: &[u8]) -> bool {
    match digits {
        _ if has_international_prefix(digits) => true,
        [0, 0, ..] => false,
        [0, ..] => (10..=12).contains(&digits.len()),
        _ if digits.len() == 10 => is_north_american(digits),
        _ => (11..=LONGEST_BARE).contains(&digits.len()) && is_valid(digits),
    }
}

/// True if numbers exist that begin like the digits behind an international prefix.
fn has_international_prefix(digits: &[u8]) -> bool {
    // Without a zero they might be an id.
    let can_be = digits.first() == Some(&0) || digits.len() <= LONGEST_NUMBER;
    can_be
        && INTERNATIONAL_PREFIXES
            .iter()
            .any(|prefix| digits.strip_prefix(*prefix).is_some_and(is_valid))
}

/// True for the ten digits of a North American number, with its country code or not.
fn is_north_american(digits: &[u8]) -> bool {
    match digits {
        [1, rest @ ..] if rest.len() == 10 => is_valid(digits),
        _ if digits.len() == 10 => is_valid(&[&[1], digits].concat()),
        _ => false,
    }
}

/// True if numbers of this form exist, country code first.
fn is_valid(digits: &[u8]) -> bool {
    digits.len() <= LONGEST_NUMBER && phonelib::is_valid_phone_number(&super::international(digits))
}

/// A run's groups, without what belongs to the word or the time beside it: `Room4 619 …`, `… 20:21`.
struct Groups<'r, 'a> {
    run: &'r Run<'a>,
    range: Range<usize>,
}

impl<'r, 'a> Groups<'r, 'a> {
    /// `None` if nothing is left, or what is left is a piece of a code: `a716-446655440000`.
    fn of(run: &'r Run<'a>) -> Option<Self> {
        let (before, behind) = (&run.text[..run.start()], &run.text[run.end()..]);
        let has_space = |place: usize| run.gap(place).contains(char::is_whitespace);
        let is_digit = |letter: char| value(letter).is_some();
        let last = run.groups.len() - 1;
        let mut range = 0..last + 1;
        if before.ends_with(is_letter) {
            range.start = (last > 0 && has_space(0)).then_some(1)?;
        }
        let follows_time = before
            .strip_suffix(':')
            .is_some_and(|rest| rest.ends_with(is_digit));
        if follows_time && run.length(0) <= 2 {
            range.start = 1;
        }
        if behind.starts_with(is_letter) && !is_extension(behind) {
            range.end = (last > 0 && has_space(last - 1)).then_some(last)?;
        }
        let is_before_time = behind
            .strip_prefix(':')
            .is_some_and(|rest| rest.starts_with(is_digit));
        if is_before_time && run.length(last) <= 2 {
            range.end = last;
        }
        (!range.is_empty()).then_some(Self { run, range })
    }

    /// Range in the text.
    fn place(&self) -> Range<usize> {
        let groups = &self.run.groups;
        groups[self.range.start].start..groups[self.range.end - 1].end
    }

    fn are_a_number(&self, place: FieldKind) -> bool {
        if self.run.is_decimal() {
            return false;
        }
        if self.range.clone().any(|group| self.is_number_alone(group, place)) {
            return true;
        }
        if self.range.len() == 1 {
            let can_be_one = (SHORTEST..=LONGEST_NUMBER).contains(&self.digits().len());
            return can_be_one && place == FieldKind::Name && self.are_whole();
        }
        if self.are_something_else() {
            return false;
        }
        let is_north_american = self.are_north_american();
        match place {
            FieldKind::Id => is_north_american,
            FieldKind::Text => is_north_american || self.look_like_a_number(),
            FieldKind::Name => is_north_american || self.are_whole() || self.look_like_a_number(),
        }
    }

    fn is_number_alone(&self, group: usize, place: FieldKind) -> bool {
        let digits = self.run.group(group);
        match place {
            FieldKind::Id => digits.len() == 11 && is_north_american(digits),
            FieldKind::Text | FieldKind::Name => is_number_without_gaps(digits),
        }
    }

    /// True if nothing else is in their text.
    fn are_whole(&self) -> bool {
        let Range { start, end } = self.place();
        let around = [&self.run.text[..start], &self.run.text[end..]];
        around.iter().all(|text| !text.contains(char::is_alphanumeric))
    }

    fn digits(&self) -> &[u8] {
        let groups = &self.run.groups;
        let end = groups
            .get(self.range.end)
            .map_or(self.run.digits.len(), |next| next.first);
        &self.run.digits[groups[self.range.start].first..end]
    }

    fn lengths(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.range.clone().map(|place| self.run.length(place))
    }

    fn gaps(&self) -> impl Iterator<Item = &'a str> + '_ {
        (self.range.start..self.range.end - 1).map(|place| self.run.gap(place))
    }

    /// Numeric value of a group.
    fn value(&self, place: usize) -> u64 {
        let digits = self.run.group(place).iter();
        digits.fold(0, |sum, digit| sum * 10 + u64::from(*digit))
    }

    fn values(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.range.clone().map(|place| self.value(place))
    }

    /// A date, an address of a machine, a path.
    fn are_something_else(&self) -> bool {
        let is_address = self.range.len() == 4
            && self.gaps().all(|gap| gap == ".")
            && self.lengths().all(|length| length <= 3);
        let has_slashes = self.gaps().all(|gap| gap == "/");
        let is_path = has_slashes && self.range.len() > 2 && !self.may_be_dialled();
        self.digits().len() < SHORTEST || is_address || is_path || self.are_a_date() || self.are_years()
    }

    /// A year, a month and a day, in either direction, with nothing behind them or an hour that was left out.
    fn are_a_date(&self) -> bool {
        let is_day = |value: u64| (1..=31).contains(&value);
        let is_year = |value: u64| (1900..2200).contains(&value);
        let lengths: Vec<_> = self.lengths().take(4).collect();
        let values: Vec<_> = self.values().take(4).collect();
        match (lengths.as_slice(), values.as_slice()) {
            ([4, 1..=2, 1..=2], [year, month, day]) | ([1..=2, 1..=2, 4], [day, month, year]) => {
                is_year(*year) && is_day(*month) && is_day(*day)
            }
            _ => false,
        }
    }

    fn are_years(&self) -> bool {
        self.range.len() == 2 && self.values().all(|value| (1900..2200).contains(&value))
    }

    /// Three, three and four digits, the country code before them or not; or ten digits that are a number there.
    fn are_north_american(&self) -> bool {
        let lengths: Vec<_> = self.lengths().take(5).collect();
        let shape = match (self.digits(), lengths.as_slice()) {
            ([1, ..], [1, rest @ ..]) => rest,
            (_, all) => all,
        };
        shape == [3, 3, 4] || is_north_american(self.digits())
    }

    /// True if digits of this form can be a North American number: neither area nor exchange begins with 0 or 1.
    fn may_be_dialled(&self) -> bool {
        let national = match self.digits() {
            [1, rest @ ..] if rest.len() == 10 => rest,
            all => all,
        };
        self.are_north_american() && matches!(national, [2..=9, _, _, 2..=9, ..])
    }

    fn look_like_a_number(&self) -> bool {
        let digits = self.digits().len();
        let first = self.run.groups[self.range.start];
        let starts = self.digits()[0] == 0 || self.run.text[..first.start].ends_with('(');
        match self.range.len() {
            _ if digits > LONGEST_NUMBER => true,
            _ if starts => digits > SHORTEST,
            2 => self.are_two_groups_of_a_number(),
            _ => digits > SHORTEST,
        }
    }

    /// Two groups are more often something else: of those without a zero before them only the forms are told that people
    /// write, `8123 4567`, `98765 43210` (India's mobile numbers begin with 6 and more), `333 1234567` and `333-1234567`.
    fn are_two_groups_of_a_number(&self) -> bool {
        let gap = self.gaps().next().unwrap_or_default().trim();
        let lengths: Vec<_> = self.lengths().collect();
        match lengths.as_slice() {
            [4, 4] => gap.is_empty(),
            [5, 5] => gap.is_empty() && self.digits()[0] >= 6,
            [3, 7] => matches!(gap, "" | "-"),
            _ => false,
        }
    }
}
