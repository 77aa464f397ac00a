//! Redaction: what a webhook's deliveries do not show, and how it leaves an event's bytes.
//!
//! Owns the rule "which scope shows what" and the one exception to "sent as received". Everything that is not removed
//! keeps its bytes: number texts, key order, white space. Which subscriptions match is `matching.rs`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use memchr::{memchr, memchr2};

use switchhook_protocol::Outline;

use crate::scope::{Scope, Scopes};

mod recordings;

use recordings::{Name, is_address, may_matter};

/// Parts removed from an event before it is sent; by default none.
///
/// Its text form is a comma-separated list, empty for nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hidden {
    /// Links to recordings and voicemails of calls.
    pub recordings: bool,
    /// Text of a message, and its media.
    pub message_text: bool,
}

impl Hidden {
    pub const NOTHING: Self = Self {
        recordings: false,
        message_text: false,
    };

    /// All that can be hidden is.
    pub const EVERYTHING: Self = Self {
        recordings: true,
        message_text: true,
    };

    /// Parts hidden from somebody with these scopes, whichever event it is.
    ///
    /// Messages are shown only with the scope for the whole company, whichever target an event is about.
    #[must_use]
    pub const fn by_scopes(scopes: Scopes) -> Self {
        Self {
            recordings: !scopes.has(Scope::RecordingsExport),
            message_text: !scopes.has(Scope::MessageContentExportAll),
        }
    }

    /// Parts hidden by both: of two matching subscriptions, what either shows is shown.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            recordings: self.recordings && other.recordings,
            message_text: self.message_text && other.message_text,
        }
    }

    /// Parts hidden by either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            recordings: self.recordings || other.recordings,
            message_text: self.message_text || other.message_text,
        }
    }

    #[must_use]
    pub const fn is_nothing(self) -> bool {
        !self.recordings && !self.message_text
    }
}

const RECORDINGS: &str = "recordings";
const MESSAGE_TEXT: &str = "message_text";

impl Hidden {
    /// Its parts by name, joined by commas.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match (self.recordings, self.message_text) {
            (false, false) => "",
            (true, false) => RECORDINGS,
            (false, true) => MESSAGE_TEXT,
            (true, true) => "recordings,message_text",
        }
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name of nothing that can be hidden.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot hide `{0}`: use recordings or message_text")]
pub struct UnknownHidden(pub String);

impl FromStr for Hidden {
    type Err = UnknownHidden;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut hidden = Self::NOTHING;
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                RECORDINGS => hidden.recordings = true,
                MESSAGE_TEXT => hidden.message_text = true,
                _ => return Err(UnknownHidden(name.to_owned())),
            }
        }
        Ok(hidden)
    }
}

/// Members that say what a message says.
const MESSAGE_TEXT_MEMBERS: [&str; 3] = ["text", "text_content", "mms_url"];

/// `body`, a JSON text, without the members that `hidden` names, however deep they stand and however often.
///
/// With a member go one comma and the white space beside it; every other byte stays. Bytes that are no JSON do no
/// harm, but what comes of them means nothing.
#[must_use]
pub fn redact(body: &[u8], hidden: Hidden) -> Cow<'_, [u8]> {
    if hidden.is_nothing() {
        return Cow::Borrowed(body);
    }
    Redaction::new(body, hidden).run()
}

/// Parts of `hidden` that an event can have at all, going by the names of its members. The others need not be
/// searched for again.
#[must_use]
pub fn concealable(event: &Outline<'_>, hidden: Hidden) -> Hidden {
    let mut found = Hidden::NOTHING;
    for (name, value) in event.all_members() {
        let key = Key(name.as_bytes());
        found.message_text |= hidden.message_text && key.is_one_of(&MESSAGE_TEXT_MEMBERS);
        found.recordings |= hidden.recordings && may_matter(key, value.json().as_bytes());
    }
    found
}

/// One pass over a body. It needs no stack: a string is a key if a colon follows it, and of the open containers only
/// the outermost that holds recordings matters.
struct Redaction<'a> {
    body: &'a [u8],
    hidden: Hidden,
    at: usize,
    depth: usize,
    /// The depth around the outermost container of recordings that we are in.
    details_depth: Option<usize>,
    /// Token before the current position, not counting removed members and white space.
    before: Preceding,
    kept: Vec<u8>,
    /// Start of the bytes that are neither kept nor removed yet.
    kept_until: usize,
}

#[derive(Clone, Copy)]
enum Preceding {
    /// The start of an object or a list: what is removed takes the comma behind it along.
    Start,
    /// A comma, and where: what is removed takes it along.
    Comma(usize),
    Other,
}

impl<'a> Redaction<'a> {
    const fn new(body: &'a [u8], hidden: Hidden) -> Self {
        Self {
            body,
            hidden,
            at: 0,
            depth: 0,
            details_depth: None,
            before: Preceding::Other,
            kept: Vec::new(),
            kept_until: 0,
        }
    }

    fn run(mut self) -> Cow<'a, [u8]> {
        while let Some(&byte) = self.body.get(self.at) {
            self.step(byte);
        }
        if self.kept_until == 0 {
            return Cow::Borrowed(self.body);
        }
        self.kept.extend_from_slice(&self.body[self.kept_until..]);
        Cow::Owned(self.kept)
    }

    fn step(&mut self, byte: u8) {
        match byte {
            b'"' => return self.string(),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.close(),
            _ => {}
        }
        self.before = match byte {
            b'{' | b'[' => Preceding::Start,
            b',' => Preceding::Comma(self.at),
            _ if is_white(byte) => self.before,
            _ => Preceding::Other,
        };
        self.at += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.details_depth.is_some_and(|around| self.depth <= around) {
            self.details_depth = None;
        }
    }

    /// A string begins here: the key of a member; or a value, which is passed, but for an address in a list that leads to
    /// recordings.
    fn string(&mut self) {
        let start = self.at;
        let end = string_end(self.body, start);
        let colon = white_end(self.body, end);
        if self.body.get(colon) != Some(&b':') {
            let is_item = !matches!(self.before, Preceding::Other);
            if is_item && self.details_depth.is_some() && is_address(self.body, start) {
                return self.remove(start, end);
            }
            self.at = end;
            self.before = Preceding::Other;
            return;
        }
        let key = Key(&self.body[start + 1..end - 1]);
        let value = white_end(self.body, colon + 1);
        let is_text = self.hidden.message_text && key.is_one_of(&MESSAGE_TEXT_MEMBERS);
        if is_text || self.hidden.recordings && self.is_recording(key, value) {
            return self.remove(start, value_end(self.body, value));
        }
        self.at = value;
        self.before = Preceding::Other;
    }

    /// True if the member whose value begins at `value` leads to a recording. A container that may hold some is
    /// noted.
    fn is_recording(&mut self, key: Key<'_>, value: usize) -> bool {
        Name::ask(key, |name| {
            if name.leads_to_recording(self.body, value) {
                return true;
            }
            if self.details_depth.is_some() {
                return name.is_link_in_recording(self.body, value);
            }
            if name.may_hold_recordings(self.body, value) {
                self.details_depth = Some(self.depth);
            }
            false
        })
    }

    /// Removes the member or the item that begins at `start` and whose value ends at `end`, and the comma before it; if it is the
    /// first, the comma behind it.
    fn remove(&mut self, start: usize, end: usize) {
        let (start, end) = match self.before {
            Preceding::Comma(comma) => (comma, end),
            Preceding::Start => (start, comma_end(self.body, end)),
            Preceding::Other => (start, end),
        };
        if let Preceding::Comma(_) = self.before {
            self.before = Preceding::Other;
        }
        self.kept.reserve(self.body.len() - self.kept_until);
        self.kept.extend_from_slice(&self.body[self.kept_until..start]);
        self.kept_until = end;
        self.at = end;
    }
}

/// A key as it is written, without its quotes.
#[derive(Clone, Copy)]
struct Key<'a>(&'a [u8]);

impl Key<'_> {
    fn is_one_of(self, names: &[&str]) -> bool {
        names.iter().any(|name| self.is(name))
    }

    /// True if the key means `name`, which has ASCII letters and underscores only.
    fn is(self, name: &str) -> bool {
        if self.0.len() == name.len() {
            return self.0 == name.as_bytes();
        }
        self.0.len() > name.len() && self.0.contains(&b'\\') && self.spells(name)
    }

    fn spells(self, name: &str) -> bool {
        let mut written = self.0;
        for &letter in name.as_bytes() {
            let Some((first, rest)) = first_letter(written) else {
                return false;
            };
            if first != u32::from(letter) {
                return false;
            }
            written = rest;
        }
        written.is_empty()
    }

    /// Characters, with escapes like `\u0074` decoded. Those of more than a byte become a question mark.
    fn characters(&self) -> impl Iterator<Item = u8> {
        // Most have no escapes, and are read as they stand.
        let plain = memchr(b'\\', self.0).unwrap_or(self.0.len());
        let (plain, mut written) = self.0.split_at(plain);
        let others = std::iter::from_fn(move || {
            let (first, rest) = first_letter(written)?;
            written = rest;
            Some(first)
        });
        let others = others.map(|character| u8::try_from(character).unwrap_or(b'?'));
        plain.iter().copied().chain(others)
    }
}

/// The first letter of `written`, plain or as `\u0074`, and what follows it. No other escape but that of a slash matters: those are 0.
fn first_letter(written: &[u8]) -> Option<(u32, &[u8])> {
    match written {
        [b'\\', b'u', a, b, c, d, rest @ ..] => {
            let digits = [*a, *b, *c, *d];
            let code = digits
                .into_iter()
                .try_fold(0, |code, digit| Some(code * 16 + char::from(digit).to_digit(16)?));
            Some((code?, rest))
        }
        [b'\\', b'/', rest @ ..] => Some((u32::from(b'/'), rest)),
        // Quotes, backslashes and what moves the cursor: nothing that a name is told by.
        [b'\\', _, rest @ ..] => Some((0, rest)),
        [first, rest @ ..] => Some((u32::from(*first), rest)),
        [] => None,
    }
}

const fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// End of the white space that begins at `start`.
fn white_end(body: &[u8], start: usize) -> usize {
    end_of_run(body, start, is_white)
}

/// End of the white space and the one comma that may begin at `start`, with the white space behind the comma.
fn comma_end(body: &[u8], start: usize) -> usize {
    let comma = white_end(body, start);
    if body.get(comma) == Some(&b',') {
        white_end(body, comma + 1)
    } else {
        comma
    }
}

fn end_of_run(body: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let length = body[start..].iter().position(|&byte| !belongs(byte));
    length.map_or(body.len(), |length| start + length)
}

/// End of the string whose opening quote is at `start`, behind its closing quote.
fn string_end(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(length) = body.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += length;
        if body[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    body.len()
}

/// End of the value that begins at `start`.
fn value_end(body: &[u8], start: usize) -> usize {
    match body.get(start) {
        Some(b'"') => string_end(body, start),
        Some(b'{' | b'[') => container_end(body, start),
        _ => end_of_run(body, start, |byte| {
            !is_white(byte) && !matches!(byte, b',' | b'}' | b']')
        }),
    }
}

fn container_end(body: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => {
                at = string_end(body, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests;
