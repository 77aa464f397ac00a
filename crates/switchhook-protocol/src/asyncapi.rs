//! The served description of everything that crosses the wire, as one AsyncAPI 2.6.0 document.
//! Its schemas are what events are validated against; the document itself is `asyncapi.yaml` of this crate.
//! The views in this crate read more than the document promises, because real traffic holds more.

/// The AsyncAPI 2.6.0 document, as YAML.
pub const ASYNCAPI_YAML: &str = include_str!("../asyncapi.yaml");
