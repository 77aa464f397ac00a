//! How the commands reach what is far away: proxies, and certificates of one's own.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::run::Shell;
use crate::delivery::network::{read_request, receiver};
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
        refused.stderr.contains("its certificate was issued by nobody"),
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
