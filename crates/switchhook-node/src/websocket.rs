//! Websockets: telling whoever listens what happens, as it happens.
//!
//! A connection is a place in the company's log that moves on (`connection.rs`); nothing is kept of it, and it costs
//! the memory of the few events that it is just sending, however far behind it is. Who may listen is said by the token
//! in its URL (`token.rs`).

pub mod connection;
pub mod frame;
pub mod token;
