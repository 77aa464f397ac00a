//! Events accepted and delivered a second: a server process, senders and a receiver on loopback.
//!
//! `cargo run --release --example throughput -- target/release/switchhook [SENDERS] [SECONDS] [SECRET]`. Senders and
//! receiver speak bare HTTP/1.1 over kept connections, so that most of the machine is left to the server. With `floor`
//! in place of the binary, the server is a forwarder on the same HTTP stack that stores nothing: what the machine can
//! do at that moment, to compare with.
#![expect(clippy::print_stdout, reason = "the table is the product")]

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// How long the server warms up before anything is counted.
const WARM_UP: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    if std::env::args().nth(1).as_deref() == Some("forward") {
        let port = arguments.nth(1).context("name the port to listen at")?;
        return forward(format!("127.0.0.1:{port}").parse()?).await;
    }
    let binary = arguments.next().context("name the switchhook binary")?;
    let senders: u64 = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let secret = arguments.next();

    let dir = tempfile::tempdir()?;
    let store = format!("sqlite:{}", dir.path().join("switchhook.db").display());
    let received = Arc::new(AtomicU64::new(0));
    let receiver = receive(Arc::clone(&received)).await?;
    let server = Server::start(&binary, &store)?;
    server.wait_until_ready().await?;
    server.subscribe(receiver, secret.as_deref()).await?;

    let is_over = Arc::new(AtomicBool::new(false));
    let accepted = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..senders)
        .map(|sender| {
            let (accepted, is_over) = (Arc::clone(&accepted), Arc::clone(&is_over));
            tokio::spawn(send(
                server.address,
                server.key.clone(),
                sender,
                accepted,
                is_over,
            ))
        })
        .collect();
    tokio::time::sleep(WARM_UP).await;
    let before = (
        accepted.load(Ordering::Relaxed),
        received.load(Ordering::Relaxed),
        server.cpu_seconds()?,
    );
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let took = start.elapsed().as_secs_f64();
    let after = (
        accepted.load(Ordering::Relaxed),
        received.load(Ordering::Relaxed),
        server.cpu_seconds()?,
    );
    is_over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    let drained = Instant::now();
    while received.load(Ordering::Relaxed) < accepted.load(Ordering::Relaxed) {
        if drained.elapsed() > Duration::from_secs(60) {
            bail!(
                "{} accepted, only {} received",
                accepted.load(Ordering::Relaxed),
                received.load(Ordering::Relaxed)
            );
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let delivered = (after.1 - before.1) as f64;
    println!(
        "senders {senders}: accepted {:.0}/s, delivered {:.0}/s, server CPU {:.1} us an event, memory {} MB, drained in {:.2} s",
        (after.0 - before.0) as f64 / took,
        delivered / took,
        (after.2 - before.2) * 1e6 / delivered,
        server.memory_mb()?,
        drained.elapsed().as_secs_f64(),
    );
    Ok(())
}

struct Server {
    child: Child,
    address: SocketAddr,
    key: String,
}

impl Server {
    fn start(binary: &str, store: &str) -> Result<Self> {
        if binary == "floor" {
            return Self::start_floor();
        }
        let created = Command::new(binary)
            .args(["keys", "create", "--name", "bench", "--admin", "--store", store])
            .output()?;
        let key = String::from_utf8(created.stdout)?.trim().to_owned();
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(binary)
            .args([
                "serve",
                "--store",
                store,
                "--hook-allow-http",
                "--hook-allow",
                "127.0.0.0/8",
            ])
            .args(["--listen", &address.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("{binary} cannot be started"))?;
        Ok(Self { child, address, key })
    }

    fn start_floor() -> Result<Self> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(std::env::current_exe()?)
            .args(["forward", &address.port().to_string()])
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self {
            child,
            address,
            key: String::new(),
        })
    }

    async fn wait_until_ready(&self) -> Result<()> {
        for _ in 0..200 {
            if self
                .ask("GET", "/readyz", "")
                .await
                .is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the server does not get ready")
    }

    async fn subscribe(&self, receiver: SocketAddr, secret: Option<&str>) -> Result<()> {
        let secret = secret.map_or_else(String::new, |secret| format!(r#","secret":"{secret}""#));
        let webhook = self
            .ask(
                "POST",
                "/api/v2/webhooks",
                &format!(r#"{{"hook_url":"http://{receiver}/hook"{secret}}}"#),
            )
            .await?;
        let id = webhook
            .split(r#""id":""#)
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .context(webhook.clone())?;
        let subscribed = self
            .ask(
                "POST",
                "/api/v2/subscriptions/call",
                &format!(r#"{{"endpoint_id":"{id}"}}"#),
            )
            .await?;
        if !subscribed.starts_with("HTTP/1.1 200") {
            bail!("{subscribed}");
        }
        Ok(())
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let mut stream = connect(self.address).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit(") ").next().context("no stat")?;
        let ticks: Vec<f64> = after_name
            .split(' ')
            .skip(11)
            .take(2)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() / 100.0)
    }

    fn memory_mb(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .context("no VmRSS")?;
        Ok(line
            .split_whitespace()
            .nth(1)
            .context("no figure")?
            .parse::<u64>()?
            / 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "loopback only, and not the product")]
async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn send(
    server: SocketAddr,
    key: String,
    sender: u64,
    accepted: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
) -> Result<()> {
    let mut stream = connect(server).await?;
    let padding = "x".repeat(700);
    let mut answer = vec![0; 4096];
    let mut number = 0_u64;
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        let call_id = 4_000_000_000_000_000 + sender * 1_000_000_000 + number;
        let body = format!(
            r#"{{"call_id":{call_id},"state":"hangup","direction":"inbound","date_started":1790000000000,"date_connected":1790000001000,"date_ended":1790000061000,"duration":60000,"event_timestamp":1790000061100,"target":{{"id":5000000000000001,"type":"user","name":"Ann Example","email":"ann@example.com","phone":"+15550100"}},"contact":{{"id":"c1","type":"local","primary_phone":"+15550101","display_name":"{padding}"}}}}"#
        );
        let request = format!(
            "POST /v1/events/call HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let length = read_message(&mut stream, &mut answer).await?;
        if !answer[..length].starts_with(b"HTTP/1.1 202") {
            bail!("{}", String::from_utf8_lossy(&answer[..length]));
        }
        accepted.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Reads one message whose head and body fit the buffer.
async fn read_message(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    loop {
        let n = stream.read(&mut buffer[filled..]).await?;
        if n == 0 {
            bail!("the connection was closed");
        }
        filled += n;
        if let Some(whole) = whole_length(&buffer[..filled])
            && filled >= whole
        {
            return Ok(filled);
        }
    }
}

fn whole_length(message: &[u8]) -> Option<usize> {
    let head = message.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&message[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head + 4 + length.unwrap_or(0))
}

async fn receive(received: Arc<AtomicU64>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let received = Arc::clone(&received);
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let mut buffer = vec![0; 16 * 1024];
                while read_message(&mut stream, &mut buffer).await.is_ok() {
                    received.fetch_add(1, Ordering::Relaxed);
                    if stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}

/// The floor: takes a request, posts its body to where the last `POST /api/v2/webhooks` said, answers.
async fn forward(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    let target = Arc::new(std::sync::OnceLock::<SocketAddr>::new());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let target = Arc::clone(&target);
        tokio::spawn(async move {
            let upstream = Arc::new(tokio::sync::Mutex::new(None));
            let service = hyper::service::service_fn(move |request| {
                forward_one(request, Arc::clone(&target), Arc::clone(&upstream))
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Upstream = Arc<tokio::sync::Mutex<Option<hyper::client::conn::http1::SendRequest<Full<Bytes>>>>>;

async fn forward_one(
    request: hyper::Request<hyper::body::Incoming>,
    target: Arc<std::sync::OnceLock<SocketAddr>>,
    upstream: Upstream,
) -> Result<hyper::Response<Full<Bytes>>> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let mut response = hyper::Response::new(Full::new(Bytes::from_static(br#"{"id":"1"}"#)));
    if path != "/v1/events/call" {
        if path == "/api/v2/webhooks" {
            let text = std::str::from_utf8(&body)?;
            let host = text
                .split("http://")
                .nth(1)
                .and_then(|rest| rest.split('/').next())
                .context("no hook_url")?;
            target.set(host.parse()?).ok();
        }
        return Ok(response);
    }
    let mut sender = upstream.lock().await;
    if sender.is_none() {
        *sender = Some(open_upstream(*target.get().context("no webhook yet")?).await?);
    }
    let sender = sender.as_mut().context("it was just opened")?;
    let post = hyper::Request::post("/hook")
        .header("host", "receiver")
        .body(Full::new(body))?;
    let answer = sender.send_request(post).await?;
    answer.into_body().collect().await?;
    *response.status_mut() = hyper::StatusCode::ACCEPTED;
    Ok(response)
}

#[expect(clippy::disallowed_methods, reason = "loopback only, and not the product")]
async fn open_upstream(target: SocketAddr) -> Result<hyper::client::conn::http1::SendRequest<Full<Bytes>>> {
    let stream = connect(target).await?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
