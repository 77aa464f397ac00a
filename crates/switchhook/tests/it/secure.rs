//! Servers with certificates of their own: over HTTP/2 and HTTP/1.1, with certificates that change, and from an authority.

mod acme;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use switchhook::server::Server;
use switchhook_http::proxy::read_certificates;
use switchhook_http::server::ConnectionLimits;
use switchhook_node::settings::{Settings, TlsSettings};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::tls::Authority;
use crate::websockets::key;

/// Time limit for anything that is to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answer, and the server that gave it.
struct Answered {
    version: Version,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    certificate: CertificateDer<'static>,
}

/// Client that trusts one authority.
struct Visitor {
    roots: RootCertStore,
    name: &'static str,
}

impl Visitor {
    fn trusting(pem: &str, name: &'static str) -> Self {
        let mut roots = RootCertStore::empty();
        for root in read_certificates(pem.as_bytes()).expect("it is PEM") {
            roots.add(root).expect("it is an authority");
        }
        Self { roots, name }
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own address needs no judge")]
    async fn connect(&self, address: SocketAddr, speech: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut config = ClientConfig::builder()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![speech.to_vec()];
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from(self.name).expect("it is a name");
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }

    async fn get(&self, address: SocketAddr, speech: &[u8], path: &str) -> std::io::Result<Answered> {
        let request = Request::get(format!("https://{}{path}", self.name)).body(Full::new(Bytes::new()));
        self.ask(address, speech, request.expect("it is a request")).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a test's client must not be the product's"
    )]
    async fn ask(
        &self,
        address: SocketAddr,
        speech: &[u8],
        request: Request<Full<Bytes>>,
    ) -> std::io::Result<Answered> {
        let stream = self.connect(address, speech).await?;
        let shown = stream.get_ref().1.peer_certificates().expect("it shows one")[0].clone();
        let io = TokioIo::new(stream);
        let response = if speech == b"h2" {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io)
                .await
                .expect("it speaks HTTP/2");
            tokio::spawn(connection);
            sender.send_request(request).await
        } else {
            let (mut sender, connection) = http1::handshake(io).await.expect("it speaks HTTP/1.1");
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        let (head, body) = response.expect("it answers").into_parts();
        Ok(Answered {
            version: head.version,
            status: head.status,
            headers: head.headers,
            body: body.collect().await.expect("the answer is whole").to_bytes(),
            certificate: shown,
        })
    }
}

/// A server that is secured in this way, on a store in memory.
async fn serve(tls: TlsSettings) -> Server {
    serve_within(ConnectionLimits::default(), tls).await
}

async fn serve_within(connections: ConnectionLimits, tls: TlsSettings) -> Server {
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        store: "sqlite::memory:".to_owned(),
        grace: Duration::from_secs(120),
        connections,
        tls,
        ..Settings::default()
    };
    Server::start(settings).await.expect("it starts")
}

fn from_files(authority: &Authority, folder: &Path) -> (TlsSettings, CertificateDer<'static>) {
    let made = authority.for_names(&["hooks.example.com"]);
    let [certificate, key] = made.write(folder);
    (
        TlsSettings::Files { certificate, key },
        made.certificate().clone(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secure_server_speaks_both_versions_and_has_browsers_come_securely_only() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = serve(from_files(&authority, folder.path()).0).await;
    let visitor = Visitor::trusting(&authority.pem(), "hooks.example.com");
    for (speech, version) in [(&b"h2"[..], Version::HTTP_2), (b"http/1.1", Version::HTTP_11)] {
        let ready = visitor.get(server.address, speech, "/readyz").await.unwrap();
        assert_eq!((ready.version, ready.status), (version, StatusCode::OK));
        let page = visitor
            .get(server.address, speech, "/dashboard/sign-in")
            .await
            .unwrap();
        assert_eq!(page.status, StatusCode::OK, "{:?}", page.body);
        assert_eq!(page.headers["strict-transport-security"], "max-age=31536000");
    }
    assert_eq!(
        server.node.settings.reachable_at(),
        format!("https://{}", server.address)
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_in_over_both_versions() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = serve(from_files(&authority, folder.path()).0).await;
    key(&server, "shk_sender").await;
    let visitor = Visitor::trusting(&authority.pem(), "hooks.example.com");
    for speech in [&b"h2"[..], b"http/1.1"] {
        // Longer than what comes in one piece.
        let event = format!(
            r#"{{"call_id":1,"state":"hangup","note":"{}"}}"#,
            "x".repeat(300_000)
        );
        let request = Request::post("https://hooks.example.com/v1/events/call")
            .header("authorization", "Bearer shk_sender")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(event)));
        let answered = visitor
            .ask(server.address, speech, request.unwrap())
            .await
            .unwrap();
        assert_eq!(answered.status, StatusCode::ACCEPTED, "{:?}", answered.body);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_share_a_connection_and_all_are_answered_before_it_ends() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = serve(from_files(&authority, folder.path()).0).await;
    let visitor = Visitor::trusting(&authority.pem(), "hooks.example.com");
    let stream = visitor.connect(server.address, b"h2").await.unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's client must not be the product's"
    )]
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let open = tokio::spawn(connection);
    let asking = (0..200).map(|_| {
        let mut sender = sender.clone();
        async move {
            sender.ready().await.unwrap();
            let request = Request::get("https://hooks.example.com/openapi.json");
            let response = sender
                .send_request(request.body(Full::new(Bytes::new())).unwrap())
                .await;
            response
                .unwrap()
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .len()
        }
    });
    let lengths = futures_util::future::join_all(asking).await;
    assert!(lengths[0] > 10_000 && lengths.iter().all(|length| *length == lengths[0]));
    // Nothing is under way, so that nobody need wait for the client.
    tokio::join!(server.stop(), async { open.await.unwrap().unwrap() });
}

type Sent = BoxBody<Bytes, Infallible>;

/// A client of HTTP/2 that opens its window so far for each answer; with the task that ends with its connection.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's client must not be the product's"
)]
async fn many_at_once(
    visitor: &Visitor,
    address: SocketAddr,
    window: u32,
) -> (http2::SendRequest<Sent>, JoinHandle<()>) {
    let stream = visitor.connect(address, b"h2").await.expect("it listens");
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .expect("it speaks HTTP/2");
    let open = tokio::spawn(async move { drop(connection.await) });
    (sender, open)
}

fn asking_for(path: &str, body: Sent) -> Request<Sent> {
    let request = Request::post(format!("https://hooks.example.com{path}"));
    let request = request
        .header("authorization", "Bearer shk_sender")
        .header("content-type", "application/json");
    request.body(body).expect("it is a request")
}

/// Limits short enough to wait for in a test.
const SHORT: ConnectionLimits = ConnectionLimits {
    max: None,
    head: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    patience: Duration::from_millis(300),
    hurry: Duration::from_millis(200),
    rate: 1_024,
    bodies: 64 << 20,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_no_answer_is_not_waited_for_without_end() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let visitor = Visitor::trusting(&authority.pem(), "hooks.example.com");
    let page = || Request::get("https://hooks.example.com/dashboard/sign-in").body(Sent::default());
    let server = serve_within(SHORT, from_files(&authority, folder.path()).0).await;
    let (mut sender, open) = many_at_once(&visitor, server.address, 0).await;
    let answer = sender.send_request(page().unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    tokio::time::timeout(PATIENCE, open)
        .await
        .expect("it is cut off")
        .unwrap();
    // Nor does it keep the server from stopping, whatever it may take otherwise.
    server.stop().await;
    let limits = ConnectionLimits {
        hurry: SHORT.hurry,
        ..ConnectionLimits::default()
    };
    let server = serve_within(limits, from_files(&authority, folder.path()).0).await;
    let (mut sender, _open) = many_at_once(&visitor, server.address, 0).await;
    let _answer = sender.send_request(page().unwrap()).await.unwrap();
    let stopped = tokio::time::timeout(PATIENCE, server.stop()).await;
    stopped.expect("it is not waited for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_come_ends_its_own_request_and_no_other() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = serve_within(SHORT, from_files(&authority, folder.path()).0).await;
    key(&server, "shk_sender").await;
    let visitor = Visitor::trusting(&authority.pem(), "hooks.example.com");
    let (mut sender, open) = many_at_once(&visitor, server.address, 65_535).await;
    let nothing = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let slow = sender.send_request(asking_for("/v1/events/call", BodyExt::boxed(nothing)));
    let mut slow = pin!(slow);
    let mut taken = 0;
    let answer = tokio::time::timeout(PATIENCE, async {
        loop {
            let event = Full::new(Bytes::from(format!(r#"{{"call_id":{taken}}}"#)));
            let quick = sender.send_request(asking_for("/v1/events/call", event.boxed()));
            tokio::select! {
                answer = &mut slow => break answer.unwrap(),
                answer = quick => assert_eq!(answer.unwrap().status(), StatusCode::ACCEPTED),
            }
            taken += 1;
        }
    });
    let answer = answer.await.expect("it is not waited for without end");
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert!(taken > 0 && !open.is_finished(), "the connection goes on");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_replaced_is_shown_after_a_signal_and_a_broken_one_never() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let (settings, first) = from_files(&authority, folder.path());
    let server = serve(settings).await;
    let visitor = Visitor::trusting(&authority.pem(), "hooks.example.com");
    let shown = async || {
        let answered = visitor.get(server.address, b"h2", "/readyz").await.unwrap();
        answered.certificate
    };
    assert_eq!(shown().await, first);
    let key = folder.path().join("key.pem");
    let old_key = std::fs::read(&key).unwrap();
    let (_, second) = from_files(&authority, folder.path());
    let new_key = std::fs::read(&key).unwrap();
    // So far only the certificate is new.
    std::fs::write(&key, old_key).unwrap();
    hang_up();
    assert_eq!(shown().await, first);
    std::fs::write(&key, new_key).unwrap();
    hang_up();
    loop {
        match shown().await {
            certificate if certificate == second => break,
            certificate => assert_eq!(certificate, first),
        }
    }
    server.stop().await;
}

/// Sends ourselves the signal by which an operator has files read again.
fn hang_up() {
    let sent = Command::new("kill")
        .args(["-HUP", &std::process::id().to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()));
}
