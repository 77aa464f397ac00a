//! HTTP connections of both directions: the server that takes them from strangers, and what a client needs to make them.
//!
//! `server` bounds what every client may take in time and number. `address` takes a URL apart, `proxy` and `tunnel` are the
//! way through a proxy, `status_line` reads the status of an answer that is broken otherwise, `cause` says in one line why something
//! failed, `tls` why a secure connection does not stand. Nothing here knows of events.

pub mod address;
pub mod cause;
pub mod proxy;
pub mod server;
pub mod status_line;
pub mod tls;
pub mod tunnel;

/// `User-Agent` of all requests that the program makes.
pub const OUR_NAME: &str = concat!("Switchhook/", env!("CARGO_PKG_VERSION"));
