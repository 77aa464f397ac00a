//! Reading requests: JSON whose mistakes name their field, ids in paths. Queries are `query.rs`.
//!
//! Oddities of Dialpad's API are in `compat.rs`, callers in `auth.rs`.

use std::collections::HashSet;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use tokio::time::Instant;

use super::SharedApi;
pub(crate) use super::field::Field;
use switchhook_domain::id::id_of;
use switchhook_http::server::read_body;
use switchhook_ingress::auth::still_allowed;
use switchhook_ingress::error::ApiError;

/// The largest body of a request that is no event.
const LARGEST_REQUEST: usize = 64 * 1024;

/// A request's JSON object. A body that is not there is an empty object; the content type does not matter.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<SharedApi> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &SharedApi) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let began = Instant::now();
        let read = read_body(&parts.headers, body, LARGEST_REQUEST).await;
        let bytes = read.map_err(|trouble| ApiError::unread(trouble, LARGEST_REQUEST))?;
        still_allowed(&api.node, &parts, began).await?;
        parse_json(&bytes).map(Self)
    }
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes = match bytes.trim_ascii() {
        b"" => b"{}",
        trimmed => trimmed,
    };
    check_for_nul::<T>(bytes)?;
    // Without this a list would be read as the values of the members.
    if bytes[0] != b'{' {
        let other = serde_json::from_slice::<IgnoredAny>(bytes);
        return Err(other.map_or_else(
            |error| explain(".", &error),
            |_| ApiError::invalid("the body is no JSON object: write it as {\"name\": value, …}"),
        ));
    }
    let read = parse_as_written(bytes);
    match read {
        // `7.0` is a whole number too, and so some clients write theirs.
        Err(_) => with_whole_numbers(bytes)
            .and_then(|value| serde_json::from_value(value).ok())
            .map_or(read, Ok),
        read => read,
    }
}

fn parse_as_written<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, error.inner())
    })?;
    deserializer.end().map_err(|error| explain(".", &error))?;
    Ok(value)
}

/// JSON with its whole numbers written as such; `None` if they are already.
fn with_whole_numbers(bytes: &[u8]) -> Option<Value> {
    let mut json = serde_json::from_slice(bytes).ok()?;
    write_whole_numbers(&mut json).then_some(json)
}

/// Says whether there were any.
fn write_whole_numbers(json: &mut Value) -> bool {
    /// Bound up to which every whole number is one of 64 bits.
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    // Unlike `Iterator::any` it does not stop at the first.
    let any = |done: &mut dyn Iterator<Item = bool>| done.filter(|was| *was).count() > 0;
    match json {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) if float.fract() == 0.0 && float.abs() <= LARGEST => {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and within 64 bits")]
                let whole = float as i64;
                *number = whole.into();
                true
            }
            _ => false,
        },
        Value::Array(elements) => any(&mut elements.iter_mut().map(write_whole_numbers)),
        Value::Object(members) => any(&mut members.values_mut().map(write_whole_numbers)),
        _ => false,
    }
}

/// No text that is read has a NUL: names, secrets and filters have no use for it, and PostgreSQL can keep none. Members
/// that nobody reads may have anything.
fn check_for_nul<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), ApiError> {
    // An escape that is itself escaped is only looked at once more.
    if !bytes.windows(6).any(|escape| escape == b"\\u0000") {
        return Ok(());
    }
    let Ok(mut json) = serde_json::from_slice::<Value>(bytes) else {
        // JSON that is nested too deeply to be looked through is refused as well; other mistakes are reported later.
        return match serde_json::from_slice::<IgnoredAny>(bytes) {
            Ok(_) => Err(nul_at("the body")),
            Err(_) => Ok(()),
        };
    };
    // As it is read in the end: a mistake would hide what comes behind it.
    write_whole_numbers(&mut json);
    let mut unread = HashSet::new();
    let mut note = |path: serde_ignored::Path<'_>| _ = unread.insert(path.to_string().replace(".?", ""));
    // Mistakes in it are reported when it is read as a whole.
    let _ = serde_ignored::deserialize::<_, _, T>(&json, &mut note);
    place_of_nul(&json, &FieldPath::default(), &unread).map_or(Ok(()), |place| Err(nul_at(&place)))
}

fn nul_at(place: &str) -> ApiError {
    ApiError::invalid(format!(
        "{place}: no text here can have the character NUL (\\u0000): leave it out"
    ))
}

/// Path of a member whose text has a NUL in it, among those that are read: `states[1]`, `a.b`.
fn place_of_nul(json: &Value, at: &FieldPath, unread: &HashSet<String>) -> Option<String> {
    match json {
        Value::String(text) => text.contains('\0').then(|| at.shown.clone()),
        Value::Array(elements) => elements.iter().enumerate().find_map(|(index, element)| {
            let at = at.inside(&index.to_string(), &format!("[{index}]"));
            place_of_nul(element, &at, unread)
        }),
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let at = at.inside(name, &format!(".{name}"));
            if unread.contains(&at.path) {
                return None;
            }
            if name.contains('\0') {
                return Some("the name of a member".to_owned());
            }
            place_of_nul(value, &at, unread)
        }),
        _ => None,
    }
}

/// Path of a value: as the JSON reader names it, and as people are told.
#[derive(Default)]
struct FieldPath {
    path: String,
    shown: String,
}

impl FieldPath {
    fn inside(&self, part: &str, shown: &str) -> Self {
        let join = |path: &str, part: &str| match path {
            "" => part.trim_start_matches('.').to_owned(),
            path => format!("{path}{part}"),
        };
        Self {
            path: join(&self.path, &format!(".{part}")),
            shown: join(&self.shown, shown),
        }
    }
}

fn explain(path: &str, error: &serde_json::Error) -> ApiError {
    if !error.is_data() {
        return ApiError::invalid(format!("the body is not JSON: {error}"));
    }
    let whole = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = whole.strip_suffix(&place).unwrap_or(&whole);
    match path {
        "." => ApiError::invalid(format!("the body: {message}")),
        field => ApiError::invalid(format!("{field}: {message}")),
    }
}

/// The id in a path. A text that is no id names nothing.
#[derive(Debug)]
pub(crate) struct PathId<T>(pub(crate) T);

impl<T: FromStr + Send> FromRequestParts<SharedApi> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, api).await;
        let text = path.map_or_else(|_| String::new(), |Path(text)| text);
        id_of(&text)
            .map(Self)
            .map_err(|error| ApiError::not_found(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Example {
        enabled: Field<bool>,
        id: Field<u32>,
        states: Field<Vec<switchhook_protocol::CallState>>,
    }

    #[derive(Debug, Deserialize)]
    struct Named {
        #[serde(rename = "a")]
        _a: Value,
    }

    #[track_caller]
    fn check(body: &str, message: &str) {
        let error = parse_json::<Example>(body.as_bytes()).unwrap_err();
        assert_eq!(error.body().message, message);
    }

    #[test]
    fn absent_null_and_given_are_three_things() {
        let read = |body: &str| parse_json::<Example>(body.as_bytes()).unwrap().enabled;
        assert_eq!(read(""), Field::Absent);
        assert_eq!(read("{\"unknown\": [1]}"), Field::Absent);
        assert_eq!(read("{\"enabled\": null}"), Field::Null);
        assert_eq!(read("{\"enabled\": false}"), Field::Given(false));
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_fraction_of_nothing() {
        #[derive(Debug, Deserialize)]
        struct Numbers {
            count: u32,
            rate: f64,
        }
        let read = parse_json::<Numbers>(br#"{"count": 7.0, "rate": 2.0}"#).unwrap();
        assert_eq!((read.count, read.rate), (7, 2.0));
        let error = parse_json::<Numbers>(br#"{"count": 7.5, "rate": 2.0}"#).unwrap_err();
        assert!(error.body().message.starts_with("count: "));
    }

    #[test]
    fn a_nul_is_refused_wherever_it_stands_and_named() {
        check(
            r#"{"states": ["hangup", "a\u0000b"]}"#,
            "states[1]: no text here can have the character NUL (\\u0000): leave it out",
        );
        for (body, place) in [
            (r#"{"a": {"b": "\u0000"}}"#, "a.b: "),
            (r#"{"a": [{"b": "x\u0000"}]}"#, "a[0].b: "),
            (r#"{"a": {"b\u0000": 1}}"#, "the name of a member: "),
        ] {
            let error = parse_json::<Named>(body.as_bytes()).unwrap_err();
            assert!(error.body().message.starts_with(place), "{body}");
        }
        assert!(parse_json::<Named>(br#"{"a": "\\u0000"}"#).is_ok());
    }

    #[test]
    fn a_nul_where_nobody_reads_is_nobody_s_business() {
        for body in [
            r#"{"b": "\u0000"}"#,
            r#"{"b\u0000": 1}"#,
            r#"{"id": 7.0, "b": "\u0000"}"#,
            r#"{"b": {"\u0000": ["\u0000"]}, "enabled": true}"#,
        ] {
            assert!(parse_json::<Example>(body.as_bytes()).is_ok(), "{body}");
        }
    }

    #[test]
    fn a_mistake_names_its_field() {
        check(
            "{\"enabled\": \"yes\"}",
            "enabled: invalid type: string \"yes\", expected a boolean",
        );
        let message = "states[1]: `sung` is not a call state: use admin, ";
        let error = parse_json::<Example>(b"{\"states\": [\"hangup\", \"sung\"]}").unwrap_err();
        assert!(error.clone().body().message.starts_with(message), "{error:?}");
        check(
            "{\"enabled\": true",
            "the body is not JSON: EOF while parsing an object at line 1 column 16",
        );
        check(
            "[]",
            "the body is no JSON object: write it as {\"name\": value, …}",
        );
        check(
            "nonsense",
            "the body is not JSON: expected ident at line 1 column 2",
        );
        check(
            "{} {}",
            "the body is not JSON: trailing characters at line 1 column 4",
        );
    }
}
