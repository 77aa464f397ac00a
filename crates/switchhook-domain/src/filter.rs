//! Filters on the payload: which events a subscription wants, by what stands in them.
//!
//! A filter is JSON that looks like the event: `{"state": "hangup", "duration": {"$gt": 30000}}`. Here: what a filter is,
//! and what it says to an event. How one is read is `read.rs`, how numbers compare `number.rs`. What each operator means is
//! told to people in `docs/delivery.md`.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use switchhook_protocol::{JsonNode, Shape, shortened};

mod content;
mod number;
mod read;

pub use self::content::{Content, ParsedContent};
use self::number::Decimal;
pub use self::read::{FilterError, MOST_BYTES, MOST_CLAUSES, MOST_DEPTH, OPERATORS};

/// A filter, ready to judge. Equal filters have the same JSON.
#[derive(Clone)]
pub struct PayloadFilter(Arc<Compiled>);

struct Compiled {
    json: String,
    condition: Condition,
}

/// Conditions on a value, or on its absence, all of which must hold.
#[derive(Debug, Default)]
struct Condition {
    tests: Vec<Clause>,
    members: Vec<(String, Condition)>,
}

/// A test, with the JSON that it was read from.
#[derive(Debug)]
struct Clause {
    json: String,
    test: Test,
}

/// Condition on a value itself.
#[derive(Debug)]
enum Test {
    /// It is this, or a list with it in it.
    Equal(Literal),
    /// It is one of these, or a list with one of them in it.
    In(Vec<Literal>),
    /// It, or an element of it, comes before or after this.
    Compare(AllowedOrderings, Bound),
    /// It, or an element of it, begins with one of these.
    StartsWith(Vec<String>),
    /// It, or an element of it, ends with one of these.
    EndsWith(Vec<String>),
    /// A text has this in it, a list has it as an element.
    Contains(Literal),
    /// It is there, or is not.
    Exists(bool),
    /// At least one of these holds.
    Any(Vec<Condition>),
    /// Each of these holds.
    All(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
}

/// On which sides of a bound a value may be.
#[derive(Debug, Clone, Copy)]
struct AllowedOrderings {
    below: bool,
    at: bool,
    above: bool,
}

/// Bound of a comparison, with its type.
#[derive(Debug)]
enum Bound {
    Number(Decimal),
    Text(String),
}

/// A value of a filter.
#[derive(Debug)]
enum Literal {
    Null,
    Bool(bool),
    Number(Decimal),
    Text(String),
    List(Vec<Self>),
    /// Sorted by name.
    Object(Vec<(String, Self)>),
}

/// First clause that an event does not fulfil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The clause: where in the event, and what it asks for.
    pub clause: String,
    /// The names that lead to what it looked at; none for the event itself.
    pub path: Vec<String>,
}

/// The longest that a clause is quoted.
const LONGEST_CLAUSE: usize = 300;

/// The longest that a value is shown.
const LONGEST_SHOWN: usize = 200;

impl PayloadFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// Says what in it cannot be, and where.
    pub fn parse(json: &str) -> Result<Self, FilterError> {
        let (json, condition) = read::read(json)?;
        Ok(Self(Arc::new(Compiled { json, condition })))
    }

    /// Its JSON, without white space and with its members in order.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0.json
    }

    /// True if an event fulfils it.
    #[must_use]
    pub fn lets_through(&self, event: &JsonNode<'_>) -> bool {
        self.0.condition.holds(Some(event))
    }

    /// First clause that the event does not fulfil; `None` if it fulfils all.
    #[must_use]
    pub fn why_not(&self, event: &JsonNode<'_>) -> Option<Mismatch> {
        self.0.condition.unmet(Some(event), &mut Vec::new())
    }
}

impl Condition {
    fn holds(&self, value: Option<&JsonNode<'_>>) -> bool {
        self.tests.iter().all(|clause| clause.test.holds(value)) && self.members_hold(value)
    }

    /// Of a list one element must have all of the members as they should be.
    fn members_hold(&self, value: Option<&JsonNode<'_>>) -> bool {
        let hold_in = |value: Option<&JsonNode<'_>>| {
            let mut members = self.members.iter();
            members.all(|(name, condition)| condition.holds(value.and_then(|value| value.member(name))))
        };
        if self.members.is_empty() {
            return true;
        }
        match value.map(JsonNode::shape) {
            Some(Shape::List(elements)) => {
                let mut objects = elements
                    .iter()
                    .filter(|one| matches!(one.shape(), Shape::Object(_)));
                objects.any(|element| hold_in(Some(element)))
            }
            _ => hold_in(value),
        }
    }

    fn unmet(&self, value: Option<&JsonNode<'_>>, path: &mut Vec<String>) -> Option<Mismatch> {
        if let Some(clause) = self.tests.iter().find(|clause| !clause.test.holds(value)) {
            return Some(Mismatch::of(path, &clause.json));
        }
        if self.members_hold(value) {
            return None;
        }
        if matches!(value.map(JsonNode::shape), Some(Shape::List(_))) {
            let names: Vec<_> = self.members.iter().map(|(name, _)| name.as_str()).collect();
            let words = format!("no element has what is asked of {}", names.join(", "));
            return Some(Mismatch::of(path, &words));
        }
        self.members.iter().find_map(|(name, condition)| {
            path.push(name.clone());
            let unmet = condition.unmet(value.and_then(|value| value.member(name)), path);
            path.pop();
            unmet
        })
    }
}

impl Mismatch {
    fn of(path: &[String], asked: &str) -> Self {
        let place = match path {
            [] => "the event".to_owned(),
            path => path.join("."),
        };
        Self {
            clause: shortened(&format!("{place}: {asked}"), LONGEST_CLAUSE).into_owned(),
            path: path.to_vec(),
        }
    }

    /// Value in the event where the clause looked: JSON, or words for one too large to show. `None` if there is none.
    #[must_use]
    pub fn seen_in(&self, event: &JsonNode<'_>) -> Option<String> {
        let mut value = event;
        for name in &self.path {
            value = value.member(name)?;
        }
        Some(match value.shape() {
            Shape::Object(members) => format!("an object with {} members", members.len()),
            Shape::List(elements) if value.json().len() > LONGEST_SHOWN => {
                format!("a list of {} elements", elements.len())
            }
            _ => shortened(value.json(), LONGEST_SHOWN).into_owned(),
        })
    }
}

impl Test {
    fn holds(&self, value: Option<&JsonNode<'_>>) -> bool {
        match (self, value) {
            (Self::Exists(wanted), value) => value.is_some() == *wanted,
            (Self::Any(conditions), value) => conditions.iter().any(|one| one.holds(value)),
            (Self::All(conditions), value) => conditions.iter().all(|one| one.holds(value)),
            (Self::Not(condition), value) => !condition.holds(value),
            (_, None) => false,
            (Self::Equal(literal), Some(value)) => it_or_an_element(value, |one| literal.is(one)),
            (Self::In(literals), Some(value)) => {
                it_or_an_element(value, |one| literals.iter().any(|literal| literal.is(one)))
            }
            (Self::Compare(sides, bound), Some(value)) => {
                it_or_an_element(value, |one| bound.has(one, *sides))
            }
            (Self::StartsWith(parts), Some(value)) => it_or_an_element(value, |one| {
                is_text(one, |text| parts.iter().any(|part| text.starts_with(part)))
            }),
            (Self::EndsWith(parts), Some(value)) => it_or_an_element(value, |one| {
                is_text(one, |text| parts.iter().any(|part| text.ends_with(part)))
            }),
            (Self::Contains(literal), Some(value)) => match (value.shape(), literal) {
                (Shape::Text(text), Literal::Text(part)) => text.contains(part),
                (Shape::List(elements), literal) => elements.iter().any(|one| literal.is(one)),
                _ => false,
            },
        }
    }
}

/// True if the test holds for a value or, if that is a list, for one of its elements.
fn it_or_an_element(value: &JsonNode<'_>, test: impl Fn(&JsonNode<'_>) -> bool) -> bool {
    if test(value) {
        return true;
    }
    match value.shape() {
        Shape::List(elements) => elements.iter().any(test),
        _ => false,
    }
}

fn is_text(value: &JsonNode<'_>, test: impl Fn(&str) -> bool) -> bool {
    matches!(value.shape(), Shape::Text(text) if test(text))
}

impl Bound {
    fn has(&self, value: &JsonNode<'_>, sides: AllowedOrderings) -> bool {
        let order = match (value.shape(), self) {
            (Shape::Number(number), Self::Number(bound)) => Decimal::of(number).cmp(bound),
            (Shape::Text(text), Self::Text(bound)) => (**text).cmp(bound.as_str()),
            _ => return false,
        };
        match order {
            std::cmp::Ordering::Less => sides.below,
            std::cmp::Ordering::Equal => sides.at,
            std::cmp::Ordering::Greater => sides.above,
        }
    }
}

impl Literal {
    /// True for an equal value: numbers by their value, objects whatever the order of their members.
    fn is(&self, value: &JsonNode<'_>) -> bool {
        match (self, value.shape()) {
            (Self::Null, Shape::Null) => true,
            (Self::Bool(one), Shape::Bool(other)) => one == other,
            (Self::Number(one), Shape::Number(other)) => *one == Decimal::of(other),
            (Self::Text(one), Shape::Text(other)) => one == other,
            (Self::List(ones), Shape::List(others)) => {
                ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| one.is(other))
            }
            (Self::Object(ones), Shape::Object(others)) => {
                let mut pairs = ones.iter().zip(others);
                ones.len() == others.len() && pairs.all(|(one, other)| one.0 == other.0 && one.1.is(&other.1))
            }
            _ => false,
        }
    }
}

impl PartialEq for PayloadFilter {
    fn eq(&self, other: &Self) -> bool {
        self.0.json == other.0.json
    }
}

impl Eq for PayloadFilter {}

impl fmt::Debug for PayloadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayloadFilter({})", self.0.json)
    }
}

impl Serialize for PayloadFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.json.clone()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PayloadFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
