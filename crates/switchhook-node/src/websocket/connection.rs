//! One connection: reads the log from its position on, and sends what its websocket's subscriptions let through.
//!
//! It reads no further than it has sent, so a slow reader costs nothing but its own time; one that takes nothing for
//! half a minute, or answers no ping, is let go.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use switchhook_domain::event::EventFacts;
use switchhook_domain::filter::Content;
use switchhook_domain::id::CompanyId;
use switchhook_domain::subscription::Endpoint;
use switchhook_protocol::Payload;
use switchhook_store::{LogBounds, LogEntry, LogPosition};
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use super::frame;
use super::token::Grant;
use crate::caller::Caller;
use crate::lease::Lease;
use crate::share::{NoSlot, Slot};
use crate::{Node, amounts};

/// Size of one read of the log.
const AT_ONCE: LogBounds = LogBounds {
    events: 64,
    bytes: 256 * 1024,
};

/// Interval of polling the log, because another node may have written to it, or the store was unavailable.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Interval of pings.
const PING_EVERY: Duration = Duration::from_secs(30);

/// The largest message that whoever listens may send; nobody reads it.
pub const LARGEST_MESSAGE: usize = 4 * 1024;

/// Longest silence of the other side.
pub const LONGEST_SILENCE: Duration = Duration::from_secs(75);

/// Time limit of sending a frame.
pub const LONGEST_SEND: Duration = Duration::from_secs(30);

/// Time limit of closing: our last frame, the client's, and the end of the connection.
const LONGEST_GOODBYE: Duration = Duration::from_secs(1);

/// Bound on what is read of the client's messages at a time, in bytes.
const MOST_HEARD: usize = 64;

/// Client of a connection, and where it starts.
#[derive(Debug, Clone, Copy)]
pub struct Session {
    pub company_id: CompanyId,
    /// Events that it may hear, and until when.
    pub grant: Grant,
    /// Caller with the key for which the token was made.
    pub caller: Caller,
    /// After which position in the log.
    pub after: LogPosition,
    /// True if frames carry the delivery's headers.
    pub is_labelled: bool,
}

/// The socket that a client listens at.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Reason for which a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CloseReason {
    /// The other side is gone, or takes nothing.
    Lost,
    /// The other side closes it.
    Left,
    /// The client violated the websocket protocol.
    Garbled,
    /// It sends text that is none.
    NoText,
    /// It sends more than anybody reads.
    TooLarge,
    Expired,
    Revoked,
    Deleted,
    Unsubscribed,
    Stopping,
    TooMany,
    TooManyOfCompany,
}

impl CloseReason {
    fn close_frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Lost | Self::Left => return None,
            Self::Garbled => (CloseCode::Protocol, "the frame violates the websocket protocol"),
            Self::NoText => (CloseCode::Invalid, "a text frame must be UTF-8"),
            Self::TooLarge => {
                let most = amounts::size(LARGEST_MESSAGE as u64);
                return Some(CloseFrame {
                    code: CloseCode::Size,
                    reason: format!("nobody reads what a listener sends; it may have at most {most}").into(),
                });
            }
            Self::Expired => (
                CloseCode::Policy,
                "the token has expired: GET the websocket to have a new websocket_url",
            ),
            Self::Revoked => (
                CloseCode::Policy,
                "the API key that asked for the websocket_url was revoked or has expired",
            ),
            Self::Deleted => (CloseCode::Policy, "the websocket was deleted"),
            Self::Unsubscribed => (CloseCode::Policy, "the subscription was deleted"),
            Self::Stopping => (CloseCode::Away, "the server stops: connect again"),
            Self::TooMany => (CloseCode::Again, "too many connections: try again later"),
            Self::TooManyOfCompany => (
                CloseCode::Again,
                "too many connections of this company (--limit-websockets): close one",
            ),
        };
        Some(CloseFrame {
            code,
            reason: reason.into(),
        })
    }
}

/// Serves a connection until it ends.
pub async fn serve(node: Arc<Node>, socket: Socket, session: Session) {
    let share = node.shares.of(session.company_id);
    let place = Slot::take(&share.connections, &node.listeners.places);
    let mut connection = Connection::new(&node, socket, session);
    let end = match place {
        Ok(_) => connection.run().await,
        Err(NoSlot::OfCompany) => CloseReason::TooManyOfCompany,
        Err(NoSlot::OfNode) => CloseReason::TooMany,
    };
    tracing::debug!(websocket = %session.grant.websocket_id, ?end, "a listener's connection ended");
    if end != CloseReason::Lost {
        // Out of time, or nobody there to be told.
        let _ = timeout(LONGEST_GOODBYE, connection.part(end.close_frame())).await;
    }
}

struct Connection<'a> {
    node: &'a Node,
    socket: Socket,
    session: Session,
    lease: Lease,
    position: LogPosition,
    waker: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
    expires_at: Instant,
    heard_at: Instant,
    pinged_at: Instant,
}

impl<'a> Connection<'a> {
    fn new(node: &'a Node, socket: Socket, session: Session) -> Self {
        let now = Instant::now();
        let lasts = session.grant.expires_at.since(node.clock.now());
        Self {
            node,
            socket,
            session,
            lease: node.leases.hold(session.caller),
            position: session.after,
            waker: node.listeners.waker(session.company_id),
            stopping: node.listeners.stopping.subscribe(),
            expires_at: now + lasts,
            heard_at: now,
            pinged_at: now,
        }
    }

    async fn run(&mut self) -> CloseReason {
        if self.session.is_labelled
            && let Err(end) = self.send(Message::text(frame::beginning(self.position))).await
        {
            return end;
        }
        loop {
            // Whoever rings from here on is heard, so that nothing is missed between looking and waiting.
            self.waker.borrow_and_update();
            let next = match self.send_some().await {
                Ok(0) => self.wait().await,
                Ok(_) => self.look_up(),
                Err(end) => Err(end),
            };
            if let Err(end) = next {
                return end;
            }
        }
    }

    /// Sends the next events; answers how many the log had.
    async fn send_some(&mut self) -> Result<usize, CloseReason> {
        let (company_id, store) = (self.session.company_id, &self.node.store);
        let entries = match store.read_log(company_id, self.position, AT_ONCE).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(%error, "the log cannot be read for a listener");
                return Ok(0);
            }
        };
        for entry in &entries {
            if let Some(message) = self.message(entry)? {
                self.send(message).await?;
            }
            self.position = entry.position;
        }
        Ok(entries.len())
    }

    /// The frame of an event, if it is for this connection.
    fn message(&self, entry: &LogEntry) -> Result<Option<Message>, CloseReason> {
        let Session {
            company_id,
            grant,
            caller,
            ..
        } = self.session;
        let (kind, clearance) = (entry.event.kind, caller.clearance());
        if clearance.sees(kind).is_err() {
            return Ok(None);
        }
        let registry = &self.node.registry;
        let websocket = registry
            .websocket(grant.websocket_id)
            .ok_or(CloseReason::Deleted)?;
        // A payload that was removed cannot be read any more.
        let Ok(payload) = Payload::read(entry.event.kind, &entry.event.body) else {
            return Ok(None);
        };
        let matches = registry
            .match_event(
                company_id,
                &EventFacts::of(&payload),
                &Content::of(&entry.event.body),
            )
            .matches;
        let here = Endpoint::Websocket(grant.websocket_id);
        let wanted = matches.into_iter().find(|one| {
            let is_granted = |(_, id)| one.subscription_ids.contains(&id);
            one.endpoint == here && grant.only.is_none_or(is_granted)
        });
        let Some(wanted) = wanted else {
            return Ok(None);
        };
        let secret = websocket.secret.as_ref();
        // The token was made for what was told here then; others may have subscribed it to more since.
        let hidden = wanted.hidden.or(clearance.hidden_by_subscription(kind));
        let body = frame::body(&entry.event, hidden, secret);
        Ok(Some(Message::text(if self.session.is_labelled {
            frame::labelled(entry.position, &entry.event, body, secret.is_some())
        } else {
            body
        })))
    }

    async fn send(&mut self, message: Message) -> Result<(), CloseReason> {
        tokio::select! {
            biased;
            () = self.lease.ended() => Err(CloseReason::Revoked),
            sent = timeout(LONGEST_SEND, self.socket.send(message)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(CloseReason::Lost),
            }
        }
    }

    /// Waits until there may be something to send.
    async fn wait(&mut self) -> Result<(), CloseReason> {
        let look_at = Instant::now() + LOOK_EVERY;
        loop {
            tokio::select! {
                rung = self.waker.changed() => return rung.map_err(|_| CloseReason::Stopping),
                _ = self.stopping.changed() => return Err(CloseReason::Stopping),
                () = self.lease.ended() => return Err(CloseReason::Revoked),
                heard = self.socket.next() => self.heard(heard.as_ref())?,
                () = sleep_until(self.expires_at) => return Err(CloseReason::Expired),
                () = sleep_until(self.pinged_at + PING_EVERY) => self.ping().await?,
                () = sleep_until(look_at) => return self.look_up(),
            }
        }
    }

    /// Takes what has come in meanwhile, without waiting for more.
    fn look_up(&mut self) -> Result<(), CloseReason> {
        for _ in 0..MOST_HEARD {
            match self.socket.next().now_or_never() {
                Some(heard) => self.heard(heard.as_ref())?,
                None => break,
            }
        }
        if *self.stopping.borrow() {
            return Err(CloseReason::Stopping);
        }
        if self
            .node
            .registry
            .websocket(self.session.grant.websocket_id)
            .is_none()
        {
            return Err(CloseReason::Deleted);
        }
        let registry = &self.node.registry;
        if let Some((_, id)) = self.session.grant.only
            && !registry.has_subscription(self.session.company_id, id)
        {
            return Err(CloseReason::Unsubscribed);
        }
        if Instant::now() >= self.expires_at {
            return Err(CloseReason::Expired);
        }
        Ok(())
    }

    /// Anything that the other side says is no more than a sign of life.
    fn heard(&mut self, heard: Option<&tungstenite::Result<Message>>) -> Result<(), CloseReason> {
        use tungstenite::Error;
        use tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
        match heard {
            Some(Ok(Message::Close(_))) => Err(CloseReason::Left),
            Some(Err(Error::Protocol(ResetWithoutClosingHandshake))) | None => Err(CloseReason::Lost),
            Some(Err(Error::Protocol(_))) => Err(CloseReason::Garbled),
            Some(Err(Error::Utf8(_))) => Err(CloseReason::NoText),
            Some(Err(Error::Capacity(_))) => Err(CloseReason::TooLarge),
            Some(Err(_)) => Err(CloseReason::Lost),
            Some(Ok(_)) => {
                self.heard_at = Instant::now();
                Ok(())
            }
        }
    }

    async fn ping(&mut self) -> Result<(), CloseReason> {
        self.pinged_at = Instant::now();
        if self.heard_at.elapsed() > LONGEST_SILENCE {
            return Err(CloseReason::Lost);
        }
        self.send(Message::Ping(bytes::Bytes::new())).await
    }

    /// The closing handshake, whoever began it (RFC 6455, section 7), and the end of the connection after it.
    async fn part(&mut self, frame: Option<CloseFrame>) -> tungstenite::Result<()> {
        match frame {
            Some(frame) => self.socket.send(Message::Close(Some(frame))).await?,
            // The answer to theirs was written when it was read.
            None => self.socket.flush().await?,
        }
        while let Some(Ok(_)) = self.socket.next().await {}
        // Reads what is still coming: a socket that is closed with something unread takes back what was written.
        self.socket.get_mut().shutdown().await?;
        Ok(())
    }
}
