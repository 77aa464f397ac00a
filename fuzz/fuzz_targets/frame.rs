//! Its promise is told in `switchhook::fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| switchhook::fuzzing::run("frame", input));
