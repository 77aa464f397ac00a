//! The day without a receiver once more, in which people are really told: over HTTP, and by mail through aiosmtpd.
//!
//! Virtual time goes on as soon as nothing is to be done, so it must stand still while a message is on its way over a socket:
//! for as long as an HTTP request or a connection to the mail server lasts, a thread that counts as busy is kept waiting.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;

use async_trait::async_trait;
use http::StatusCode;
use serde_json::Value;
use switchhook_domain::notification::{Channel, ChannelType};
use switchhook_domain::secret::Secret;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::delivery::transport::{Post, PostResult, Transport};
use switchhook_node::notification::{MailSettings, MailTls};
use switchhook_protocol::verify;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use super::outage::{Story, channel};
use crate::delivery::network::transport;
use crate::support::http::{Arrival, RecordingReceiver};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Virtual time stands still for as long as this is there.
struct Standstill(
    #[expect(dead_code, reason = "that it is gone is what the thread waits for")] mpsc::SyncSender<()>,
);

impl Standstill {
    fn begin() -> Self {
        let (there, gone) = mpsc::sync_channel(0);
        tokio::task::spawn_blocking(move || gone.recv());
        Self(there)
    }
}

struct Standing<T>(T);

#[async_trait]
impl<T: Transport> Transport for Standing<T> {
    async fn post(&self, post: Post) -> PostResult {
        let _standstill = Standstill::begin();
        self.0.post(post).await
    }
}

/// Recipients of notifications, which survive a crash of the server.
pub(super) struct Recipients {
    webhook: RecordingReceiver,
    chat: RecordingReceiver,
    mail_server: SocketAddr,
    _running: Runtime,
}

impl Recipients {
    fn start(mail_server: SocketAddr) -> Arc<Self> {
        let running = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let receiver = || running.block_on(RecordingReceiver::start(|_| StatusCode::OK));
        Arc::new(Self {
            webhook: receiver(),
            chat: receiver(),
            mail_server,
            _running: running,
        })
    }

    pub(super) fn channels(&self) -> Vec<Channel> {
        let signed = Channel {
            secret: Some(Secret::new(SECRET)),
            ..channel(1, ChannelType::Webhook, self.webhook.url())
        };
        let mail = channel(3, ChannelType::Email, "ops@example.com".to_owned());
        vec![signed, channel(2, ChannelType::Slack, self.chat.url()), mail]
    }

    /// Connections of the runtime that asks.
    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        let guard = AddressGuard {
            allow: vec!["127.0.0.0/8".parse().expect("it is a network")],
            allow_http: true,
            ..AddressGuard::default()
        };
        Arc::new(Standing(transport(guard)))
    }

    /// A way to the mail server on which time stands still.
    #[expect(clippy::disallowed_methods, reason = "a wire between a test's own programs")]
    pub(super) async fn mail_settings(&self) -> MailSettings {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let port = listener.local_addr().expect("it listens").port();
        let to = self.mail_server;
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let standstill = Standstill::begin();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(to).await.expect("the mail server listens");
                    // Until both sides have closed, however they did.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    drop(standstill);
                });
            }
        });
        MailSettings {
            host: "127.0.0.1".to_owned(),
            port: Some(port),
            tls: MailTls::Without,
            credentials: None,
            from: "switchhook@example.com".to_owned(),
        }
    }
}

/// aiosmtpd, which prints every mail that it takes before it says that it took it.
struct MailServer {
    process: Child,
    address: SocketAddr,
    lines: thread::JoinHandle<Vec<String>>,
}

const PROGRAM: &str = r#"
import asyncio, json
from aiosmtpd.smtp import SMTP

class Keeper:
    async def handle_DATA(self, server, session, envelope):
        print(json.dumps({"to": envelope.rcpt_tos, "mail": envelope.content.decode()}), flush=True)
        return "250 kept"

async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Keeper(), hostname="here"), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"#;

impl MailServer {
    fn start(python: &str) -> Self {
        let mut process = Command::new(python)
            .args(["-c", PROGRAM])
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = lines.next().expect("it prints its port").expect("it is text");
        Self {
            process,
            address: SocketAddr::from(([127, 0, 0, 1], port.parse().expect("it is a port"))),
            lines: thread::spawn(move || lines.map_while(Result::ok).collect()),
        }
    }

    /// Number of mails with each subject.
    fn stop(mut self) -> BTreeMap<String, u32> {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it is ours");
        let lines = self.lines.join().expect("it only reads");
        let mut subjects = BTreeMap::new();
        for line in lines {
            let taken: Value = serde_json::from_str(&line).expect("it prints JSON");
            assert_eq!(taken["to"][0], "ops@example.com");
            let mail = taken["mail"].as_str().expect("it is text");
            let mut lines = mail.lines();
            let subject = lines.find_map(|line| line.strip_prefix("Subject: "));
            let subject = subject.expect("a mail has one").to_owned();
            *subjects.entry(subject).or_default() += 1;
        }
        subjects
    }
}

/// A Python with aiosmtpd in it.
#[expect(clippy::print_stdout, reason = "a skipped check says so")]
#[expect(clippy::disallowed_methods, reason = "it is named from outside")]
fn python() -> Option<String> {
    let python = std::env::var("SWITCHHOOK_TEST_PYTHON").ok();
    let has_it = |python: &String| {
        let tried = Command::new(python).args(["-c", "import aiosmtpd.smtp"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let found = python.filter(has_it);
    if found.is_none() {
        println!(
            "skipped: SWITCHHOOK_TEST_PYTHON names no Python with aiosmtpd (./scripts/check provides one)"
        );
    }
    found
}

/// The kinds that the signed channel was told of.
fn kinds(arrivals: &[Arrival]) -> Vec<String> {
    let kind = |arrival: &Arrival| {
        let verified = verify(&arrival.body, [SECRET]).expect("it is signed");
        let message: Value = serde_json::from_slice(&verified).expect("a message is JSON");
        message["kind"].as_str().expect("it has a kind").to_owned()
    };
    arrivals.iter().map(kind).collect()
}

#[test]
fn a_day_without_a_receiver_is_told_once_over_real_http_and_by_real_mail() {
    let Some(python) = python() else { return };
    let mail_server = MailServer::start(&python);
    let recipients = Recipients::start(mail_server.address);
    let story = Story::live_a_day_telling(Arc::clone(&recipients), 150);
    assert!(story.crashed);
    assert_eq!(
        kinds(&recipients.webhook.arrivals()),
        ["webhook.failing", "webhook.recovered"]
    );
    let chat = recipients.chat.arrivals();
    let texts: Vec<Value> = chat
        .iter()
        .map(|arrival| serde_json::from_slice(&arrival.body).expect("it is JSON"))
        .collect();
    assert!(
        texts.len() == 2 && texts[0]["text"] != texts[1]["text"],
        "{texts:#?}"
    );
    let subjects: Vec<_> = mail_server.stop().into_iter().collect();
    assert_eq!(
        subjects,
        [
            ("Switchhook: webhook.failing".to_owned(), 1),
            ("Switchhook: webhook.recovered".to_owned(), 1)
        ]
    );
}
