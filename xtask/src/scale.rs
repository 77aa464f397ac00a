//! `cargo xtask scale`: what it takes to carry so many events a second, computed from what one event costs.
//!
//! Companies of very different sizes live a day, each on one database (shared databases are filled by size, largest
//! first). The costs of one event are measured figures; where they come from is told beside each. The reasoning is in
//! `docs/scaling.md`.

use std::fmt::Write;

use anyhow::{Context, Result, bail};

/// What one event with one delivery costs, from its acceptance to its delivery at the first attempt.
struct Costs {
    /// Of a node's processors, in seconds.
    node_cpu: f64,
    /// Of the database's processors, in seconds.
    database_cpu: f64,
    /// Written into the database's log, in bytes.
    wal: f64,
    /// Kept as rows and indexes, in bytes.
    kept: f64,
    /// Over the network between node and database, both ways, in bytes.
    network: f64,
}

/// Measured as docs/scaling.md tells, with calls of 1 KB. The network is estimated: the payload goes in once, with it some
/// hundred bytes of columns, the headers of the attempt, and what comes back.
const COSTS: Costs = Costs {
    node_cpu: 98e-6,
    database_cpu: 116e-6,
    wal: 3_600.0,
    kept: 2_200.0,
    network: 3_000.0,
};

/// Number of an event's rows: itself, its delivery, its attempt.
const ROWS: f64 = 3.0;

/// A machine with a database or with a node.
struct Machine {
    cores: f64,
    /// What its disk writes for the log, steadily, in bytes a second.
    wal: f64,
    /// What its disk holds, in bytes.
    disk: f64,
    /// What its network carries, in bytes a second.
    network: f64,
    /// Number of connections that the database takes without a pooler.
    connections: f64,
}

/// A large but ordinary machine: 16 cores, 15 TB of flash memory, ten gigabits a second.
const DATABASE: Machine = Machine {
    cores: 16.0,
    wal: 400e6,
    disk: 15e12,
    network: 1.25e9,
    connections: 500.0,
};

/// A node needs processors and nothing else.
const NODE_CORES: f64 = 4.0;

/// Share of a resource that is planned with; the rest is for retries, vacuum, backups and bad days.
const PLANNED: f64 = 0.6;

/// Most connections of a node.
const CONNECTIONS: f64 = 11.0;

/// Number of days that are kept.
const DAYS: f64 = 7.0;

/// The busiest second of a day against its mean: offices of one continent.
const PEAK: f64 = 3.0;

/// Number of companies on a platform.
const COMPANIES: usize = 50_000;

pub(crate) fn run(options: &[&str]) -> Result<()> {
    let rates: Vec<f64> = if options.is_empty() {
        vec![1e3, 1e4, 1e5, 1e6]
    } else {
        options.iter().map(|rate| read(rate)).collect::<Result<_>>()?
    };
    println!("{}", table(&rates));
    Ok(())
}

fn read(rate: &str) -> Result<f64> {
    let rate: f64 = rate
        .parse()
        .with_context(|| format!("{rate} is no number of events a second"))?;
    if rate < 1.0 || !rate.is_finite() {
        bail!("{rate} is no number of events a second that means something");
    }
    Ok(rate)
}

/// What a platform needs at its busiest second.
#[derive(Debug, PartialEq)]
struct Plan {
    /// Events a second at the busiest second of the day.
    peak: f64,
    databases: usize,
    /// How full the fullest database is, of what is planned for.
    fullest: f64,
    nodes: usize,
    connections: f64,
    /// The largest company's share of all events.
    largest: f64,
    /// What a database runs out of first.
    saturates: &'static str,
    /// True if the largest company is more than one database carries.
    too_large: bool,
}

/// What one database carries, in events a second at the peak, and what ends it.
fn carries() -> (f64, &'static str) {
    let kept_a_second = COSTS.kept * 86_400.0 * DAYS / PEAK;
    let limits = [
        (DATABASE.cores / COSTS.database_cpu, "processors"),
        (DATABASE.wal / COSTS.wal, "log (WAL)"),
        (DATABASE.network / COSTS.network, "network"),
        (DATABASE.disk / kept_a_second, "disk (a week)"),
        (
            DATABASE.connections / CONNECTIONS * NODE_CORES / COSTS.node_cpu,
            "connections",
        ),
    ];
    let first = limits.into_iter().min_by(|one, other| one.0.total_cmp(&other.0));
    let (rate, what) = first.expect("there are limits");
    (rate * PLANNED, what)
}

/// The shares of the companies, largest first: the n-th has 1/n of the first (Zipf), as sizes of firms have.
fn shares() -> Vec<f64> {
    let weights: Vec<f64> = (1..=COMPANIES).map(|n| 1.0 / n as f64).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Gives each company, largest first, to the database that has least; answers how full the fullest is.
fn fill(shares: &[f64], peak: f64, databases: usize) -> f64 {
    let mut loads: Vec<f64> = vec![0.0; databases];
    for share in shares {
        let least = loads.iter_mut().min_by(|one, other| one.total_cmp(other));
        *least.expect("there is a database") += share * peak;
    }
    loads.into_iter().fold(0.0, f64::max)
}

fn plan(mean: f64) -> Plan {
    let (capacity, saturates) = carries();
    let shares = shares();
    let peak = mean * PEAK;
    let mut databases = ((peak / capacity).ceil() as usize).max(1);
    let largest = shares.first().copied().unwrap_or(1.0);
    let too_large = largest * peak > capacity;
    // More databases help until the fullest is full with one company alone.
    while fill(&shares, peak, databases) > capacity.max(largest * peak) {
        databases += 1;
    }
    let nodes = ((peak * COSTS.node_cpu / (NODE_CORES * PLANNED)).ceil() as usize).max(2);
    Plan {
        peak,
        databases,
        fullest: fill(&shares, peak, databases) / capacity,
        nodes,
        connections: nodes as f64 * CONNECTIONS,
        largest,
        saturates,
        too_large,
    }
}

fn table(rates: &[f64]) -> String {
    let mut text = String::from(
        "| events/s (mean) | at the peak | rows a day | kept in a week | log at the peak | nodes (4 cores) | databases (16 cores) \
         | fullest | connections | full first |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut notes = String::new();
    for mean in rates {
        let plan = plan(*mean);
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {:.0} % | {} | {} |",
            short(*mean),
            short(plan.peak),
            short(mean * ROWS * 86_400.0),
            bytes(mean * COSTS.kept * 86_400.0 * DAYS),
            format_args!("{}/s", bytes(plan.peak * COSTS.wal)),
            plan.nodes,
            plan.databases,
            plan.fullest * 100.0,
            short(plan.connections),
            plan.saturates,
        )
        .expect("a String takes every text");
        if plan.too_large {
            writeln!(
                notes,
                "At {} events/s the largest of {COMPANIES} companies has {:.1} % of them, {} a second at the peak: more than one \
                 database carries. It needs a larger machine, or a split within the company.",
                short(*mean),
                plan.largest * 100.0,
                short(plan.largest * plan.peak),
            )
            .expect("a String takes every text");
        }
    }
    let (capacity, saturates) = carries();
    format!(
        "{text}\n{notes}\nOne database of this size is planned for {} events/s at the peak; its {saturates} is full first.",
        short(capacity)
    )
}

/// `12.3 k`, `4.5 M`.
fn short(number: f64) -> String {
    scaled(number, &["", " k", " M", " G", " T"])
}

fn bytes(number: f64) -> String {
    scaled(number, &[" B", " kB", " MB", " GB", " TB", " PB"])
}

fn scaled(mut number: f64, units: &[&str]) -> String {
    let mut place = 0;
    while number >= 1_000.0 && place + 1 < units.len() {
        number /= 1_000.0;
        place += 1;
    }
    let digits = usize::from(number < 10.0 && number.fract() > 0.05);
    format!("{number:.digits$}{}", units[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_events_need_more_of_everything() {
        let plans: Vec<_> = [1e3, 1e4, 1e5, 1e6].into_iter().map(plan).collect();
        for pair in plans.windows(2) {
            assert!(pair[0].databases <= pair[1].databases && pair[0].nodes <= pair[1].nodes);
            assert!(pair[0].connections <= pair[1].connections);
        }
    }

    #[test]
    fn no_database_gets_more_than_is_planned_unless_one_company_is() {
        for mean in [1e3, 2e4, 3e5] {
            let plan = plan(mean);
            assert!(plan.fullest <= 1.0 || plan.too_large, "{mean}: {plan:?}");
        }
    }

    #[test]
    fn the_shares_of_all_companies_are_everything() {
        let shares = shares();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(shares.windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn numbers_are_short() {
        for (number, expected) in [
            (0.0, "0"),
            (999.0, "999"),
            (1_500.0, "1.5 k"),
            (2e6, "2 M"),
            (25_920e6, "26 G"),
        ] {
            assert_eq!(short(number), expected);
        }
    }
}
