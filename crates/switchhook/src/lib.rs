//! The Dialpad webhook event system as open, self-hosted software: the program.
//!
//! `cli` is what people type, `config` what an operator can set, `server` starts and stops a node with everything that it
//! answers to, `dev` is a whole system for one person. The node itself is `switchhook-node`, its API `switchhook-web`, its
//! dashboard `switchhook-dashboard`.

pub mod cli;
pub mod config;
pub mod dev;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod logging;
mod open_files;
mod own_program;
pub mod private_folder;
pub mod server;
mod systemd;
pub mod terminal;
mod tls;
mod words;
