//! Receivers that speak HTTP/2 alone, whether they say so or not.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use switchhook_node::delivery::transport::Transport;
use tokio_rustls::TlsAcceptor;

use super::certificates::transport;
use super::network::{check_status, post_to, receiver};
use crate::support::tls::Authority;

pub(crate) type Seen = Arc<Mutex<Vec<(Version, String, HeaderMap, Bytes)>>>;

/// A receiver that names `protocols` and speaks `spoken` whatever was agreed.
pub(crate) async fn speaking(
    authority: &Authority,
    protocols: &[&str],
    spoken: Version,
) -> (SocketAddr, Arc<AtomicU32>, Seen) {
    let mut config = authority.good().plain();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let seen = Seen::default();
    let noting = Arc::clone(&seen);
    let (address, connections) = receiver(move |stream| {
        let (acceptor, noting) = (acceptor.clone(), Arc::clone(&noting));
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let answer = service_fn(move |request| answer(request, Arc::clone(&noting)));
            let io = TokioIo::new(stream);
            let _ = if spoken == Version::HTTP_2 {
                http2::Builder::new(TokioExecutor::new())
                    .serve_connection(io, answer)
                    .await
            } else {
                http1::Builder::new().serve_connection(io, answer).await
            };
        }
    })
    .await;
    (address, connections, seen)
}

async fn answer(request: Request<Incoming>, seen: Seen) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("the whole body comes").to_bytes();
    seen.lock()
        .push((head.version, head.uri.to_string(), head.headers, body));
    Ok(Response::new(Full::from("ok")))
}

/// Posts three times; answers how many connections that took.
async fn check(protocols: &[&str], spoken: Version) -> u32 {
    let authority = Authority::new();
    let (address, connections, seen) = speaking(&authority, protocols, spoken).await;
    let transport = transport(&authority.outbound());
    let url = format!("https://{address}/hook?x=1");
    for _ in 0..3 {
        let posted = transport.post(post_to(&url, 5_000)).await;
        check_status(&posted, 200);
        let answer = posted.answer.expect("it was answered");
        assert_eq!((&*answer.body_head, answer.note), (&b"ok"[..], None));
    }
    let seen = seen.lock();
    assert_eq!(seen.len(), 3);
    for (version, uri, headers, body) in &*seen {
        assert_eq!(*version, spoken);
        assert_eq!(&body[..], br#"{"call_id":1}"#);
        assert_eq!(headers["content-length"], "13");
        if spoken == Version::HTTP_2 {
            assert_eq!(*uri, url);
            assert!(!headers.contains_key("host"));
        }
    }
    connections.load(Ordering::SeqCst)
}

#[tokio::test]
async fn who_speaks_http_1_is_spoken_to_in_it_over_one_connection() {
    assert_eq!(check(&["h2", "http/1.1"], Version::HTTP_11).await, 1);
    assert_eq!(check(&[], Version::HTTP_11).await, 1);
}

#[tokio::test]
async fn who_speaks_http_2_alone_is_spoken_to_in_it_over_one_connection() {
    assert_eq!(
        check(&["h2"], Version::HTTP_2).await,
        2,
        "one that was refused, and one"
    );
}

#[tokio::test]
async fn many_connections_at_once_learn_the_same_of_who_speaks_http_2_alone() {
    let authority = Authority::new();
    let (address, _, seen) = speaking(&authority, &["h2"], Version::HTTP_2).await;
    let transport = transport(&authority.outbound());
    let url = format!("https://{address}/hook");
    let posting = (0..40).map(|_| transport.post(post_to(&url, 5_000)));
    for posted in futures_util::future::join_all(posting).await {
        check_status(&posted, 200);
    }
    assert_eq!(seen.lock().len(), 40);
}

#[tokio::test]
async fn who_speaks_http_2_without_saying_so_cannot_be_helped_and_is_not_asked_for_ever() {
    let authority = Authority::new();
    let (address, connections, seen) = speaking(&authority, &[], Version::HTTP_2).await;
    let transport = transport(&authority.outbound());
    let posted = transport
        .post(post_to(&format!("https://{address}/hook"), 5_000))
        .await;
    assert!(posted.answer.is_none(), "{posted:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    assert!(seen.lock().is_empty());
}
