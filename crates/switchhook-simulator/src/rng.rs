//! Chance from a seed: `SplitMix64`, written out so that no upgrade of a crate ever changes what a seed gives.
//! Good enough for stories, never for secrets.

use std::ops::RangeInclusive;

/// Rolls the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Sixty-four random bits (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of the range, each (nearly) as likely.
    pub(crate) fn between(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (start, end) = range.into_inner();
        let count = u128::from(end - start) + 1;
        // The high half of the product: no modulo, and the same on every machine.
        start + ((u128::from(self.next()) * count) >> 64) as u64
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.between(1..=100) <= percent
    }

    /// One of a list that is not empty.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.between(0..=list.len() as u64 - 1) as usize]
    }

    /// A length of time of that mean, as between things that happen independently of each other; at most 4.6 times
    /// the mean. From a table, because a logarithm is not the same on every machine.
    pub(crate) fn pause(&mut self, mean_ms: u64) -> u64 {
        let at = self.between(0..=32 * 256 - 1);
        let (step, part) = ((at / 256) as usize, at % 256);
        let thousandths = PAUSES[step] * (256 - part) + PAUSES[step + 1] * part;
        (u128::from(mean_ms) * u128::from(thousandths) / 256_000) as u64
    }

    /// An id as Dialpad makes them: 16 digits, exact in a double.
    pub(crate) fn id(&mut self) -> i64 {
        self.between(4_503_599_627_370_496..=9_007_199_254_740_991) as i64
    }
}

/// `-ln(1 - k/32)` in thousandths; the last one ends what has no end.
const PAUSES: [u64; 33] = [
    0, 32, 65, 98, 134, 170, 208, 247, 288, 330, 375, 421, 470, 521, 575, 633, 693, 758, 827, 901, 981, 1068,
    1163, 1269, 1386, 1520, 1674, 1856, 2079, 2367, 2773, 3466, 4600,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn ranges_hold_their_ends() {
        let mut rng = Rng::new(1);
        let rolls: Vec<u64> = (0..200).map(|_| rng.between(3..=5)).collect();
        assert_eq!(rolls.iter().min(), Some(&3));
        assert_eq!(rolls.iter().max(), Some(&5));
        assert!((0..1_000).all(|_| rng.id() < 1 << 53));
    }

    #[test]
    fn pauses_have_their_mean_and_few_are_long() {
        let mut rng = Rng::new(2);
        let pauses: Vec<u64> = (0..10_000).map(|_| rng.pause(1_000)).collect();
        let mean = pauses.iter().sum::<u64>() / 10_000;
        assert!((950..1_050).contains(&mean), "{mean}");
        let short = pauses.iter().filter(|pause| **pause < 693).count();
        assert!((4_800..5_200).contains(&short), "half are below ln 2: {short}");
    }
}
