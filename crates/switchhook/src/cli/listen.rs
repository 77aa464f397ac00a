//! `switchhook listen`: posts the events of a server to a program on this machine.
//!
//! Events come over a websocket, so that this machine need not be reachable. The websocket is `listen/websocket.rs`,
//! posting is `listen/forward.rs`.

mod forward;
mod websocket;

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use switchhook_domain::Kind;
use switchhook_domain::id::WebsocketId;
use switchhook_domain::secret::Secret;
use tokio::time::sleep;
use url::Url;

use self::forward::{Forwarder, Frame};
use self::websocket::SubscribedWebsocket;
use super::accepted_secrets::parse_secret;
use super::connection::Connection;
use super::forward_trust::ForwardTrust;
use super::{block_on, output};
use crate::server::asked_to_stop;
use crate::words;
use switchhook_client::{ClientError, Hook, ListenError, WebsocketListener};
use switchhook_node::duration::{parse_duration, show_duration};

/// First and longest delay before connecting again.
pub const RETRY_DELAYS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// Forward events to a program on this machine, as if it were a webhook
///
/// Receives events over a websocket of the server (--url), so that this machine need not be reachable: no tunnel. Creates
/// a websocket and subscriptions there, and deletes them at the end. After a lost connection it connects again and continues
/// where it was, in order.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook listen --forward http://localhost:3000/hook
  switchhook listen --forward http://localhost:3000/hook --kinds call,sms --secret \"$SECRET\"
  switchhook listen --forward http://localhost:3000/hook --url https://switchhook.example.com --websocket 7730318061039616

Works with Dialpad's own API too (--url https://dialpad.com), which sends no position to continue from: events are lost
there while the connection is down. Exit code 0 after Ctrl-C, 1 if it cannot listen.")]
pub(super) struct Listen {
    /// URL to post each event to
    #[arg(long, value_name = "URL", value_parser = words::url("http://localhost:3000/hook"))]
    forward: Url,

    /// Kinds of events, separated by commas [default: all that the key may see]
    #[arg(long, value_delimiter = ',', conflicts_with = "websocket", value_parser = words::kinds())]
    kinds: Vec<Kind>,

    /// Secret to sign events with (HS256)
    #[arg(long, conflicts_with = "websocket", value_parser = parse_secret)]
    secret: Option<Secret>,

    /// Websocket to listen on; its subscriptions stay as they are
    #[arg(long, value_name = "ID")]
    websocket: Option<WebsocketId>,

    /// Position to continue from, as an earlier `listen` printed it
    #[arg(long, value_name = "POSITION", requires = "websocket")]
    after: Option<String>,

    /// Time limit for the program's answer
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = parse_duration)]
    timeout: Duration,

    #[command(flatten)]
    trust: ForwardTrust,

    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

impl Listen {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let hook = Hook::new(&self.forward, self.timeout, &self.trust.trust()?)?;
        block_on(async {
            let websocket = match self.websocket {
                Some(id) => SubscribedWebsocket::existing(&client, id).await?,
                None => SubscribedWebsocket::create(&client, &self.kinds, self.secret.as_ref()).await?,
            };
            let forwarder = Forwarder::new(hook, &self.forward, self.json, self.after.clone());
            let mut session = Session {
                websocket,
                forwarder,
                server: self.connection.url(),
                delay: RETRY_DELAYS.0,
            };
            let ended = tokio::select! {
                failed = session.listen() => Err(failed),
                () = asked_to_stop() => Ok(()),
            };
            session.end().await;
            ended
        })
    }
}

struct Session<'a> {
    websocket: SubscribedWebsocket<'a>,
    forwarder: Forwarder,
    server: Url,
    delay: Duration,
}

impl Session<'_> {
    /// Forwards events until that fails for good; returns the error.
    async fn listen(&mut self) -> anyhow::Error {
        let mut is_first = true;
        loop {
            let ended = match self.connect().await {
                Ok(listener) => {
                    self.forwarder.print_connected(&self.server, is_first, &listener);
                    is_first = false;
                    self.delay = RETRY_DELAYS.0;
                    self.forward_event(listener).await
                }
                Err(error) if is_first || !is_transient(&error) => {
                    return error.context(format!("cannot listen at {}", self.server));
                }
                Err(error) => Ok(format!("{error:#}")),
            };
            match ended {
                Ok(why) => output::remark(format_args!(
                    "not connected: {why}; trying again in {}",
                    show_duration(self.delay)
                )),
                Err(error) => return error,
            }
            sleep(self.delay).await;
            self.delay = (self.delay * 2).min(RETRY_DELAYS.1);
        }
    }

    /// Connects with a fresh URL: the previous one may have expired.
    async fn connect(&self) -> anyhow::Result<WebsocketListener> {
        let url = self
            .websocket
            .url(&self.server, self.forwarder.position())
            .await?;
        Ok(WebsocketListener::connect(&url).await?)
    }

    /// Forwards events until the connection is lost; returns the reason.
    async fn forward_event(&mut self, mut listener: WebsocketListener) -> anyhow::Result<String> {
        loop {
            let text = match listener.next().await {
                Ok(text) => text,
                Err(ended) => return Ok(ended.to_string()),
            };
            let frame = if listener.is_labelled() {
                Frame::labelled(&text).context("the server sends a frame that this program does not know")?
            } else {
                Frame::plain(text)
            };
            self.forwarder.take(frame).await?;
        }
    }

    async fn end(&self) {
        if let Err(error) = self.websocket.remove().await {
            output::remark(format_args!(
                "the websocket and its subscriptions could not be deleted: {error:#}"
            ));
        }
        if let (Some(position), Some(id)) = (self.forwarder.position(), self.websocket.kept_id()) {
            output::remark(format_args!(
                "to continue from here: --websocket {id} --after {position}"
            ));
        }
    }
}

/// True if a retry may succeed.
fn is_transient(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let by_server = cause.downcast_ref().is_some_and(ClientError::is_transient);
        by_server || cause.is::<ListenError>()
    })
}

/// Error for a websocket that was deleted.
fn websocket_gone(id: &str) -> anyhow::Error {
    anyhow!("websocket {id} was deleted: start again without --websocket to create one")
}
