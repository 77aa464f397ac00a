//! The receiver of a trial: answers 200 with nothing else to do, and notes when each event arrived.
//!
//! What it does with a delivery is the first word of the hook URL's path, so that one port can be many webhooks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::latency::Latencies;
use super::payload::Payload;
use super::subject::Subject;
use super::watch::Watch;
use super::wire::Messages;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Interval of looking for arrivals, and time without any after which they are over.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

/// Behaviour of a webhook's receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReceiverBehaviour {
    /// Answers, and its deliveries count.
    Count,
    /// Answers, and its deliveries do not count.
    Answer,
    /// Takes the request and never answers.
    Hang,
}

impl ReceiverBehaviour {
    const fn path(self) -> &'static str {
        match self {
            Self::Count => "/count/",
            Self::Answer => "/answer/",
            Self::Hang => "/hang/",
        }
    }

    /// By the head of a request.
    fn of(head: &[u8]) -> Self {
        let path = head.strip_prefix(b"POST ").unwrap_or_default();
        let is = |behaviour: &Self| path.starts_with(behaviour.path().as_bytes());
        [Self::Answer, Self::Hang]
            .into_iter()
            .find(is)
            .unwrap_or(Self::Count)
    }
}

/// Scheme of the receivers' URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// Deliveries that arrived.
pub(super) struct Arrivals {
    counted: AtomicU64,
    /// From when an event was due until the last of its deliveries arrived.
    pub(super) latencies: Latencies,
    /// Number of deliveries that make one event.
    of_each_event: u32,
    /// How many of them have arrived, by call and due time, until all have.
    incomplete: Mutex<HashMap<(u64, Duration), u32>>,
    watch: Arc<Watch>,
    payload: Payload,
}

impl Arrivals {
    /// Number of measured deliveries.
    pub(super) fn count(&self) -> u64 {
        self.counted.load(Ordering::Acquire)
    }

    fn new(of_each_event: u32, watch: Arc<Watch>, payload: Payload) -> Self {
        Self {
            counted: AtomicU64::new(0),
            latencies: Latencies::new(),
            of_each_event,
            incomplete: Mutex::default(),
            watch,
            payload,
        }
    }

    fn note(&self, body: &[u8]) {
        let due = self.payload.due(body).filter(|due| self.watch.counts(*due));
        if let Some(due) = due.filter(|due| self.completes_its_event(body, *due)) {
            self.latencies.record(self.watch.elapsed().saturating_sub(due));
        }
        // Last, as whoever waits for the count reads the latencies then.
        self.counted.fetch_add(1, Ordering::Release);
    }

    fn completes_its_event(&self, body: &[u8], due: Duration) -> bool {
        if self.of_each_event == 1 {
            return true;
        }
        let Some(call) = self.payload.call(body) else {
            return false;
        };
        let mut incomplete = self.incomplete.lock();
        let arrived = incomplete.entry((call, due)).or_default();
        *arrived += 1;
        let is_complete = *arrived == self.of_each_event;
        if is_complete {
            incomplete.remove(&(call, due));
        }
        is_complete
    }
}

/// Listens until it is dropped, with all its connections.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    scheme: Scheme,
    /// The authority that made its certificate, in PEM.
    pub(super) authority: Option<String>,
    pub(super) arrivals: Arc<Arrivals>,
    listening: JoinHandle<()>,
}

impl Receiver {
    /// Each event that `watch` counts comes as `of_each_event` deliveries.
    pub(super) async fn start(
        scheme: Scheme,
        of_each_event: u32,
        watch: Arc<Watch>,
        payload: Payload,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("the receiver has no port to listen at")?;
        let address = listener.local_addr()?;
        let arrivals = Arc::new(Arrivals::new(of_each_event, watch, payload));
        let (acceptor, authority) = match scheme {
            Scheme::Http => (None, None),
            Scheme::Https => {
                let (acceptor, authority) = tls()?;
                (Some(acceptor), Some(authority))
            }
        };
        let listening = tokio::spawn(listen(listener, acceptor, Arc::clone(&arrivals)));
        Ok(Self {
            address,
            scheme,
            authority,
            arrivals,
            listening,
        })
    }

    /// Waits until so many deliveries have arrived that count; an error if `sender` ends or they stand still before.
    pub(super) async fn wait_for(&self, goal: u64, sender: &mut Subject) -> Result<()> {
        let mut last = (self.arrivals.count(), Instant::now());
        while last.0 < goal {
            sender.check()?;
            tokio::time::sleep(LOOK_EVERY).await;
            let arrived = self.arrivals.count();
            if arrived > last.0 {
                last = (arrived, Instant::now());
            }
            ensure!(
                last.1.elapsed() < PATIENCE,
                "only {arrived} of {goal} deliveries arrived, and none in the last {} s",
                PATIENCE.as_secs()
            );
        }
        Ok(())
    }

    /// The URL of one of its webhooks.
    pub(super) fn hook_url(&self, behaviour: ReceiverBehaviour, number: u32) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        format!("{scheme}://{}{}{number}", self.address, behaviour.path())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, acceptor: Option<TlsAcceptor>, arrivals: Arc<Arrivals>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(answer_requests(stream, acceptor.clone(), Arc::clone(&arrivals)));
    }
}

/// A connection that breaks off is the server's to tell: it makes another attempt.
async fn answer_requests(stream: TcpStream, acceptor: Option<TlsAcceptor>, arrivals: Arc<Arrivals>) {
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => answer_all(stream, &arrivals).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                answer_all(stream, &arrivals).await;
            }
        }
    }
}

async fn answer_all(mut stream: impl AsyncRead + AsyncWrite + Unpin, arrivals: &Arrivals) {
    let mut messages = Messages::new();
    while let Ok(Some(message)) = messages.next(&mut stream).await {
        match ReceiverBehaviour::of(messages.bytes(&message.head)) {
            ReceiverBehaviour::Count => arrivals.note(messages.bytes(&message.body)),
            ReceiverBehaviour::Answer => {}
            ReceiverBehaviour::Hang => std::future::pending().await,
        }
        if stream.write_all(OK).await.is_err() {
            return;
        }
    }
}

/// A certificate for 127.0.0.1, and the authority that made it.
fn tls() -> Result<(TlsAcceptor, String)> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
    let secret_key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret_key)?;
    Ok((TlsAcceptor::from(Arc::new(config)), authority.pem()))
}

#[cfg(test)]
mod tests {
    use super::super::payload::EventDetails;
    use super::*;

    #[tokio::test]
    async fn the_last_delivery_of_an_event_tells_how_long_it_took() {
        let watch = Arc::new(Watch::start());
        watch.set_window(Duration::ZERO, Duration::MAX);
        let payload = Payload::simulated();
        let arrivals = Arrivals::new(2, Arc::clone(&watch), payload.clone());
        let events = [1, 2].map(|call| {
            let mut body = payload.body().to_vec();
            let says = EventDetails {
                sender: 0,
                call,
                target: 0,
                due: Duration::ZERO,
            };
            payload.write(&mut body, says);
            body
        });
        for body in &events {
            arrivals.note(body);
        }
        assert_eq!(arrivals.latencies.percentiles(), None, "each misses one");
        watch.wait_until(Duration::from_millis(20)).await;
        arrivals.note(&events[1]);
        let found = arrivals.latencies.percentiles().expect("one is complete");
        assert!(found.p50_ms >= 20.0, "{found:?}");
        assert_eq!(arrivals.count(), 3);
        assert_eq!(arrivals.incomplete.lock().len(), 1);
    }
}
