//! The real transport against receivers that behave and receivers that do not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use switchhook_domain::attempt::{AttemptOutcome, FailureReason};
use switchhook_domain::clock::Clock;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::webhook::{DeliveryDefaults, Webhook, WebhookSettings};
use switchhook_http::proxy::Outbound;
use switchhook_node::delivery::HttpTransport;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::delivery::transport::{Post, PostResult, Transport};
use switchhook_node::destination::Destination;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use crate::support::rig::START;

pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A receiver that treats each connection as `behave` says; counts the connections.
pub(crate) async fn receiver<F>(
    behave: impl Fn(TcpStream) -> F + Send + 'static,
) -> (SocketAddr, Arc<AtomicU32>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("it listens");
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(behave(stream));
        }
    });
    (address, count)
}

/// Reads one request, head and body.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => seen.extend_from_slice(&buffer[..n]),
        }
    }
}

pub(crate) fn transport(guard: AddressGuard) -> HttpTransport {
    let clock: Arc<dyn Clock> = Arc::new(|| START);
    HttpTransport::new(
        Arc::new(guard),
        clock,
        DeliveryDefaults::default(),
        &Outbound::default(),
    )
    .expect("the machine has certificates")
}

pub(super) fn post_to(url: &str, timeout_ms: u32) -> Post {
    let settings = WebhookSettings {
        timeout_ms: Some(timeout_ms),
        ..WebhookSettings::default()
    };
    post_with(url, settings)
}

pub(super) fn post_with(url: &str, settings: WebhookSettings) -> Post {
    let webhook = Webhook::new(WebhookId(1), CompanyId(1), url, START).with_settings(settings);
    let destination = Arc::new(Destination::new(webhook, Arc::default()));
    Post {
        destination,
        own_headers: Vec::new(),
        body: Bytes::from_static(br#"{"call_id":1}"#),
    }
}

pub(super) async fn post(address: SocketAddr) -> PostResult {
    transport(AddressGuard::allowing_loopback())
        .post(post_to(&format!("http://{address}/hook?x=1"), 300))
        .await
}

#[track_caller]
pub(super) fn check_unanswered(posted: &PostResult, expected: FailureReason, words: &str) {
    match &posted.outcome {
        AttemptOutcome::Unanswered { reason, detail } => {
            assert_eq!(*reason, expected, "{detail}");
            assert!(detail.contains(words), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(super) fn check_status(posted: &PostResult, expected: u16) {
    match posted.outcome {
        AttemptOutcome::Answered { status, .. } => assert_eq!(status, expected),
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_has_its_length_and_its_query_and_connections_are_used_again() {
    let (address, connections) = receiver(|mut stream| async move {
        while let Some(request) = read_request(&mut stream).await {
            assert!(request.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("Content-Length: 13\r\n"), "{request}");
            assert!(!request.contains("Transfer-Encoding"), "{request}");
            stream.write_all(OK).await.expect("the server reads");
        }
    })
    .await;
    let transport = transport(AddressGuard::allowing_loopback());
    for _ in 0..5 {
        let posted = transport
            .post(post_to(&format!("http://{address}/hook?x=1"), 2_000))
            .await;
        check_status(&posted, 200);
        assert_eq!(posted.answer.expect("there is one").body_head, b"ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn as_many_connections_to_a_host_are_used_again_as_there_were_attempts_at_once() {
    const AT_ONCE: usize = 200;
    let all_are_there = Arc::new(Barrier::new(AT_ONCE));
    let (address, connections) = receiver(move |mut stream| {
        let all_are_there = Arc::clone(&all_are_there);
        async move {
            while read_request(&mut stream).await.is_some() {
                all_are_there.wait().await;
                if stream.write_all(OK).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let transport = transport(AddressGuard::allowing_loopback());
    for _ in 0..2 {
        let posts = (0..AT_ONCE).map(|webhook| {
            let url = format!("http://{address}/{webhook}");
            let transport = &transport;
            async move { transport.post(post_to(&url, 10_000)).await }
        });
        for posted in join_all(posts).await {
            check_status(&posted, 200);
        }
    }
    assert_eq!(
        connections.load(Ordering::SeqCst),
        u32::try_from(AT_ONCE).unwrap()
    );
}

#[tokio::test]
async fn a_kept_connection_that_is_closed_on_us_costs_no_attempt() {
    let (address, connections) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(OK).await.expect("the server reads");
        // Takes the next request and hangs up without a word: the worst moment.
        read_request(&mut stream).await;
    })
    .await;
    let transport = transport(AddressGuard::allowing_loopback());
    for _ in 0..4 {
        let posted = transport
            .post(post_to(&format!("http://{address}/hook"), 2_000))
            .await;
        check_status(&posted, 200);
    }
    assert!(connections.load(Ordering::SeqCst) >= 2);
}

#[tokio::test]
async fn a_kept_connection_that_is_reset_costs_no_attempt() {
    let (address, connections) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(OK).await.expect("the server reads");
        // Closing with something unread is a reset.
        stream.read_u8().await.ok();
    })
    .await;
    let transport = transport(AddressGuard::allowing_loopback());
    for _ in 0..6 {
        let posted = transport
            .post(post_to(&format!("http://{address}/hook"), 2_000))
            .await;
        check_status(&posted, 200);
    }
    assert!(connections.load(Ordering::SeqCst) >= 3);
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_left_at_the_deadline() {
    let (address, _) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    check_unanswered(
        &post(address).await,
        FailureReason::AnswerTimeout,
        "nothing was answered within 300 ms",
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (address, connections) = receiver(|mut stream| async move {
        while read_request(&mut stream).await.is_some() {
            let answer =
                b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.expect("the server reads");
        }
    })
    .await;
    check_status(&post(address).await, 307);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nobody_listening_and_addresses_that_are_not_public_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("it listens");
    drop(listener);
    check_unanswered(
        &post(address).await,
        FailureReason::ConnectionRefused,
        "nobody listens",
    );

    let guarded = transport(AddressGuard {
        allow_http: true,
        ..AddressGuard::default()
    });
    let posted = guarded.post(post_to(&format!("http://{address}/"), 300)).await;
    check_unanswered(&posted, FailureReason::AddressRefused, "loopback");
    let posted = guarded.post(post_to("http://localhost:1/", 300)).await;
    check_unanswered(&posted, FailureReason::AddressRefused, "loopback");
}

#[tokio::test]
async fn an_http_webhook_of_an_earlier_life_is_not_sent_to_by_a_server_that_does_not_allow_it() {
    let (address, connections) = receiver(|mut stream| async move {
        while read_request(&mut stream).await.is_some() {
            stream.write_all(OK).await.expect("the server reads");
        }
    })
    .await;
    let strict = transport(AddressGuard {
        allow_http: false,
        ..AddressGuard::allowing_loopback()
    });
    let post = || post_to(&format!("http://{address}/"), 300);
    check_unanswered(
        &strict.post(post()).await,
        FailureReason::AddressRefused,
        "--hook-allow-http",
    );
    let probed = strict.probe(&post().destination).await.unwrap_err();
    assert_eq!(probed.reason, FailureReason::AddressRefused);
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_denied_address_is_not_connected_to_though_its_range_is_allowed() {
    let (address, connections) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(OK).await;
    })
    .await;
    let denying = transport(AddressGuard {
        deny: vec!["127.0.0.1/32".parse().expect("a range")],
        ..AddressGuard::allowing_loopback()
    });
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]"] {
        let posted = denying
            .post(post_to(&format!("http://{host}:{}/", address.port()), 300))
            .await;
        check_unanswered(&posted, FailureReason::AddressRefused, "--hook-deny");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn patience_is_read_in_seconds_and_as_a_date() {
    for (patience, expected) in [
        ("120", START.plus(Duration::from_secs(120))),
        ("Wed, 21 Oct 2026 07:28:00 GMT", {
            switchhook_protocol::Timestamp::from_millis(1_792_567_680_000)
        }),
    ] {
        let (address, _) = receiver(move |mut stream| async move {
            read_request(&mut stream).await;
            let answer = format!("HTTP/1.1 503 Busy\r\nretry-after: {patience}\r\ncontent-length: 0\r\n\r\n");
            stream
                .write_all(answer.as_bytes())
                .await
                .expect("the server reads");
        })
        .await;
        match post(address).await.outcome {
            AttemptOutcome::Answered {
                status: 503,
                retry_after,
            } => assert_eq!(retry_after, Some(expected)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_probe_connects_and_says_nothing() {
    let (said, mut heard) = tokio::sync::mpsc::channel(1);
    let (address, count) = receiver(move |mut stream| {
        let said = said.clone();
        async move {
            let mut text = Vec::new();
            let _ = stream.read_to_end(&mut text).await;
            let _ = said.send(text).await;
        }
    })
    .await;
    let prober = transport(AddressGuard::allowing_loopback());
    let probe = async |url: &str| prober.probe(&post_to(url, 300).destination).await;
    let phases = probe(&format!("http://{address}/hook")).await.unwrap();
    assert!(phases.connect.is_some());
    assert_eq!(heard.recv().await.unwrap(), b"");
    assert_eq!(count.load(Ordering::SeqCst), 1);

    for (url, reason) in [
        ("http://127.0.0.1:1/", FailureReason::ConnectionRefused),
        ("http://10.0.0.1/", FailureReason::AddressRefused),
        ("nonsense", FailureReason::BadRequest),
    ] {
        let failed = probe(url).await.unwrap_err();
        assert_eq!(failed.reason, reason, "{failed:?}");
        assert!(!failed.detail.is_empty());
    }
    let (deaf, _) = receiver(|mut stream| async move {
        let _ = stream.write_all(b"what?").await;
    })
    .await;
    let failed = probe(&format!("https://{deaf}/")).await.unwrap_err();
    assert_eq!(failed.reason, FailureReason::Tls, "{failed:?}");
}
