//! A request as JSON, in the formats of request bins, gateways, lambdas and HAR files: an object with headers and a
//! body, perhaps inside another; names differ.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::capture::{Capture, CaptureFormat};

/// Bound on the depth of the request inside other objects.
const MAX_DEPTH: usize = 4;

/// Reads a capture; `None` if it is not a JSON object with headers.
pub(super) fn read(input: &[u8]) -> Option<Capture> {
    let value: Value = serde_json::from_slice(input).ok()?;
    let request = find_request(&value, MAX_DEPTH)?;
    let headers = member(request, &["headers"]).map(headers).unwrap_or_default();
    let text = |names: &[&str]| member(request, names).and_then(Value::as_str).map(str::to_owned);
    Some(Capture {
        format: CaptureFormat::Json,
        method: text(&["method", "httpMethod"]),
        target: text(&["url", "uri", "path", "target"]),
        headers,
        ..Capture::of_body(&body(request).unwrap_or_default())
    })
}

/// The first object that has headers, looking into members and into the first elements of lists.
fn find_request(value: &Value, depth: usize) -> Option<&Map<String, Value>> {
    let object = match value {
        Value::Object(object) => object,
        Value::Array(list) if depth > 0 => return find_request(list.first()?, depth - 1),
        _ => return None,
    };
    if member(object, &["headers"]).is_some_and(|headers| headers.is_object() || headers.is_array()) {
        return Some(object);
    }
    let inner = ["request", "event", "log", "entries", "requests", "data"];
    let mut inner = inner.into_iter().filter_map(|name| object.get(name));
    inner.find_map(|value| find_request(value, depth.checked_sub(1)?))
}

fn member<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    let mut members = object.iter();
    let found = members
        .find(|(key, value)| !value.is_null() && names.iter().any(|name| key.eq_ignore_ascii_case(name)));
    found.map(|(_, value)| value)
}

/// `{"name": "value"}`, `{"name": ["value"]}`, `[{"name": …, "value": …}]` or `[["name", "value"]]`.
fn headers(value: &Value) -> Vec<(String, String)> {
    let pair = |name: &str, value: &Value| {
        let value = value
            .as_array()
            .and_then(|values| values.first())
            .unwrap_or(value);
        Some((name.to_ascii_lowercase(), value.as_str()?.to_owned()))
    };
    match value {
        Value::Object(object) => object
            .iter()
            .filter_map(|(name, value)| pair(name, value))
            .collect(),
        Value::Array(list) => list
            .iter()
            .filter_map(|entry| match entry {
                Value::Array(both) => pair(both.first()?.as_str()?, both.get(1)?),
                entry => pair(entry.get("name")?.as_str()?, entry.get("value")?),
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn body(request: &Map<String, Value>) -> Option<Vec<u8>> {
    let value = member(
        request,
        &[
            "body", "rawBody", "raw_body", "content", "postData", "payload", "data",
        ],
    )?;
    match value {
        Value::String(text) => {
            let is_base64 = member(request, &["isBase64Encoded"]) == Some(&Value::Bool(true));
            let decoded = is_base64.then(|| STANDARD.decode(text).ok()).flatten();
            Some(decoded.unwrap_or_else(|| text.clone().into_bytes()))
        }
        // A HAR file has the text one level down; elsewhere somebody parsed the JSON, and its bytes are lost.
        Value::Object(object) => match object.get("text") {
            Some(Value::String(text)) if object.contains_key("mimeType") => Some(text.clone().into_bytes()),
            _ => serde_json::to_vec(value).ok(),
        },
        other => serde_json::to_vec(other).ok(),
    }
}
