//! JSON as it came: every number and string stays as it was written, but for what is masked.
//!
//! A parser of values would lose digits, escapes and repeated keys; this walks over the text.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::mask::{Content, Mask};

/// Longest text shown, in bytes.
pub const MOST_BYTES: usize = 256 * 1024;

/// Note in place of the rest.
pub const CUT: &str = "\n… (cut here)";

/// The head of a text as it came, with what is masked replaced; not escaped.
#[must_use]
pub fn raw_head(text: &str, mask: Mask) -> String {
    let head = head(text);
    let mut shown = raw(head, mask).into_owned();
    if head.len() < text.len() {
        shown.push_str(CUT);
    }
    shown
}

/// A text as it came, with what is masked replaced; not escaped. JSON stays JSON.
#[must_use]
pub fn raw(text: &str, mask: Mask) -> Cow<'_, str> {
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

/// True if the text is valid JSON as far as it goes: stored bodies may be cut off.
fn reads_as_json(text: &str) -> bool {
    let mut tokens = Tokens::new(text)
        .filter(|token| !matches!(token, Token::Space(_)))
        .peekable();
    match tokens.peek() {
        Some(Token::Mark('{' | '[')) => {}
        // A text or a number alone.
        _ => return serde_json::from_str::<IgnoredAny>(text).is_ok(),
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

/// True for `null`, `true`, `false` and numbers.
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

/// The part of a text that is shown.
#[must_use]
pub fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_BYTES)]
}

/// Category of the values met while walking a JSON text, which their key decides. Elements belong to their list's
/// category. A level of nesting costs one byte.
#[derive(Debug)]
pub struct Contents {
    here: Content,
    around: Vec<Content>,
}

/// Under no key stands what somebody may have said.
impl Default for Contents {
    fn default() -> Self {
        Self {
            here: Content::Text,
            around: Vec::new(),
        }
    }
}

impl Contents {
    /// Takes note of the next token.
    pub fn note(&mut self, token: &Token<'_>) {
        match token {
            Token::String { text, is_key: true } => self.here = content_of(text),
            Token::Mark('{' | '[') => self.around.push(self.here),
            Token::Mark('}' | ']') => self.here = self.around.pop().unwrap_or_default(),
            _ => {}
        }
    }

    /// A value as it may be shown, if it must be changed.
    #[must_use]
    pub fn masked(&self, token: &Token<'_>, mask: Mask) -> Option<String> {
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

/// Category of a key's members, by the key as spelled in the text.
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

/// A piece of JSON text.
#[derive(Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A bracket, a comma or a colon.
    Mark(char),
    /// A string with its quotes.
    String {
        /// As it is written.
        text: &'a str,
        /// True if a colon follows.
        is_key: bool,
    },
    /// A number, a word of JSON, or anything else.
    Word(&'a str),
    Space(&'a str),
}

/// Walks over a JSON text, or what should be one: all of it comes out again.
#[derive(Debug)]
pub struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
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

/// Length of the string literal at the start of `text`, with its quotes; all of it if the literal does not end.
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
