//! Parts of the OpenAPI document beside its routes: contact, authentication, and the form of errors.
//!
//! The routes are described where they are handled; `api.rs` gathers them.

mod limits;
mod truth;

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, PathItem, Ref, RefOr, Response,
    ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use switchhook_ingress::error::{ErrorBody, ErrorDetail, ErrorEnvelope};
use switchhook_node::settings::Settings;

const BEARER: &str = "bearer";
const IN_QUERY: &str = "apikey";

/// The document of a server with these settings, as JSON.
pub(super) fn text(gathered: &OpenApi, server: &Settings) -> String {
    let mut document = serde_json::to_value(gathered).expect("the document is plain text");
    truth::tell(&mut document, server);
    serde_json::to_string_pretty(&document).expect("the document is plain text")
}

/// Completes what was gathered from the routes.
pub(super) fn complete(mut gathered: OpenApi) -> OpenApi {
    gathered.info = InfoBuilder::new()
        .title("Switchhook")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The Dialpad webhook event system as open, self-hosted software. Under `/api/v2` is Dialpad's own API, \
             under `/v1` is ours. Every error has the same envelope; its message says what to try. A query parameter that \
             an operation of ours does not know is an error; Dialpad's pass it over, as they do at Dialpad.",
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
            "For clients that cannot send headers. It is never logged here; others on the way may do so.",
        ))),
    );
    for (name, schema) in [
        (ErrorEnvelope::name(), ErrorEnvelope::schema()),
        (ErrorBody::name(), ErrorBody::schema()),
        (ErrorDetail::name(), ErrorDetail::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
    gathered
        .paths
        .paths
        .values_mut()
        .flat_map(operations)
        .for_each(add_error);
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

/// Every operation can fail, and always in the same form.
fn add_error(operation: &mut Operation) {
    let envelope = Ref::from_schema_name(ErrorEnvelope::name());
    let content = ContentBuilder::new().schema(Some(envelope)).build();
    let response: Response = ResponseBuilder::new()
        .description("What is wrong and what to try")
        .content("application/json", content)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), RefOr::T(response));
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

    #[test]
    fn operations_have_names_of_their_own_and_say_what_they_do() {
        let document: Value = serde_json::from_str(&crate::api::openapi_text(
            &switchhook_node::settings::Settings::default(),
        ))
        .unwrap();
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
