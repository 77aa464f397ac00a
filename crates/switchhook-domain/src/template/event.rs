//! An event as a template reads it. What is read of its lists and objects is counted, wherever that happens: a comparison or a
//! filter goes through all of one in a single step.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use minijinja::value::{Enumerator, Object, ObjectExt, ObjectRepr, Value};
use switchhook_protocol::{JsonNode, Shape};

/// How many bytes may be read of an event while a template is filled in. A value counts as [`VALUE`] bytes and its text.
const READABLE: u64 = 64 * 1024 * 1024;

/// What a value counts as.
const VALUE: u64 = 64;

/// How deep an event is taken apart. What lies deeper is a text: its JSON.
const DEEPEST: usize = 100;

/// What is left to be read.
type Rest = Arc<AtomicU64>;

/// Thrown if nothing is left: neither a comparison nor what writes a value could hand on an error.
pub(super) struct Exhausted;

/// An event's value for a template.
pub(super) fn value_of(event: &JsonNode<'_>) -> Value {
    within(event, &Arc::new(AtomicU64::new(READABLE)), 0)
}

/// Whole numbers stay exact up to 38 digits; longer ones become texts.
fn within(node: &JsonNode<'_>, rest: &Rest, depth: usize) -> Value {
    if depth == DEEPEST {
        return Value::from(node.json());
    }
    let within = |node: &JsonNode<'_>| within(node, rest, depth + 1);
    match node.shape() {
        Shape::Null => Value::from(()),
        Shape::Bool(value) => Value::from(*value),
        Shape::Number(number) => match (number.parse::<i128>(), number.parse::<f64>()) {
            (Ok(whole), _) => Value::from(whole),
            (Err(_), Ok(number_of)) if number.contains(['.', 'e', 'E']) => Value::from(number_of),
            _ => Value::from(*number),
        },
        Shape::Text(text) => Value::from(text.clone().into_owned()),
        Shape::List(elements) => Value::from_object(List {
            elements: elements.iter().map(within).collect(),
            rest: Arc::clone(rest),
        }),
        Shape::Object(members) => Value::from_object(Members {
            members: members
                .iter()
                .map(|(name, node)| (name.to_string(), within(node)))
                .collect(),
            rest: Arc::clone(rest),
        }),
    }
}

fn read(rest: &Rest, value: &Value) -> Value {
    let cost = VALUE + value.as_str().map_or(0, |text| text.len() as u64);
    let left = rest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        left.checked_sub(cost)
    });
    if left.is_err() {
        resume_unwind(Box::new(Exhausted));
    }
    value.clone()
}

#[derive(Debug)]
struct List {
    elements: Vec<Value>,
    rest: Rest,
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.elements
            .get(key.as_usize()?)
            .map(|value| read(&self.rest, value))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.elements.len())
    }
}

#[derive(Debug)]
struct Members {
    members: BTreeMap<String, Value>,
    rest: Rest,
}

impl Object for Members {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.members.get(key).map(|value| read(&self.rest, value))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|this| {
            let names = this
                .members
                .keys()
                .map(|name| read(&this.rest, &Value::from(name.as_str())));
            Box::new(names)
        })
    }
}
