//! Clients that are slow on purpose, in every way in which a client can be. The trial with thousands of them
//! (`trials/src/bin/slow_clients`) includes this file.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, sleep};

/// Behaviour of a slow client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Manner {
    /// Sends nothing.
    Idle,
    /// Begins a head and stops.
    HalfHead,
    /// Sends a head byte by byte.
    DrippingHead,
    /// Begins a body and stops.
    HalfBody,
    /// Sends a body byte by byte.
    DrippingBody,
    /// The same in chunks.
    DrippingChunks,
    /// Asks whether it may send a body, and sends none.
    Expecting,
    /// Begins a form of the dashboard, signed in or not.
    HalfForm,
    /// Asks for much and reads nothing.
    Unread,
    /// Makes a request and waits without another one.
    KeptAlive,
    /// Opens a websocket and answers no ping.
    SilentWebsocket,
}

impl Manner {
    pub(crate) const ALL: [Self; 11] = [
        Self::Idle,
        Self::HalfHead,
        Self::DrippingHead,
        Self::HalfBody,
        Self::DrippingBody,
        Self::DrippingChunks,
        Self::Expecting,
        Self::HalfForm,
        Self::Unread,
        Self::KeptAlive,
        Self::SilentWebsocket,
    ];

    const fn drips(self) -> Option<&'static str> {
        match self {
            Self::DrippingHead | Self::DrippingBody | Self::Unread => Some("x"),
            Self::DrippingChunks => Some("1\r\nx\r\n"),
            _ => None,
        }
    }
}

/// End of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// It was not taken.
    Refused,
    /// It was closed without a word.
    Closed,
    /// It was closed after an answer with this status.
    Answered(u16),
}

/// Server that they connect to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// A key that may send events.
    pub(crate) key: String,
    /// The path of a websocket.
    pub(crate) websocket: String,
    /// Interval at which a dripping client sends a byte.
    pub(crate) drip_every: Duration,
}

impl Target {
    fn beginning(&self, manner: Manner) -> String {
        let Self { key, websocket, .. } = self;
        let post = format!("POST /v1/events/call HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n");
        match manner {
            Manner::Idle => String::new(),
            Manner::HalfHead | Manner::DrippingHead => {
                "GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ".to_owned()
            }
            Manner::HalfBody | Manner::DrippingBody => {
                format!("{post}content-length: 100000\r\n\r\n{{\"call_id\":")
            }
            Manner::DrippingChunks => format!("{post}transfer-encoding: chunked\r\n\r\n1\r\n{{\r\n"),
            Manner::Expecting => format!("{post}content-length: 100\r\nexpect: 100-continue\r\n\r\n"),
            Manner::HalfForm => {
                "POST /dashboard/sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nkey=".to_owned()
            }
            Manner::Unread => "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(200),
            Manner::KeptAlive => "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
            Manner::SilentWebsocket => format!(
                "GET {websocket} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                 sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
        }
    }

    /// Holds a connection for as long as the server lets it; `opened` is called when it stands.
    #[expect(
        clippy::disallowed_methods,
        reason = "a slow client is no client of the product"
    )]
    pub(crate) async fn hold(&self, manner: Manner, opened: impl FnOnce()) -> Ending {
        let Ok(mut stream) = TcpStream::connect(self.address).await else {
            return Ending::Refused;
        };
        let beginning = self.beginning(manner);
        if stream.write_all(beginning.as_bytes()).await.is_err() {
            return Ending::Closed;
        }
        opened();
        let mut heard = Vec::new();
        let mut drip = interval(self.drip_every);
        loop {
            let mut piece = [0; 4_096];
            tokio::select! {
                read = stream.read(&mut piece), if manner != Manner::Unread => match read {
                    Ok(0) | Err(_) => return ending(&heard),
                    Ok(bytes) if heard.len() < 64 => heard.extend_from_slice(&piece[..bytes]),
                    Ok(_) => {}
                },
                _ = drip.tick(), if manner.drips().is_some() => {
                    let drop = manner.drips().unwrap_or_default();
                    // What is not read any more was closed; reading tells what was said before.
                    if stream.write_all(drop.as_bytes()).await.is_err() && manner == Manner::Unread {
                        return Ending::Closed;
                    }
                }
            }
        }
    }

    /// The same again and again, until it is dropped; `ended` is told each time.
    pub(crate) async fn hold_on(&self, manner: Manner, opened: impl Fn(), ended: impl Fn(Ending)) {
        loop {
            ended(self.hold(manner, &opened).await);
            sleep(self.drip_every / 5).await;
        }
    }
}

fn ending(heard: &[u8]) -> Ending {
    let text = String::from_utf8_lossy(heard);
    let final_answer = text
        .split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|answer| answer.get(..3)?.parse().ok())
        .find(|status| *status != 100);
    final_answer.map_or(Ending::Closed, Ending::Answered)
}
