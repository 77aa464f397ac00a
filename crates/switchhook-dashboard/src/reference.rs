//! The API reference: our own OpenAPI document, laid out for people. It is read once.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::SharedState;
use super::page::{Frame, PageError, show};
use super::session::Viewer;

/// Depth to which members of members are shown.
const DEEPEST: usize = 2;

/// The document as it is shown.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    description: String,
    tags: Vec<Tag>,
}

/// Operations about one thing.
#[derive(Debug, Clone)]
struct Tag {
    /// Its name as an element's id.
    id: String,
    name: String,
    operations: Vec<Operation>,
}

#[derive(Debug, Clone)]
struct Operation {
    id: String,
    method: String,
    tone: &'static str,
    path: String,
    summary: String,
    description: Vec<String>,
    parameters: Vec<Member>,
    body: Vec<Member>,
    answers: Vec<AnswerOf>,
}

/// Answer with one status.
#[derive(Debug, Clone)]
struct AnswerOf {
    status: String,
    text: String,
    members: Vec<Member>,
}

/// A parameter, or a member of an object.
#[derive(Debug, Clone)]
struct Member {
    name: String,
    /// Type, and `always` if it is required.
    kind: String,
    text: String,
}

#[derive(Template)]
#[template(path = "api.html")]
struct ReferencePage<'a> {
    frame: Frame,
    description: &'a str,
    tags: &'a [Tag],
}

pub(super) async fn show_reference(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let reference = dashboard.reference.get_or_init(|| {
        let document = switchhook_web::api::openapi(&dashboard.node.settings);
        Reference::of(&document)
    });
    Ok(show(&ReferencePage {
        frame: viewer.frame(&dashboard, "api", "API reference"),
        description: &reference.description,
        tags: &reference.tags,
    }))
}

impl Reference {
    fn of(document: &Value) -> Self {
        let mut tags: Vec<Tag> = Vec::new();
        let paths = document["paths"].as_object().into_iter().flatten();
        for (path, item) in paths {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let name = operation["tags"][0].as_str().unwrap_or("other");
                let shown = Operation::of(document, path, method, operation);
                match tags.iter_mut().find(|tag| tag.name == name) {
                    Some(tag) => tag.operations.push(shown),
                    None => tags.push(Tag {
                        id: format!("tag-{}", name.replace(' ', "-")),
                        name: name.to_owned(),
                        operations: vec![shown],
                    }),
                }
            }
        }
        tags.sort_by(|one, other| one.name.cmp(&other.name));
        Self {
            description: plain(&document["info"]["description"]),
            tags,
        }
    }
}

impl Operation {
    fn of(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let description = operation["description"].as_str().unwrap_or_default();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let body = &operation["requestBody"]["content"];
        let answers = operation["responses"].as_object().into_iter().flatten();
        Self {
            id: format!("{method}-{}", path.replace(['/', '{', '}'], "-")),
            method: method.to_uppercase(),
            tone: match method {
                "get" => "good",
                "delete" => "bad",
                _ => "wait",
            },
            path: path.to_owned(),
            summary: plain(&operation["summary"]),
            description: description
                .split("\n\n")
                .map(|paragraph| paragraph.replace('`', ""))
                .filter(|paragraph| !paragraph.is_empty())
                .collect(),
            parameters: parameters
                .map(|one| Member::of_parameter(document, one))
                .collect(),
            body: members_of_content(document, body),
            answers: answers
                .map(|(status, answer)| AnswerOf {
                    status: status.replace("default", "else"),
                    text: plain(&resolved(document, answer)["description"]),
                    // Errors that operations have in common have one form.
                    members: match status == "default" || answer.get("$ref").is_some() {
                        true => Vec::new(),
                        false => members_of_content(document, &answer["content"]),
                    },
                })
                .collect(),
        }
    }
}

impl Member {
    fn of_parameter(document: &Value, parameter: &Value) -> Self {
        let place = parameter["in"].as_str().unwrap_or_default();
        let schema = resolved(document, &parameter["schema"]);
        let description = match parameter["description"].as_str() {
            Some(_) => plain(&parameter["description"]),
            None => plain(&schema["description"]),
        };
        Self {
            name: parameter["name"].as_str().unwrap_or_default().to_owned(),
            kind: format!("{}, in the {place}", type_of(document, schema)),
            text: with_words(description, schema),
        }
    }
}

fn members_of_content(document: &Value, content: &Value) -> Vec<Member> {
    let mut members = Vec::new();
    if let Some(content) = content.get("application/json") {
        gather(document, &content["schema"], "", 0, &mut members);
    }
    members
}

/// The members of an object, those of parts of it included, with those of objects in it below them.
fn gather(document: &Value, schema: &Value, prefix: &str, depth: usize, members: &mut Vec<Member>) {
    let schema = resolved(document, schema);
    for part in ["allOf", "oneOf", "anyOf"] {
        for one in schema[part].as_array().into_iter().flatten() {
            if resolved(document, one).get("properties").is_some() || one.get("$ref").is_some() {
                gather(document, one, prefix, depth, members);
            }
        }
    }
    let required = schema["required"].as_array();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        if members.iter().any(|known| known.name == path) {
            continue;
        }
        let whole = resolved(document, member);
        let is_required = required.is_some_and(|all| all.iter().any(|one| one == name));
        let needed = if is_required { ", always" } else { "" };
        let description = match member["description"].as_str() {
            Some(_) => plain(&member["description"]),
            None => plain(&whole["description"]),
        };
        members.push(Member {
            name: path.clone(),
            kind: format!("{}{needed}", type_of(document, member)),
            text: with_words(description, whole),
        });
        if depth < DEEPEST {
            let inner = match whole["type"].as_str() {
                Some("array") => &whole["items"],
                _ => member,
            };
            gather(document, inner, &format!("{path}."), depth + 1, members);
        }
    }
}

/// Schema behind a `$ref`.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
    let target = reference.and_then(|pointer| document.pointer(pointer));
    match (target, schema["oneOf"].as_array()) {
        (Some(target), _) => target,
        // Null or one schema.
        (None, Some(choices)) => {
            let some = choices.iter().find(|choice| choice["type"] != "null");
            some.filter(|_| choices.len() == 2)
                .map_or(schema, |some| resolved(document, some))
        }
        (None, None) => schema,
    }
}

fn type_of(document: &Value, schema: &Value) -> String {
    let schema = resolved(document, schema);
    match &schema["type"] {
        Value::String(one) if one == "array" => format!("array of {}", type_of(document, &schema["items"])),
        Value::String(one) => one.clone(),
        Value::Array(several) => {
            let words: Vec<_> = several.iter().filter_map(Value::as_str).collect();
            words.join(" or ")
        }
        _ if schema.get("properties").is_some() || schema.get("allOf").is_some() => "object".to_owned(),
        _ => "value".to_owned(),
    }
}

/// A description with the words that can stand there.
fn with_words(description: String, schema: &Value) -> String {
    let words: Vec<_> = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return description;
    }
    format!("{description} One of {}.", words.join(", "))
        .trim()
        .to_owned()
}

fn plain(text: &Value) -> String {
    text.as_str().unwrap_or_default().replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchhook_node::settings::Settings;

    #[test]
    fn every_operation_of_the_document_is_there_with_its_words() {
        let document = switchhook_web::api::openapi(&Settings::default());
        let reference = Reference::of(&document);
        let shown: usize = reference.tags.iter().map(|tag| tag.operations.len()).sum();
        let paths = document["paths"].as_object().unwrap().values();
        let there: usize = paths.map(|item| item.as_object().unwrap().len()).sum();
        assert_eq!(shown, there);
        let operations = reference.tags.iter().flat_map(|tag| &tag.operations);
        let resend = operations
            .clone()
            .find(|operation| operation.path == "/v1/dead-letters/resend")
            .unwrap();
        assert!(
            resend.body.iter().any(|member| member.name == "filter.failure"),
            "{resend:#?}"
        );
        for operation in operations {
            assert!(!operation.summary.is_empty(), "{}", operation.path);
        }
    }
}
