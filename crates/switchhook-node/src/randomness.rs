//! Chance: the one place of the server where it comes from.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand;
use switchhook_domain::retry::Jitter;

/// Fills `bytes` with what nobody can guess: keys, secrets, tokens.
///
/// # Panics
/// If the operating system has no randomness to give, without which nothing safe can be made.
#[expect(clippy::disallowed_methods, reason = "this is the file that owns chance")]
pub fn fill_secret(bytes: &mut [u8]) {
    rand::fill(bytes).expect("the operating system gives randomness");
}

/// Dice for jitter: quick, repeatable from a seed, guessable.
#[derive(Debug)]
pub struct JitterSource(Source);

#[derive(Debug)]
enum Source {
    /// The state of a generator.
    Seeded(AtomicU64),
    /// The same value each time.
    Fixed(Jitter),
}

impl JitterSource {
    /// Dice that roll the same for the same seed.
    #[must_use]
    pub const fn from_seed(seed: u64) -> Self {
        Self(Source::Seeded(AtomicU64::new(seed)))
    }

    /// Dice that always roll the same.
    #[must_use]
    pub const fn fixed(jitter: Jitter) -> Self {
        Self(Source::Fixed(jitter))
    }

    /// Dice that roll differently at each start.
    #[must_use]
    pub fn from_entropy() -> Self {
        let mut seed = [0; 8];
        fill_secret(&mut seed);
        Self::from_seed(u64::from_le_bytes(seed))
    }

    /// Next random value.
    pub fn sample(&self) -> Jitter {
        let state = match &self.0 {
            Source::Seeded(state) => state,
            Source::Fixed(jitter) => return *jitter,
        };
        // SplitMix64: a counter with a large odd step, well stirred.
        let mut z = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Jitter((z >> 48) as u16)
    }
}
