//! The whole node in virtual time, from a seed: random events, receivers that misbehave, people who interfere, and
//! crashes right after random commits. After each history the promises are checked.
//!
//! `SWITCHHOOK_SIMULATION_SEEDS=10000` runs more histories, `SWITCHHOOK_SIMULATION_FIRST=123` begins at that seed.
//! A failure names its seed; the same seed gives the same history again.

mod history;
mod promises;

use history::History;

/// How many histories an ordinary run has.
const SEEDS: u64 = 200;

#[expect(
    clippy::disallowed_methods,
    reason = "how many seeds are tried is told from outside"
)]
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn the_promises_hold_in_every_history() {
    let first = given("SWITCHHOOK_SIMULATION_FIRST").unwrap_or(0);
    let count = given("SWITCHHOOK_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let mut totals = history::Totals::default();
    for seed in first..first + count {
        let history = std::panic::catch_unwind(|| History::live(seed));
        match history {
            Ok(history) => totals.add(&history),
            Err(_) => {
                panic!("SWITCHHOOK_SIMULATION_FIRST={seed} SWITCHHOOK_SIMULATION_SEEDS=1 shows it again")
            }
        }
    }
    println!("{count} histories from seed {first}: {totals:?}");
    assert!(
        totals.crashes > 0 && totals.delivered > 0 && totals.repeats > 0,
        "{totals:?}"
    );
}
