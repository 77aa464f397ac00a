//! What looks like a telephone number, whosever: for those who are not to see any.
//!
//! A number without its country code is told by how it is written, so no country has to be set. What only looks alike
//! (ids, instants, dates, addresses of machines) stays.

use std::ops::Range;

use super::run::{LONGEST_NUMBER, Run, value};

/// Where a text stands that may have numbers in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
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

/// Where telephone numbers stand in a text, from their first digit to behind their last.
///
/// ```
/// use switchhook_domain::phone_number::{Place, numbers_in};
///
/// let text = "(619) 555-0142 rang about 6412345678901248, 2026-11-29 20:21";
/// assert_eq!(numbers_in(text, Place::Text).collect::<Vec<_>>(), [1..14]);
/// ```
pub fn numbers_in(text: &str, place: Place) -> impl Iterator<Item = Range<usize>> {
    Run::all(text)
        .filter(move |run| is_number(run, place))
        .map(|run| run.start()..run.end())
}

fn is_number(run: &Run<'_>, place: Place) -> bool {
    let digits = run.digits.len();
    if digits < SHORTEST {
        return false;
    }
    if run.has_plus {
        return true;
    }
    if is_part_of_word(run) {
        return false;
    }
    if run.groups.len() == 1 {
        return match place {
            Place::Id => digits == 11 && is_north_american(&run.digits),
            Place::Name => digits <= LONGEST_NUMBER && (is_whole(run) || is_number_without_gaps(&run.digits)),
            Place::Text => is_number_without_gaps(&run.digits),
        };
    }
    let Some(groups) = Groups::of(run).filter(|groups| !groups.are_something_else()) else {
        return false;
    };
    let is_north_american = groups.are_north_american();
    match place {
        Place::Id => is_north_american,
        Place::Text => is_north_american || groups.look_like_a_number(),
        Place::Name => is_north_american || is_whole(run) || groups.look_like_a_number(),
    }
}

/// Whether letters stand beside it: then it is a piece of a code. What an extension begins with does not count.
fn is_part_of_word(run: &Run<'_>) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    let behind = &run.text[run.end()..];
    let has_extension = ["x", "X", "ext", "Ext"].iter().any(|sign| {
        behind
            .strip_prefix(sign)
            .is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
    });
    run.before().is_some_and(is_letter) || !has_extension && run.after().is_some_and(is_letter)
}

/// Whether there is nothing else in its text.
fn is_whole(run: &Run<'_>) -> bool {
    let around = [&run.text[..run.start()], &run.text[run.end()..]];
    around.iter().all(|text| !text.contains(char::is_alphanumeric))
}

/// Whether digits that nothing stands between are a number: as one writes it at home in North America or with a trunk's
/// zero, or with its country code. Instants in milliseconds and ids of 16 digits never are.
fn is_number_without_gaps(digits: &[u8]) -> bool {
    match digits {
        [0, 0, rest @ ..] | [0, 1, 1, rest @ ..] => is_valid(rest),
        [0, ..] => (10..=12).contains(&digits.len()),
        _ if digits.len() == 10 => is_north_american(digits),
        _ => (11..=LONGEST_BARE).contains(&digits.len()) && is_valid(digits),
    }
}

/// Whether these are the ten digits of a number of North America, with its country code or not.
fn is_north_american(digits: &[u8]) -> bool {
    match digits {
        [1, rest @ ..] if rest.len() == 10 => is_valid(digits),
        _ if digits.len() == 10 => is_valid(&[&[1], digits].concat()),
        _ => false,
    }
}

/// Whether there are numbers like that, country code first.
fn is_valid(digits: &[u8]) -> bool {
    digits.len() <= LONGEST_NUMBER && phonelib::is_valid_phone_number(&super::international(digits))
}

/// A run's groups, without the hour or the seconds of a time that stands beside it.
struct Groups<'r, 'a> {
    run: &'r Run<'a>,
    range: Range<usize>,
}

impl<'r, 'a> Groups<'r, 'a> {
    fn of(run: &'r Run<'a>) -> Option<Self> {
        let (before, behind) = (&run.text[..run.start()], &run.text[run.end()..]);
        let is_digit = |letter: char| value(letter).is_some();
        let last = run.groups.len() - 1;
        let follows_time = before
            .strip_suffix(':')
            .is_some_and(|rest| rest.ends_with(is_digit));
        let is_before_time = behind
            .strip_prefix(':')
            .is_some_and(|rest| rest.starts_with(is_digit));
        let first = usize::from(follows_time && run.length(0) <= 2);
        let end = last + usize::from(!is_before_time || run.length(last) > 2);
        (first + 2 <= end).then_some(Self {
            run,
            range: first..end,
        })
    }

    fn lengths(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.range.clone().map(|place| self.run.length(place))
    }

    fn digits(&self) -> usize {
        self.lengths().sum()
    }

    fn gaps(&self) -> impl Iterator<Item = &'a str> + '_ {
        (self.range.start..self.range.end - 1).map(|place| self.run.gap(place))
    }

    /// What a group says as a number.
    fn value(&self, place: usize) -> u64 {
        let first = self.run.groups[place].first;
        let digits = &self.run.digits[first..first + self.run.length(place)];
        digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(*digit))
    }

    fn values(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.range.clone().map(|place| self.value(place))
    }

    /// A date, a decimal number, an address of a machine, a path.
    fn are_something_else(&self) -> bool {
        let is_address = self.range.len() == 4
            && self.gaps().all(|gap| gap == ".")
            && self.lengths().all(|length| length <= 3);
        let is_path = self.gaps().all(|gap| gap == "/") && self.range.len() > 2;
        self.digits() < SHORTEST
            || self.run.is_decimal()
            || is_address
            || is_path
            || self.are_a_date()
            || self.are_years()
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
        let shape = match (self.run.digits.first(), lengths.as_slice()) {
            (Some(1), [1, rest @ ..]) => rest,
            (_, all) => all,
        };
        shape == [3, 3, 4] || self.range.len() == self.run.groups.len() && is_north_american(&self.run.digits)
    }

    fn look_like_a_number(&self) -> bool {
        let digits = self.digits();
        let first = self.run.groups[self.range.start];
        let starts = self.run.digits[first.first] == 0 || self.run.text[..first.start].ends_with('(');
        let is_two_halves =
            self.lengths().all(|length| length == 4) && self.gaps().all(|gap| gap.trim().is_empty());
        match self.range.len() {
            _ if digits > LONGEST_NUMBER => true,
            _ if starts => digits > SHORTEST,
            2 => digits == 8 && is_two_halves,
            _ => digits > SHORTEST,
        }
    }
}
