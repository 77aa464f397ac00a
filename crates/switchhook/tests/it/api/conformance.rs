//! Answers compared with the OpenAPI document: of every operation one success, and the errors that can be provoked alike
//! for all, each with its status and its body.
//!
//! An operation of the document that is not requested here fails the test, unless it is a stream.

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{Method, Request};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::authorization::{OPEN, SORTS, TABLE, body, prepared, server};
use crate::support::test_server::{ADMIN, Answered, TestServer};

/// Streams, which never end, and so are not validated.
const STREAMS: [(&str, &str); 2] = [
    ("get /v1/stream", "a stream of server-sent events"),
    ("get /events/{token}", "a websocket, opened by an upgrade"),
];

/// The schema of a response, with what it refers to.
fn validator(document: &Value, schema: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    jsonschema::draft202012::new(&schema).expect("the document's schemas are schemas")
}

/// Difference between an answer and what the document says of its operation.
fn judge(document: &Value, operation: &Value, answered: &Answered) -> Option<String> {
    let status = answered.status.as_u16().to_string();
    let Some(response) = operation["responses"].get(&status) else {
        return Some(format!("the document has no answer {status}: {answered:?}"));
    };
    let shared = (response["$ref"].as_str()).and_then(|pointer| document.pointer(&pointer[1..]));
    let response = shared.unwrap_or(response);
    let media_type = answered.headers.get(CONTENT_TYPE).map(|value| {
        let text = value.to_str().expect("it is plain text");
        text.split(';').next().unwrap_or_default().trim().to_owned()
    });
    let Some(media_type) = media_type else {
        return (!response["content"].is_null())
            .then(|| "it has no body, and the document has one".to_owned());
    };
    let Some(content) = response["content"].get(&media_type) else {
        return Some(format!("the document has no {media_type} for {status}"));
    };
    if media_type != "application/json" {
        return None;
    }
    let Some(schema) = content.get("schema") else {
        return Some(format!("the document has no schema for {status}"));
    };
    let (validator, body) = (validator(document, schema), answered.json());
    let errors: Vec<_> = (validator.iter_errors(&body))
        .map(|error| format!("{} at `{}`", error, error.instance_path()))
        .collect();
    (!errors.is_empty()).then(|| format!("{errors:?}: {body:#}"))
}

async fn ask(server: &TestServer, method: &str, path: &str) -> Answered {
    let uri = prepared(server, method, path).await;
    let body = body(server, &format!("{method} {path}")).await;
    let method = method.to_uppercase().parse::<Method>().expect("it is one");
    server.ask(method, &uri, ADMIN, body).await
}

#[tokio::test(start_paused = true)]
async fn every_operation_answers_as_the_openapi_document_says() {
    let server = server().await;
    let document = server.get("/openapi.json").await.ok();
    let asked: Vec<_> = (TABLE.iter().map(|(operation, _)| *operation))
        .chain(OPEN)
        .collect();
    let mut wrong = Vec::new();
    for (path, item) in document["paths"].as_object().expect("there are paths") {
        for (method, operation) in item.as_object().expect("a path has operations") {
            let name = format!("{method} {path}");
            if STREAMS.iter().any(|(stream, _)| *stream == name) {
                continue;
            }
            assert!(
                asked.contains(&name.as_str()),
                "{name}: nobody says how to ask it"
            );
            let answered = ask(&server, method, path).await;
            if answered.status.is_client_error() || answered.status.is_server_error() {
                wrong.push(format!("{name}: {answered:?}"));
            } else if let Some(why) = judge(&document, operation, &answered) {
                wrong.push(format!("{name}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A request of an operation that is refused, and the status that says so.
struct Refused {
    because: &'static str,
    status: u16,
    request: Request<Body>,
}

fn request(method: &str, uri: &str, key: &str, body: impl Into<Body>) -> Request<Body> {
    let method = method.to_uppercase().parse::<Method>().expect("it is one");
    let mut request = Request::builder().method(method).uri(uri);
    if key != "none" {
        request = request.header(AUTHORIZATION, format!("Bearer {key}"));
    }
    request.body(body.into()).expect("the path is one")
}

/// The largest body that some route takes is smaller.
const TOO_LARGE: usize = 4 << 20;

/// Requests of an operation that are refused whatever the operation does.
async fn refused(server: &TestServer, method: &str, path: &str, operation: &Value) -> Vec<Refused> {
    let mut all = Vec::new();
    let mut add = |because, status, request| {
        all.push(Refused {
            because,
            status,
            request,
        });
    };
    let uri = prepared(server, method, path).await;
    let ask = |uri: &str| request(method, uri, ADMIN, Body::empty());
    add("its address has a NUL", 400, ask(&format!("{uri}?x=%00")));
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let has_limit = parameters.clone().any(|parameter| parameter["name"] == "limit");
    if has_limit || path.starts_with("/v1/") {
        add("its query is wrong", 400, ask(&format!("{uri}?limit=none")));
    }
    // A consumer that is not there is made.
    if path.contains("{id}") || path.contains("{event}") || (path.contains("{name}") && method != "put") {
        let names = [("{id}", "7"), ("{event}", "7"), ("{name}", "nobody")];
        let nowhere = names.iter().fold(path.to_owned(), |path, (name, nothing)| {
            path.replace(name, nothing)
        });
        let body = body(server, &format!("{method} {path}")).await;
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        add("it names nothing", 404, request(method, &nowhere, ADMIN, body));
    }
    if !operation["requestBody"].is_null() {
        add(
            "its body is broken",
            400,
            request(method, &uri, ADMIN, "{\"a\": "),
        );
        add(
            "its body is too large",
            413,
            request(method, &uri, ADMIN, vec![b' '; TOO_LARGE]),
        );
        let mut packed = request(method, &uri, ADMIN, "{}");
        let brotli = "br".parse().expect("it is plain");
        packed.headers_mut().insert(CONTENT_ENCODING, brotli);
        add("its body is packed otherwise", 415, packed);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn every_operation_refuses_as_the_openapi_document_says() {
    let server = server().await;
    let document = server.get("/openapi.json").await.ok();
    let mut wrong = Vec::new();
    for (path, item) in document["paths"].as_object().expect("there are paths") {
        for (method, operation) in item.as_object().expect("a path has operations") {
            for Refused {
                because,
                status,
                request,
            } in refused(&server, method, path, operation).await
            {
                let answered = server.send(request).await;
                if answered.status != status {
                    wrong.push(format!("{method} {path}, {because}: {answered:?}"));
                } else if let Some(why) = judge(&document, operation, &answered) {
                    wrong.push(format!("{method} {path}, {because}: {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(start_paused = true)]
async fn every_key_is_refused_as_the_openapi_document_says() {
    let server = server().await;
    let document = server.get("/openapi.json").await.ok();
    let mut wrong = Vec::new();
    for (name, statuses) in TABLE {
        let (method, path) = name.split_once(' ').expect("a method and a path");
        let operation = &document["paths"][path][method];
        // A request that is refused changes nothing.
        let uri = prepared(&server, method, path).await;
        let body = body(&server, name).await;
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        for (sort, status) in SORTS.into_iter().zip(statuses) {
            if status < 400 {
                continue;
            }
            let answered = server.send(request(method, &uri, sort, body.clone())).await;
            if answered.status != status {
                wrong.push(format!("{name} with {sort}: {answered:?}"));
            } else if let Some(why) = judge(&document, operation, &answered) {
                wrong.push(format!("{name} with {sort}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_method_that_no_operation_has_is_refused_in_the_form_of_errors() {
    let server = server().await;
    let document = server.get("/openapi.json").await.ok();
    let envelope = json!({"$ref": "#/components/schemas/ErrorEnvelope"});
    let error = json!({"responses": {"405": {"content": {"application/json": {"schema": envelope}}}}});
    for (path, item) in document["paths"].as_object().expect("there are paths") {
        let mut methods = ["post", "put", "patch", "delete"].into_iter();
        let method = methods.find(|method| item.get(*method).is_none());
        let method = method.expect("no path has all of them");
        let answered = server.send(request(method, path, ADMIN, Body::empty())).await;
        assert_eq!(answered.status, 405, "{method} {path}: {answered:?}");
        assert_eq!(judge(&document, &error, &answered), None, "{method} {path}");
    }
}

#[test]
fn an_answer_that_the_document_does_not_know_is_found() {
    let document = json!({"components": {"schemas": {"Thing": {"type": "object", "required": ["id"]}}}});
    let schema = json!({"$ref": "#/components/schemas/Thing"});
    let operation = json!({"responses": {"200": {"content": {"application/json": {"schema": schema}}}}});
    let answer = |status: u16, body: &str| Answered {
        status: status.try_into().expect("it is one"),
        headers: [(CONTENT_TYPE, "application/json".parse().expect("it is plain"))]
            .into_iter()
            .collect(),
        body: body.to_owned().into(),
    };
    assert_eq!(judge(&document, &operation, &answer(200, r#"{"id":1}"#)), None);
    for (status, body) in [(200, "{}"), (200, "[]"), (201, r#"{"id":1}"#)] {
        let found = judge(&document, &operation, &answer(status, body));
        assert!(found.is_some(), "{status} {body}");
    }
}
