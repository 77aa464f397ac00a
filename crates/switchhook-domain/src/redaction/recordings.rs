//! Which members of an event lead to the sound or the picture of a call: what nobody sees without `recordings_export`.
//!
//! Real traffic has more names for them than any document, so their parts decide: a name that speaks of a recording and
//! ends in a link. Where the name says only that there is a recording, an address in the value decides. How a member leaves an event's bytes is in `redaction.rs`.

use memchr::memmem;
use smallvec::SmallVec;

use super::{Key, string_end};

/// Parts of a name that speak of something to listen to or to look at. A shared page or a review of a call plays it.
const SUBJECTS: [&str; 16] = [
    "record",
    "voicemail",
    "voicemessage",
    "audio",
    "video",
    "media",
    "sound",
    "mp3",
    "mp4",
    "wav",
    "listen",
    "screencapture",
    "screenshot",
    "playback",
    "review",
    "share",
];

/// Parts of a link's name that speak of one to a recording, although other members with them hold no address.
const LINK_SUBJECTS: [&str; 4] = ["greeting", "download", "moment", "transcript"];

/// The whole name of a link to a recording, but for its end.
const REC: &[u8] = b"rec";

/// The ends of a name whose value is an address.
const LINKS: [&str; 8] = ["url", "urls", "link", "links", "uri", "uris", "href", "hrefs"];

/// What was said in a recording is no address of it, even if somebody spelled one out.
const TRANSCRIPT: &[u8] = b"transcript";

/// An id that Dialpad gives out with the same scope only.
const VOICEMAIL_ID: &[u8] = b"voicemailrecordingid";

/// A member's name, as far as it matters here: small letters and digits, escapes resolved.
pub(super) struct Name(SmallVec<[u8; 64]>);

impl Name {
    pub(super) fn of(key: Key<'_>) -> Self {
        Self(key.letters().collect())
    }

    /// Whether the member leads to a recording whatever it stands in.
    pub(super) fn leads_to_recording(&self, body: &[u8], value: usize) -> bool {
        self.is_link() && (self.has_subject() || self.is_link_to_recording())
            || self.0[..] == *VOICEMAIL_ID
            || self.has_subject() && self.has_address(body, value)
    }

    /// Whether the member leads to a recording if it stands in what holds recordings.
    pub(super) fn is_link_in_recording(&self, body: &[u8], value: usize) -> bool {
        self.is_link() || self.has_address(body, value)
    }

    fn is_link_to_recording(&self) -> bool {
        let speaks = |subject: &str| memmem::find(&self.0, subject.as_bytes()).is_some();
        let is_rec = |link: &str| self.0.strip_suffix(link.as_bytes()) == Some(REC);
        LINK_SUBJECTS.into_iter().any(speaks) || LINKS.into_iter().any(is_rec)
    }

    fn has_address(&self, body: &[u8], value: usize) -> bool {
        is_address(body, value) && memmem::find(&self.0, TRANSCRIPT).is_none()
    }

    /// Whether the value is an address, going by its name alone.
    fn is_link(&self) -> bool {
        LINKS.iter().any(|link| self.0.ends_with(link.as_bytes()))
    }

    /// Whether the name speaks of a recording.
    pub(super) fn has_subject(&self) -> bool {
        SUBJECTS
            .iter()
            .any(|subject| memmem::find(&self.0, subject.as_bytes()).is_some())
    }
}

/// Whether the value that begins at `value` is a text with an address in it, of whatever scheme; or one that is a path.
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
