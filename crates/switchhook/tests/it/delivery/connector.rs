//! Connections: certificates, proxies, deadlines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use switchhook_domain::attempt::FailureReason;
use switchhook_http::proxy::Outbound;
use switchhook_node::delivery::transport::Transport;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::certificates::transport;
use super::names::scripted;
use super::network::{OK, check_status, check_unanswered, post_to, read_request, receiver};
use crate::support::tls::{Authority, secure};

async fn ok_receiver() -> (SocketAddr, Arc<std::sync::atomic::AtomicU32>) {
    receiver(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(OK).await;
    })
    .await
}

// --- certificates -----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_unless_the_authority_was_added() {
    let authority = Authority::new();
    let address = secure(authority.good().plain()).await;
    let url = format!("https://{address}/hook");
    let posted = transport(&Outbound::default()).post(post_to(&url, 2_000)).await;
    check_unanswered(&posted, FailureReason::Tls, "certificate");
    let trusting = authority.outbound();
    let posted = transport(&trusting).post(post_to(&url, 2_000)).await;
    check_status(&posted, 200);
    assert!(posted.phases.tls.is_some());
    // For another name the same certificate is none.
    let posted = transport(&trusting)
        .with_resolver(scripted(&[&["127.0.0.1"]]))
        .post(post_to(
            &format!("https://receiver.example:{}/", address.port()),
            2_000,
        ))
        .await;
    check_unanswered(&posted, FailureReason::Tls, "certificate");
}

// --- proxies ----------------------------------------------------------------------------------------------------------

/// A proxy that makes tunnels for who knows the password; counts them.
async fn proxy() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("it listens");
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tunnel(stream, Arc::clone(&counted)));
        }
    });
    (address, count)
}

#[expect(clippy::disallowed_methods, reason = "this is the proxy, on loopback")]
async fn tunnel(mut client: TcpStream, count: Arc<AtomicUsize>) {
    let Some(asked) = read_request(&mut client).await else {
        return;
    };
    if !asked
        .to_lowercase()
        .contains("proxy-authorization: basic yw5uonnly3jlda==")
    {
        let _ = client.write_all(b"HTTP/1.1 407 Who are you\r\n\r\n").await;
        return;
    }
    let target = asked
        .split(' ')
        .nth(1)
        .expect("a request line has a target")
        .to_owned();
    let Ok(mut server) = TcpStream::connect(target).await else {
        let _ = client.write_all(b"HTTP/1.1 502 Nobody there\r\n\r\n").await;
        return;
    };
    count.fetch_add(1, Ordering::SeqCst);
    let _ = client.write_all(b"HTTP/1.1 200 Go\r\n\r\n").await;
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

fn through(credentials: &str, proxy: SocketAddr) -> Outbound {
    Outbound {
        proxy: Some(
            format!("http://{credentials}{proxy}")
                .parse()
                .expect("it is a proxy"),
        ),
        ..Outbound::default()
    }
}

#[tokio::test]
async fn deliveries_go_through_the_proxy_if_there_is_one() {
    let (receiver, connections) = ok_receiver().await;
    let (proxy, tunnels) = proxy().await;
    let url = format!("http://{receiver}/hook");
    let known = transport(&through("ann:secret@", proxy));
    check_status(&known.post(post_to(&url, 2_000)).await, 200);
    assert_eq!(
        (tunnels.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)),
        (1, 1)
    );

    let posted = transport(&through("", proxy)).post(post_to(&url, 2_000)).await;
    check_unanswered(
        &posted,
        FailureReason::ConnectionLost,
        "made no tunnel: it wants other credentials",
    );
    // The proxy is no way round the guard.
    let posted = known.post(post_to("http://10.0.0.1/", 2_000)).await;
    check_unanswered(&posted, FailureReason::AddressRefused, "10.0.0.1");
    let posted = known.post(post_to("http://127.0.0.1:1/", 2_000)).await;
    check_unanswered(
        &posted,
        FailureReason::ConnectionLost,
        "made no tunnel to 127.0.0.1:1: it answers 502",
    );
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);
}

/// A proxy that looks names up: every name is this machine. Answers the first lines of what it was asked.
async fn resolving_proxy() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noting = Arc::clone(&asked);
    let (address, _) = receiver(move |client| by_name(client, Arc::clone(&noting))).await;
    (address, asked)
}

#[expect(clippy::disallowed_methods, reason = "this is the proxy, on loopback")]
async fn by_name(mut client: TcpStream, asked: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = read_request(&mut client).await {
        let line = request.lines().next().unwrap_or_default().to_owned();
        let knows = request.contains("Proxy-Authorization: Basic YW5uOnNlY3JldA==")
            || request.contains("proxy-authorization: Basic YW5uOnNlY3JldA==");
        asked.lock().push(line.clone());
        if !knows {
            let _ = client
                .write_all(b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n")
                .await;
            continue;
        }
        let Some(target) = line.strip_prefix("CONNECT ") else {
            let _ = client.write_all(OK).await;
            continue;
        };
        let (authority, _) = target.split_once(' ').expect("a request line has three parts");
        let (_, port) = authority.rsplit_once(':').expect("a tunnel leads to a port");
        let mut server = TcpStream::connect(format!("127.0.0.1:{port}"))
            .await
            .expect("it listens");
        let _ = client.write_all(b"HTTP/1.1 200 Go\r\n\r\n").await;
        let _ = copy_bidirectional(&mut client, &mut server).await;
        return;
    }
}

#[tokio::test]
async fn a_proxy_that_looks_names_up_gets_names() {
    let authority = Authority::new();
    let secured = secure(authority.for_names(&["receiver.example"]).plain()).await;
    let (proxy, asked) = resolving_proxy().await;
    let outbound = Outbound {
        proxy_by_name: true,
        extra_roots: authority.outbound().extra_roots,
        ..through("ann:secret@", proxy)
    };
    // Nobody is asked here where a name leads.
    let sending = transport(&outbound).with_resolver(scripted(&[&[]]));
    let secured = format!("receiver.example:{}", secured.port());
    for url in [
        format!("https://{secured}/hook"),
        "http://receiver.example/hook?x=1".to_owned(),
        "http://receiver.example/hook?x=2".to_owned(),
    ] {
        check_status(&sending.post(post_to(&url, 5_000)).await, 200);
    }
    assert_eq!(
        *asked.lock(),
        [
            format!("CONNECT {secured} HTTP/1.1"),
            "POST http://receiver.example/hook?x=1 HTTP/1.1".to_owned(),
            "POST http://receiver.example/hook?x=2 HTTP/1.1".to_owned(),
        ]
    );
    // An address in the URL is judged all the same.
    let posted = sending.post(post_to("http://10.0.0.1/", 2_000)).await;
    check_unanswered(&posted, FailureReason::AddressRefused, "10.0.0.1");
    // What the proxy says of itself is no answer of the receiver's.
    let stranger = Outbound {
        proxy_by_name: true,
        ..through("", proxy)
    };
    let posted = transport(&stranger)
        .post(post_to("http://receiver.example/", 2_000))
        .await;
    check_unanswered(&posted, FailureReason::ConnectionLost, "answers 407");
}

#[tokio::test]
async fn what_is_excepted_is_reached_without_the_proxy() {
    let (receiver, connections) = ok_receiver().await;
    let (proxy, asked) = resolving_proxy().await;
    let outbound = Outbound {
        no_proxy: "internal.example,127.0.0.0/8".to_owned(),
        ..through("ann:secret@", proxy)
    };
    let transport = transport(&outbound).with_resolver(scripted(&[&["127.0.0.1"]]));
    for host in ["internal.example", "a.internal.example", "127.0.0.1"] {
        let url = format!("http://{host}:{}/", receiver.port());
        check_status(&transport.post(post_to(&url, 2_000)).await, 200);
    }
    assert!(asked.lock().is_empty());
    assert_eq!(connections.load(Ordering::SeqCst), 3);
    let url = format!("http://other.example:{}/", receiver.port());
    check_status(&transport.post(post_to(&url, 2_000)).await, 200);
    assert_eq!(asked.lock().len(), 1);
}

// --- deadlines --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_head_has_a_deadline_of_its_own() {
    for said in ["", "HTTP/1.1 200 OK\r\nx-half: "] {
        let (address, _) = receiver(move |mut stream| async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(said.as_bytes()).await;
            std::future::pending::<()>().await;
        })
        .await;
        let mut post = post_to(&format!("http://{address}/hook"), 30_000);
        let mut webhook = post.destination.webhook.clone();
        webhook.settings.head_timeout_ms = Some(100);
        post.destination = Arc::new(switchhook_node::destination::Destination::new(
            webhook,
            Arc::default(),
        ));
        let posted = transport(&Outbound::default()).post(post).await;
        if said.is_empty() {
            let words = "no answer had begun 100 ms after the request";
            check_unanswered(&posted, FailureReason::AnswerTimeout, words);
        } else {
            check_status(&posted, 200);
            let note = posted.answer.and_then(|answer| answer.note);
            assert_eq!(
                note.as_deref(),
                Some("its headers were not complete within 100 ms")
            );
        }
    }
}
