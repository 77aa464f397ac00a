//! Client for a websocket of a Switchhook server or of Dialpad: frames are text.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use url::Url;

use super::connector::ClientStream;
use super::{TIMEOUT, Trust, connector, in_full};
use switchhook_protocol::headers::LABELLED;

/// Interval of pings.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Time without any frame after which the connection counts as lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(65);

/// Bound on a frame: an event, signed, escaped twice.
const LARGEST_FRAME: usize = 16 << 20;

type Stream = WebSocketStream<TokioIo<ClientStream>>;

/// A connection to a websocket.
#[derive(Debug)]
pub struct WebsocketListener {
    stream: Box<Stream>,
    is_labelled: bool,
    last_frame_at: Instant,
    last_ping_at: Instant,
}

/// Reason for which no more events are heard.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The server refuses this URL; a fresh one may do.
    #[error("the server refuses the websocket with HTTP {status}")]
    Refused { status: u16 },
    /// The connection could not be made, or ended.
    #[error("{0}")]
    Lost(String),
}

impl WebsocketListener {
    /// Connects to a `ws` or `wss` URL.
    ///
    /// # Errors
    /// If no connection can be made.
    pub async fn connect(url: &Url) -> Result<Self, ListenError> {
        let connected = Self::try_to_connect(url);
        timeout(TIMEOUT, connected)
            .await
            .unwrap_or_else(|_elapsed| Err(ListenError::Lost("no connection in time".to_owned())))
    }

    async fn try_to_connect(url: &Url) -> Result<Self, ListenError> {
        let http = url.as_str().replacen("ws", "http", 1);
        let scheme = if url.scheme() == "wss" { "https" } else { "http" };
        let connector =
            connector(scheme, &Trust::System).map_err(|error| ListenError::Lost(error.to_string()))?;
        let address = http
            .parse()
            .map_err(|_| ListenError::Lost("the websocket_url is not a URL".to_owned()))?;
        let stream = connector
            .connect_http1(address)
            .await
            .map_err(|error| ListenError::Lost(in_full(&*error)))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_FRAME))
            .max_frame_size(Some(LARGEST_FRAME));
        let handshake =
            tokio_tungstenite::client_async_with_config(url.as_str(), TokioIo::new(stream), Some(config))
                .await;
        match handshake {
            Ok((stream, response)) => Ok(Self {
                stream: Box::new(stream),
                is_labelled: response.headers().contains_key(LABELLED),
                last_frame_at: Instant::now(),
                last_ping_at: Instant::now(),
            }),
            Err(Error::Http(response)) => Err(ListenError::Refused {
                status: response.status().as_u16(),
            }),
            Err(error) => Err(lost(&error)),
        }
    }

    /// True if frames carry the delivery's headers, as requested.
    #[must_use]
    pub const fn is_labelled(&self) -> bool {
        self.is_labelled
    }

    /// The next frame.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn next(&mut self) -> Result<String, ListenError> {
        // While the caller was busy with a frame nobody could hear anything.
        self.last_frame_at = Instant::now();
        loop {
            tokio::select! {
                frame = self.stream.next() => match frame {
                    Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                    Some(Ok(Message::Close(frame))) => {
                        let why = frame.map(|frame| frame.reason.as_str().to_owned());
                        let why = why.filter(|why| !why.is_empty());
                        let why = why.unwrap_or_else(|| "the server closed the connection".to_owned());
                        return Err(ListenError::Lost(why));
                    }
                    Some(Ok(_)) => self.last_frame_at = Instant::now(),
                    Some(Err(error)) => return Err(lost(&error)),
                    None => return Err(ListenError::Lost("the connection ended".to_owned())),
                },
                () = sleep_until(self.last_ping_at + PING_EVERY) => {
                    self.last_ping_at = Instant::now();
                    let ping = Message::Ping(Bytes::new());
                    self.stream.send(ping).await.map_err(|error| lost(&error))?;
                }
                () = sleep_until(self.last_frame_at + IDLE_TIMEOUT) => {
                    return Err(ListenError::Lost("the server does not answer any more".to_owned()));
                }
            }
        }
    }
}

fn lost(error: &Error) -> ListenError {
    ListenError::Lost(in_full(error))
}
