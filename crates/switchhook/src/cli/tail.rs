//! `switchhook tail`: prints live events from `/v1/stream`.

use clap::{Args, ValueEnum};
use switchhook_domain::Kind;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::WebhookId;

use super::connection::{Connection, RETRY_DELAY};
use super::output::{self, time};
use super::{block_on, words};
use crate::terminal::{self, StyledLine};
use switchhook_client::{Client, ClientError, Request, ServerSentEvent};
use switchhook_web::api::answers::{AttemptMessage, EventMessage, LiveMessage, MissedMessage};

/// Watch events and deliveries as they happen
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook tail
  switchhook tail --kind call --webhook 7730318061039616
  switchhook tail --failures
  switchhook tail --json | jq -r .id

Events are not buffered: a slow reader is shown how many it missed. After a lost connection tail continues with new
events.")]
pub(super) struct Tail {
    /// Only events of this kind
    #[arg(long, value_parser = words::kept_kinds())]
    kind: Option<Kind>,

    /// Only events and attempts of this webhook
    #[arg(long, value_name = "ID")]
    webhook: Option<WebhookId>,

    /// Only accepted events, or only delivery attempts
    #[arg(long, value_name = "WHAT", conflicts_with = "failures")]
    only: Option<Only>,

    /// Only failed attempts
    #[arg(long)]
    failures: bool,

    /// Number of lines after which to stop
    #[arg(long, value_name = "N", value_parser = words::whole_number::<u64>(0..=u64::MAX))]
    count: Option<u64>,

    /// Use of colours; auto uses them on a terminal
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,

    /// Print JSON, one object per line
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
        block_on(self.watch())
    }

    async fn watch(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let mut left = self.count.unwrap_or(u64::MAX);
        let mut was_connected = false;
        while left > 0 {
            match self.one_stream(&client, &mut left, &mut was_connected).await {
                Ok(()) if left == 0 => break,
                Ok(()) => {}
                Err(StreamError::Client(error)) if was_connected && error.is_transient() => {}
                Err(StreamError::Client(error)) => return Err(error.into()),
                Err(StreamError::Output(error)) => return Err(error),
            }
            output::remark("the server is down; connecting again");
            tokio::time::sleep(RETRY_DELAY).await;
        }
        Ok(())
    }

    async fn one_stream(
        &self,
        client: &Client,
        left: &mut u64,
        was_connected: &mut bool,
    ) -> Result<(), StreamError> {
        let query = [
            ("kind", self.kind.map(|kind| kind.route().to_owned())),
            ("webhook_id", self.webhook.map(|id| id.to_string())),
        ];
        let mut stream = client.stream(Request::get("/v1/stream", &query)).await?;
        if !*was_connected && !self.json {
            output::remark("watching; Ctrl-C ends");
        }
        *was_connected = true;
        while let Some(event) = stream.next().await {
            if self.show(&event)? {
                *left -= 1;
            }
            if *left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Shows an event, if it is one of those to show.
    fn show(&self, event: &ServerSentEvent) -> Result<bool, StreamError> {
        let Some(message) = LiveMessage::read(&event.name, &event.data) else {
            return Ok(false);
        };
        if let LiveMessage::Missed(MissedMessage { count }) = message {
            output::remark(format_args!("missed {count}: this reader was too slow"));
            return Ok(false);
        }
        if !self.wants(&message) {
            return Ok(false);
        }
        if self.json {
            output::print_data(serde_json::to_string(&message).map_err(anyhow::Error::from)?)?;
        } else {
            terminal::print_styled(&line(&message, self.has_colors()))?;
        }
        Ok(true)
    }

    fn wants(&self, message: &LiveMessage) -> bool {
        let is_attempt = matches!(message, LiveMessage::Attempt(_));
        if self.failures {
            return matches!(message, LiveMessage::Attempt(attempt) if !attempt.outcome.is_success());
        }
        match self.only {
            None => true,
            Some(Only::Events) => !is_attempt,
            Some(Only::Attempts) => is_attempt,
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

/// Error that ends a stream.
enum StreamError {
    Client(ClientError),
    Output(anyhow::Error),
}

impl From<ClientError> for StreamError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<anyhow::Error> for StreamError {
    fn from(error: anyhow::Error) -> Self {
        Self::Output(error)
    }
}

const GREEN: u8 = 32;
const RED: u8 = 31;
const YELLOW: u8 = 33;
const BOLD: u8 = 1;
const FAINT: u8 = 2;

fn line(message: &LiveMessage, has_colors: bool) -> StyledLine {
    let line = StyledLine::new(has_colors);
    match message {
        LiveMessage::Event(event) => event_line(line, event),
        LiveMessage::Attempt(attempt) => attempt_line(line, attempt),
        LiveMessage::Missed(missed) => line.plain(&format!("missed {}", missed.count)),
    }
}

fn event_line(line: StyledLine, event: &EventMessage) -> StyledLine {
    let line = line
        .styled(FAINT, &time(event.at))
        .plain(&format!("  →  {:<12}  ", event.kind))
        .styled(BOLD, &event.what)
        .plain(&format!("  {}  ", event.detail));
    let line = match event.deliveries.len() {
        0 => line.styled(YELLOW, "to nobody"),
        1 => line.plain("to 1 webhook"),
        count => line.plain(&format!("to {count} webhooks")),
    };
    let again = if event.duplicate { " (a duplicate)" } else { "" };
    line.plain(&format!("{again}  event {}", event.id))
}

fn attempt_line(line: StyledLine, attempt: &AttemptMessage) -> StyledLine {
    let result = match (attempt.status, attempt.error) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => error.to_string().replace('_', " "),
        (None, None) => attempt.outcome.to_string(),
    };
    let color = if attempt.outcome.is_success() { GREEN } else { RED };
    let line = line
        .styled(FAINT, &time(attempt.at))
        .plain(&format!("  ←  {:<12}  ", attempt.kind))
        .styled(color, &result)
        .plain(&format!(
            "  attempt {} in {:.0} ms",
            attempt.number, attempt.took_ms
        ));
    let line = match (attempt.state, attempt.due_at) {
        (StateName::Pending, Some(due_at)) => line.styled(YELLOW, &format!("  again at {}", time(due_at))),
        (StateName::Delivered, _) => line,
        (state, _) => line.styled(RED, &format!("  {state}")),
    };
    line.plain(&format!(
        "  webhook {}  delivery {}",
        attempt.webhook_id, attempt.delivery_id
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(name: &str, data: &str) -> LiveMessage {
        LiveMessage::read(name, data).unwrap()
    }

    #[test]
    fn a_line_says_what_happened_and_what_comes_next() {
        let event = read(
            "event",
            r#"{"id": "1", "kind": "call", "at": 1795420800123, "what": "ringing", "detail": "Ann\u001b[31m → Support",
                "duplicate": false, "deliveries": [{"id": "2", "webhook_id": "3"}]}"#,
        );
        assert_eq!(
            line(&event, false).as_str(),
            "2026-11-23 08:00:00.123Z  →  call          ringing  Ann\\u{1b}[31m → Support  to 1 webhook  event 1"
        );
        let attempt = read(
            "attempt",
            r#"{"delivery_id": "2", "event_id": "1", "webhook_id": "3", "kind": "call", "at": 0, "number": 1,
                "outcome": "unanswered", "status": null, "error": "connection_refused", "detail": null, "took_ms": 1.4,
                "state": "pending", "due_at": 5000}"#,
        );
        assert_eq!(
            line(&attempt, false).as_str(),
            "1970-01-01 00:00:00.000Z  ←  call          connection refused  attempt 1 in 1 ms  again at 1970-01-01 \
             00:00:05.000Z  webhook 3  delivery 2"
        );
        assert!(
            line(&attempt, true)
                .as_str()
                .contains("\u{1b}[31mconnection refused\u{1b}[0m")
        );
    }
}
