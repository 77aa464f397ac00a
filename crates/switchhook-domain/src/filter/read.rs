//! Reading a filter: what it may be made of, how much of it, and what is said of one that cannot be.

use serde::de::IgnoredAny;
use switchhook_protocol::{JsonNode, Shape, Text};

use super::number::Decimal;
use super::{AllowedOrderings, Bound, Clause, Condition, Literal, Test};

/// The most bytes of a filter.
pub const MOST_BYTES: usize = 16 * 1024;

/// Deepest nesting.
pub const MOST_DEPTH: usize = 16;

/// The most conditions in it: values to be equal to, operators, and the members that lead to them.
pub const MOST_CLAUSES: usize = 256;

/// The operators that there are.
pub const OPERATORS: [&str; 15] = [
    "$eq",
    "$neq",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$startsWith",
    "$endsWith",
    "$contains",
    "$exist",
    "$or",
    "$and",
    "$not",
];

/// Mistake in a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter{place}: {why}")]
pub struct FilterError {
    /// Path, as the end of a word: `.duration.$gt`.
    place: String,
    why: String,
}

impl FilterError {
    fn whole(why: impl Into<String>) -> Self {
        Self {
            place: String::new(),
            why: why.into(),
        }
    }
}

/// The JSON that is kept of a filter, and what it means.
pub(super) fn read(json: &str) -> Result<(String, Condition), FilterError> {
    if json.len() > MOST_BYTES {
        let bytes = json.len();
        return Err(FilterError::whole(format!(
            "it has {bytes} bytes, and at most {MOST_BYTES} are taken"
        )));
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(json) {
        return Err(FilterError::whole(format!("it is not JSON: {error}")));
    }
    let root = JsonNode::of(json);
    if !matches!(root.shape(), Shape::Object(_)) {
        return Err(FilterError::whole(
            r#"it must be an object, such as {"state": "hangup"}"#,
        ));
    }
    let mut reader = Reader::default();
    let condition = reader.condition(&root)?;
    Ok((canonical(&root), condition))
}

#[derive(Default)]
struct Reader {
    path: Vec<String>,
    clauses: usize,
}

impl Reader {
    fn wrong<T>(&self, why: impl Into<String>) -> Result<T, FilterError> {
        let place = self.path.iter().map(|name| format!(".{name}")).collect();
        Err(FilterError {
            place,
            why: why.into(),
        })
    }

    /// Reads what stands at a name or a place in a list.
    fn at<T>(
        &mut self,
        name: impl Into<String>,
        read: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        self.path.push(name.into());
        self.clauses += 1;
        if self.path.len() > MOST_DEPTH {
            return self.wrong(format!("it is nested deeper than {MOST_DEPTH}"));
        }
        let read = read(self)?;
        self.path.pop();
        Ok(read)
    }

    fn condition(&mut self, node: &JsonNode<'_>) -> Result<Condition, FilterError> {
        if self.clauses > MOST_CLAUSES {
            return self.wrong(format!("it has more than {MOST_CLAUSES} conditions"));
        }
        let test = match node.shape() {
            Shape::Object(members) if members.is_empty() => {
                return self
                    .wrong("an empty object asks for nothing: leave it out, or write {\"$exist\": true}");
            }
            Shape::Object(members) => return self.members(members),
            Shape::List(elements) => Test::Any(self.conditions(elements)?),
            _ => Test::Equal(self.literal(node)?),
        };
        Ok(Condition {
            tests: vec![Clause {
                json: canonical(node),
                test,
            }],
            members: Vec::new(),
        })
    }

    fn members(&mut self, members: &[(Text<'_>, JsonNode<'_>)]) -> Result<Condition, FilterError> {
        let mut condition = Condition::default();
        for (name, node) in members {
            if name.starts_with('$') {
                let test = self.at(&**name, |reader| reader.test(name, node))?;
                let json = format!("{{{}:{}}}", quoted(name), canonical(node));
                condition.tests.push(Clause { json, test });
            } else {
                let asked = self.at(&**name, |reader| reader.condition(node))?;
                condition.members.push((name.to_string(), asked));
            }
        }
        Ok(condition)
    }

    /// At least one.
    fn conditions(&mut self, elements: &[JsonNode<'_>]) -> Result<Vec<Condition>, FilterError> {
        if elements.is_empty() {
            return self.wrong("an empty list lets nothing through: list at least one");
        }
        let numbered = elements.iter().enumerate();
        let each = numbered.map(|(at, node)| self.at(at.to_string(), |reader| reader.condition(node)));
        each.collect()
    }

    fn test(&mut self, operator: &str, node: &JsonNode<'_>) -> Result<Test, FilterError> {
        let sides = |below, at, above| AllowedOrderings { below, at, above };
        Ok(match (operator, node.shape()) {
            ("$eq", _) => Test::Equal(self.literal(node)?),
            ("$neq", _) => not(node, Test::Equal(self.literal(node)?)),
            ("$gt", _) => Test::Compare(sides(false, false, true), self.bound(node)?),
            ("$gte", _) => Test::Compare(sides(false, true, true), self.bound(node)?),
            ("$lt", _) => Test::Compare(sides(true, false, false), self.bound(node)?),
            ("$lte", _) => Test::Compare(sides(true, true, false), self.bound(node)?),
            ("$in", Shape::List(elements)) => Test::In(self.literals(elements)?),
            ("$nin", Shape::List(elements)) => not(node, Test::In(self.literals(elements)?)),
            ("$startsWith", _) => Test::StartsWith(self.texts(node)?),
            ("$endsWith", _) => Test::EndsWith(self.texts(node)?),
            ("$contains", Shape::List(_) | Shape::Object(_)) => {
                return self.wrong("it takes one text, number, true, false or null");
            }
            ("$contains", _) => Test::Contains(self.literal(node)?),
            ("$exist", Shape::Bool(wanted)) => Test::Exists(*wanted),
            ("$exist", _) => return self.wrong("it takes true or false"),
            ("$or", Shape::List(elements)) => Test::Any(self.conditions(elements)?),
            ("$and", Shape::List(elements)) => Test::All(self.conditions(elements)?),
            ("$in" | "$nin" | "$or" | "$and", _) => return self.wrong("it takes a list"),
            ("$not", _) => Test::Not(Box::new(self.condition(node)?)),
            _ => {
                let known = OPERATORS.join(", ");
                return self.wrong(format!("`{operator}` is not an operator: use one of {known}"));
            }
        })
    }

    fn bound(&self, node: &JsonNode<'_>) -> Result<Bound, FilterError> {
        match node.shape() {
            Shape::Number(number) => Ok(Bound::Number(Decimal::of(number))),
            Shape::Text(text) => Ok(Bound::Text(text.clone().into_owned())),
            _ => self.wrong("it takes a number or a text"),
        }
    }

    /// One text or a list of them.
    fn texts(&self, node: &JsonNode<'_>) -> Result<Vec<String>, FilterError> {
        let one = |node: &JsonNode<'_>| match node.shape() {
            Shape::Text(text) => Ok(text.clone().into_owned()),
            _ => self.wrong("it takes a text, or a list of texts"),
        };
        match node.shape() {
            Shape::List(elements) if elements.is_empty() => self.wrong("list at least one text"),
            Shape::List(elements) => elements.iter().map(one).collect(),
            _ => Ok(vec![one(node)?]),
        }
    }

    fn literals(&mut self, elements: &[JsonNode<'_>]) -> Result<Vec<Literal>, FilterError> {
        if elements.is_empty() {
            return self.wrong("list at least one value");
        }
        elements.iter().map(|node| self.literal(node)).collect()
    }

    fn literal(&self, node: &JsonNode<'_>) -> Result<Literal, FilterError> {
        self.literal_in(node, self.path.len())
    }

    fn literal_in(&self, node: &JsonNode<'_>, depth: usize) -> Result<Literal, FilterError> {
        if depth > MOST_DEPTH {
            return self.wrong(format!("it is nested deeper than {MOST_DEPTH}"));
        }
        Ok(match node.shape() {
            Shape::Null => Literal::Null,
            Shape::Bool(value) => Literal::Bool(*value),
            Shape::Number(number) => Literal::Number(Decimal::of(number)),
            Shape::Text(text) => Literal::Text(text.clone().into_owned()),
            Shape::List(elements) => {
                let elements = elements.iter().map(|one| self.literal_in(one, depth + 1));
                Literal::List(elements.collect::<Result<_, _>>()?)
            }
            Shape::Object(members) => {
                let read = |(name, node): &(Text<'_>, JsonNode<'_>)| {
                    Ok((name.to_string(), self.literal_in(node, depth + 1)?))
                };
                Literal::Object(members.iter().map(read).collect::<Result<_, _>>()?)
            }
        })
    }
}

/// Negation, which also holds where there is no value.
fn not(node: &JsonNode<'_>, test: Test) -> Test {
    let clause = Clause {
        json: canonical(node),
        test,
    };
    Test::Not(Box::new(Condition {
        tests: vec![clause],
        members: Vec::new(),
    }))
}

/// JSON without white space, members in the order of their names, numbers as they were written.
fn canonical(node: &JsonNode<'_>) -> String {
    let list = |parts: Vec<String>| parts.join(",");
    match node.shape() {
        Shape::List(elements) => format!("[{}]", list(elements.iter().map(canonical).collect())),
        Shape::Object(members) => {
            let member =
                |(name, node): &(Text<'_>, JsonNode<'_>)| format!("{}:{}", quoted(name), canonical(node));
            format!("{{{}}}", list(members.iter().map(member).collect()))
        }
        Shape::Text(text) => quoted(text),
        Shape::Null | Shape::Bool(_) | Shape::Number(_) => node.json().trim_ascii().to_owned(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written as JSON")
}
