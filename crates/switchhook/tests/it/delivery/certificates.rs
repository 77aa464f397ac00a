//! Receivers that cannot be reached securely: each is told apart, by an attempt and by a probe alike.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};
use switchhook_domain::attempt::FailureReason;
use switchhook_domain::clock::Clock;
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_http::proxy::Outbound;
use switchhook_http::tls::TlsFailure;
use switchhook_node::delivery::HttpTransport;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::delivery::transport::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::network::{check_status, check_unanswered, post_to, read_request, receiver};
use crate::support::rig::START;
use crate::support::tls::{Authority, secure};

pub(super) fn transport(outbound: &Outbound) -> HttpTransport {
    let clock: Arc<dyn Clock> = Arc::new(|| START);
    let guard = Arc::new(AddressGuard::allowing_loopback());
    HttpTransport::new(guard, clock, DeliveryDefaults::default(), outbound)
        .expect("the machine has certificates")
}

async fn check(outbound: &Outbound, address: SocketAddr, trouble: TlsFailure, words: &str) {
    let transport = transport(outbound);
    let url = format!("https://{address}/hook");
    check_unanswered(
        &transport.post(post_to(&url, 5_000)).await,
        FailureReason::Tls,
        words,
    );
    let probed = transport.probe(&post_to(&url, 5_000).destination).await;
    let probed = probed.expect_err("it cannot be reached");
    assert_eq!(probed.tls, Some(trouble), "{probed:?}");
    assert!(probed.detail.contains(words), "{probed:?}");
}

#[tokio::test]
async fn a_certificate_that_is_trusted_is_not_objected_to() {
    let authority = Authority::new();
    let address = secure(authority.good().plain()).await;
    let transport = transport(&authority.outbound());
    let url = format!("https://{address}/hook");
    for _ in 0..2 {
        check_status(&transport.post(post_to(&url, 5_000)).await, 200);
    }
    transport
        .probe(&post_to(&url, 5_000).destination)
        .await
        .expect("it can be reached");
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_apart() {
    let authority = Authority::new();
    let trusting = authority.outbound();
    let expired = authority.settings(&["127.0.0.1"], |params| {
        params.not_after = date_time_ymd(2020, 2, 29);
    });
    let early = authority.settings(&["127.0.0.1"], |params| {
        params.not_before = date_time_ymd(2090, 1, 1);
    });
    let other = authority.settings(&["hooks.example.com", "10.0.0.1"], |_| {});
    let authoritative = authority.settings(&["127.0.0.1"], |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let clients = authority.settings(&["127.0.0.1"], |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let numbered = authority.settings(&["192.0.2.1"], |_| {});
    for (settings, trouble, words) in [
        (
            authoritative,
            TlsFailure::Authority,
            "certificate is that of an authority",
        ),
        (clients, TlsFailure::Unfit, "certificate is not meant for servers"),
        (
            numbered,
            TlsFailure::WrongName,
            "is not for 127.0.0.1 but for 192.0.2.1",
        ),
        (expired, TlsFailure::Expired, "certificate expired on 2020-02-29"),
        (early, TlsFailure::NotYetValid, "is not valid before 2090-01-01"),
        (
            other,
            TlsFailure::WrongName,
            "is not for 127.0.0.1 but for hooks.example.com",
        ),
    ] {
        check(&trusting, secure(settings.plain()).await, trouble, words).await;
    }
    let address = secure(authority.good().plain()).await;
    let words = "an authority that is not trusted for it";
    check(&Outbound::default(), address, TlsFailure::UnknownIssuer, words).await;
}

#[tokio::test]
async fn a_receiver_that_wants_a_certificate_of_ours_is_told_apart() {
    let authority = Authority::new();
    let trusting = authority.outbound();
    let config = authority
        .good()
        .wanting_certificates(&rustls::version::TLS13, &authority);
    let words = "wants a client certificate";
    check(
        &trusting,
        secure(config).await,
        TlsFailure::ClientCertificate,
        words,
    )
    .await;
    let config = authority
        .good()
        .wanting_certificates(&rustls::version::TLS12, &authority);
    let url = format!("https://{}/hook", secure(config).await);
    let probed = transport(&trusting)
        .probe(&post_to(&url, 5_000).destination)
        .await;
    let probed = probed.unwrap_err();
    assert!(probed.detail.contains(words), "{probed:?}");
}

#[tokio::test]
async fn what_speaks_no_tls_or_an_old_one_is_told_apart() {
    for (said, trouble, words) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            TlsFailure::NoTls,
            "may speak plain http",
        ),
        // A fatal alert: protocol_version.
        (
            &[0x15, 3, 1, 0, 2, 2, 70],
            TlsFailure::OldTls,
            "neither TLS 1.2 nor TLS 1.3",
        ),
        // Others: internal_error, and handshake_failure.
        (
            &[0x15, 3, 1, 0, 2, 2, 80],
            TlsFailure::BrokenOff,
            "broke TLS off with the alert \"internal error\"",
        ),
        (
            &[0x15, 3, 1, 0, 2, 2, 40],
            TlsFailure::NothingInCommon,
            "wants a client certificate, and was shown none that it takes, or it has no way of TLS in common",
        ),
        (
            b"\x16\x03\x03\x00\x05hello",
            TlsFailure::NoTls,
            "does not speak TLS at this port: it may speak something else",
        ),
        (
            b"",
            TlsFailure::BrokenOff,
            "closed the connection in the middle of the TLS handshake",
        ),
    ] {
        let (address, _) = receiver(move |mut stream| async move {
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(said).await;
        })
        .await;
        check(&Outbound::default(), address, trouble, words).await;
    }
    // One that waits for the end of a request line.
    let (address, _) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    let posted = transport(&Outbound::default())
        .post(post_to(&format!("https://{address}/hook"), 300))
        .await;
    check_unanswered(
        &posted,
        FailureReason::ConnectTimeout,
        "no TLS was established within 300 ms: it may speak plain http",
    );
}
