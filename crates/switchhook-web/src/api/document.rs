//! The OpenAPI document: the file `openapi.json`, with the bounds of the server that shows it.
//!
//! The file is made from what stands at the handlers and their types (`description.rs`), by a test, which also fails if the file
//! is another than that would be. So a change of the API shows as a change of the file, and no server needs to make it.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use switchhook_domain::webhook::{SETTINGS, Setting, ValueFormat};
use switchhook_node::settings::Settings;
use switchhook_node::webhooks;

/// The file, packed by `build.rs`.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));

/// The document of a server with these settings.
pub(super) fn of_server(server: &Settings) -> Value {
    let mut text = String::new();
    let unpacked = GzDecoder::new(PACKED).read_to_string(&mut text);
    unpacked.expect("the document is packed whole");
    let mut document = serde_json::from_str(&text).expect("the document is JSON");
    add_bounds(&mut document, server);
    document
}

/// The document as people read it.
pub(super) fn text(document: &Value) -> String {
    serde_json::to_string_pretty(document).expect("the document is plain text")
}

/// Puts in what the settings of a server decide.
fn add_bounds(document: &mut Value, server: &Settings) {
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    let bounds = webhooks::bounds(server);
    let schemas = &mut document["components"]["schemas"];
    let settings = &mut schemas["WebhookWithSettingsRequest"]["properties"];
    for Setting { name, form, .. } in SETTINGS {
        match form {
            ValueFormat::Count => settings[name]["maximum"] = json!(bounds.max_in_flight),
            ValueFormat::Millis => settings[name]["maximum"] = json!(bounds.timeout_ms),
            _ => {}
        }
    }
    let hook = if server.hook_allow_http {
        "^https?://"
    } else {
        "^https://"
    };
    for (request, member) in [
        ("WebhookRequest", "hook_url"),
        ("WebhookWithSettingsRequest", "hook_url"),
        ("NotificationChannelRequest", "url"),
        ("ToRequest", "url"),
    ] {
        schemas[request]["properties"][member]["pattern"] = json!(hook);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::api::description;

    /// To make the file anew: `UPDATE_OPENAPI=1 cargo test -p switchhook-web the_file_is_the_document_of_the_code`.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no settings but the environment"
    )]
    fn the_file_is_the_document_of_the_code() {
        let made = format!("{}\n", text(&description::document()));
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/openapi.json");
            std::fs::write(path, made).unwrap();
        } else {
            assert!(
                made == include_str!("openapi.json"),
                "src/api/openapi.json is not what the code says: run this test with UPDATE_OPENAPI=1"
            );
        }
    }

    #[test]
    fn the_bounds_are_those_of_the_server() {
        let defaults = of_server(&Settings::default());
        let members = |document: &Value| {
            document["components"]["schemas"]["WebhookWithSettingsRequest"]["properties"].clone()
        };
        assert_eq!(members(&defaults)["hook_url"]["pattern"], "^https://");
        let settings = Settings {
            hook_allow_http: true,
            ..Settings::default()
        };
        assert_eq!(
            members(&of_server(&settings))["hook_url"]["pattern"],
            "^https?://"
        );
        assert!(members(&defaults)["timeout_ms"]["maximum"].is_u64());
    }
}
