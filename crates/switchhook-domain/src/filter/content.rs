//! An event's bytes as filters see them: each as its subscription's deliveries show them, read when the first one looks.
//!
//! What is hidden from a subscription is hidden from its filter too. Else a key without the scope for texts could find out
//! what a message says: by asking, filter by filter, which ones let it through.

use std::borrow::Cow;
use std::cell::OnceCell;

use switchhook_protocol::{JsonNode, Outline};

use crate::redaction::{Hidden, redact};

/// Number of combinations of hidden parts.
const WAYS: usize = 4;

/// An event's bytes, and those without what is hidden from some.
#[derive(Debug)]
pub struct Content<'a> {
    body: &'a [u8],
    outline: Option<&'a Outline<'a>>,
    redacted: [OnceCell<Cow<'a, [u8]>>; WAYS],
}

/// Parts of the bytes parsed so far.
#[derive(Debug)]
pub struct ParsedContent<'c, 'a> {
    content: &'c Content<'a>,
    roots: [OnceCell<Option<JsonNode<'c>>>; WAYS],
}

impl<'a> Content<'a> {
    /// The bytes of an event as it came.
    #[must_use]
    pub fn of(body: &'a [u8]) -> Self {
        Self {
            body,
            outline: None,
            redacted: Default::default(),
        }
    }

    /// The same, where somebody looked at them already.
    #[must_use]
    pub fn outlined(outline: &'a Outline<'a>) -> Self {
        Self {
            outline: Some(outline),
            ..Self::of(outline.text().as_bytes())
        }
    }

    fn root(&self, hidden: Hidden) -> Option<JsonNode<'_>> {
        let redacted = self.redacted[way(hidden)].get_or_init(|| redact(self.body, hidden));
        match (redacted, self.outline) {
            (Cow::Borrowed(_), Some(outline)) => Some(JsonNode::outlined(outline.root())),
            (redacted, _) => std::str::from_utf8(redacted).ok().map(JsonNode::of),
        }
    }
}

impl<'c, 'a> ParsedContent<'c, 'a> {
    /// Nothing is read yet.
    #[must_use]
    pub fn at(content: &'c Content<'a>) -> Self {
        Self {
            content,
            roots: Default::default(),
        }
    }

    /// The event for those from whom this is hidden; `None` if its bytes are no text, which no event's are.
    pub fn without(&self, hidden: Hidden) -> Option<&JsonNode<'c>> {
        self.roots[way(hidden)]
            .get_or_init(|| self.content.root(hidden))
            .as_ref()
    }
}

fn way(hidden: Hidden) -> usize {
    usize::from(hidden.recordings) + 2 * usize::from(hidden.message_text)
}
