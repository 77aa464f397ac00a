//! One row of the table: figures of several runs, held against another row's.

use serde::Serialize;

use super::latency::Percentiles;
use super::trial::Sample;

/// One row: the medians of all runs, with the smallest and the largest.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Row {
    /// Question that it belongs to, in the spelling of `--only`.
    pub topic: String,
    /// Name of the variant.
    pub name: String,
    /// Number of senders.
    pub senders: Option<u32>,
    /// At which part of the maximum, if the load was on a schedule.
    pub load_percent: Option<u32>,
    /// Deliveries per second.
    pub per_second: Option<Spread>,
    /// Events accepted a second.
    pub accepted_per_second: Option<Spread>,
    /// Deliveries a second, held against another row's of the same run; on a schedule, the p99 of what was delivered.
    pub ratio: Option<Ratio>,
    /// Processor time for each delivery of the process under test, in microseconds.
    pub cpu_us: Option<Spread>,
    /// The same of the process that sends and receives.
    pub load_cpu_us: Option<Spread>,
    /// The same of the database beside the process under test, where there is one that can be looked at.
    pub database_cpu_us: Option<Spread>,
    /// The most memory that the process under test had, in megabytes; of a drain what it had at each tenth, and idle
    /// afterwards.
    pub memory_mb: Option<Spread>,
    /// From when an event was due until it was acknowledged.
    pub accepted: Option<PercentileSpreads>,
    /// From when an event was due until it had arrived at all of its webhooks.
    pub delivered: Option<PercentileSpreads>,
}

/// A figure in several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// Comparison with another figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratio {
    /// The row that is 1.
    pub to: String,
    /// The ratio in each run.
    #[serde(flatten)]
    pub spread: Spread,
}

/// Percentiles in several runs, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PercentileSpreads {
    /// The median of latencies.
    pub p50_ms: Spread,
    /// 99th percentile.
    pub p99_ms: Spread,
    /// 99.9th percentile.
    pub p999_ms: Spread,
}

impl Spread {
    /// `None` if there are no values.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(*values.get(middle.checked_sub(1)?)?, values[middle])
        } else {
            values[middle]
        };
        Some(Self {
            median,
            min: *values.first()?,
            max: *values.last()?,
        })
    }

    /// Distance of the smallest and the largest, in per cent of the median.
    pub(super) fn percent(self) -> f64 {
        (self.max - self.min) / self.median * 100.0
    }
}

impl PercentileSpreads {
    fn of(found: &[Percentiles]) -> Option<Self> {
        let spread = |part: fn(&Percentiles) -> f64| Spread::of(&found.iter().map(part).collect::<Vec<_>>());
        Some(Self {
            p50_ms: spread(|found| found.p50_ms)?,
            p99_ms: spread(|found| found.p99_ms)?,
            p999_ms: spread(|found| found.p999_ms)?,
        })
    }
}

impl Ratio {
    /// Between runs that belong together: of the rates, or, where both were on the same schedule, of the p99 of what was
    /// delivered.
    fn between(ours: &[Sample], to: &str, theirs: &[Sample]) -> Option<Self> {
        let p99 = |sample: &Sample| sample.delivered.map(|found| found.p99_ms);
        let is_scheduled = ours.iter().chain(theirs).all(|sample| sample.delivered.is_some());
        let (figure, to): (fn(&Sample) -> Option<f64>, _) = if is_scheduled {
            (p99, format!("the p99 of {to}"))
        } else {
            (|sample| Some(sample.delivered_per_second), to.to_owned())
        };
        let ratios: Vec<f64> = ours
            .iter()
            .zip(theirs)
            .filter_map(|(ours, theirs)| Some(figure(ours)? / figure(theirs)?))
            .filter(|ratio| ratio.is_finite())
            .collect();
        Spread::of(&ratios).map(|spread| Self { to, spread })
    }
}

impl Row {
    pub(super) fn named(topic: &str, name: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The row of these runs; `baseline` is another row's name and runs, in the same order.
    pub(super) fn of(
        topic: &str,
        name: &str,
        samples: &[Sample],
        baseline: Option<(&str, &[Sample])>,
    ) -> Self {
        let spread = |figure: fn(&Sample) -> Option<f64>| {
            Spread::of(&samples.iter().filter_map(figure).collect::<Vec<_>>())
        };
        let percentiles = |part: fn(&Sample) -> Option<Percentiles>| {
            PercentileSpreads::of(&samples.iter().filter_map(part).collect::<Vec<_>>())
        };
        let ratio = baseline.and_then(|(to, theirs)| Ratio::between(samples, to, theirs));
        Self {
            per_second: spread(|sample| Some(sample.delivered_per_second)),
            accepted_per_second: spread(|sample| Some(sample.accepted_per_second)),
            ratio,
            cpu_us: spread(|sample| sample.cpu_us),
            load_cpu_us: spread(|sample| sample.load_cpu_us),
            database_cpu_us: spread(|sample| sample.database_cpu_us),
            memory_mb: spread(|sample| sample.peak_memory_mb),
            accepted: percentiles(|sample| sample.accepted),
            delivered: percentiles(|sample| sample.delivered),
            ..Self::named(topic, name)
        }
    }

    /// Its columns, under [`HEADINGS`].
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let spread = |spread: Option<Spread>, digits| spread.map_or_else(dash, |it| show(it, digits));
        let percentiles = |found: Option<PercentileSpreads>| {
            found.map_or_else(dash, |it| {
                let [p50, p99, p999] = [it.p50_ms, it.p99_ms, it.p999_ms].map(|it| it.median);
                format!("{p50:.2} / {p99:.2} / {p999:.2}")
            })
        };
        let name = match self.load_percent {
            Some(percent) => format!("{} at {percent} %", self.name),
            None => self.name.clone(),
        };
        vec![
            name,
            self.senders.map_or_else(dash, |count| count.to_string()),
            spread(self.per_second, 0),
            self.ratio
                .as_ref()
                .map_or_else(dash, |it| format!("{} of {}", show(it.spread, 2), it.to)),
            spread(self.cpu_us, 0),
            spread(self.database_cpu_us, 0),
            spread(self.load_cpu_us, 0),
            spread(self.memory_mb, 0),
            percentiles(self.accepted),
            percentiles(self.delivered),
        ]
    }
}

/// Headings of the columns.
pub const HEADINGS: [&str; 10] = [
    "ROW",
    "SENDERS",
    "DELIVERIES/S",
    "RATIO",
    "CPU µs",
    "DATABASE CPU µs",
    "LOAD CPU µs",
    "MEMORY MB",
    "ACCEPTED ms (p50 / p99 / p99.9)",
    "DELIVERED ms (p50 / p99 / p99.9)",
];

fn dash() -> String {
    "-".to_owned()
}

/// The median, and the others if they differ from it as it is shown.
fn show(spread: Spread, digits: usize) -> String {
    let [median, min, max] = [spread.median, spread.min, spread.max].map(|value| format!("{value:.digits$}"));
    if min == median && max == median {
        median
    } else {
        format!("{median} ({min}–{max})")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn sample(delivered_per_second: f64) -> Sample {
        Sample {
            accepted_per_second: delivered_per_second,
            delivered_per_second,
            cpu_us: Some(50.0),
            load_cpu_us: None,
            database_cpu_us: None,
            peak_memory_mb: Some(30.0),
            accepted: None,
            delivered: None,
        }
    }

    #[test]
    fn the_median_is_in_the_middle_of_odd_and_even_counts() {
        assert_eq!(Spread::of(&[]), None);
        let [odd, even] = [&[3.0, 1.0, 2.0][..], &[4.0, 1.0, 3.0, 2.0]].map(Spread::of);
        assert_eq!(odd.map(|it| (it.median, it.min, it.max)), Some((2.0, 1.0, 3.0)));
        assert_eq!(even.map(|it| (it.median, it.min, it.max)), Some((2.5, 1.0, 4.0)));
    }

    #[test]
    fn ratios_are_between_runs_that_belong_together() {
        let floor = [sample(100.0), sample(200.0), sample(400.0)];
        let live = [sample(50.0), sample(120.0), sample(200.0)];
        let row = Row::of("live", "live", &live, Some(("floor", &floor)));
        let ratio = row.ratio.expect("there is a baseline");
        assert_eq!((ratio.spread.median, ratio.spread.max), (0.5, 0.6));
        assert_eq!(row.per_second.map(|it| it.median), Some(120.0));
        assert_eq!(row.load_cpu_us, None);
    }

    #[test]
    fn on_a_schedule_latencies_are_compared() {
        let with_p99 = |p99_ms| Sample {
            delivered: Some(Percentiles {
                p50_ms: 1.0,
                p99_ms,
                p999_ms: 9.0,
            }),
            ..sample(100.0)
        };
        let row = Row::of(
            "hanging",
            "b",
            &[with_p99(3.0), with_p99(4.0)],
            Some(("a", &[with_p99(2.0), with_p99(2.0)])),
        );
        let ratio = row.ratio.expect("there is a baseline");
        assert_eq!((ratio.to.as_str(), ratio.spread.max), ("the p99 of a", 2.0));
    }
}
