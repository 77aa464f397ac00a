//! Commands over the network: proxies, and private certificates.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::Version;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::run::Shell;
use crate::delivery::http2::speaking;
use crate::delivery::network::{OK, read_request, receiver};
use crate::support::tls::{Authority, secure};

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_of_the_environment_is_asked_for_a_tunnel_to_what_is_far_away() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noting = Arc::clone(&asked);
    let (proxy, _) = receiver(move |mut stream| {
        let noting = Arc::clone(&noting);
        async move {
            if let Some(request) = read_request(&mut stream).await {
                noting.lock().push(request);
                let _ = stream.write_all(b"HTTP/1.1 502 Not today\r\n\r\n").await;
            }
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let shell = || {
        Shell::new(folder.path())
            .with("SWITCHHOOK_API_KEY", "shk_x")
            .with("HTTPS_PROXY", format!("http://ann%40home:s3cret@{proxy}"))
    };
    let run = shell()
        .run(&["webhooks", "list", "--url", "https://switchhook.example"])
        .failed(1);
    assert!(
        run.stderr.contains(&format!(
            "the proxy {proxy} (HTTPS_PROXY) made no tunnel: it answers 502"
        )),
        "{run:?}"
    );
    assert!(!run.stderr.contains("s3cret"), "{run:?}");
    let seen = asked.lock().remove(0);
    assert!(
        seen.starts_with("CONNECT switchhook.example:443 HTTP/1.1\r\n"),
        "{seen}"
    );
    // Base64 of ann@home:s3cret
    assert!(seen.contains("Basic YW5uQGhvbWU6czNjcmV0"), "{seen}");
    let run = Shell::new(folder.path())
        .with("SWITCHHOOK_API_KEY", "shk_x")
        .with("ALL_PROXY", format!("http://{proxy}"))
        .run(&["webhooks", "list", "--url", "https://switchhook.example"])
        .failed(1);
    assert!(run.stderr.contains("(ALL_PROXY) made no tunnel"), "{run:?}");
    asked.lock().clear();
    // That variable is for servers without TLS, too; the other one is not.
    let plain = ["webhooks", "list", "--url", "http://switchhook.invalid:8400"];
    let run = Shell::new(folder.path())
        .with("SWITCHHOOK_API_KEY", "shk_x")
        .with("ALL_PROXY", format!("http://{proxy}"))
        .run(&plain)
        .failed(1);
    assert!(run.stderr.contains("(ALL_PROXY) made no tunnel"), "{run:?}");
    let seen = asked.lock().remove(0);
    assert!(
        seen.starts_with("CONNECT switchhook.invalid:8400 HTTP/1.1\r\n"),
        "{seen}"
    );
    shell().run(&plain).failed(1);
    assert!(asked.lock().is_empty());
    // What is excepted and what is here is reached directly.
    shell()
        .with("NO_PROXY", "*.invalid")
        .run(&["webhooks", "list", "--url", "https://switchhook.invalid"])
        .failed(1);
    shell()
        .run(&["webhooks", "list", "--url", "https://127.0.0.1:1"])
        .failed(1);
    assert!(asked.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_with_a_certificate_of_its_own_is_posted_to_if_its_user_says_so() {
    let authority = Authority::new();
    let address = secure(authority.good().plain()).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let ca = ca.to_str().unwrap();
    let url = format!("https://{address}/hook");
    let simulate = [
        "simulate", "--to", &url, "--count", "1", "--speed", "max", "--expect", "2xx",
    ];
    let run = |more: &[&str]| Shell::new(folder.path()).run(&[&simulate[..], more].concat());
    let refused = run(&[]).failed(1);
    assert!(
        refused
            .stderr
            .contains("its certificate was issued by an authority that is not trusted"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("--forward-ca FILE"), "{refused:?}");
    assert!(
        !refused.stderr.contains("is the receiver running?"),
        "{refused:?}"
    );
    run(&["--forward-ca", ca]).ok();
    run(&["--forward-insecure"]).ok();
    let wrong = run(&["--forward-ca", "/nowhere.pem"]).failed(1);
    assert!(wrong.stderr.contains("--forward-ca /nowhere.pem"), "{wrong:?}");
    run(&["--forward-ca", ca, "--forward-insecure"]).failed(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_closes_in_the_middle_of_the_tls_handshake_is_not_said_to_be_down() {
    let (address, _) = receiver(|mut stream| async move {
        let mut hello = [0; 4096];
        let _ = stream.read(&mut hello).await;
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("https://{address}/hook");
    let run = Shell::new(folder.path())
        .run(&["simulate", "--to", &url, "--count", "1", "--speed", "max"])
        .failed(1);
    assert!(
        run.stderr
            .contains("closed the connection in the middle of the TLS handshake"),
        "{run:?}"
    );
    assert!(!run.stderr.contains("is the receiver running?"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_decides_whatever_is_wrong_with_the_rest_of_an_answer() {
    let many: String = (0..150).map(|index| format!("x-{index}: 1\r\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    // What is left open stalls until the command has waited long enough.
    for (answer, is_left_open) in [
        (format!("HTTP/1.1 200 OK\r\n{many}\r\n"), false),
        (
            "HTTP/1.1 200 OK\r\nx-a: 1\r\n  2\r\ncontent-length: 0\r\n\r\n".to_owned(),
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nx-a : 1\r\ncontent-length: 0\r\n\r\n".to_owned(),
            false,
        ),
        ("HTTP/1.1 200 OK\r\nx-nul: a\0b\r\n\r\n".to_owned(), false),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok".to_owned(),
            false,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned(), false),
        ("HTTP/1.1 200 OK\r\ncontent-le".to_owned(), false),
        ("HTTP/1.1 200 OK\r\ncontent-le".to_owned(), true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok".to_owned(), false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok".to_owned(), true),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\ncontent-length: x\r\n\r\n".to_owned(),
            false,
        ),
    ] {
        let said = answer.clone();
        let (address, _) = receiver(move |mut stream| {
            let said = said.clone();
            async move {
                if read_request(&mut stream).await.is_some() {
                    let _ = stream.write_all(said.as_bytes()).await;
                    if is_left_open {
                        let _ = stream.read(&mut [0]).await;
                    }
                }
            }
        })
        .await;
        let url = format!("http://{address}/hook");
        let simulate = ["simulate", "--to", &url, "--count", "2", "--speed", "max"];
        let more = ["--in-flight", "1", "--expect", "2xx", "--timeout", "150ms"];
        let run = Shell::new(folder.path()).run(&[&simulate[..], &more].concat());
        assert_eq!(run.code, 0, "{}: {run:?}", &answer[..40]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_is_closed_when_it_is_used_costs_no_event() {
    let (address, _) = receiver(|mut stream| async move {
        if read_request(&mut stream).await.is_some() {
            let _ = stream.write_all(OK).await;
            // It takes the next one, and closes.
            let _ = read_request(&mut stream).await;
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{address}/hook");
    let simulate = ["simulate", "--to", &url, "--count", "3", "--speed", "max"];
    let run =
        Shell::new(folder.path()).run(&[&simulate[..], &["--in-flight", "1", "--expect", "2xx"]].concat());
    assert_eq!(run.code, 0, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_the_answer_before_is_not_taken_for_one_of_this() {
    let (address, _) = receiver(|mut stream| async move {
        let mut answers = [OK, b"nonsense\r\n\r\n"].into_iter();
        while let (Some(answer), Some(_)) = (answers.next(), read_request(&mut stream).await) {
            let _ = stream.write_all(answer).await;
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{address}/hook");
    let simulate = ["simulate", "--to", &url, "--count", "2", "--speed", "max"];
    let more = ["--in-flight", "1", "--expect", "2xx"];
    let run = Shell::new(folder.path())
        .run(&[&simulate[..], &more].concat())
        .failed(1);
    assert!(run.stderr.contains("is no HTTP"), "{run:?}");
}

/// Sends two events to a receiver that names `protocols`; answers how many connections that took.
async fn spoken_to(protocols: &[&str], spoken: Version) -> u32 {
    let authority = Authority::new();
    let (address, connections, seen) = speaking(&authority, protocols, spoken).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let url = format!("https://{address}/hook");
    let simulate = ["simulate", "--to", &url, "--count", "2", "--speed", "max"];
    let more = ["--in-flight", "1", "--expect", "2xx", "--forward-insecure"];
    Shell::new(folder.path())
        .run(&[&simulate[..], &more].concat())
        .ok();
    let versions: Vec<_> = seen.lock().iter().map(|(version, ..)| *version).collect();
    assert_eq!(versions, [spoken; 2], "{protocols:?}");
    connections.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_speaks_http_2_alone_is_posted_to_in_it_and_any_other_in_http_1() {
    assert_eq!(spoken_to(&["h2", "http/1.1"], Version::HTTP_11).await, 1);
    assert_eq!(spoken_to(&[], Version::HTTP_11).await, 1);
    assert_eq!(spoken_to(&["h2"], Version::HTTP_2).await, 2, "one was refused");
}
