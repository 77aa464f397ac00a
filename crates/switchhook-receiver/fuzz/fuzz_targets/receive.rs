//! `cargo +nightly fuzz run receive` in the folder of this crate.

#![no_main]

#[path = "../entry.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|content: &[u8]| entry::receive_anything(content));
