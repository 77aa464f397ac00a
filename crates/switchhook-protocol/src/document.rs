//! An event's JSON as a tree that is read where somebody looks: each part once, however many look at it. Numbers stay text.

use std::cell::OnceCell;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::outline::{JsonType, Value};
use crate::text::{Text, read_text};

/// A value in valid JSON text, of which nothing is read before it is looked at.
#[derive(Debug)]
pub struct JsonNode<'a> {
    source: Source<'a>,
    shape: OnceCell<Box<Shape<'a>>>,
}

/// Source that a value is read from.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Text(&'a str),
    /// Its JSON was looked at before.
    Outline(Value<'a, 'a>),
}

/// Type of a value, with its contents.
#[derive(Debug)]
pub enum Shape<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it stands there.
    Number(&'a str),
    Text(Text<'a>),
    List(Vec<JsonNode<'a>>),
    /// An object: its members by name. Of a repeated name the last one counts.
    Object(Vec<(Text<'a>, JsonNode<'a>)>),
}

impl<'a> JsonNode<'a> {
    /// The value of a JSON text that is known to be valid.
    #[must_use]
    pub const fn of(json: &'a str) -> Self {
        Self {
            source: Source::Text(json),
            shape: OnceCell::new(),
        }
    }

    /// A value of an outline, whose JSON is not looked at again.
    #[must_use]
    pub const fn outlined(value: Value<'a, 'a>) -> Self {
        Self {
            source: Source::Outline(value),
            shape: OnceCell::new(),
        }
    }

    /// Its JSON text.
    #[must_use]
    pub fn json(&self) -> &'a str {
        match self.source {
            Source::Text(json) => json,
            Source::Outline(value) => value.json(),
        }
    }

    pub fn shape(&self) -> &Shape<'a> {
        self.shape.get_or_init(|| {
            Box::new(match self.source {
                Source::Text(json) => Shape::read(json),
                Source::Outline(value) => Shape::outlined(value),
            })
        })
    }

    /// A member, if it is an object that has one by that name.
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Shape::Object(members) = self.shape() else {
            return None;
        };
        let at = members.binary_search_by(|(own, _)| own.as_ref().cmp(name)).ok()?;
        Some(&members[at].1)
    }
}

impl<'a> Shape<'a> {
    fn read(json: &'a str) -> Self {
        let json = json.trim_ascii();
        match json.as_bytes().first() {
            Some(b'{') => Self::read_object(json),
            Some(b'[') => {
                let mut elements = Vec::new();
                // Valid JSON text that begins like a list is one, so there is no error to tell about.
                let _ = walk_array(json, |element| elements.push(JsonNode::of(element)));
                Self::List(elements)
            }
            Some(b'"') => Self::Text(read_text(json).unwrap_or_default()),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'-' | b'0'..=b'9') => Self::Number(json),
            _ => Self::Null,
        }
    }

    fn outlined(value: Value<'a, 'a>) -> Self {
        match value.sort() {
            JsonType::Null => Self::Null,
            JsonType::Boolean => Self::Bool(value.json() == "true"),
            JsonType::Integer | JsonType::Number => Self::Number(value.json()),
            JsonType::String | JsonType::EscapedString => Self::Text(value.text().unwrap_or_default()),
            JsonType::Array => Self::List(value.elements().map(JsonNode::outlined).collect()),
            JsonType::Object => {
                let members = value
                    .members()
                    .map(|(name, value)| (name, JsonNode::outlined(value)));
                Self::object(members.collect())
            }
        }
    }

    fn read_object(json: &'a str) -> Self {
        let mut members = Vec::new();
        let _ = walk_object(json, |name, value| members.push((name, JsonNode::of(value))));
        Self::object(members)
    }

    fn object(mut members: Vec<(Text<'a>, JsonNode<'a>)>) -> Self {
        // The last of those with the same name is to be the first of them, which is the one that stays.
        members.reverse();
        members.sort_by(|one, other| one.0.cmp(&other.0));
        members.dedup_by(|later, earlier| later.0 == earlier.0);
        Self::Object(members)
    }
}

/// Calls `each` with every key and the JSON text of its value, in order, repeated keys included.
fn walk_object<'a>(json: &'a str, each: impl FnMut(Text<'a>, &'a str)) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(EachMember(each))?;
    deserializer.end()
}

fn walk_array<'a>(json: &'a str, each: impl FnMut(&'a str)) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_seq(EachElement(each))?;
    deserializer.end()
}

struct EachMember<F>(F);

impl<'a, F: FnMut(Text<'a>, &'a str)> Visitor<'a> for EachMember<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut members: A) -> Result<(), A::Error> {
        // Keys are cut out raw too: decoding them would refuse keys that are valid JSON (a lone surrogate).
        while let Some((key, value)) = members.next_entry::<&RawValue, &RawValue>()? {
            if let Some(key) = read_text(key.get()) {
                (self.0)(key, value.get());
            }
        }
        Ok(())
    }
}

struct EachElement<F>(F);

impl<'a, F: FnMut(&'a str)> Visitor<'a> for EachElement<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&RawValue>()? {
            (self.0)(element.get());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::Outline;

    fn check(node: &JsonNode<'_>) {
        let a = node.member("a").unwrap();
        assert_eq!(a.json(), "{\"c\": 2.50}", "the last one counts");
        assert!(matches!(a.member("c").unwrap().shape(), Shape::Number("2.50")));
        let Shape::List(list) = node.member("b").unwrap().shape() else {
            panic!("it is a list");
        };
        let texts: Vec<_> = list.iter().map(JsonNode::json).collect();
        assert_eq!(texts, ["1", "\"x\\u00e9\"", "null", "true"]);
        assert!(matches!(list[1].shape(), Shape::Text(text) if text == "xé"));
        assert!(matches!(list[2].shape(), Shape::Null));
        assert!(matches!(list[3].shape(), Shape::Bool(true)));
        assert!(matches!(node.member("b2").unwrap().shape(), Shape::Bool(false)));
        assert!(node.member("d").is_none());
        assert!(list[0].member("a").is_none());
    }

    #[test]
    fn a_value_is_what_its_text_says_whether_or_not_there_is_an_outline() {
        let json = " {\"b\": [1, \"x\\u00e9\", null, true], \"a\": {\"c\": 1e400}, \"b2\": false, \"a\": {\"c\": 2.50}} ";
        check(&JsonNode::of(json));
        let outline = Outline::read(json.as_bytes()).unwrap();
        check(&JsonNode::outlined(outline.root()));
    }
}
