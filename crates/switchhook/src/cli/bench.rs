//! `switchhook bench`: throughput and latency of a server on this machine, measured by `switchhook-bench`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::block_on_all_processors;
use super::output::{self, Table};
use crate::config::parse_listen;
use crate::server::asked_to_stop;
use crate::words;
use switchhook_bench::report::{HEADINGS, Report};
use switchhook_bench::{Options, Topic, floor};

/// Default seconds and repetitions of each trial, and numbers of events sent at once.
const SECONDS: u64 = 10;
const RUNS: u32 = 5;
const SENDERS: [u32; 2] = [64, 256];

/// Defaults with `--quick`, which takes the first number of senders.
const QUICK_SECONDS: u64 = 1;
const QUICK_RUNS: u32 = 1;

/// Measure the throughput and latency of a server on this machine, compared with a forwarder that stores nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook bench --quick
  switchhook bench --markdown > figures.md
  switchhook bench --only live,drain --senders 64,256 --dir /var/tmp --json

Everything runs on loopback, in processes of its own and in a temporary folder that is removed, also on Ctrl-C. All of it
takes the better part of an hour; --only and --seconds shorten it. Figures mean something if this is a release build, the machine has
nothing else to do and --dir is on the disk that the store would be on.")]
pub(super) struct Bench {
    /// Rows to measure, separated by commas [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_enum)]
    only: Vec<Topic>,

    #[arg(
        long,
        help = format!("Seconds that each trial is measured [default: {SECONDS}, with --quick {QUICK_SECONDS}]"),
        value_name = "N", value_parser = words::whole_number::<u64>(1..=3_600))]
    seconds: Option<u64>,

    #[arg(
        long,
        help = format!(
            "Repetitions of each trial, alternating with its baseline [default: {RUNS}, with --quick {QUICK_RUNS}]"
        ),
        value_name = "N", value_parser = words::whole_number::<u32>(1..=100))]
    runs: Option<u32>,

    #[arg(
        long,
        help = format!(
            "Numbers of events sent at once, separated by commas: each is a pair of live rows; other rows take the first \
             [default: {},{}, with --quick {}]",
            SENDERS[0], SENDERS[1], SENDERS[0]
        ),
        value_name = "N", value_delimiter = ',', value_parser = words::whole_number::<u32>(1..=1_024))]
    senders: Vec<u32>,

    /// Measure briefly: one run of a second, a small backlog, few subscriptions
    #[arg(long)]
    quick: bool,

    /// Also drain a backlog of ten million (tens of GB on the disk)
    #[arg(long)]
    large: bool,

    /// PostgreSQL server to create databases on, which are not deleted [default: one is started]
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,

    /// Folder for the stores [default: the machine's temporary folder]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,

    /// Print a section for a Markdown page
    #[arg(long, conflicts_with = "json")]
    markdown: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Run the forwarder that `bench` compares servers with, and starts itself
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "Example:\n  switchhook bench-floor --listen 127.0.0.1:8401 --to 127.0.0.1:3000"
)]
pub(super) struct Floor {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen)]
    listen: SocketAddr,

    /// Address and port to forward to
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen)]
    to: SocketAddr,
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let options = self.options();
        block_on_all_processors(async {
            let report = switchhook_bench::run(&options, asked_to_stop(), output::remark).await?;
            self.print(&report)
        })
    }

    fn options(&self) -> Options {
        let or_quick = |full, quick| if self.quick { quick } else { full };
        let mut backlogs = vec![or_quick(1_000_000, 20_000)];
        backlogs.extend(self.large.then_some(10_000_000));
        let senders = if self.senders.is_empty() {
            SENDERS[..if self.quick { 1 } else { SENDERS.len() }].to_vec()
        } else {
            self.senders.clone()
        };
        let asked = |topic: &Topic| self.only.is_empty() || self.only.contains(topic);
        Options {
            topics: Topic::value_variants().iter().copied().filter(asked).collect(),
            seconds: self
                .seconds
                .unwrap_or(if self.quick { QUICK_SECONDS } else { SECONDS }),
            warm_up: Duration::from_millis(or_quick(2_000, 300)),
            runs: self.runs.unwrap_or(if self.quick { QUICK_RUNS } else { RUNS }),
            senders,
            backlogs,
            is_quick: self.quick,
            postgres: self.postgres.clone(),
            dir: self.dir.clone(),
        }
    }

    fn print(&self, report: &Report) -> anyhow::Result<()> {
        if self.json {
            return output::print_json(report);
        }
        if self.markdown {
            return output::print_text(report.markdown().trim_end());
        }
        let mut table = Table::new(&HEADINGS);
        for row in &report.rows {
            table.row(row.columns());
        }
        table.print_or("nothing was measured")?;
        output::remark(report.describe());
        for note in &report.notes {
            output::remark(format_args!("note: {note}"));
        }
        Ok(())
    }
}

impl Floor {
    pub(super) fn run(self) -> anyhow::Result<()> {
        block_on_all_processors(floor::forward(self.listen, self.to))
    }
}
