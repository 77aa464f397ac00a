//! The quick verdict: whether an event is as its schema says, told from its outline.
//!
//! Most events are, and then there is nothing more to say. Which one is not, how, and where, is asked of the JSON Schema
//! crate, whose verdict this is: on our own schemas, and on everything but numbers and words that are spelled oddly, which
//! are left to it.

use serde_json::Value as Json;
use switchhook_protocol::{Sort, Value};

/// What a schema asks for, a rule for each place in it; the event's own is the first.
#[derive(Debug)]
pub(super) struct Shape(Vec<Rule>);

/// What is asked of a value.
#[derive(Debug, Default)]
struct Rule {
    /// Of which types it may be, as bits.
    types: u8,
    /// Which words it may be, if only some. Then nothing but these, and maybe null, will do.
    words: Option<Vec<String>>,
    /// The rules for its members by their names, shortest first.
    members: Vec<(String, usize)>,
    /// The rule for its elements.
    elements: Option<usize>,
}

const NULL: u8 = 1;
const BOOLEAN: u8 = 1 << 1;
const INTEGER: u8 = 1 << 2;
const FRACTION: u8 = 1 << 3;
const STRING: u8 = 1 << 4;
const ARRAY: u8 = 1 << 5;
const OBJECT: u8 = 1 << 6;

const ANY: u8 = NULL | BOOLEAN | INTEGER | FRACTION | STRING | ARRAY | OBJECT;

/// What is only said for people, and what is looked up where it is referred to.
const REMARKS: [&str; 7] = [
    "$schema",
    "title",
    "description",
    "format",
    "example",
    "examples",
    "definitions",
];

impl Shape {
    /// Of a schema (complete in itself, as `asked::schema` makes it).
    ///
    /// # Panics
    /// If the schema asks for what our own schemas do not.
    pub(super) fn of(schema: &Json) -> Self {
        let mut shape = Reader {
            schema,
            rules: Vec::new(),
            definitions: Vec::new(),
        };
        shape.rule(schema);
        Self(shape.rules)
    }

    /// Whether an event, the value at the root of an outline, certainly is as the schema says.
    pub(super) fn fits(&self, event: Value<'_, '_>) -> bool {
        self.fits_rule(0, event)
    }

    fn fits_rule(&self, rule: usize, value: Value<'_, '_>) -> bool {
        let Some(rule) = self.0.get(rule) else {
            return false;
        };
        let sort = value.sort();
        if rule.types & type_of(sort) == 0 {
            return false;
        }
        if let Some(words) = &rule.words {
            return match sort {
                Sort::Null => true,
                Sort::String => value
                    .text()
                    .is_some_and(|text| words.iter().any(|word| *word == text)),
                _ => false,
            };
        }
        match sort {
            Sort::Array => rule
                .elements
                .is_none_or(|elements| value.elements().all(|element| self.fits_rule(elements, element))),
            Sort::Object => value
                .members()
                .all(|(name, member)| rule.member(&name).is_none_or(|rule| self.fits_rule(rule, member))),
            _ => true,
        }
    }
}

impl Rule {
    fn member(&self, name: &str) -> Option<usize> {
        let order = |(other, _): &(String, usize)| (other.len(), other.as_str()).cmp(&(name.len(), name));
        let place = self.members.binary_search_by(order).ok()?;
        Some(self.members[place].1)
    }
}

/// Where a value with a fraction or an exponent is asked to be whole, it depends on its digits.
const fn type_of(sort: Sort) -> u8 {
    match sort {
        Sort::Null => NULL,
        Sort::Boolean => BOOLEAN,
        Sort::Integer => INTEGER,
        Sort::Number => FRACTION,
        Sort::String | Sort::EscapedString => STRING,
        Sort::Array => ARRAY,
        Sort::Object => OBJECT,
        _ => 0,
    }
}

struct Reader<'s> {
    schema: &'s Json,
    rules: Vec<Rule>,
    /// The rules that definitions have become, by their names.
    definitions: Vec<(&'s str, usize)>,
}

impl<'s> Reader<'s> {
    /// Makes rules of a part of the schema; answers the place of its own.
    fn rule(&mut self, part: &'s Json) -> usize {
        if let Some(name) = part["$ref"].as_str() {
            return self.definition(name);
        }
        let place = self.rules.len();
        self.rules.push(Rule::default());
        self.fill(place, part);
        place
    }

    /// One that refers to itself finds the place that it has already.
    fn definition(&mut self, reference: &'s str) -> usize {
        let name = reference.rsplit('/').next().unwrap_or_default();
        if let Some((_, place)) = self.definitions.iter().find(|(known, _)| *known == name) {
            return *place;
        }
        let place = self.rules.len();
        self.definitions.push((name, place));
        self.rules.push(Rule::default());
        let schema = self.schema;
        self.fill(place, &schema["definitions"][name]);
        place
    }

    fn fill(&mut self, place: usize, part: &'s Json) {
        let keywords = part.as_object().expect("our own schemas are objects");
        let mut rule = Rule {
            types: ANY,
            ..Rule::default()
        };
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("type", Json::Array(names)) => {
                    rule.types = names.iter().map(bits_of).fold(0, |all, one| all | one);
                }
                ("type", name) => rule.types = bits_of(name),
                ("enum", Json::Array(words)) => {
                    let text = |word: &Json| word.as_str().map(str::to_owned);
                    let is_null = words.iter().any(Json::is_null);
                    rule.types &= if is_null { STRING | NULL } else { STRING };
                    rule.words = Some(words.iter().filter_map(text).collect());
                }
                ("properties", Json::Object(members)) => {
                    rule.members = members
                        .iter()
                        .map(|(name, part)| (name.clone(), self.rule(part)))
                        .collect();
                    rule.members.sort_by(|(one, _), (other, _)| {
                        (one.len(), one.as_str()).cmp(&(other.len(), other.as_str()))
                    });
                }
                ("items", part) => rule.elements = Some(self.rule(part)),
                // What is not named may be anything, as it may where nothing is said.
                ("additionalProperties", Json::Bool(true)) => {}
                (remark, _) => assert!(
                    REMARKS.contains(&remark),
                    "`{remark}` of our own schemas is not known here"
                ),
            }
        }
        self.rules[place] = rule;
    }
}

fn bits_of(name: &Json) -> u8 {
    match name.as_str().unwrap_or_default() {
        "null" => NULL,
        "boolean" => BOOLEAN,
        "integer" => INTEGER,
        "number" => INTEGER | FRACTION,
        "string" => STRING,
        "array" => ARRAY,
        "object" => OBJECT,
        other => panic!("JSON has no type `{other}`"),
    }
}
