//! Fuzz targets for all that strangers can send us: `fuzz/` hands them to libFuzzer, and the check runs them for a
//! moment on any machine (`fuzzing/runs.rs`). Compiled with the feature `fuzzing` only.
//!
//! Each target is a function of bytes that panics if a promise is broken: `requests` sends requests to a whole node
//! in process, `readers` are the parts that parse by themselves.

mod node;
mod readers;
mod requests;
#[cfg(test)]
mod runs;

/// A reader of untrusted input.
#[derive(Clone, Copy)]
pub struct Target {
    /// Name of the program in `fuzz/fuzz_targets` and of the folder with its corpus.
    pub name: &'static str,
    /// Reads, and panics if a promise is broken.
    pub run: fn(&[u8]),
    /// Typical inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Number of inputs that the check tries: requests to a node take longer.
    pub cases: u32,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

pub const TARGETS: [Target; 11] = [
    target("request", requests::request, requests::request_seeds, 400),
    target("inlet", requests::inlet, requests::inlet_seeds, 200),
    target("batch", requests::batch, requests::batch_seeds, 200),
    target(
        "frame",
        switchhook_store::fuzzing::frame,
        switchhook_store::fuzzing::frame_seeds,
        2_000,
    ),
    target(
        "websocket_token",
        readers::websocket_token,
        readers::websocket_token_seeds,
        1_000,
    ),
    target("signature", readers::signature, readers::signature_seeds, 400),
    target("redaction", readers::redaction, readers::event_seeds, 1_000),
    target("mask", readers::mask, readers::event_seeds, 600),
    target("event", readers::event, readers::event_seeds, 600),
    target("config", readers::config, readers::config_seeds, 100),
    target("capture", readers::capture, readers::capture_seeds, 400),
];

const fn target(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>, cases: u32) -> Target {
    Target {
        name,
        run,
        seeds,
        cases,
    }
}

/// Runs a target by its name, for `fuzz/`.
///
/// # Panics
/// If there is none of that name, or a promise is broken.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target has its program's name").run)(input);
}
