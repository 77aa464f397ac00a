//! `switchhook spec`: prints the AsyncAPI and OpenAPI documents, as the server serves them.

use clap::{Args, Subcommand};
use switchhook_domain::Kind;

use super::output;
use switchhook_node::documents;
use switchhook_node::settings::Settings;

/// Print the AsyncAPI and OpenAPI documents and JSON Schemas
#[derive(Debug, Subcommand)]
pub(super) enum Spec {
    /// Print the AsyncAPI document of the events, in YAML
    #[command(after_help = "Example:\n  switchhook spec asyncapi > asyncapi.yaml")]
    Asyncapi,
    /// Print the OpenAPI document of the API, in JSON
    #[command(after_help = "Example:\n  switchhook spec openapi > openapi.json")]
    Openapi,
    Schema(Schema),
}

/// Print the JSON Schema of one kind of event
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  switchhook spec schema call > call.schema.json")]
pub(super) struct Schema {
    /// Kind of the events
    #[arg(value_parser = super::words::kinds())]
    kind: Kind,
}

impl Spec {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Asyncapi => output::print_data(documents::asyncapi().trim_end()),
            Self::Openapi => {
                output::print_data(switchhook_web::api::openapi_text(&Settings::default()).trim_end())
            }
            Self::Schema(schema) => output::print_json(&documents::schema(schema.kind)),
        }
    }
}
