//! JSON as it came, laid out for people: every number and string stays as it was written, but for what is masked.
//!
//! A parser of values would lose digits, escapes and repeated keys; this walks over the text and only moves it.

use std::fmt::Write;

use crate::mask::Mask;

/// The largest text that is laid out.
const MOST_BYTES: usize = 256 * 1024;

/// The deepest nesting that is indented further.
const DEEPEST: usize = 24;

/// A JSON text as lines of HTML with its parts told apart; escaped.
pub(super) fn pretty(text: &str, mask: Mask) -> String {
    let mut out = Layout {
        html: String::with_capacity(text.len() * 2),
        depth: 0,
        key: String::new(),
        keys: Vec::new(),
        mask,
    };
    let (text, is_cut) = cut(text);
    out.walk(text);
    if is_cut {
        out.html.push_str("\n… (cut here)");
    }
    out.html
}

/// A text as it came, with what is masked replaced; not escaped.
pub(super) fn raw(text: &str, mask: Mask) -> String {
    if mask.is_nothing() {
        return text.to_owned();
    }
    let mut masked = String::with_capacity(text.len());
    let mut key = String::new();
    let mut keys = Vec::new();
    for token in Tokens::new(text) {
        note(&token, &mut key, &mut keys);
        match token {
            Token::String { text, is_key: false } => {
                masked.push_str(&masked_string(text, &key, mask).unwrap_or_else(|| text.to_owned()));
            }
            Token::String { text, .. } | Token::Word(text) | Token::Space(text) => masked.push_str(text),
            Token::Mark(mark) => masked.push(mark),
        }
    }
    masked
}

fn cut(text: &str) -> (&str, bool) {
    if text.len() <= MOST_BYTES {
        return (text, false);
    }
    let mut end = MOST_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], true)
}

struct Layout {
    html: String,
    depth: usize,
    key: String,
    keys: Vec<String>,
    mask: Mask,
}

impl Layout {
    fn walk(&mut self, text: &str) {
        let mut tokens = Tokens::new(text)
            .filter(|token| !matches!(token, Token::Space(_)))
            .peekable();
        while let Some(token) = tokens.next() {
            note(&token, &mut self.key, &mut self.keys);
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
                        note(&close, &mut self.key, &mut self.keys);
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
                Token::String { text, is_key: true } => self.part("k", text),
                Token::String { text, .. } => match masked_string(text, &self.key, self.mask) {
                    Some(masked) => self.part("m", &masked),
                    None => self.part("s", text),
                },
                Token::Word(word) => self.part("n", word),
                Token::Space(_) => {}
            }
        }
    }

    fn new_line(&mut self) {
        self.html.push('\n');
        for _ in 0..self.depth.min(DEEPEST) {
            self.html.push_str("  ");
        }
    }

    fn part(&mut self, class: &str, text: &str) {
        let _ = write!(self.html, r#"<span class="{class}">"#);
        escape(&mut self.html, text);
        self.html.push_str("</span>");
    }
}

/// Keeps track of the key that a value belongs to; the elements of a list belong to the list's.
fn note(token: &Token<'_>, key: &mut String, keys: &mut Vec<String>) {
    match token {
        Token::String { text, is_key: true } => {
            *key = serde_json::from_str(text).unwrap_or_default();
        }
        // What is nested deeper than that is masked by the key it stands under there.
        Token::Mark('{' | '[') if keys.len() < 1_024 => keys.push(key.clone()),
        Token::Mark('}' | ']') => *key = keys.pop().unwrap_or_default(),
        _ => {}
    }
}

fn masked_string(text: &str, key: &str, mask: Mask) -> Option<String> {
    if mask.is_nothing() {
        return None;
    }
    let value: String = serde_json::from_str(text).ok()?;
    let masked = mask.value(key, &value)?;
    serde_json::to_string(&masked).ok()
}

/// Text as HTML.
pub(super) fn escape(html: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            letter if letter.is_control() && letter != '\n' => html.push(char::REPLACEMENT_CHARACTER),
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
        for shown in [without_tags(&pretty(text, BOTH)), raw(text, BOTH)] {
            assert!(!shown.contains("hi there") && !shown.contains("555"), "{shown}");
            assert!(shown.contains("Ann"), "{shown}");
        }
        assert_eq!(raw(text, Mask::NOTHING), text);
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
            // Control characters are escaped in JSON, so none is replaced.
            let before: serde_json::Value = serde_json::from_str(&text).unwrap();
            if !text.contains(|c: char| c.is_control()) {
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), before);
            }
        }
    }
}
