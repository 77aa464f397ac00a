//! JSON as validation looks at it: a tree that points into the event's bytes instead of copying them.
//!
//! As in `serde_json`'s own tree the members of an object are sorted, and of a repeated key the last counts.

use std::borrow::Cow;
use std::fmt;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A value of an event.
#[derive(Debug, Default)]
pub(super) enum Tree<'e> {
    #[default]
    Null,
    Boolean(bool),
    Number(Number),
    String(Cow<'e, str>),
    Array(Vec<Tree<'e>>),
    Object(Vec<Member<'e>>),
}

type Member<'e> = (Cow<'e, str>, Tree<'e>);

impl Tree<'_> {
    /// Whether it is an object with a member of that name.
    pub(super) fn has_member(&self, name: &str) -> bool {
        match self {
            Self::Object(members) => members.binary_search_by(|(other, _)| (**other).cmp(name)).is_ok(),
            _ => false,
        }
    }
}

/// How many members an event's objects have at most, most of the time: their list is made once.
const USUAL_MEMBERS: usize = 8;

impl<'e> Deserialize<'e> for Tree<'e> {
    fn deserialize<D: Deserializer<'e>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'e> Visitor<'e> for AnyValue {
    type Value = Tree<'e>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree<'e>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Tree<'e>, E> {
        Ok(Tree::Boolean(boolean))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree<'e>, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree<'e>, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree<'e>, E> {
        Ok(Number::from_f64(number).map_or(Tree::Null, Tree::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'e str) -> Result<Tree<'e>, E> {
        Ok(Tree::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree<'e>, E> {
        Ok(Tree::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'e>>(self, mut elements: A) -> Result<Tree<'e>, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element()? {
            array.push(element);
        }
        Ok(Tree::Array(array))
    }

    fn visit_map<A: MapAccess<'e>>(self, mut members: A) -> Result<Tree<'e>, A::Error> {
        let mut object = Vec::new();
        while let Some((Name(name), value)) = members.next_entry()? {
            if object.is_empty() {
                object.reserve(USUAL_MEMBERS);
            }
            object.push((name, value));
        }
        // The sort keeps equal keys in their order: the last one takes the place of the one before.
        object.sort_by(|(one, _), (other, _)| one.cmp(other));
        object.dedup_by(|later, earlier| {
            let is_repeated = later.0 == earlier.0;
            if is_repeated {
                std::mem::swap(later, earlier);
            }
            is_repeated
        });
        Ok(Tree::Object(object))
    }
}

/// A member's name, copied only if it has escapes.
#[derive(Deserialize)]
struct Name<'e>(#[serde(borrow)] Cow<'e, str>);

/// Names this representation of JSON to the validator.
pub(super) struct Trees;

impl Json for Trees {
    type Node<'a> = &'a Tree<'a>;
    type PreparedKey = String;
    type StringBuffer = Tree<'static>;

    const KEYS_PER_LOOKUP: usize = 2;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(
        buffer: &mut Tree<'static>,
        string: &str,
        f: impl for<'t> FnOnce(&'t Tree<'t>) -> T,
    ) -> T {
        *buffer = Tree::String(Cow::Owned(string.to_owned()));
        f(buffer)
    }
}

impl<'a> Node<'a, Trees> for &'a Tree<'a> {
    type Object = &'a [Member<'a>];
    type Array = &'a [Tree<'a>];
    type Number = &'a Number;

    fn as_object(&self) -> Option<&'a [Member<'a>]> {
        match self {
            Tree::Object(members) => Some(members),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<&'a [Tree<'a>]> {
        match self {
            Tree::Array(elements) => Some(elements),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            Tree::String(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<&'a Number> {
        match self {
            Tree::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self {
            Tree::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Tree::Null)
    }

    fn json_type(&self) -> JsonType {
        match self {
            Tree::Null => JsonType::Null,
            Tree::Boolean(_) => JsonType::Boolean,
            Tree::Number(_) => JsonType::Number,
            Tree::String(_) => JsonType::String,
            Tree::Array(_) => JsonType::Array,
            Tree::Object(_) => JsonType::Object,
        }
    }

    /// Most comparisons are of text with the words of a list: those need no copy.
    fn equals_value(&self, expected: &Value) -> bool {
        match (self, expected) {
            (Tree::String(text), Value::String(expected)) => text == expected,
            (Tree::String(_), _) | (_, Value::String(_)) => false,
            _ => jsonschema::json::cmp::equal(&self.to_value(), expected),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(value_of(self))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref::<Tree<'_>>(self).addr()))
    }
}

fn value_of(tree: &Tree<'_>) -> Value {
    match tree {
        Tree::Null => Value::Null,
        Tree::Boolean(boolean) => Value::Bool(*boolean),
        Tree::Number(number) => Value::Number(number.clone()),
        Tree::String(text) => Value::String(text.clone().into_owned()),
        Tree::Array(elements) => elements.iter().map(value_of).collect(),
        Tree::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone().into_owned(), value_of(value)))
            .collect(),
    }
}

impl<'a> Object<'a, Trees> for &'a [Member<'a>] {
    type Node = &'a Tree<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        <[Member<'_>]>::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Tree<'a>> {
        let place = self.binary_search_by(|(name, _)| (**name).cmp(key)).ok()?;
        Some(&self[place].1)
    }

    fn members(&self) -> Members<'a> {
        Members(self.iter())
    }
}

/// The members of an object.
pub(super) struct Members<'a>(std::slice::Iter<'a, Member<'a>>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Tree<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (&**name, value))
    }
}

impl<'a> Array<'a, Trees> for &'a [Tree<'a>] {
    type Node = &'a Tree<'a>;
    type ElementsIter = std::slice::Iter<'a, Tree<'a>>;

    fn len(&self) -> usize {
        <[Tree<'_>]>::len(self)
    }

    fn elements(&self) -> std::slice::Iter<'a, Tree<'a>> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(json: &str) {
        let tree: Tree<'_> = serde_json::from_str(json).unwrap();
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(*(&tree).to_value(), value, "{json}");
    }

    #[test]
    fn a_tree_is_what_serde_json_makes_of_the_same_bytes() {
        check(r#"{"b": [1, -2, 2.5, 1e3, null, true], "a": {"n\u0061me": "caf\u00e9 \"x\""}, "": {}}"#);
        check("18446744073709551616");
    }

    #[test]
    fn of_a_repeated_key_the_last_counts() {
        check(r#"{"a": 1, "b": 2, "a": {"c": 3, "c": 4}, "a": 5, "b": 6}"#);
    }

    #[test]
    fn it_is_what_the_validator_relies_on() {
        let document = jsonschema::json::conformance::document();
        let text = document.to_string();
        let tree: Tree<'_> = serde_json::from_str(&text).unwrap();
        jsonschema::json::conformance::assert_conformance::<Trees>(&&tree);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-c\u{e9}]{0,2}", inner, 0..6)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_tree_is_what_serde_json_makes_of_it(value in any_json()) {
            check(&value.to_string());
        }
    }
}
