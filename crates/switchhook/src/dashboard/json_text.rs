//! JSON as it came, laid out for people: every number and string stays as it was written, but for what is masked.
//!
//! A parser of values would lose digits, escapes and repeated keys; this walks over the text and only moves it.

use std::borrow::Cow;
use std::fmt::Write;

use crate::mask::{Content, Mask};

/// How much of a text is shown, and about how much HTML it becomes: what is laid out is many times what came.
const MOST_BYTES: usize = 256 * 1024;
const MOST_HTML: usize = 2 * MOST_BYTES;

/// The deepest nesting that is indented further.
const DEEPEST: usize = 24;

/// What stands where the rest is left out.
const CUT: &str = "\n… (cut here)";

/// A JSON text as lines of HTML with its parts told apart; escaped.
pub(super) fn pretty(text: &str, mask: Mask) -> String {
    let mut out = Layout {
        html: String::new(),
        depth: 0,
        contents: Contents::default(),
        mask,
    };
    let head = head(text);
    let is_whole = out.walk(head) && head.len() == text.len();
    if !is_whole {
        out.html.push_str(CUT);
    }
    out.html
}

/// The head of a text as it came, with what is masked replaced; not escaped.
pub(crate) fn raw_head(text: &str, mask: Mask) -> String {
    let head = head(text);
    let mut shown = raw(head, mask).into_owned();
    if head.len() < text.len() {
        shown.push_str(CUT);
    }
    shown
}

/// A text as it came, with what is masked replaced; not escaped. JSON stays JSON.
pub(crate) fn raw(text: &str, mask: Mask) -> Cow<'_, str> {
    if mask.is_nothing() {
        return Cow::Borrowed(text);
    }
    if !reads_as_json(text) {
        return mask.body(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut contents = Contents::default();
    for token in Tokens::new(text) {
        contents.note(&token);
        let changed = contents.masked(&token, mask);
        match (changed, token) {
            (Some(changed), _) => masked.push_str(&changed),
            (None, Token::String { text, .. } | Token::Word(text) | Token::Space(text)) => {
                masked.push_str(text);
            }
            (None, Token::Mark(mark)) => masked.push(mark),
        }
    }
    Cow::Owned(masked)
}

/// Whether a text is an object or a list, as far as it goes: of what is kept the end may be cut off.
fn reads_as_json(text: &str) -> bool {
    let mut tokens = Tokens::new(text)
        .filter(|token| !matches!(token, Token::Space(_)))
        .peekable();
    if !matches!(tokens.peek(), Some(Token::Mark('{' | '['))) {
        return false;
    }
    while let Some(token) = tokens.next() {
        if let Token::Word(word) = token
            && !is_scalar(word)
            && tokens.peek().is_some()
        {
            return false;
        }
    }
    true
}

/// Whether a word is one of JSON's, or a number.
fn is_scalar(word: &str) -> bool {
    let is_number = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
    };
    matches!(word, "true" | "false" | "null") || word.starts_with(is_of_number) && is_number(word)
}

fn is_of_number(first: char) -> bool {
    first == '-' || first.is_ascii_digit()
}

/// The digits of a whole number, without the zeros of a fraction: other numbers are no telephone's.
fn whole(number: &str) -> Option<&str> {
    let (digits, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_whole =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && fraction.bytes().all(|byte| byte == b'0');
    is_whole.then_some(digits)
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_BYTES)]
}

struct Layout {
    html: String,
    depth: usize,
    contents: Contents,
    mask: Mask,
}

impl Layout {
    /// Whether all of the text has its place.
    fn walk(&mut self, text: &str) -> bool {
        let mut tokens = Tokens::new(text)
            .filter(|token| !matches!(token, Token::Space(_)))
            .peekable();
        while let Some(token) = tokens.next() {
            if self.html.len() > MOST_HTML {
                return false;
            }
            self.contents.note(&token);
            let masked = self.contents.masked(&token, self.mask);
            match token {
                Token::Mark(open @ ('{' | '[')) => {
                    self.html.push(open);
                    match tokens.peek() {
                        Some(Token::Mark('}' | ']')) => {}
                        _ => {
                            self.depth += 1;
                            self.new_line();
                            continue;
                        }
                    }
                    if let Some(close) = tokens.next() {
                        self.contents.note(&close);
                        if let Token::Mark(close) = close {
                            self.html.push(close);
                        }
                    }
                }
                Token::Mark(close @ ('}' | ']')) => {
                    self.depth = self.depth.saturating_sub(1);
                    self.new_line();
                    self.html.push(close);
                }
                Token::Mark(',') => {
                    self.html.push(',');
                    self.new_line();
                }
                Token::Mark(':') => self.html.push_str(": "),
                Token::Mark(other) => escape(&mut self.html, other.encode_utf8(&mut [0; 4])),
                Token::String { text, is_key: true } => self.value("k", text, masked),
                Token::String { text, .. } => self.value("s", text, masked),
                Token::Word(word) => self.value("n", word, masked),
                Token::Space(_) => {}
            }
        }
        true
    }

    fn new_line(&mut self) {
        self.html.push('\n');
        for _ in 0..self.depth.min(DEEPEST) {
            self.html.push_str("  ");
        }
    }

    fn value(&mut self, class: &str, text: &str, masked: Option<String>) {
        match masked {
            Some(masked) => self.part("m", &masked),
            None => self.part(class, text),
        }
    }

    fn part(&mut self, class: &str, text: &str) {
        let _ = write!(self.html, r#"<span class="{class}">"#);
        escape(&mut self.html, text);
        self.html.push_str("</span>");
    }
}

/// What the values hold that a walk comes by: that is what the key says under which they stand. The elements of a list
/// belong to the list's. However deep it goes, each level costs a byte.
#[derive(Default)]
struct Contents {
    here: Content,
    around: Vec<Content>,
}

impl Contents {
    fn note(&mut self, token: &Token<'_>) {
        match token {
            Token::String { text, is_key: true } => self.here = content_of(text),
            Token::Mark('{' | '[') => self.around.push(self.here),
            Token::Mark('}' | ']') => self.here = self.around.pop().unwrap_or_default(),
            _ => {}
        }
    }

    /// A value as it may be shown, if it must be changed.
    fn masked(&self, token: &Token<'_>, mask: Mask) -> Option<String> {
        if mask.is_nothing() {
            return None;
        }
        match token {
            Token::String { text, is_key: false } => {
                // Of a text that cannot be decoded, because it is cut or has half a character, what is written counts.
                let value = decoded(text).unwrap_or(Cow::Borrowed(text.trim_matches('"')));
                serde_json::to_string(&mask.value(self.here, &value)?).ok()
            }
            Token::String { text, is_key: true } => {
                // Numbers are keys, too, where somebody keeps something for each.
                let key = decoded(text)?;
                match mask.loose(&key) {
                    Cow::Borrowed(_) => None,
                    Cow::Owned(masked) => serde_json::to_string(&masked).ok(),
                }
            }
            Token::Word(word) if word.starts_with(is_of_number) => {
                let number = match self.here {
                    Content::Number => word,
                    _ => whole(word)?,
                };
                // Masked it is no number any more, and what is shown is to stay JSON.
                serde_json::to_string(&mask.value(self.here, number)?).ok()
            }
            _ => None,
        }
    }
}

/// What a key's members hold, by the key as it is written.
fn content_of(key: &str) -> Content {
    /// No name that means something is as long, even with every letter escaped.
    const LONGEST: usize = 128;
    if key.len() > LONGEST {
        return Content::Other;
    }
    decoded(key).map_or(Content::Other, |key| Content::of(&key))
}

/// A string's text; copied only if it has escapes.
fn decoded(string: &str) -> Option<Cow<'_, str>> {
    let inner = string.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(string).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Text as HTML.
pub(super) fn escape(html: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            letter => html.push(letter),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Mark(char),
    String { text: &'a str, is_key: bool },
    Word(&'a str),
    Space(&'a str),
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    const fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let first = self.rest.chars().next()?;
        if first == '"' {
            let text = self.take(string_length(self.rest));
            let is_key = self.rest.trim_start().starts_with(':');
            return Some(Token::String { text, is_key });
        }
        if first.is_ascii_whitespace() {
            let end = self.rest.find(|c: char| !c.is_ascii_whitespace());
            return Some(Token::Space(self.take(end.unwrap_or(self.rest.len()))));
        }
        if matches!(first, '{' | '}' | '[' | ']' | ',' | ':') {
            self.take(1);
            return Some(Token::Mark(first));
        }
        let is_end =
            |c: char| c.is_ascii_whitespace() || matches!(c, '{' | '}' | '[' | ']' | ',' | ':' | '"');
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        Some(Token::Word(self.take(end)))
    }
}

/// How long the string at the start of `text` is, quotes included; all of it if it does not end.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (place, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: Mask = Mask {
        numbers: true,
        text: true,
    };

    fn without_tags(html: &str) -> String {
        let mut text = String::new();
        let mut is_tag = false;
        for letter in html.chars() {
            match letter {
                '<' => is_tag = true,
                '>' => is_tag = false,
                letter if !is_tag => text.push(letter),
                _ => {}
            }
        }
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
    }

    #[test]
    fn numbers_escapes_and_repeated_keys_stay_as_they_were_written() {
        let text = r#"{"a":1e400,"a":9223372036854775807,"b":"\u00e9<b>","c":[],"d":[1,{"e":null}]}"#;
        let shown = without_tags(&pretty(text, Mask::NOTHING));
        assert_eq!(
            shown,
            "{\n  \"a\": 1e400,\n  \"a\": 9223372036854775807,\n  \"b\": \"\\u00e9<b>\",\n  \"c\": [],\n  \"d\": [\n    1,\n    {\n      \"e\": null\n    }\n  ]\n}"
        );
    }

    #[test]
    fn what_is_masked_is_nowhere_in_either_form() {
        let text = r#"{"text":"hi there","to_number":["+12025550101"],"contact":{"phone":"+12025550102","name":"Ann"}}"#;
        for shown in [without_tags(&pretty(text, BOTH)), raw(text, BOTH).into_owned()] {
            assert!(!shown.contains("hi there") && !shown.contains("555"), "{shown}");
            assert!(shown.contains("Ann"), "{shown}");
        }
        assert_eq!(raw(text, Mask::NOTHING), text);
    }

    #[test]
    fn what_is_cut_or_cannot_be_decoded_is_masked_all_the_same() {
        let long = format!(r#"{{"text":"my secret {}"}}"#, "x".repeat(MOST_BYTES));
        let half = r#"{"text":"my secret \ud83d","phone":12025550101}"#;
        for text in [&long, half] {
            for shown in [without_tags(&pretty(text, BOTH)), raw_head(text, BOTH)] {
                assert!(!shown.contains("secret") && !shown.contains("555"), "{shown}");
            }
        }
    }

    #[test]
    fn numbers_are_masked_wherever_they_stand_and_ids_are_not() {
        let text = r#"{"call_id":6412345678901248,"event_timestamp":1795624039404,"contact":{"name":"(202) 555-0101"},"caller":2025550101,"again":12025550101.0,"talk_time":8951.029999999999,"notes":["ring 202-555-0101"],"by_number":{"+12025550101":1},"nested":"{\"who\":\"(202) 555-0101\"}","contact_id":"2025550101"}"#;
        for shown in [without_tags(&pretty(text, BOTH)), raw(text, BOTH).into_owned()] {
            let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
            let without = |key: &str| {
                let mut rest = shown.clone();
                rest.as_object_mut().unwrap().remove(key);
                rest.to_string()
            };
            assert!(!without("contact_id").contains("555"), "{shown}");
            assert_eq!(shown["call_id"], 6_412_345_678_901_248_u64);
            assert_eq!(shown["event_timestamp"], 1_795_624_039_404_u64);
            assert_eq!(shown["talk_time"], 8_951.029_999_999_999);
            assert_eq!(shown["contact_id"], "2025550101");
        }
    }

    #[test]
    fn an_echo_that_is_no_json_is_masked_too() {
        let numbers = "numbers".parse().unwrap();
        for echo in [
            "got +12025550101",
            "From=%2B12025550101&To=1",
            "<p>(202) 555-0101</p>",
            "[info] 202-555-0101",
            "12025550101",
        ] {
            let shown = raw(echo, numbers);
            assert!(!shown.contains("555"), "{shown}");
            assert_eq!(raw(echo, BOTH), "•••");
        }
        let cut = r#"{"from_number":"+12025550101","ok":tr"#;
        assert_eq!(raw(cut, BOTH), r#"{"from_number":"+•••••••••01","ok":tr"#);
    }

    #[test]
    fn a_mask_counts_at_any_depth_and_costs_a_byte_a_level() {
        let key = "k".repeat(1 << 20);
        let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
        let text = format!(
            r#"{{"phone":{open}"2025550101"{close},"{key}":{open}"Ann"{close},"phone":"2025550102"}}"#
        );
        let shown = raw(&text, BOTH);
        assert!(!shown.contains("555") && shown.contains("Ann"));
        assert!(pretty(&text, BOTH).len() < 2 * MOST_HTML);
    }

    #[test]
    fn what_is_shown_is_bounded_whatever_came() {
        let piece = |piece: &str| piece.repeat((1 << 20) / piece.len());
        for text in [
            piece("["),
            piece("1,"),
            piece("{\"\":"),
            piece("\u{1}<"),
            piece("\"\\\"&"),
        ] {
            for mask in [Mask::NOTHING, BOTH] {
                // A character becomes at most six, and digits become dots of three bytes.
                assert!(pretty(&text, mask).len() <= 6 * MOST_BYTES + MOST_HTML);
                assert!(raw_head(&text, mask).len() <= 3 * MOST_BYTES + CUT.len());
            }
        }
        assert!(pretty(&piece("1,"), BOTH).ends_with(CUT));
    }

    proptest! {
        #[test]
        fn any_text_is_laid_out_without_a_tag_of_its_own(text in ".{0,200}") {
            let html = pretty(&text, BOTH);
            let tags = html.matches('<').count();
            prop_assert_eq!(tags, html.matches("<span class=").count() + html.matches("</span>").count());
        }

        #[test]
        fn valid_json_means_the_same_afterwards(value in prop::collection::btree_map(".{0,8}", prop::option::of(any::<i32>()), 0..6)) {
            let text = serde_json::to_string(&value).unwrap();
            let shown = without_tags(&pretty(&text, Mask::NOTHING));
            let before: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), before);
        }
    }
}
