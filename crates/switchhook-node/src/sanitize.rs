//! Text from anybody as it may be shown: what would hide, move, reorder or restyle other text is written out.
//!
//! Names, payloads, answers, headers, file names and error messages of others pass through here on their way to a
//! terminal (`terminal.rs`), a log (`telemetry.rs`) or a page (`page.rs` of the dashboard). What programs read stays as it is.

use std::borrow::Cow;
use std::fmt::Write;

/// Joins letters and emoji; between ASCII letters it only hides.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Text that stays on one line: `\n` and `\u{1b}` where a line feed and an escape character were.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_deceptive, escape_as_rust)
}

/// Text that its writer laid out: line feeds and tabs stay.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    escape(text, is_deceptive_in_lines, escape_as_rust)
}

/// JSON that means the same: `\u202e` in its strings where the character was. What stands between two tokens stays.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    escape(text, is_deceptive_in_lines, escape_as_json)
}

/// A whole page. In its text `\u202e` is seen, which JSON that is copied from it takes for the character; in attributes
/// the character is kept, for a form that is sent back must not change it.
#[must_use]
pub fn html(page: &str) -> Cow<'_, str> {
    if !page.contains(is_deceptive_in_lines) {
        return Cow::Borrowed(page);
    }
    // Both brackets are escaped wherever they are not those of a tag.
    let parts = page.split_inclusive(['<', '>']);
    let parts = parts.map(|part| {
        let write = if part.ends_with('>') {
            escape_as_reference
        } else {
            escape_as_json
        };
        escape(part, is_deceptive_in_lines, write)
    });
    Cow::Owned(parts.collect())
}

/// True for characters that are not simply visible in their place: control characters, direction marks, line
/// separators, invisible ones, and tags.
#[must_use]
pub fn is_deceptive(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_control();
    }
    matches!(letter,
        // C1: some terminals take U+009B for the beginning of a command.
        '\u{80}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        // Spaces without width, marks of direction, line separators, embeddings and overrides.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        // Tags and what else is invisible up there.
        | '\u{e0000}'..='\u{e0fff}')
}

fn is_deceptive_in_lines(letter: char) -> bool {
    is_deceptive(letter) && letter != '\n' && letter != '\t'
}

fn escape_as_rust(letter: char, out: &mut String) {
    out.extend(letter.escape_default());
}

fn escape_as_json(letter: char, out: &mut String) {
    for unit in letter.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

fn escape_as_reference(letter: char, out: &mut String) {
    let _ = write!(out, "&#x{:x};", u32::from(letter));
}

fn escape(text: &str, is_deceptive: fn(char) -> bool, write: fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let joins =
            JOINERS.contains(&letter) && is_joined(before) && letters.peek().copied().is_some_and(is_joined);
        if is_deceptive(letter) && !joins {
            write(letter, &mut out);
        } else {
            out.push(letter);
        }
        before = letter;
    }
    Cow::Owned(out)
}

/// True if a joiner next to it may be meaningful: a letter of another script, or an emoji.
fn is_joined(letter: char) -> bool {
    !letter.is_ascii() && !is_deceptive(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, one_line: &str, several: &str, as_json: &str) {
        assert_eq!(line(text), one_line);
        assert_eq!(lines(text), several);
        assert_eq!(json(text), as_json);
    }

    #[test]
    fn what_plays_tricks_is_written_out() {
        check(
            "a\u{1b}[31m\u{7}\u{9b}2J\u{7f}",
            "a\\u{1b}[31m\\u{7}\\u{9b}2J\\u{7f}",
            "a\\u{1b}[31m\\u{7}\\u{9b}2J\\u{7f}",
            "a\\u001b[31m\\u0007\\u009b2J\\u007f",
        );
        check("a\nb\tc\r", "a\\nb\\tc\\r", "a\nb\tc\\r", "a\nb\tc\\u000d");
        check(
            "Ann \u{202e}nnA\u{2069}",
            "Ann \\u{202e}nnA\\u{2069}",
            "Ann \\u{202e}nnA\\u{2069}",
            "Ann \\u202ennA\\u2069",
        );
        check(
            "\u{feff}\u{e0041}",
            "\\u{feff}\\u{e0041}",
            "\\u{feff}\\u{e0041}",
            "\\ufeff\\udb40\\udc41",
        );
    }

    #[test]
    fn a_name_restyles_nothing_else_on_a_page_and_a_form_sends_it_back_unchanged() {
        let page = "<p title=\"\u{202e}a\">\u{202e}Ann\u{2069} calls</p><input value=\"x\u{200f}\">";
        assert_eq!(
            html(page),
            "<p title=\"&#x202e;a\">\\u202eAnn\\u2069 calls</p><input value=\"x&#x200f;\">"
        );
    }

    #[test]
    fn names_of_all_people_stay_as_they_are() {
        for name in [
            "Weiß",
            "Łukasz",
            "عمر",
            "می\u{200c}خواهم",
            "👩\u{200d}👧",
            "王小明",
            "ศรี",
            "José ❤\u{fe0f}",
        ] {
            assert_eq!(line(name), name);
            assert!(matches!(line(name), Cow::Borrowed(_)) || name.contains(JOINERS));
        }
        assert_eq!(line("adm\u{200d}in"), "adm\\u{200d}in");
        assert_eq!(line("\u{200d}\u{200d}é\u{200d}"), "\\u{200d}\\u{200d}é\\u{200d}");
    }

    proptest! {
        #[test]
        fn nothing_deceptive_is_left_in_a_line(text in "\\PC*|(.|\\n|[\u{0}-\u{a0}\u{2000}-\u{2070}])*") {
            let shown = line(&text);
            prop_assert!(!shown.chars().any(|letter| is_deceptive(letter) && !JOINERS.contains(&letter)));
            prop_assert_eq!(line(&shown), shown.as_ref(), "once is enough");
        }

        #[test]
        fn json_means_what_it_meant(text in "(.|[\u{0}-\u{a0}\u{2000}-\u{2070}\u{e0000}-\u{e00ff}])*") {
            let written = serde_json::to_string(&text).unwrap();
            let shown = json(&written);
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
