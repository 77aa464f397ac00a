//! HTTP API of a node, in a request handler that the dashboard's pages join.

pub mod api;

pub use self::api::RequestHandler;
