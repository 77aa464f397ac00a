//! The commands as people run them: the built binary, in a folder and an environment of its own.

mod backup;
mod bench;
mod client;
mod companies;
mod config;
mod connect;
mod dev;
mod diagnose;
mod doctor;
mod help;
mod hostile_text;
mod init;
mod installing;
mod jwt;
mod keys;
mod listen;
mod network;
mod notifications;
mod receive;
mod replays;
mod run;
mod secrets;
mod simulate;
mod store;
mod subscribe;
mod tail;
