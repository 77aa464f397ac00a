//! Answers compared with the OpenAPI document: one request of every operation, its status and its body.
//!
//! An operation of the document that is not requested here fails the test, unless it is a stream.

use http::Method;
use http::header::CONTENT_TYPE;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::authorization::{OPEN, TABLE, body, prepared, server};
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
