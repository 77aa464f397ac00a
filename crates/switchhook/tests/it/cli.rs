//! The commands as people run them: the built binary, in a folder and an environment of its own.

mod backup;
mod client;
mod companies;
mod config;
mod connect;
mod doctor;
mod help;
mod keys;
mod listen;
mod replays;
mod run;
mod secrets;
mod simulate;
mod store;
