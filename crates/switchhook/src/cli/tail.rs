//! `switchhook tail`: what happens, as it happens, in the terminal. The server tells it at `/v1/stream`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;
use switchhook_domain::id::WebhookId;
use switchhook_domain::{Kind, Timestamp};

use super::connection::Connection;
use super::output::{self, time};
use super::{wait_for, words};
use crate::terminal::{self, Painted};
use switchhook_client::{Client, ClientError, Request, ServerSentEvent};

/// How long to wait before asking a server again that has gone away.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Watch events and deliveries as they happen
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook tail
  switchhook tail --kind call --webhook 7730318061039616
  switchhook tail --failures
  switchhook tail --json | jq -r .id

Nothing is kept for a reader that is too slow: it is told how much it missed. After the server was away it goes on with
what is new.")]
pub(super) struct Tail {
    /// Show only this kind
    #[arg(long, value_parser = words::kept_kinds())]
    kind: Option<Kind>,

    /// Show only deliveries to this webhook
    #[arg(long, value_name = "ID")]
    webhook: Option<WebhookId>,

    /// Show only accepted events, or only delivery attempts
    #[arg(long, value_name = "WHAT", conflicts_with = "failures")]
    only: Option<Only>,

    /// Show only failed attempts
    #[arg(long)]
    failures: bool,

    /// Number of lines after which to stop
    #[arg(long, value_name = "N", value_parser = words::whole::<u64>(0..=u64::MAX))]
    count: Option<u64>,

    /// Colours: auto (on a terminal), always or never
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,

    /// Print a JSON object a line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    Events,
    Attempts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl Tail {
    pub(super) fn run(self) -> anyhow::Result<()> {
        wait_for(self.watch())
    }

    async fn watch(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let mut left = self.count.unwrap_or(u64::MAX);
        let mut was_there = false;
        while left > 0 {
            match self.one_stream(&client, &mut left, &mut was_there).await {
                Ok(()) if left == 0 => break,
                Ok(()) => {}
                Err(Ended::Client(error)) if was_there && error.is_passing() => {}
                Err(Ended::Client(error)) => return Err(error.into()),
                Err(Ended::Output(error)) => return Err(error),
            }
            output::remark("the server is away; waiting for it");
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        Ok(())
    }

    async fn one_stream(&self, client: &Client, left: &mut u64, was_there: &mut bool) -> Result<(), Ended> {
        let query = [
            ("kind", self.kind.map(|kind| kind.route().to_owned())),
            ("webhook_id", self.webhook.map(|id| id.to_string())),
        ];
        let mut stream = client.stream(Request::get("/v1/stream", &query)).await?;
        if !*was_there && !self.json {
            output::remark("watching; Ctrl-C ends");
        }
        *was_there = true;
        while let Some(told) = stream.next().await {
            if self.tell(&told)? {
                *left -= 1;
            }
            if *left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Shows an event, if it is one of those to show.
    fn tell(&self, told: &ServerSentEvent) -> Result<bool, Ended> {
        let Ok(value) = serde_json::from_str::<Value>(&told.data) else {
            return Ok(false);
        };
        if told.name == "missed" {
            output::remark(format_args!(
                "missed {}: too slow to be told everything",
                value["count"]
            ));
            return Ok(false);
        }
        if !self.wants(&told.name, &value) {
            return Ok(false);
        }
        if self.json {
            let mut value = value;
            value["type"] = told.name.as_str().into();
            output::print_data(value)?;
        } else {
            terminal::print_painted(&line(&told.name, &value, self.has_colors()))?;
        }
        Ok(true)
    }

    fn wants(&self, name: &str, value: &Value) -> bool {
        if self.failures {
            return name == "attempt" && value["outcome"] != "accepted";
        }
        match self.only {
            None => true,
            Some(Only::Events) => name == "event",
            Some(Only::Attempts) => name == "attempt",
        }
    }

    fn has_colors(&self) -> bool {
        match self.color {
            Color::Auto => terminal::is_terminal(),
            Color::Always => true,
            Color::Never => false,
        }
    }
}

/// Why a stream is not read on.
enum Ended {
    Client(ClientError),
    Output(anyhow::Error),
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Self {
        Self::Output(error)
    }
}

const GREEN: u8 = 32;
const RED: u8 = 31;
const YELLOW: u8 = 33;
const BOLD: u8 = 1;
const FAINT: u8 = 2;

/// A happening as a line.
fn line(name: &str, value: &Value, has_colors: bool) -> Painted {
    let at = instant(value, "at").unwrap_or_default();
    let line = Painted::new(has_colors).paint(FAINT, &at);
    if name == "event" {
        event(line, value)
    } else {
        attempt(line, value)
    }
}

fn event(line: Painted, value: &Value) -> Painted {
    let line = line
        .then(&format!("  →  {:<12}  ", text(value, "kind")))
        .paint(BOLD, text(value, "what"))
        .then(&format!("  {}  ", text(value, "detail")));
    let line = match value["deliveries"].as_array().map_or(0, Vec::len) {
        0 => line.paint(YELLOW, "to nobody"),
        1 => line.then("to 1 webhook"),
        count => line.then(&format!("to {count} webhooks")),
    };
    let again = if value["duplicate"] == true {
        " (came before)"
    } else {
        ""
    };
    line.then(&format!("{again}  event {}", text(value, "id")))
}

fn attempt(line: Painted, value: &Value) -> Painted {
    let status = value["status"].as_u64().map(|status| status.to_string());
    let result = status.unwrap_or_else(|| text(value, "error").replace('_', " "));
    let result = if result.is_empty() {
        text(value, "outcome")
    } else {
        &result
    };
    let code = if value["outcome"] == "accepted" {
        GREEN
    } else {
        RED
    };
    let took = value["took_ms"].as_f64().unwrap_or_default();
    let line = line
        .then(&format!("  ←  {:<12}  ", text(value, "kind")))
        .paint(code, result)
        .then(&format!("  attempt {} in {took:.0} ms", value["number"]));
    let line = match (text(value, "state"), instant(value, "due_at")) {
        ("pending", Some(due_at)) => line.paint(YELLOW, &format!("  again at {due_at}")),
        ("delivered", _) => line,
        (state, _) => line.paint(RED, &format!("  {state}")),
    };
    line.then(&format!(
        "  webhook {}  delivery {}",
        text(value, "webhook_id"),
        text(value, "delivery_id")
    ))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn instant(value: &Value, name: &str) -> Option<String> {
    value[name].as_i64().map(|at| time(Timestamp::from_millis(at)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_what_happened_and_what_comes_next() {
        let event = json!({ "id": "1", "kind": "call", "at": 1_795_420_800_123_i64, "what": "ringing",
            "detail": "Ann\u{1b}[31m → Support", "duplicate": false, "deliveries": [{}] });
        assert_eq!(
            line("event", &event, false).as_str(),
            "2026-11-23 08:00:00.123Z  →  call          ringing  Ann\\u{1b}[31m → Support  to 1 webhook  event 1"
        );
        let attempt = json!({ "delivery_id": "2", "event_id": "1", "webhook_id": "3", "kind": "call", "at": 0, "number": 1,
            "outcome": "unanswered", "status": null, "error": "connection_refused", "took_ms": 1.4, "state": "pending",
            "due_at": 5_000 });
        assert_eq!(
            line("attempt", &attempt, false).as_str(),
            "1970-01-01 00:00:00.000Z  ←  call          connection refused  attempt 1 in 1 ms  again at 1970-01-01 \
             00:00:05.000Z  webhook 3  delivery 2"
        );
        assert!(
            line("attempt", &attempt, true)
                .as_str()
                .contains("\u{1b}[31mconnection refused\u{1b}[0m")
        );
    }
}
