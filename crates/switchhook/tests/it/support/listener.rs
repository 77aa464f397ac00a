//! A websocket client that shares nothing with the product's own.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Time limit for anything that is to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Listens at a websocket.
pub(crate) struct Listener(WebSocketStream<TcpStream>);

impl Listener {
    /// Connects; an error is the status that was answered instead.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's client must not be the product's"
    )]
    pub(crate) async fn connect(url: &str) -> Result<Self, u16> {
        let (_, rest) = url.split_once("://").expect("a URL has a scheme");
        let (address, _) = rest.split_once('/').expect("a URL has a path");
        let stream = TcpStream::connect(address).await.expect("the server listens");
        match tokio_tungstenite::client_async(url, stream).await {
            Ok((stream, _)) => Ok(Self(stream)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{url}: {error}"),
        }
    }

    pub(crate) async fn next(&mut self) -> String {
        match self.message().await {
            Some(Message::Text(text)) => text.as_str().to_owned(),
            other => panic!("no frame, but {other:?}"),
        }
    }

    /// The next frame's JSON.
    pub(crate) async fn json(&mut self) -> Value {
        let text = self.next().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Waits for the end; answers the code and the reason, if one was given.
    pub(crate) async fn ending(&mut self) -> Option<(u16, String)> {
        loop {
            match self.message().await {
                Some(Message::Close(frame)) => {
                    return frame.map(|frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                }
                Some(_) => {}
                None => return None,
            }
        }
    }

    async fn message(&mut self) -> Option<Message> {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await;
            match next.expect("something comes in time") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }
}
