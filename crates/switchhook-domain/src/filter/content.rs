//! An event's bytes as filters see them: each as its subscription's deliveries show them, read when the first one looks.
//!
//! What is hidden from a subscription is hidden from its filter too. Else a key without the scope for texts could find out
//! what a message says: by asking, filter by filter, which ones let it through.

use std::borrow::Cow;
use std::cell::OnceCell;

use switchhook_protocol::JsonNode;

use crate::redaction::{Hidden, redact};

/// How many ways there are to hide something.
const WAYS: usize = 4;

/// An event's bytes, and those without what is hidden from some.
#[derive(Debug)]
pub struct Content<'a> {
    body: &'a [u8],
    redacted: [OnceCell<Cow<'a, [u8]>>; WAYS],
}

/// What was read of the bytes so far.
#[derive(Debug)]
pub struct Looks<'a> {
    content: &'a Content<'a>,
    roots: [OnceCell<Option<JsonNode<'a>>>; WAYS],
}

impl<'a> Content<'a> {
    /// The bytes of an event as it came.
    #[must_use]
    pub fn of(body: &'a [u8]) -> Self {
        Self {
            body,
            redacted: Default::default(),
        }
    }

    fn text(&self, hidden: Hidden) -> Option<&str> {
        let redacted = self.redacted[way(hidden)].get_or_init(|| redact(self.body, hidden));
        std::str::from_utf8(redacted).ok()
    }
}

impl<'a> Looks<'a> {
    /// Nothing is read yet.
    #[must_use]
    pub fn at(content: &'a Content<'a>) -> Self {
        Self {
            content,
            roots: Default::default(),
        }
    }

    /// The event for those from whom this is hidden; `None` if its bytes are no text, which no event's are.
    pub fn without(&self, hidden: Hidden) -> Option<&JsonNode<'a>> {
        let root = || self.content.text(hidden).map(JsonNode::of);
        self.roots[way(hidden)].get_or_init(root).as_ref()
    }
}

fn way(hidden: Hidden) -> usize {
    usize::from(hidden.recordings) + 2 * usize::from(hidden.message_text)
}
