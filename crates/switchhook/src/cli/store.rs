//! `switchhook store copy`: copies a store from one database to another, by `switchhook-store`.

use std::ops::ControlFlow;

use anyhow::Context;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use switchhook_domain::clock::Clock;
use switchhook_domain::credential::shown_url;
use switchhook_store::{CopiedSecrets, CopyProgress, CopyReport};

use super::output;
use crate::config::{EncryptionOptions, parse_store};
use crate::terminal;
use switchhook_node::clock::SystemClock;
use switchhook_node::storage;

/// Copy a store between SQLite and PostgreSQL
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    Copy(Copy),
}

/// Copy a whole store into a new or empty one, while no server uses either
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook store copy --from sqlite:./switchhook.db --to postgres://switchhook:PASSWORD@db/switchhook
  switchhook store copy --from postgres://switchhook@db/switchhook --to sqlite:./switchhook.db

Everything is copied: keys, webhooks, events, deliveries with their attempts, replays. Encrypted secrets stay encrypted with
the same key: set SWITCHHOOK_ENCRYPTION_KEY to test each of them before and after. An interrupted copy continues when the
same command runs again; no server starts on an incomplete one. At the end the rows of every table are counted on both sides.")]
pub(super) struct Copy {
    /// Store to copy
    #[arg(long, value_name = "URL", value_parser = parse_store)]
    from: String,

    /// Store to create
    #[arg(long, value_name = "URL", value_parser = parse_store)]
    to: String,

    #[command(flatten)]
    encryption: EncryptionOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Store {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Copy(copy) => copy.run(),
        }
    }
}

impl Copy {
    fn run(self) -> anyhow::Result<()> {
        let (from, to) = (shown_url(&self.from), shown_url(&self.to));
        let keyring = self.encryption.keyring()?;
        let sealer = storage::sealer(keyring.as_ref());
        let bar = bar();
        let shown = bar.clone();
        let report_progress = move |progress: CopyProgress<'_>| {
            shown.set_length(progress.of);
            shown.set_position(progress.rows);
            terminal::set_message(&shown, progress.table);
            ControlFlow::Continue(())
        };
        let copied = switchhook_store::copy(&self.from, &self.to, SystemClock.now(), sealer, report_progress);
        bar.finish_and_clear();
        let report = copied.with_context(|| format!("{from} was not copied to {to}"))?;
        if self.json {
            return output::print_json(&json!({
                "from": from,
                "to": to,
                "tables": report.tables,
                "payload_bytes": report.payload_bytes,
                "resumed_after": report.resumed_after,
                "secrets": match report.secrets {
                    CopiedSecrets::Plain => "plain",
                    CopiedSecrets::Readable => "readable",
                    CopiedSecrets::Unchecked => "unchecked",
                },
            }));
        }
        print_report(&from, &to, &report)
    }
}

fn print_report(from: &str, to: &str, report: &CopyReport) -> anyhow::Result<()> {
    let rows: u64 = report.tables.values().sum();
    output::print(format_args!(
        "{from} was copied to {to}: {rows} rows, counted on both sides"
    ))?;
    if report.resumed_after > 0 {
        output::print(format_args!(
            "{} of them were copied by an earlier run",
            report.resumed_after
        ))?;
    }
    match report.secrets {
        CopiedSecrets::Plain => {}
        CopiedSecrets::Readable => {
            output::print(format_args!(
                "every secret can be decrypted with the key, on both sides"
            ))?;
        }
        CopiedSecrets::Unchecked => output::remark(format_args!(
            "encrypted secrets were copied without a test: a server on the copy needs the same key \
             (SWITCHHOOK_ENCRYPTION_KEY)"
        )),
    }
    for (table, rows) in report.tables.iter().filter(|(_, rows)| **rows > 0) {
        output::print(format_args!("  {table:22} {rows:>12}"))?;
    }
    Ok(())
}

/// A progress bar; hidden if standard error is not a terminal.
fn bar() -> ProgressBar {
    let template = "{bar:30} {pos}/{len} rows  {per_sec}  {eta} left  {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
