//! Results in a table, as text, Markdown or JSON.

use std::fmt::Write;

use serde::Serialize;

use super::machine::Machine;
pub use super::row::{HEADINGS, PercentileSpreads, Ratio, Row, Spread};

/// Beyond this spread of the same measurement, the machine was busy with something else.
const NOISY_PERCENT: f64 = 15.0;

/// Fewer runs than this say little about how much of a difference is chance.
const ENOUGH_RUNS: u32 = 5;

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub machine: Machine,
    /// Number of trials of each variant.
    pub runs: u32,
    /// Measured time of each trial.
    pub seconds: u64,
    /// Size of an event's body, in bytes.
    pub event_bytes: usize,
    pub rows: Vec<Row>,
    /// Notes that a reader needs to judge it.
    pub notes: Vec<String>,
}

impl Report {
    /// Adds what a reader must know of the runs themselves.
    pub(super) fn judge(&mut self) {
        if self.runs < ENOUGH_RUNS {
            self.notes.push(format!(
                "runs: {}, too few to tell a difference from chance; use --runs {ENOUGH_RUNS} or more",
                self.runs
            ));
        }
        if self.machine.is_in_memory() {
            self.notes.push(
                "the store was in memory, where an fsync costs nothing; name a disk with --dir".to_owned(),
            );
        }
        if cfg!(debug_assertions) {
            self.notes
                .push("this is a debug build: only a release build's figures mean anything".to_owned());
        }
        let noisy: Vec<_> = self.rows.iter().filter_map(|row| self.noise_of(row)).collect();
        self.notes.extend(noisy);
    }

    /// Warning about a noisy reference: if the row that others are compared with varies, the machine was busy with
    /// other things.
    fn noise_of(&self, row: &Row) -> Option<String> {
        let is_held_against_it = |other: &Row| {
            let to = other.ratio.as_ref().map(|ratio| ratio.to.as_str());
            (other.topic.as_str(), other.senders, to)
                == (row.topic.as_str(), row.senders, Some(row.name.as_str()))
        };
        if row.load_percent.is_some() || !self.rows.iter().any(is_held_against_it) {
            return None;
        }
        let percent = row.per_second?.percent();
        (percent > NOISY_PERCENT).then(|| {
            format!(
                "too noisy to judge {}: with {} senders, {} by itself moved by {percent:.0} % between runs; trust the ratios \
                 more than the rates, and measure again on a quiet machine",
                row.topic,
                row.senders.unwrap_or_default(),
                row.name,
            )
        })
    }

    /// As a section for a Markdown page: the machine, the table, the notes.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut page = format!("{}.\n\n", self.describe());
        let line = |columns: &[String]| format!("| {} |\n", columns.join(" | "));
        page.push_str(&line(&HEADINGS.map(str::to_lowercase)));
        page.push_str(&format!("|---{}\n", "|---:".repeat(HEADINGS.len() - 1) + "|"));
        for row in &self.rows {
            page.push_str(&line(&row.columns()));
        }
        for (number, note) in self.notes.iter().enumerate() {
            let before = if number == 0 { "\n" } else { "" };
            // Writing to a text cannot fail.
            let _ = writeln!(page, "{before}- {note}");
        }
        page
    }

    /// Description of the measurement, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "{}; {} × {} s for each row, events of {} bytes",
            self.machine.describe(),
            self.runs,
            self.seconds,
            self.event_bytes
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::sample;
    use super::*;

    fn report(rows: Vec<Row>, runs: u32) -> Report {
        let machine = Machine {
            processor: Some("Example".to_owned()),
            cores: 2,
            kernel: "linux 6".to_owned(),
            filesystem: Some("ext4".to_owned()),
            switchhook: "0.1.0".to_owned(),
            sqlite: "3".to_owned(),
        };
        let mut report = Report {
            machine,
            runs,
            seconds: 1,
            event_bytes: 1_024,
            rows,
            notes: Vec::new(),
        };
        report.judge();
        report
    }

    #[test]
    fn a_baseline_that_moves_by_itself_is_told() {
        let is_noisy = |floor: [f64; 2], live: [f64; 2]| {
            let [floor, live] = [floor, live].map(|rates| rates.map(sample));
            let rows = vec![
                Row::of("live", "floor", &floor, None),
                Row::of("live", "live", &live, Some(("floor", &floor))),
            ];
            let notes = report(rows, 5).notes;
            notes
                .iter()
                .any(|note| note.starts_with("too noisy to judge live"))
        };
        assert!(!is_noisy([100.0, 105.0], [50.0, 80.0]));
        assert!(is_noisy([100.0, 150.0], [50.0, 50.0]));
    }

    #[test]
    fn markdown_has_a_cell_for_each_heading() {
        let row = Row::of("live", "live", &[sample(10.0), sample(12.0)], None);
        let page = report(vec![row], 2).markdown();
        assert!(page.starts_with("Example, 2 cores, linux 6, ext4;"), "{page}");
        assert!(
            page.contains("| live | - | 11 (10–12) | - | 50 | - | - | 30 | - | - |"),
            "{page}"
        );
        let columns: Vec<_> = page
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.matches('|').count())
            .collect();
        assert_eq!(columns, [HEADINGS.len() + 1; 3], "{page}");
        assert!(page.contains("- runs: 2, too few"), "{page}");
    }
}
