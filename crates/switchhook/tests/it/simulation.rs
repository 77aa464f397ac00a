//! The whole node in virtual time, from a seed: random events, receivers that misbehave, people who interfere, a
//! clock that is set, and crashes right after random commits. After each history the promises are checked.
//!
//! `cargo xtask simulate --seeds 10000` runs more histories, with `--first 123` they begin at that seed. A failure names its
//! seed; the same seed gives the same history again.

mod fate;
mod history;
mod outage;
mod promises;
mod real_channels;
mod stalls;

use history::History;

/// Number of histories in an ordinary run.
const SEEDS: u64 = 200;

#[expect(
    clippy::disallowed_methods,
    reason = "how many seeds are tried is told from outside"
)]
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A quarter of the histories, so that they are lived side by side.
#[expect(clippy::print_stdout, reason = "how much was lived through is of interest")]
fn live_quarter(quarter: u64) {
    let all = given("SWITCHHOOK_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let first = given("SWITCHHOOK_SIMULATION_FIRST").unwrap_or(0) + quarter * all / 4;
    let count = (quarter + 1) * all / 4 - quarter * all / 4;
    let mut totals = history::Totals::default();
    for seed in first..first + count {
        match std::panic::catch_unwind(|| History::live(seed)) {
            Ok(history) => totals.add(&history),
            Err(_) => panic!("`cargo xtask simulate --first {seed} --seeds 1` shows it again"),
        }
    }
    println!("{count} histories from seed {first}: {totals:?}");
    let is_alive = totals.crashes > 0 && totals.delivered > 0 && totals.repeats > 0;
    assert!(is_alive || count < 10, "{totals:?}");
}

#[test]
fn the_promises_hold_in_the_first_quarter_of_histories() {
    live_quarter(0);
}

#[test]
fn the_promises_hold_in_the_second_quarter_of_histories() {
    live_quarter(1);
}

#[test]
fn the_promises_hold_in_the_third_quarter_of_histories() {
    live_quarter(2);
}

#[test]
fn the_promises_hold_in_the_last_quarter_of_histories() {
    live_quarter(3);
}

/// Between accepting an event and noting how its last attempt ended there is no step at which a crash may hurt.
#[test]
fn a_crash_after_any_commit_breaks_no_promise() {
    let mut commits = history::REGISTERING;
    while History::live_cut_short(0, commits).is_some() {
        commits += 1;
    }
    assert!(commits > 50, "only {commits} commits were tried");
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in 0..6 {
        let [once, again] = [History::live(seed), History::live(seed)].map(|history| {
            let seen = history.seen.iter();
            let posts = seen.map(|one| (one.at, one.webhook_id, one.delivery_id, one.attempt));
            posts.collect::<Vec<_>>()
        });
        assert!(
            once == again,
            "seed {seed} gave {} and {} posts",
            once.len(),
            again.len()
        );
    }
}
