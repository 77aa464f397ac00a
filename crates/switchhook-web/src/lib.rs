//! What a node answers programs over HTTP: the API, behind a front door that the dashboard joins.

pub mod api;

pub use self::api::FrontDoor;
