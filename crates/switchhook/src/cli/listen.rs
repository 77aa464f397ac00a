//! `switchhook listen`: events of a server, here or far away, posted to a program on this machine.
//!
//! Over a websocket, so that nothing needs to reach this machine from outside. Where it listens is `listen/post.rs`,
//! what it passes on `listen/forward.rs`.

mod forward;
mod post;

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use switchhook_domain::Kind;
use switchhook_domain::id::WebsocketId;
use switchhook_domain::secret::Secret;
use tokio::time::sleep;
use url::Url;

use self::forward::{Forwarder, Frame};
use self::post::ListeningPost;
use super::accepted_secrets::parse_secret;
use super::connection::Connection;
use super::forward_trust::ForwardTrust;
use super::{output, wait_for};
use crate::server::asked_to_stop;
use crate::words;
use switchhook_client::{ClientError, Hook, ListenError, WebsocketListener};
use switchhook_node::duration::{parse_duration, show_duration};

/// The first and the longest pause before trying again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// Forward events to a program on this machine, as a webhook would get them
///
/// Listens over a websocket of the server (--url), so that nothing has to reach this machine from outside: no tunnel.
/// Makes what it needs there and removes it at the end. When the connection is lost it connects again, and what
/// happened meanwhile comes then, in order.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook listen --forward http://localhost:3000/hook
  switchhook listen --forward http://localhost:3000/hook --kinds call,sms --secret \"$SECRET\"
  switchhook listen --forward http://localhost:3000/hook --url https://switchhook.example.com --websocket 7730318061039616

Works with Dialpad's own API too (--url https://dialpad.com), which tells no position to go on from: what happens
while the connection is down is lost there. Ends with 0 when it is asked to stop, with 1 when it cannot listen.")]
pub(super) struct Listen {
    /// URL to post each event to
    #[arg(long, value_name = "URL", value_parser = words::url("http://localhost:3000/hook"))]
    forward: Url,

    /// Kinds of events, separated by commas [default: all that the key may see]
    #[arg(long, value_delimiter = ',', conflicts_with = "websocket", value_parser = words::kinds())]
    kinds: Vec<Kind>,

    /// Secret to sign with (HS256)
    #[arg(long, conflicts_with = "websocket", value_parser = parse_secret)]
    secret: Option<Secret>,

    /// Websocket to listen on; its subscriptions stay as they are
    #[arg(long, value_name = "ID")]
    websocket: Option<WebsocketId>,

    /// Position to continue from, as an earlier listen printed it
    #[arg(long, value_name = "POSITION", requires = "websocket")]
    after: Option<String>,

    /// Time for the program to answer
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = parse_duration)]
    timeout: Duration,

    #[command(flatten)]
    trust: ForwardTrust,

    /// Print JSON, one line for each event
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

impl Listen {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let hook = Hook::new(&self.forward, self.timeout, &self.trust.trust()?)?;
        wait_for(async {
            let post = match self.websocket {
                Some(id) => ListeningPost::existing(&client, id).await?,
                None => ListeningPost::make(&client, &self.kinds, self.secret.as_ref()).await?,
            };
            let forwarder = Forwarder::new(hook, &self.forward, self.json, self.after.clone());
            let mut listening = Listening {
                post,
                forwarder,
                server: self.connection.url(),
                pause: PAUSES.0,
            };
            let ended = tokio::select! {
                failed = listening.listen() => Err(failed),
                () = asked_to_stop() => Ok(()),
            };
            listening.end().await;
            ended
        })
    }
}

struct Listening<'a> {
    post: ListeningPost<'a>,
    forwarder: Forwarder,
    server: Url,
    pause: Duration,
}

impl Listening<'_> {
    /// Listens for as long as it can.
    async fn listen(&mut self) -> anyhow::Error {
        let mut is_first = true;
        loop {
            let lost = match self.connect().await {
                Ok(ear) => {
                    self.forwarder.tell_connected(&self.server, is_first, &ear);
                    is_first = false;
                    self.pause = PAUSES.0;
                    self.pass_on(ear).await
                }
                Err(error) if is_first || !is_passing(&error) => {
                    return error.context(format!("cannot listen at {}", self.server));
                }
                Err(error) => Ok(format!("{error:#}")),
            };
            match lost {
                Ok(why) => output::remark(format_args!(
                    "not connected: {why}; trying again in {}",
                    show_duration(self.pause)
                )),
                Err(error) => return error,
            }
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(PAUSES.1);
        }
    }

    /// Connects with a fresh URL: the one before may be too old.
    async fn connect(&self) -> anyhow::Result<WebsocketListener> {
        let url = self.post.url(&self.server, self.forwarder.position()).await?;
        Ok(WebsocketListener::connect(&url).await?)
    }

    /// Passes on what is heard until the connection is lost; answers why it was.
    async fn pass_on(&mut self, mut ear: WebsocketListener) -> anyhow::Result<String> {
        loop {
            let text = match ear.next().await {
                Ok(text) => text,
                Err(lost) => return Ok(lost.to_string()),
            };
            let frame = if ear.is_labelled() {
                Frame::labelled(&text).context("the server sends a frame that this program does not know")?
            } else {
                Frame::plain(text)
            };
            self.forwarder.take(frame).await?;
        }
    }

    async fn end(&self) {
        if let Err(error) = self.post.remove().await {
            output::remark(format_args!(
                "what was made at the server is still there: {error:#}"
            ));
        }
        if let (Some(position), Some(id)) = (self.forwarder.position(), self.post.lasting_id()) {
            output::remark(format_args!(
                "to go on from here: --websocket {id} --after {position}"
            ));
        }
    }
}

/// Whether it may be over by itself.
fn is_passing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let by_server = cause.downcast_ref().is_some_and(ClientError::is_passing);
        by_server || cause.is::<ListenError>()
    })
}

/// The websocket that was listened at is gone.
fn gone(id: &str) -> anyhow::Error {
    anyhow!("websocket {id} was deleted: start again without --websocket to have a new one")
}
