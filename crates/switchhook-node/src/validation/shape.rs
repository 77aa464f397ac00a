//! Validator for our own schemas, which works on an event's outline: whether the event fits, and if not, where and
//! how it deviates.
//!
//! Our schemas use little of JSON Schema, and this implements just that. Its verdicts equal those of the JSON Schema
//! crate: `genuine.rs` compares the two.

use serde_json::{Number, Value as Json};
use switchhook_protocol::{JsonNode, JsonType, Shape as Node, Value, same_word};

/// Compiled schema: a rule for each place, the first for the event itself.
#[derive(Debug)]
pub(super) struct Shape(Vec<Rule>);

/// Constraints on a value.
#[derive(Debug, Default)]
struct Rule {
    /// Of which types it may be, as bits.
    types: u8,
    /// Allowed words. If there are any, only these (and maybe null) are allowed.
    words: Option<Words>,
    /// True if a string must be a whole number.
    is_digits: bool,
    /// The rules for its members by their names, in the order of the marks of these.
    members: Vec<(Mark, String, usize)>,
    /// The rule for its elements.
    elements: Option<usize>,
}

/// A name's length and its first and last letter. Hardly two members have the same, so that few names are compared.
type Mark = u32;

fn mark_of(name: &str) -> Mark {
    let letter = |letter: Option<&u8>| u32::from(letter.copied().unwrap_or_default());
    let letters = name.as_bytes();
    let length = u32::from(u16::try_from(letters.len()).unwrap_or(u16::MAX));
    length << 16 | letter(letters.first()) << 8 | letter(letters.last())
}

/// The words that a value may be.
#[derive(Debug)]
struct Words {
    known: Vec<String>,
    has_null: bool,
    /// All of them, as JSON.
    json: String,
}

/// Violation by a value.
#[derive(Debug)]
pub(super) enum Fault<'r> {
    /// It is of no such type; these are asked for.
    Type(Vec<&'static str>),
    /// It is none of these words, as JSON; maybe one of them but for its spelling.
    Word {
        known: &'r str,
        is_spelled_otherwise: bool,
    },
    /// It is a text that is no whole number.
    NoDigits,
}

/// Pattern by which the schemas require a whole number.
pub(super) const DIGITS: &str = "^-?[0-9]+$";

const NULL: u8 = 1;
const BOOLEAN: u8 = 1 << 1;
const INTEGER: u8 = 1 << 2;
const FRACTION: u8 = 1 << 3;
const STRING: u8 = 1 << 4;
const ARRAY: u8 = 1 << 5;
const OBJECT: u8 = 1 << 6;

/// The types by their names.
const NAMES: [(&str, u8); 7] = [
    ("null", NULL),
    ("boolean", BOOLEAN),
    ("integer", INTEGER),
    ("number", INTEGER | FRACTION),
    ("string", STRING),
    ("array", ARRAY),
    ("object", OBJECT),
];

const ANY: u8 = NULL | BOOLEAN | INTEGER | FRACTION | STRING | ARRAY | OBJECT;

/// Keywords without constraints of their own: remarks, and definitions that are referred to.
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
    /// Of a schema (complete in itself, as `schemas::schema` makes it).
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

    /// True if an event (the root of an outline) certainly fits the schema.
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
                JsonType::Null => words.has_null,
                JsonType::String => value.text().is_some_and(|text| words.has(&text)),
                _ => false,
            };
        }
        match sort {
            JsonType::String | JsonType::EscapedString if rule.is_digits => {
                value.text().is_some_and(|text| is_digits(&text))
            }
            JsonType::Array => rule
                .elements
                .is_none_or(|elements| value.elements().all(|element| self.fits_rule(elements, element))),
            JsonType::Object => value
                .members()
                .all(|(name, member)| rule.member(&name).is_none_or(|rule| self.fits_rule(rule, member))),
            _ => true,
        }
    }

    /// Calls `each` with every value of an event that is not as the schema says: where it stands (a JSON pointer), itself, and what
    /// it has against it. Goes on as long as `each` says so.
    pub(super) fn faults<'s>(
        &'s self,
        event: &JsonNode<'_>,
        each: &mut impl FnMut(&str, &JsonNode<'_>, Fault<'s>) -> bool,
    ) {
        self.faults_of(0, event, &mut String::new(), each);
    }

    fn faults_of<'s>(
        &'s self,
        rule: usize,
        value: &JsonNode<'_>,
        pointer: &mut String,
        each: &mut impl FnMut(&str, &JsonNode<'_>, Fault<'s>) -> bool,
    ) -> bool {
        let rule = &self.0[rule];
        for fault in rule.faults(value) {
            if !each(pointer, value, fault) {
                return false;
            }
        }
        let length = pointer.len();
        let mut inside = |rule: usize, name: &str, value: &JsonNode<'_>| {
            pointer.push('/');
            // RFC 6901 spells these two otherwise.
            pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            let goes_on = self.faults_of(rule, value, pointer, each);
            pointer.truncate(length);
            goes_on
        };
        match value.shape() {
            Node::Object(members) => members
                .iter()
                .all(|(name, member)| rule.member(name).is_none_or(|rule| inside(rule, name, member))),
            Node::List(elements) => rule.elements.is_none_or(|rule| {
                let mut numbered = elements.iter().enumerate();
                numbered.all(|(nth, element)| inside(rule, &nth.to_string(), element))
            }),
            _ => true,
        }
    }
}

impl Words {
    fn has(&self, text: &str) -> bool {
        self.known.iter().any(|word| word == text)
    }
}

impl Rule {
    fn faults(&self, value: &JsonNode<'_>) -> impl Iterator<Item = Fault<'_>> {
        let types = match value.shape() {
            Node::Null => NULL,
            Node::Bool(_) => BOOLEAN,
            // `1.0` is whole.
            Node::Number(number) if is_whole(number) => INTEGER,
            Node::Number(_) => FRACTION,
            Node::Text(_) => STRING,
            Node::List(_) => ARRAY,
            Node::Object(_) => OBJECT,
        };
        let of_type = (self.types & types == 0).then(|| Fault::Type(names_of(self.types)));
        let of_words = self.words.as_ref().and_then(|words| {
            let (is_known, is_spelled_otherwise) = match value.shape() {
                Node::Null => (words.has_null, false),
                Node::Text(text) => (
                    words.has(text),
                    words.known.iter().any(|known| same_word(text, known)),
                ),
                _ => (false, false),
            };
            (!is_known).then_some(Fault::Word {
                known: &words.json,
                is_spelled_otherwise,
            })
        });
        let of_digits = matches!(value.shape(), Node::Text(text) if self.is_digits && !is_digits(text));
        let of_digits = of_digits.then_some(Fault::NoDigits);
        [of_words, of_digits, of_type].into_iter().flatten()
    }

    fn member(&self, name: &str) -> Option<usize> {
        let mark = mark_of(name);
        let from = self.members.partition_point(|(other, ..)| *other < mark);
        let mut marked_alike = self.members[from..]
            .iter()
            .take_while(|(other, ..)| *other == mark);
        let member = marked_alike.find(|(_, other, _)| other == name);
        member.map(|(_, _, rule)| *rule)
    }
}

/// Type of a value. For a number with a fraction or an exponent, the digits decide whether it is whole.
const fn type_of(sort: JsonType) -> u8 {
    match sort {
        JsonType::Null => NULL,
        JsonType::Boolean => BOOLEAN,
        JsonType::Integer => INTEGER,
        JsonType::Number => FRACTION,
        JsonType::String | JsonType::EscapedString => STRING,
        JsonType::Array => ARRAY,
        JsonType::Object => OBJECT,
        _ => 0,
    }
}

fn is_digits(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// True if the number is whole in the sense of JSON Schema, such as `1.0`.
fn is_whole(number: &str) -> bool {
    serde_json::from_str::<Number>(number)
        .is_ok_and(|number| !number.is_f64() || number.as_f64().is_some_and(|number| number.fract() == 0.0))
}

/// The names of these types, in order. Every integer is a number.
fn names_of(types: u8) -> Vec<&'static str> {
    let has = |bits| types & bits == bits;
    let is_named =
        |(name, bits): &&(&str, u8)| has(*bits) && !(*name == "integer" && has(INTEGER | FRACTION));
    NAMES.iter().filter(is_named).map(|(name, _)| *name).collect()
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
                    let known: Vec<_> = words.iter().filter_map(text).collect();
                    let has_null = words.iter().any(Json::is_null);
                    rule.words = Some(Words {
                        known,
                        has_null,
                        json: value.to_string(),
                    });
                }
                ("properties", Json::Object(members)) => {
                    rule.members = members
                        .iter()
                        .map(|(name, part)| (mark_of(name), name.clone(), self.rule(part)))
                        .collect();
                    rule.members.sort_by_key(|(mark, ..)| *mark);
                }
                ("items", part) => rule.elements = Some(self.rule(part)),
                ("pattern", Json::String(pattern)) if pattern == DIGITS => rule.is_digits = true,
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
    let name = name.as_str().unwrap_or_default();
    let found = NAMES.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("JSON has no type `{name}`")).1
}
