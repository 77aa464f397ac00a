//! The commands as people run them: the built binary, in a folder and an environment of its own.

mod client;
mod config;
mod doctor;
mod help;
mod jwt;
mod keys;
mod receive;
mod run;
mod simulate;
mod store;
