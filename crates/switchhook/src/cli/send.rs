//! `switchhook send`: sends events to the server, from a file or a pipe of any length, with bounded memory.
//!
//! `input` splits the text into events whose bytes stay as they are, `batch` gathers them into requests, `report`
//! counts the answers. Events go one after the other, so that those of one call keep their order.

mod batch;
mod input;
mod progress;
mod report;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use http::HeaderValue;
use switchhook_domain::Kind;
use tokio::sync::mpsc;

use self::batch::{Batch, BatchBuilder};
use self::input::{InputEvent, InputFormat};
use self::progress::Progress;
use self::report::Report;
use super::block_on;
use super::connection::Connection;
use switchhook_client::{Client, IDEMPOTENCY_KEY, Request};
use switchhook_node::amounts;
use switchhook_node::ingest::{KEY_LASTS, SentAs};

/// Send events to the server: a JSON object, a JSON array, or NDJSON
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  echo '{\"call_id\": 4513924407164928, \"state\": \"hangup\"}' | switchhook send call
  switchhook send sms messages.ndjson --idempotency-key import-1
  switchhook send call events.json --json
  switchhook send auto export.ndjson

The bytes of each event are sent unchanged. With an idempotency key the same input can be sent again:
events accepted before count as duplicates. Exit code 1 if an event was rejected.")]
pub(super) struct Send {
    /// Kind of the events; auto detects each from its shape
    #[arg(value_parser = super::words::one_of::<SentAs>([SentAs::AUTO].into_iter().chain(Kind::ALL.map(Kind::route))))]
    kind: SentAs,

    /// File with the events; - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,

    #[arg(
        long,
        help = format!(
            "Key by which the server recognizes events that it accepted in the last {}",
            amounts::time(KEY_LASTS)
        ),
        value_name = "KEY",
        value_parser = parse_idempotency_key
    )]
    idempotency_key: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

/// Bound on events between the reader and the sender.
const READ_AHEAD: usize = 16;

impl Send {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let (source, length) = open(&self.file)?;
        let progress = Progress::new(length);
        let (sender, items) = mpsc::channel(READ_AHEAD);
        let counted = progress.counting(source);
        // Not joined: whoever waits for input that never comes must not keep the program from ending.
        std::thread::spawn(move || input::read(BufReader::new(counted), &sender));
        let sending = Sending {
            client,
            kind: self.kind,
            key: self.idempotency_key,
            report: Report::default(),
            format: InputFormat::Lines,
        };
        block_on(sending.all(items, progress, self.json))
    }
}

fn open(file: &Path) -> anyhow::Result<(Box<dyn Read + std::marker::Send>, Option<u64>)> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let metadata = opened.metadata().ok().filter(std::fs::Metadata::is_file);
    Ok((Box::new(opened), metadata.map(|metadata| metadata.len())))
}

/// Bound on an idempotency key: the server makes `KEY:LINE` of it for each line.
const LONGEST_KEY: usize = switchhook_ingress::events::LONGEST_KEY - ":18446744073709551615".len();

fn parse_idempotency_key(text: &str) -> Result<String, String> {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if (1..=LONGEST_KEY).contains(&text.len()) && is_visible {
        return Ok(text.to_owned());
    }
    Err(format!(
        "an idempotency key has 1 to {LONGEST_KEY} visible ASCII characters"
    ))
}

/// State of sending.
struct Sending {
    client: Client,
    kind: SentAs,
    key: Option<String>,
    report: Report,
    format: InputFormat,
}

impl Sending {
    async fn all(
        mut self,
        mut items: mpsc::Receiver<anyhow::Result<InputEvent>>,
        progress: Progress,
        json: bool,
    ) -> anyhow::Result<()> {
        // The borders of batches are part of the keys: with a key they must not depend on when input comes.
        let mut builder = BatchBuilder::new(self.key.is_none());
        let ended = loop {
            match builder.next(&mut items).await {
                Ok(Some(batch)) => {
                    if let Err(error) = self.send(batch).await {
                        break Err(error);
                    }
                    progress.show(self.report.seen());
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        progress.end();
        if ended.is_ok() || self.report.seen() > 0 {
            self.report.print(json, self.format)?;
        }
        match ended {
            Err(error) if self.report.seen() == 0 => Err(error),
            Err(error) => Err(error.context(format!("stopped after {} events", self.report.seen()))),
            Ok(()) => self.report.check(),
        }
    }

    async fn send(&mut self, batch: Batch) -> anyhow::Result<()> {
        self.format = batch.format();
        let request = self.keyed(Request::post(format!("/v1/events/{}", self.kind)), &batch);
        match batch {
            Batch::TooLarge(item) => self.report.too_large(item.number),
            Batch::One(item) => {
                let answer = self
                    .client
                    .send(request.body("application/json", item.text))
                    .await;
                self.report.one(item.number, answer)?;
            }
            Batch::Lines { numbers, text, .. } => {
                let answer = self
                    .client
                    .send(request.body("application/x-ndjson", text))
                    .await?;
                self.report.lines(&numbers, &answer)?;
            }
        }
        Ok(())
    }

    /// Adds the batch's idempotency key, which is the same each time the same input is sent.
    fn keyed(&self, request: Request, batch: &Batch) -> Request {
        let value = self
            .key
            .as_ref()
            .and_then(|key| HeaderValue::from_str(&batch.key(key)).ok());
        match value {
            Some(value) => request.header(IDEMPOTENCY_KEY, value),
            None => request,
        }
    }
}

/// True if a status refuses the event and not the sender, so that the next event may be accepted.
pub(super) const fn is_about_the_event(status: u16) -> bool {
    matches!(status, 400 | 409 | 413 | 422)
}
