//! The outline of an event: where each of its values stands in its bytes, found in one look at them.
//!
//! Whoever needs something of an event (its views, routing, validation) reads it here, so that its JSON is walked through
//! once. What JSON is, is decided in `scan`; nothing is decoded before somebody asks for it.

mod scan;

use std::borrow::Cow;

use crate::body::{BodyError, as_text, check_object};
use crate::kind::Kind;
use crate::text::{Text, read_text};

/// An event's JSON, with the place of every value in it.
///
/// ```
/// use switchhook_protocol::Outline;
///
/// let outline = Outline::read(br#"{"call_id": 1, "labels": ["a"]}"#)?;
/// let members: Vec<_> = outline.root().members().map(|(name, value)| (name, value.json())).collect();
/// assert_eq!(members, [("call_id".into(), "1"), ("labels".into(), r#"["a"]"#)]);
/// # Ok::<(), switchhook_protocol::BodyError>(())
/// ```
#[derive(Debug)]
pub struct Outline<'a> {
    text: &'a str,
    /// In the order of the bytes: each container before what is in it, each member's name before its value.
    nodes: Vec<Node>,
    is_plain: bool,
}

/// Range of a value (or of a member's name) in the text.
#[derive(Debug, Clone, Copy)]
struct Node {
    start: u32,
    end: u32,
    /// The place of the node behind it and all that is in it.
    next: u32,
    sort: JsonType,
}

/// JSON type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonType {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number without fraction and exponent.
    Integer,
    /// Any other number.
    Number,
    /// A text that stands there as it is.
    String,
    /// A text with escapes.
    EscapedString,
    /// `[…]`
    Array,
    /// `{…}`
    Object,
}

impl<'a> Outline<'a> {
    /// Looks at an event's bytes.
    ///
    /// # Errors
    /// If they are not one JSON object in UTF-8: exactly when [`check_object`] says so, and in the same words.
    pub fn read(body: &'a [u8]) -> Result<Self, BodyError> {
        let outline = Self::read_any(body)?;
        match outline.root().sort() {
            JsonType::Object => Ok(outline),
            _ => Err(why_not(body)),
        }
    }

    /// The same for an event of that kind: one of [`Kind::Unknown`] may be any JSON.
    ///
    /// # Errors
    /// As there; of an unknown one, if its bytes are not one JSON value in UTF-8.
    pub fn read_as(kind: Kind, body: &'a [u8]) -> Result<Self, BodyError> {
        match kind {
            Kind::Unknown => Self::read_any(body),
            _ => Self::read(body),
        }
    }

    fn read_any(body: &'a [u8]) -> Result<Self, BodyError> {
        scan::scan(as_text(body)?).ok_or_else(|| why_not(body))
    }

    /// The event, byte for byte.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// True if every JSON reader can read it: no half of a surrogate pair, no number that may be beyond a double, and
    /// no nesting beyond a hundred levels.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Every member at whatever depth: its name as it is written, without the quotes, and its value.
    pub fn all_members(&self) -> impl Iterator<Item = (&'a str, Value<'_, 'a>)> {
        let is_name = |node: &Node| {
            matches!(node.sort, JsonType::String | JsonType::EscapedString)
                && self.text.as_bytes()[node.end as usize..]
                    .iter()
                    .find(|byte| !byte.is_ascii_whitespace())
                    == Some(&b':')
        };
        let names = self.nodes.iter().enumerate();
        names.filter(move |(_, node)| is_name(node)).map(|(at, node)| {
            let name = &self.text[node.start as usize + 1..node.end as usize - 1];
            let value = Value {
                outline: self,
                at: at + 1,
            };
            (name, value)
        })
    }

    /// The event itself.
    #[must_use]
    pub const fn root(&self) -> Value<'_, 'a> {
        Value { outline: self, at: 0 }
    }
}

/// Mistake in bytes that are no event, and its place. Computed only then, so that reading events stays fast.
fn why_not(body: &[u8]) -> BodyError {
    check_object(body).err().unwrap_or(BodyError::Empty)
}

/// One value of an event.
#[derive(Debug, Clone, Copy)]
pub struct Value<'o, 'a> {
    outline: &'o Outline<'a>,
    at: usize,
}

impl<'o, 'a> Value<'o, 'a> {
    fn node(self) -> Node {
        self.outline.nodes[self.at]
    }

    #[must_use]
    pub fn sort(self) -> JsonType {
        self.node().sort
    }

    /// True for a number of either type.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self.sort(), JsonType::Integer | JsonType::Number)
    }

    /// True if it is `null`, or a container without elements or members.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        match self.sort() {
            JsonType::Null => true,
            JsonType::Array | JsonType::Object => self.node().next as usize == self.at + 1,
            _ => false,
        }
    }

    /// Its JSON text, byte for byte.
    #[must_use]
    pub fn json(self) -> &'a str {
        let Node { start, end, .. } = self.node();
        &self.outline.text[start as usize..end as usize]
    }

    /// The text that it is, escapes resolved; half a surrogate pair (a text cut inside an emoji) becomes U+FFFD characters.
    #[must_use]
    pub fn text(self) -> Option<Text<'a>> {
        match self.sort() {
            JsonType::String => {
                let json = self.json();
                Some(Cow::Borrowed(&json[1..json.len() - 1]))
            }
            JsonType::EscapedString => read_text(self.json()),
            _ => None,
        }
    }

    /// The members of an object with their names, in order, repeated ones included; of anything else none.
    pub fn members(self) -> impl Iterator<Item = (Text<'a>, Value<'o, 'a>)> + use<'o, 'a> {
        let mut inside = self.inside(JsonType::Object);
        std::iter::from_fn(move || {
            loop {
                let (name, value) = (inside.next()?, inside.next()?);
                // A name that cannot be decoded is nobody's.
                if let Some(name) = name.text() {
                    return Some((name, value));
                }
            }
        })
    }

    /// The elements of an array; of anything else none.
    pub fn elements(self) -> impl Iterator<Item = Value<'o, 'a>> + use<'o, 'a> {
        self.inside(JsonType::Array)
    }

    fn inside(self, sort: JsonType) -> Inside<'o, 'a> {
        let node = self.node();
        let end = if node.sort == sort {
            node.next as usize
        } else {
            self.at + 1
        };
        Inside {
            outline: self.outline,
            at: self.at + 1,
            end,
        }
    }
}

/// Children of a container: of an object, its names and values in turn.
struct Inside<'o, 'a> {
    outline: &'o Outline<'a>,
    at: usize,
    end: usize,
}

impl<'o, 'a> Iterator for Inside<'o, 'a> {
    type Item = Value<'o, 'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let value = Value {
            outline: self.outline,
            at: self.at,
        };
        self.at = value.node().next as usize;
        Some(value)
    }
}

#[cfg(test)]
mod tests;
