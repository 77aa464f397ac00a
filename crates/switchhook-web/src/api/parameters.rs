//! Query parameters that our own routes know. Others would be ignored silently (a misspelled filter, or one given
//! twice), and the list would be another than was asked for.
//!
//! A route knows what the OpenAPI document says of it. Dialpad's routes ignore unknown parameters, as Dialpad does;
//! so do routes that are called by a generated address, or by machines.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;
use serde_json::Value;
use url::form_urlencoded;

use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::absent_if_empty;
use switchhook_protocol::quoted;

/// The parameter by which a key can come in every address.
const KEY: &str = "apikey";

/// Routes that ignore unknown parameters: hooks, health checks and the front page are called with whatever their
/// callers add.
const INDIFFERENT: [&str; 6] = [
    "/",
    "/in/{token}",
    "/events/{token}",
    "/healthz",
    "/readyz",
    "/metrics",
];

/// The query parameters of each operation.
#[derive(Debug)]
pub(super) struct Parameters(HashMap<(Method, String), Vec<String>>);

impl Parameters {
    /// Parameters of our own routes in the OpenAPI document.
    pub(super) fn of(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let paths =
            paths.filter(|(path, _)| !path.starts_with("/api/") && !INDIFFERENT.contains(&path.as_str()));
        let operations = paths.flat_map(|(path, item)| {
            operations(item).map(|(method, operation)| ((method, path.clone()), in_query(operation)))
        });
        Self(operations.collect())
    }

    fn check(&self, request: &Request) -> Result<(), ApiError> {
        let Some(query) = request.uri().query() else {
            return Ok(());
        };
        let Some(path) = request.extensions().get::<MatchedPath>() else {
            return Ok(());
        };
        // A route of GET answers HEAD as well.
        let method = match *request.method() {
            Method::HEAD => Method::GET,
            ref other => other.clone(),
        };
        let Some(known) = self.0.get(&(method, path.as_str().to_owned())) else {
            return Ok(());
        };
        check_query(query, known)
    }
}

/// Each parameter is known, and none has two values: which one was meant, nobody can tell. No route takes a list.
fn check_query(query: &str, known: &[String]) -> Result<(), ApiError> {
    let mut given = HashSet::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != KEY && !known.iter().any(|known| *known == name) {
            return Err(unknown(&name, known));
        }
        let is_there = absent_if_empty(value).is_some();
        if is_there && !given.insert(name.clone()) {
            return Err(ApiError::invalid(format!(
                "query parameter `{name}` is given more than once: send it once"
            )));
        }
    }
    Ok(())
}

fn unknown(name: &str, known: &[String]) -> ApiError {
    let known = match known {
        [] => "there are none here".to_owned(),
        known => format!("known here: {}", known.join(", ")),
    };
    ApiError::invalid(format!("unknown query parameter `{}`; {known}", quoted(name)))
}

fn operations(item: &Value) -> impl Iterator<Item = (Method, &Value)> {
    let operations = item.as_object().into_iter().flatten();
    operations.filter_map(|(method, operation)| {
        let method = method.to_ascii_uppercase();
        Some((Method::from_bytes(method.as_bytes()).ok()?, operation))
    })
}

fn in_query(operation: &Value) -> Vec<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters
        .filter(|parameter| parameter["in"] == "query")
        .filter_map(|parameter| Some(parameter["name"].as_str()?.to_owned()))
        .collect()
}

/// Refuses a query parameter that the route does not know.
pub(super) async fn check(State(known): State<Arc<Parameters>>, request: Request, next: Next) -> Response {
    match known.check(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_known_and_given_once() {
        let known = ["kind", "limit"].map(ToOwned::to_owned);
        for (query, refusal) in [
            ("", None),
            ("kind=call&limit=1&apikey=k", None),
            ("kind=&kind=call", None),
            (
                "kind=sms&kind=call",
                Some("query parameter `kind` is given more than once"),
            ),
            (
                "kind=call&kind=call",
                Some("query parameter `kind` is given more than once"),
            ),
            (
                "apikey=a&apikey=b",
                Some("query parameter `apikey` is given more than once"),
            ),
            (
                "kin%64=sms&kind=call",
                Some("query parameter `kind` is given more than once"),
            ),
            (
                "kinds=sms",
                Some("unknown query parameter `kinds`; known here: kind, limit"),
            ),
        ] {
            let told = check_query(query, &known).err().map(|error| error.body().message);
            match (&told, refusal) {
                (Some(told), Some(refusal)) => assert!(told.starts_with(refusal), "{query}: {told}"),
                (told, refusal) => assert_eq!(told.as_deref(), refusal, "{query}"),
            }
        }
    }
}
