//! The senders and the receiver: what the server under callgrind has to do with. They cost nothing that is counted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::server::pause;
use crate::check::now;

const SENDERS: u64 = 64;

/// A call's hangup in 1,024 bytes, of which the sixteen digits of its call's id are written over.
const EVENT: &str = include_str!("event.json");
const CALL_ID: &str = "4000000000000000";

/// Pause between two looks for what was received, and longest time in which nothing may come.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads one HTTP message: its first line and its body. `None` where the connection ends.
fn read_message(stream: &mut BufReader<TcpStream>) -> Result<Option<(String, Vec<u8>)>> {
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        ensure!(
            stream.read_line(&mut line)? > 0,
            "a message breaks off in its head"
        );
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some((first, body)))
}

/// What is answered to a request, which is to succeed.
pub(super) fn request(address: SocketAddr, method_and_path: &str, key: &str, json: &str) -> Result<Vec<u8>> {
    let mut stream = connect(address)?;
    stream
        .get_mut()
        .write_all(written(method_and_path, address, key, json).as_bytes())?;
    answer(&mut stream)
}

fn written(method_and_path: &str, address: SocketAddr, key: &str, json: &str) -> String {
    format!(
        "{method_and_path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{json}",
        json.len()
    )
}

fn answer(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let (status, body) = read_message(stream)?.context("the server closed the connection")?;
    if !status.starts_with("HTTP/1.1 2") {
        bail!(
            "the server answered {}: {}",
            status.trim_end(),
            String::from_utf8_lossy(&body)
        );
    }
    Ok(body)
}

#[expect(clippy::disallowed_methods, reason = "loopback only; no hook URL comes here")]
fn connect(address: SocketAddr) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// As many connections as there are events under way.
pub(super) struct Senders {
    senders: Vec<Sender>,
    /// Number of events that each of them has sent.
    sent: u64,
}

struct Sender {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
    /// Where in the request the id of the call stands.
    call_id: usize,
    /// Its first call.
    first: u64,
}

impl Senders {
    pub(super) fn connect(address: SocketAddr, key: &str) -> Result<Self> {
        let request = written("POST /v1/events/call", address, key, EVENT.trim_end());
        let call_id = request.find(CALL_ID).context("the event has no such call")?;
        let base: u64 = CALL_ID.parse()?;
        let senders = (0..SENDERS).map(|number| {
            Ok(Sender {
                stream: connect(address)?,
                request: request.clone().into_bytes(),
                call_id,
                first: base + number * 1_000_000,
            })
        });
        Ok(Self {
            senders: senders.collect::<Result<_>>()?,
            sent: 0,
        })
    }

    /// Sends `events` in all, each sender the next when its last is accepted.
    pub(super) fn send(&mut self, events: u64) -> Result<()> {
        let sent = self.sent;
        let most = events.div_ceil(SENDERS);
        self.sent += most;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..)
                .zip(&mut self.senders)
                .map(|(number, sender)| {
                    let count = events / SENDERS + u64::from(number < events % SENDERS);
                    scope.spawn(move || (sent..sent + count).try_for_each(|call| sender.send(call)))
                })
                .collect();
            let ended = threads
                .into_iter()
                .map(|thread| thread.join().expect("a sender does not panic"));
            ended.collect()
        })
    }
}

impl Sender {
    fn send(&mut self, call: u64) -> Result<()> {
        let id = (self.first + call).to_string();
        self.request[self.call_id..self.call_id + CALL_ID.len()].copy_from_slice(id.as_bytes());
        self.stream.get_mut().write_all(&self.request)?;
        answer(&mut self.stream).map(|_| ())
    }
}

/// Answers every delivery at once, and counts.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    received: Arc<AtomicU64>,
}

impl Receiver {
    /// Listens until the program ends.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the receiver has no port")?;
        let receiver = Self {
            address: listener.local_addr()?,
            received: Arc::default(),
        };
        let received = Arc::clone(&receiver.received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let received = Arc::clone(&received);
                // A connection that breaks off is the server's to tell: it makes another attempt.
                std::thread::spawn(move || receive(stream, &received));
            }
        });
        Ok(receiver)
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Waits until so many deliveries have come.
    pub(super) fn wait_for(&self, goal: u64) -> Result<()> {
        let mut last = (self.received(), now());
        while last.0 < goal {
            pause(LOOK_EVERY);
            let received = self.received();
            if received > last.0 {
                last = (received, now());
            }
            ensure!(
                last.1.elapsed() < PATIENCE,
                "only {received} of {goal} deliveries came"
            );
        }
        Ok(())
    }
}

fn receive(stream: TcpStream, received: &AtomicU64) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while read_message(&mut stream)?.is_some() {
        received.fetch_add(1, Ordering::Relaxed);
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
    Ok(())
}
