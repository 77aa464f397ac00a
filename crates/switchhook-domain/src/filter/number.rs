//! Numbers of any size, compared by what they amount to: an id of 19 or 30 digits is not rounded, and `1e3` is `1000`.

use std::cmp::Ordering;

/// A decimal number: `0.DIGITS` times ten to the power of `exponent`; zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    is_negative: bool,
    /// Without zeros at either end.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a number as JSON writes it. An exponent of more than 18 digits counts as one of 18 nines.
    pub(super) fn of(json: &str) -> Self {
        let (is_negative, rest) = match json.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, json),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power_of(power)),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: String = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        let leading = length(all.len() - significant.len());
        let digits = significant.trim_end_matches('0');
        if digits.is_empty() {
            return Self {
                is_negative: false,
                digits: String::new(),
                exponent: 0,
            };
        }
        Self {
            is_negative,
            digits: digits.to_owned(),
            exponent: power.saturating_add(length(whole.len()) - leading),
        }
    }
}

fn power_of(text: &str) -> i64 {
    const MOST: i64 = 999_999_999_999_999_999;
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.trim_start_matches('0');
    let power = match digits.len() {
        0 => 0,
        1..=18 => digits.parse().unwrap_or(MOST),
        _ => MOST,
    };
    if is_negative { -power } else { power }
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |one: &Self| match (one.digits.is_empty(), one.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let by_size = || {
            // Digits without zeros at their end compare as texts do.
            let size = self.exponent.cmp(&other.exponent);
            size.then_with(|| self.digits.cmp(&other.digits))
        };
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => by_size(),
            _ => by_size().reverse(),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, expected: Ordering) {
        assert_eq!(
            Decimal::of(one).cmp(&Decimal::of(other)),
            expected,
            "{one} and {other}"
        );
        assert_eq!(
            Decimal::of(other).cmp(&Decimal::of(one)),
            expected.reverse(),
            "{other} and {one}"
        );
        assert_eq!(
            Decimal::of(one) == Decimal::of(other),
            expected.is_eq(),
            "{one} and {other}"
        );
    }

    #[test]
    fn numbers_compare_by_what_they_amount_to() {
        for same in [
            ["0", "-0"],
            ["0", "0.000e99"],
            ["1000", "1e3"],
            ["1000", "10.00E+2"],
            ["0.001", "1e-3"],
            ["8951.030", "8951.03"],
            ["-120", "-1.2e2"],
        ] {
            check(same[0], same[1], Ordering::Equal);
        }
        for less in [
            ["9223372036854775806", "9223372036854775807"],
            ["9007199254740992", "9007199254740993"],
            ["123456789012345678901234567890", "123456789012345678901234567891"],
            ["99", "100"],
            ["0.9", "1"],
            ["0.09", "0.1"],
            ["1.5", "1.50001"],
            ["-2", "-1"],
            ["-1", "0"],
            ["-1e-400", "1e-400"],
            ["1e400", "2e400"],
            ["9e9", "1e10"],
            ["1e-99999999999999999999", "1"],
            ["1", "1e99999999999999999999"],
        ] {
            check(less[0], less[1], Ordering::Less);
        }
    }
}
