//! Parts of the OpenAPI document beside its routes: contact, authentication, and the form of errors.
//!
//! The routes are described where they are handled; `api.rs` gathers them.

mod constraints;
mod limits;

use serde_json::Value;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, PathItem, Ref, RefOr, Response,
    ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use switchhook_ingress::error::{ErrorBody, ErrorDetail, ErrorEnvelope};

const BEARER: &str = "bearer";
const IN_QUERY: &str = "apikey";

/// The document without what the settings of a server decide.
pub(super) fn document() -> Value {
    let mut document = serde_json::to_value(described()).expect("the document is plain text");
    constraints::add(&mut document);
    document["info"]
        .as_object_mut()
        .expect("the document says what it is")
        .remove("version");
    document
}

/// The descriptions of every route.
pub(super) fn described() -> OpenApi {
    let (_, gathered) = super::compatible_descriptions()
        .merge(super::own_descriptions())
        .split_for_parts();
    complete(gathered)
}

/// Completes what was gathered from the routes.
fn complete(mut gathered: OpenApi) -> OpenApi {
    gathered.info = InfoBuilder::new()
        .title("Switchhook")
        .description(Some(
            "The Dialpad webhook event system as open, self-hosted software. Under `/api/v2` is Dialpad's own API, \
             under `/v1` is ours. Every error has the same envelope; its message says what to try. A query parameter that \
             an operation of ours does not know is an error; under `/api/v2` it is ignored, as Dialpad ignores it.",
        ))
        .license(Some(
            LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build(),
        ))
        .build();
    gathered.security = Some(vec![requirement(BEARER), requirement(IN_QUERY)]);
    let components = gathered.components.get_or_insert_with(Components::new);
    components.add_security_scheme(
        BEARER,
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
    );
    components.add_security_scheme(
        IN_QUERY,
        SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(
            IN_QUERY,
            "Key in the query, for clients that cannot send headers. This server never logs it; proxies on the way may.",
        ))),
    );
    for (name, schema) in [
        (ErrorEnvelope::name(), ErrorEnvelope::schema()),
        (ErrorBody::name(), ErrorBody::schema()),
        (ErrorDetail::name(), ErrorDetail::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
    for (name, _, description, _) in ERRORS {
        components
            .responses
            .insert(name.to_owned(), RefOr::T(error_response(description)));
    }
    gathered
        .paths
        .paths
        .values_mut()
        .flat_map(operations)
        .for_each(add_errors);
    gathered
}

fn requirement(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new(scheme, [] as [&str; 0])
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        post,
        put,
        patch,
        delete,
        ..
    } = item;
    [get, post, put, patch, delete].into_iter().flatten()
}

type Applies = fn(&Operation) -> bool;

/// Errors that operations of a sort have in common: the name of the response, its status, its description, and the sort.
const ERRORS: [(&str, &str, &str, Applies); 6] = [
    (
        "BadRequest",
        "400",
        "A parameter or the body is wrong: the message names it.",
        |_| true,
    ),
    (
        "Unauthorized",
        "401",
        "The API key is missing, unknown, revoked or expired.",
        needs_a_key,
    ),
    (
        "Forbidden",
        "403",
        "The API key lacks a right or a scope: the message names it.",
        needs_a_key,
    ),
    (
        "NotFound",
        "404",
        "The company has nothing of this name or id.",
        |operation| has_parameter(operation, &ParameterIn::Path),
    ),
    (
        "TooLarge",
        "413",
        "The body is too large: the message has the limit.",
        |operation| operation.request_body.is_some(),
    ),
    (
        "UnknownCoding",
        "415",
        "The body is compressed in an unknown way (`Content-Encoding`).",
        |operation| operation.request_body.is_some(),
    ),
];

fn needs_a_key(operation: &Operation) -> bool {
    operation.security.is_none()
}

fn has_parameter(operation: &Operation, place: &ParameterIn) -> bool {
    let parameters = operation.parameters.iter().flatten();
    let mut parameters = parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    parameters.any(|parameter| parameter.parameter_in == *place)
}

/// Every operation can fail, and always in the same form.
fn add_errors(operation: &mut Operation) {
    for (name, status, _, applies) in ERRORS {
        if applies(operation) {
            let response = RefOr::Ref(Ref::from_response_name(name));
            let responses = &mut operation.responses.responses;
            responses.entry(status.to_owned()).or_insert(response);
        }
    }
    let other = error_response("Any other error: its message says what is wrong and what to try.");
    operation
        .responses
        .responses
        .insert("default".to_owned(), RefOr::T(other));
}

fn error_response(description: &str) -> Response {
    let envelope = Ref::from_schema_name(ErrorEnvelope::name());
    let content = ContentBuilder::new().schema(Some(envelope)).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        let text = crate::api::openapi_text(&switchhook_node::settings::Settings::default());
        let document: Value = serde_json::from_str(&text).unwrap();
        for part in text.split("\"$ref\": \"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    /// Descriptions of a part of the document and of what is in it, with where they stand.
    fn descriptions(part: &Value, place: &str, found: &mut Vec<(String, String)>) {
        match part {
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    descriptions(element, &format!("{place}/{index}"), found);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let place = format!("{place}/{name}");
                    match member {
                        Value::String(text) if ["description", "summary"].contains(&name.as_str()) => {
                            found.push((place, text.clone()));
                        }
                        _ if name.starts_with("example") => {}
                        other => descriptions(other, &place, found),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Fault of a description; `None` if it has none.
    fn fault(place: &str, text: &str) -> Option<&'static str> {
        const QUESTIONS: [&str; 8] = ["What", "How", "Whether", "Who", "Whose", "Why", "Where", "Which"];
        const FRAGMENTS: [&str; 14] = [
            "When", "Since", "Until", "Within", "If", "Or", "The same", "For", "In", "Only", "With",
            "Without", "From", "Of",
        ];
        let begins = |sentence: &str, word: &str| {
            let rest = sentence.strip_prefix(word);
            rest.is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_alphanumeric()))
        };
        let first = text.split([' ', '\n']).next().unwrap_or_default();
        if !text.contains(' ') {
            Some("it has one word")
        } else if !text.ends_with('.') {
            Some("it does not end with a full stop")
        } else if text.starts_with(|letter: char| letter.is_lowercase()) {
            Some("it begins in lower case")
        } else if FRAGMENTS.iter().any(|word| begins(text, word)) {
            Some("it begins without its noun")
        } else if (text.split(". ").flat_map(|part| part.split('\n')))
            .any(|sentence| QUESTIONS.iter().any(|word| begins(sentence, word)))
        {
            Some("a sentence begins as a question")
        } else if place.ends_with("/summary") && !first.trim_end_matches([',', ':']).ends_with('s') {
            Some("the summary does not begin with its verb")
        } else {
            None
        }
    }

    #[test]
    fn descriptions_are_sentences_that_begin_with_their_noun_or_verb() {
        let document = crate::api::openapi(&switchhook_node::settings::Settings::default());
        let mut found = Vec::new();
        descriptions(&document, "", &mut found);
        assert!(found.len() > 500, "only {} are looked at", found.len());
        let faults: Vec<_> = (found.iter())
            .filter_map(|(place, text)| Some(format!("{}: {place}: {text}", fault(place, text)?)))
            .collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn a_description_that_is_no_sentence_is_found() {
        assert_eq!(fault("/summary", "Lists webhooks."), None);
        assert_eq!(
            fault("/description", "Time of creation, in unix milliseconds."),
            None
        );
        for (place, text) in [
            ("/description", "Webhook."),
            ("/description", "The webhook"),
            ("/description", "the webhook that it sends to."),
            ("/description", "When it was made."),
            ("/description", "The webhook. What is sent to it."),
            ("/summary", "List the webhooks."),
        ] {
            assert!(fault(place, text).is_some(), "{text}");
        }
    }

    #[test]
    fn operations_have_names_of_their_own_and_say_what_they_do() {
        let document = crate::api::openapi(&switchhook_node::settings::Settings::default());
        let mut names = std::collections::BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{method} {path}: {name} is taken");
                assert!(operation["summary"].is_string(), "{method} {path}");
            }
        }
    }
}
