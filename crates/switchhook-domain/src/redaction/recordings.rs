//! Members of an event that lead to the sound or picture of a call, which are hidden without `recordings_export`.
//!
//! Real traffic has more names for them than any document, so parts of names decide: a name that mentions a recording
//! and ends in a link. Where the name says only that there is a recording, an address in the value decides. How a
//! member is removed from the bytes is in `redaction.rs`.

use memchr::{memchr, memchr2, memmem};

use super::{Key, string_end};

/// Parts of a name that speak of something to listen to or to look at. A shared page or a review of a call plays it.
const SUBJECTS: [Part; 17] = [
    Part::new("record"),
    Part::new("voicemail"),
    Part::new("vmail"),
    Part::new("voicemessage"),
    Part::new("audio"),
    Part::new("video"),
    Part::new("media"),
    Part::new("sound"),
    Part::new("mp3"),
    Part::new("mp4"),
    Part::new("wav"),
    Part::new("listen"),
    Part::new("screencapture"),
    Part::new("screenshot"),
    Part::new("playback"),
    Part::new("review"),
    Part::new("shar"),
];

/// Parts of a link's name that speak of one to a recording, although other members with them hold no address.
const LINK_SUBJECTS: [Part; 4] = [
    Part::new("greeting"),
    Part::new("download"),
    Part::new("moment"),
    TRANSCRIPT,
];

/// The whole names of links to recordings and voicemails, but for their ends.
const SHORT_SUBJECTS: [&[u8]; 2] = [b"rec", b"vm"];

/// Trail of a call, voicemails included, whose links may lead to recordings.
const TRAIL: Part = Part::new("breadcrumb");

/// The ends of a name whose value is an address.
const LINKS: [&str; 8] = ["url", "urls", "link", "links", "uri", "uris", "href", "hrefs"];

/// Transcript of a recording, which is no address of it, even if somebody spelled one out.
const TRANSCRIPT: Part = Part::new("transcript");

/// An id that Dialpad gives out with the same scope only.
const VOICEMAIL_ID: &[u8] = b"voicemailrecordingid";

/// Part of a name.
struct Part {
    text: &'static str,
    letters: Letters,
}

/// Set of letters and digits, as bits. Most names lack some of each part, and need not be searched for it.
#[derive(Clone, Copy)]
struct Letters(u64);

impl Letters {
    const NONE: Self = Self(0);

    const fn with(self, letter: u8) -> Self {
        Self(self.0 | 1 << (letter % 64))
    }

    const fn has_all(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

impl Part {
    const fn new(text: &'static str) -> Self {
        let mut letters = Letters::NONE;
        let mut rest = text.as_bytes();
        while let [letter, others @ ..] = rest {
            letters = letters.with(*letter);
            rest = others;
        }
        Self { text, letters }
    }
}

/// A member's name, as far as it matters here: small letters and digits, escapes resolved.
pub(super) struct Name<'a> {
    text: &'a [u8],
    letters: Letters,
}

/// Names that are longer than this need memory of their own.
const USUAL_NAME: usize = 64;

/// Normalized byte of a name: a small letter or a digit, or 0 if it is skipped.
static LETTERS: [u8; 256] = {
    let mut letters = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            letters[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    letters
};

impl<'a> Name<'a> {
    /// Answers what `ask` does of the name that `key` is.
    pub(super) fn ask<T>(key: Key<'_>, ask: impl FnOnce(&Name<'_>) -> T) -> T {
        let (mut usual, mut long) = ([0; USUAL_NAME], Vec::new());
        let room = match usual.get_mut(..key.0.len()) {
            Some(room) => room,
            None => {
                long.resize(key.0.len(), 0);
                &mut long[..]
            }
        };
        ask(&Name::written(key, room))
    }

    /// Writes it into `room`, which is as long as the key. Each letter of an event's names comes by here.
    fn written(key: Key<'_>, room: &'a mut [u8]) -> Self {
        let (mut length, mut letters) = (0, Letters::NONE);
        let mut write = |byte: u8| {
            let letter = LETTERS[usize::from(byte)];
            if letter != 0 {
                room[length] = letter;
                length += 1;
                letters = letters.with(letter);
            }
        };
        if key.0.contains(&b'\\') {
            key.characters().for_each(write);
        } else {
            key.0.iter().for_each(|byte| write(*byte));
        }
        Self {
            text: &room[..length],
            letters,
        }
    }

    #[inline]
    fn has(&self, part: &Part) -> bool {
        self.letters.has_all(part.letters) && self.spells(part)
    }

    /// Kept apart, so that what is asked first of every name stays small.
    #[inline(never)]
    fn spells(&self, part: &Part) -> bool {
        memmem::find(self.text, part.text.as_bytes()).is_some()
    }

    /// True if the member leads to a recording whatever contains it.
    pub(super) fn leads_to_recording(&self, body: &[u8], value: usize) -> bool {
        self.is_link() && (self.has_subject() || self.is_link_to_recording())
            || self.text == VOICEMAIL_ID
            || self.has_subject() && self.has_address(body, value)
    }

    /// True if the member leads to a recording when it is inside a container of recordings.
    pub(super) fn is_link_in_recording(&self, body: &[u8], value: usize) -> bool {
        self.is_link() || self.has_address(body, value)
    }

    fn is_link_to_recording(&self) -> bool {
        let is_short = |link: &str| {
            let subject = self.text.strip_suffix(link.as_bytes());
            subject.is_some_and(|subject| SHORT_SUBJECTS.contains(&subject))
        };
        LINK_SUBJECTS.iter().any(|subject| self.has(subject)) || LINKS.into_iter().any(is_short)
    }

    fn has_address(&self, body: &[u8], value: usize) -> bool {
        is_address(body, value) && !self.has(&TRANSCRIPT)
    }

    /// True if the value is an address, going by the name alone.
    fn is_link(&self) -> bool {
        // Most names end in another letter than any of these.
        matches!(self.text.last(), Some(b'f' | b'i' | b'k' | b'l' | b's'))
            && LINKS.iter().any(|link| self.text.ends_with(link.as_bytes()))
    }

    /// True if the value is a container that may hold recordings.
    pub(super) fn may_hold_recordings(&self, body: &[u8], value: usize) -> bool {
        matches!(body.get(value), Some(b'[' | b'{')) && (self.has_subject() || self.has(&TRAIL))
    }

    /// True if the name mentions a recording.
    fn has_subject(&self) -> bool {
        SUBJECTS.iter().any(|subject| self.has(subject))
    }
}

/// True if a member with this value may lead to a recording or hold some.
pub(super) fn may_matter(key: Key<'_>, value: &[u8]) -> bool {
    is_worth_a_look(key, value)
        && Name::ask(key, |name| {
            name.leads_to_recording(value, 0) || name.may_hold_recordings(value, 0)
        })
}

/// True if the name must be read at all. Most members have a value that is neither a container nor an address, and a
/// name that ends unlike those of links and unlike [`VOICEMAIL_ID`].
fn is_worth_a_look(key: Key<'_>, value: &[u8]) -> bool {
    let has_value = match value {
        [b'[' | b'{', ..] => true,
        [b'"', text @ ..] => {
            matches!(text.first(), Some(b'd' | b'D')) || memchr2(b'/', b'\\', text).is_some()
        }
        _ => false,
    };
    has_value
        || memchr(b'\\', key.0).is_some()
        || key.0.last().is_none_or(|last| {
            !last.is_ascii_alphanumeric()
                || matches!(last.to_ascii_lowercase(), b'f' | b'i' | b'k' | b'l' | b's' | b'd')
        })
}

/// True if the value is a string with an address of any scheme in it, or a path.
pub(super) fn is_address(body: &[u8], value: usize) -> bool {
    if body.get(value) != Some(&b'"') {
        return false;
    }
    let text = Key(body
        .get(value + 1..string_end(body, value) - 1)
        .unwrap_or_default());
    let scheme = text
        .characters()
        .take(5)
        .map(|letter| letter.to_ascii_lowercase());
    if scheme.eq(*b"data:") {
        return true;
    }
    let (mut last, mut before_last) = (0, 0);
    let (mut has_slash, mut has_dot, mut has_gap) = (false, false, false);
    for letter in text.characters() {
        if [before_last, last, letter] == *b"://" {
            return true;
        }
        has_slash |= letter == b'/';
        has_dot |= letter == b'.';
        has_gap |= letter.is_ascii_whitespace() || matches!(letter, 0 | 8 | b'"' | b'\\');
        (before_last, last) = (last, letter);
    }
    has_slash && has_dot && !has_gap
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_link_ends_in_a_letter_that_is_looked_for() {
        for link in LINKS {
            Name::ask(Key(link.as_bytes()), |name| assert!(name.is_link(), "{link}"));
        }
    }

    proptest! {
        #[test]
        fn what_is_not_worth_a_look_does_not_matter(
            name in r#"([a-zA-Z_]{0,6}(url|link|hrefs|uri|Record|voicemail_recording_id|vm|transcript|breadcrumb|\\u006bs?|[_é])?){1,3}"#,
            value in r#"null|12|"[a-z ]{0,4}((https?:)?//[a-z]{2}|data:|DATA:|a/b\.c|\\/\\/|\\u002f\.)?"|\[1\]|\{"a": 1\}"#,
        ) {
            let key = Key(name.as_bytes());
            let matters = Name::ask(key, |name| {
                name.leads_to_recording(value.as_bytes(), 0) || name.may_hold_recordings(value.as_bytes(), 0)
            });
            prop_assert_eq!(may_matter(key, value.as_bytes()), matters);
        }
    }

    #[test]
    fn a_part_is_found_wherever_it_stands() {
        for part in SUBJECTS.iter().chain(&LINK_SUBJECTS) {
            let long = format!("{}{}", "x".repeat(USUAL_NAME), part.text);
            for name in [
                part.text.to_owned(),
                format!("my_{}_2", part.text.to_uppercase()),
                long,
            ] {
                assert!(Name::ask(Key(name.as_bytes()), |name| name.has(part)), "{name}");
            }
        }
    }
}
