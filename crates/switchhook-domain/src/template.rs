//! Templates: the body that a webhook's receiver gets in place of the event, made of it. `{"text": "Missed call from {{
//! event.contact.name }}"}` and no program in between.
//!
//! Here: reading and filling in. The ready ones are `ready.rs`. The language is Jinja's (minijinja); a template reads
//! nothing but its event, and its steps are counted. A single step can still take any time, memory or stack (`a == b` of lists
//! that hold each other a million times), so a server does this in processes of their own, which it can end: `Template` is for
//! those, and for commands.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, Output, State, UndefinedBehavior};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use switchhook_protocol::{JsonNode, Kind, Shape, Timestamp};

mod filters;
pub mod header;
mod ready;

pub use self::header::HeaderTemplate;
pub use self::ready::{READY, ReadyTemplate};
use crate::id::{DeliveryId, EventId, WebhookId};

/// The most bytes of a template.
pub const LONGEST_TEMPLATE: usize = 16 * 1024;

/// The most bytes that a template makes, of whichever event.
pub const LARGEST_OUTPUT: usize = 256 * 1024;

/// Bounds on a rendering: this many steps of the template engine, and 64 times as many bytes.
const FUEL: u64 = 100_000;

/// Depth down to which an event is converted for templates. Deeper values are JSON texts.
const DEEPEST: usize = 100;

/// The name by which the engine knows the one template that it has.
const NAME: &str = "template";

/// A template, ready to be filled in.
#[derive(Clone)]
pub struct Template {
    environment: Arc<Environment<'static>>,
    escaping: Escaping,
}

/// Escaping of values, by content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escaping {
    /// Within the quotes of JSON.
    Json,
    /// In XML or HTML.
    Markup,
    Nothing,
}

/// Facts about a delivery that templates can use beside the event's members.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct TemplateContext {
    pub kind: Kind,
    pub event_id: EventId,
    pub delivery_id: DeliveryId,
    pub webhook_id: WebhookId,
    /// The number of the attempt.
    pub attempt: u32,
    pub created_at: Timestamp,
}

/// Error in a template, or in its output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum TemplateError {
    /// It has too many bytes.
    #[error("it has {bytes} bytes, and at most {LONGEST_TEMPLATE} are taken")]
    TooLong { bytes: usize },
    /// It is a name, and there is no ready template by it.
    #[error(
        "there is no ready template `{name}`: use one of {}, or write a template",
        ready::names()
    )]
    UnknownName { name: String },
    /// It cannot be read, or not be filled in.
    #[error("line {line}: {why}")]
    AtLine {
        /// Line number, from 1.
        line: usize,
        why: String,
    },
    /// It makes too much.
    #[error("it makes more than {most} bytes of this event")]
    TooLarge {
        /// Limit in bytes.
        most: usize,
    },
    /// It takes too long.
    #[error("it takes too many steps: shorten its loops")]
    TooLaborious,
    /// It was ended while it was filled in.
    #[error(
        "it takes too much time or memory: shorten its loops, and let it make fewer copies of what is long"
    )]
    TooMuch,
    /// There is nobody to fill it in.
    #[error("no process to fill it in can be started: {why}")]
    NoProcess { why: String },
    /// The output is not JSON, contrary to its content type.
    #[error("line {line} of what it makes is not JSON: {why}")]
    NotJson {
        /// Line number, from 1.
        line: usize,
        why: String,
    },
}

impl Template {
    /// Reads a template, or takes the ready one by that name. Values are escaped as the content type asks for.
    ///
    /// # Errors
    /// Says what in it cannot be, and in which line.
    pub fn parse(text: &str, content_type: Option<&str>) -> Result<Self, TemplateError> {
        let text = text_of(text)?;
        let escaping = Escaping::of(content_type);
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_formatter(move |output, state, value| escaping.write(output, state, value));
        filters::add_to(&mut environment);
        let added = environment.add_template_owned(NAME, text.to_owned());
        added.map_err(|error| TemplateError::of(&error))?;
        Ok(Self {
            environment: Arc::new(environment),
            escaping,
        })
    }

    /// At most how many bytes are made of an event with so many.
    #[must_use]
    pub const fn most_made_of(event: usize) -> usize {
        let most = 16 * 1024 + 2 * event;
        if most < LARGEST_OUTPUT {
            most
        } else {
            LARGEST_OUTPUT
        }
    }

    /// Fills it in with an event's bytes.
    ///
    /// # Errors
    /// Says what is wrong, and where: the next time the same will be.
    pub fn fill_in(&self, event: &[u8], context: TemplateContext) -> Result<String, TemplateError> {
        let text = String::from_utf8_lossy(event);
        let values = values_of(&JsonNode::of(&text), context);
        let template = self.environment.get_template(NAME);
        let filled = template.and_then(|template| template.render(values));
        let filled = filled.map_err(|error| TemplateError::of(&error))?;
        let most = Self::most_made_of(event.len());
        if filled.len() > most {
            return Err(TemplateError::TooLarge { most });
        }
        if self.escaping == Escaping::Json
            && let Err(error) = serde_json::from_str::<IgnoredAny>(&filled)
        {
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or_default().to_owned();
            return Err(TemplateError::NotJson {
                line: error.line(),
                why,
            });
        }
        Ok(filled)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.escaping)
    }
}

/// Refuses what is no template at first sight. Whether it can be read is not looked at.
///
/// # Errors
/// If it is too long, or a name that no ready template has.
pub fn check_template_text(text: &str) -> Result<(), TemplateError> {
    text_of(text).map(drop)
}

/// The text of a template, or of the ready one by that name.
fn text_of(text: &str) -> Result<&str, TemplateError> {
    if text.len() > LONGEST_TEMPLATE {
        return Err(TemplateError::TooLong { bytes: text.len() });
    }
    match ready::find(text) {
        Some(ready) => Ok(ready.text),
        None if is_name(text) => Err(TemplateError::UnknownName {
            name: text.to_owned(),
        }),
        None => Ok(text),
    }
}

/// True if it looks like the name of a ready template, as opposed to a constant text.
fn is_name(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    text.contains('-') && text.chars().all(is_plain)
}

impl TemplateError {
    fn of(error: &Error) -> Self {
        if error.kind() == minijinja::ErrorKind::OutOfFuel {
            return Self::TooLaborious;
        }
        let why = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        Self::AtLine {
            line: error.line().unwrap_or(1),
            why,
        }
    }
}

impl Escaping {
    fn of(content_type: Option<&str>) -> Self {
        let essence = content_type.unwrap_or("application/json");
        let essence = essence
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match essence.as_str() {
            json if json.ends_with("/json") || json.ends_with("+json") => Self::Json,
            markup if markup.ends_with("xml") || markup.ends_with("/html") => Self::Markup,
            _ => Self::Nothing,
        }
    }

    /// Missing values render as nothing. Safe values, such as the output of `tojson`, are not escaped.
    fn write(self, output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
        if value.is_undefined() || value.is_none() {
            return Ok(());
        }
        if value.is_safe() {
            return Ok(output.write_str(value.as_str().unwrap_or_default())?);
        }
        match (self, value.as_str()) {
            (Self::Json, Some(text)) => {
                let quoted = serde_json::to_string(text).expect("a text can be written as JSON");
                Ok(output.write_str(&quoted[1..quoted.len() - 1])?)
            }
            (Self::Json, None) if value.kind() == ValueKind::Bool => {
                Ok(write!(output, "{}", value.is_true())?)
            }
            (Self::Json, None) if value.len().is_some() => {
                let json =
                    minijinja::filters::tojson(value, None, std::iter::empty::<(String, Value)>().collect())?;
                Ok(output.write_str(json.as_str().unwrap_or_default())?)
            }
            (Self::Markup, _) => {
                let escaped = minijinja::filters::escape(state, &Value::from(value.to_string()))?;
                Ok(output.write_str(escaped.as_str().unwrap_or_default())?)
            }
            (Self::Json | Self::Nothing, _) => Ok(write!(output, "{value}")?),
        }
    }
}

/// Values that a template can use.
fn values_of(event: &JsonNode<'_>, context: TemplateContext) -> Value {
    let TemplateContext {
        kind,
        event_id,
        delivery_id,
        webhook_id,
        attempt,
        created_at,
    } = context;
    let members = [
        ("event", value_of(event, 0)),
        ("kind", Value::from(kind.route())),
        ("event_id", Value::from(event_id.0)),
        ("delivery_id", Value::from(delivery_id.0)),
        ("webhook_id", Value::from(webhook_id.0)),
        ("attempt", Value::from(attempt)),
        ("created_at", Value::from(created_at.as_millis())),
    ];
    Value::from_pairs(members)
}

/// Whole numbers stay exact up to 38 digits; longer ones become texts.
fn value_of(node: &JsonNode<'_>, depth: usize) -> Value {
    if depth == DEEPEST {
        return Value::from(node.json());
    }
    let value_of = |node: &JsonNode<'_>| value_of(node, depth + 1);
    match node.shape() {
        Shape::Null => Value::from(()),
        Shape::Bool(value) => Value::from(*value),
        Shape::Number(number) => match (number.parse::<i128>(), number.parse::<f64>()) {
            (Ok(whole), _) => Value::from(whole),
            (Err(_), Ok(number_of)) if number.contains(['.', 'e', 'E']) => Value::from(number_of),
            _ => Value::from(*number),
        },
        Shape::Text(text) => Value::from(text.clone().into_owned()),
        Shape::List(elements) => elements.iter().map(value_of).collect(),
        Shape::Object(members) => {
            let members = members
                .iter()
                .map(|(name, node)| (name.to_string(), value_of(node)));
            Value::from_pairs(members)
        }
    }
}

#[cfg(test)]
mod tests;
