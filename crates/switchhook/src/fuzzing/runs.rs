//! Every target for a moment, on any machine: its seeds, and what mutations make of them.
//!
//! The same inputs each time, unless `SWITCHHOOK_FUZZ_SEED` names another seed; `SWITCHHOOK_FUZZ_CASES` is how many there
//! are for each target. What fails is made as small as possible and printed.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use super::{TARGETS, Target};

/// Tokens that readers often look for.
const TOKENS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud83d",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"1e400",
    b"-0",
    b"18446744073709551616",
    b"\0",
    b"\n\n",
    b"\r\n",
    b"\xff",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b".",
    b"=",
    b"&",
    b"%00",
    b"%",
    b"/",
    b"//",
    b"..",
    b"?",
    b"{OTHER_WEBHOOK}",
    b"{OTHER_EVENT}",
    b"cursor=",
    b"limit=",
    b"text",
    b"recording_details",
    b"url",
    b"=ab",
];

#[derive(Debug, Clone)]
enum Edit {
    Flip(Index, u8),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Insert(Index, usize),
    Splice(Index, usize, Index),
    CutOff(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (any::<Index>(), 1_u8..).prop_map(|(at, bits)| Edit::Flip(at, bits)),
        3 => (any::<Index>(), 1_usize..40).prop_map(|(at, length)| Edit::Remove(at, length)),
        2 => (any::<Index>(), 1_usize..20, 2_usize..200).prop_map(|(at, length, times)| Edit::Repeat(at, length, times)),
        6 => (any::<Index>(), 0..TOKENS.len()).prop_map(|(at, token)| Edit::Insert(at, token)),
        2 => (any::<Index>(), any::<usize>(), any::<Index>()).prop_map(|(at, other, from)| Edit::Splice(at, other, from)),
        1 => any::<Index>().prop_map(Edit::CutOff),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit, seeds: &[Vec<u8>]) {
    let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
    match edit {
        Edit::Flip(at, bits) => {
            let at = place(at, bytes);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bits;
            }
        }
        Edit::Remove(at, length) => {
            let at = place(at, bytes);
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Edit::Repeat(at, length, times) => {
            let at = place(at, bytes);
            let piece = bytes[at..(at + length).min(bytes.len())].repeat(*times);
            bytes.splice(at..at, piece);
        }
        Edit::Insert(at, token) => {
            let at = place(at, bytes);
            bytes.splice(at..at, TOKENS[*token].iter().copied());
        }
        Edit::Splice(at, other, from) => {
            let other = &seeds[other % seeds.len()];
            let at = place(at, bytes);
            bytes.splice(at.., other[place(from, other)..].iter().copied());
        }
        Edit::CutOff(at) => bytes.truncate(place(at, bytes)),
    }
}

fn input(seeds: &[Vec<u8>], seed: usize, edits: &[Edit]) -> Vec<u8> {
    let mut bytes = seeds[seed].clone();
    edits.iter().for_each(|edit| apply(&mut bytes, edit, seeds));
    bytes
}

#[expect(
    clippy::disallowed_methods,
    reason = "seed and number of cases come from outside"
)]
fn number_from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[track_caller]
fn run(name: &str) {
    let target: &Target = TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("there is one");
    let seeds = (target.seeds)();
    seeds.iter().for_each(|seed| (target.run)(seed));
    let chosen = number_from_env("SWITCHHOOK_FUZZ_SEED").unwrap_or(1);
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&chosen.to_le_bytes());
    let cases = number_from_env("SWITCHHOOK_FUZZ_CASES").and_then(|cases| u32::try_from(cases).ok());
    let config = Config {
        cases: cases.unwrap_or(target.cases),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let inputs = (0..seeds.len(), prop::collection::vec(edit(), 1..6));
    let ran = runner.run(&inputs, |(seed, edits)| {
        (target.run)(&input(&seeds, seed, &edits));
        Ok(())
    });
    match ran {
        Ok(()) => {}
        Err(TestError::Fail(why, (seed, edits))) => {
            let input = input(&seeds, seed, &edits);
            panic!(
                "{name}, SWITCHHOOK_FUZZ_SEED={chosen}: {why}\n{}",
                input.escape_ascii()
            );
        }
        Err(TestError::Abort(why)) => panic!("{name}: {why}"),
    }
}

macro_rules! runs {
    ($($name:ident,)+) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )+

        #[test]
        fn every_target_is_run_and_has_its_program() {
            let run = [$(stringify!($name)),+];
            assert_eq!(TARGETS.map(|target| target.name).as_slice(), run);
            let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/fuzz_targets");
            for name in run {
                let program = std::fs::read_to_string(format!("{programs}/{name}.rs"));
                assert!(program.is_ok_and(|text| text.contains(&format!("\"{name}\""))), "{name} has no program");
            }
        }
    };
}

runs! {
    request,
    inlet,
    batch,
    frame,
    websocket_token,
    signature,
    redaction,
    mask,
    event,
    config,
    capture,
}
