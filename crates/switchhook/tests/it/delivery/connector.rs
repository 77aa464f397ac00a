//! How a connection comes to stand: names that change their mind, certificates, proxies, deadlines.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use switchhook::delivery::address_guard::AddressGuard;
use switchhook::delivery::outbound::{Outbound, read_certificates};
use switchhook::delivery::transport::{Posted, Transport};
use switchhook::delivery::{HttpTransport, Names};
use switchhook_domain::attempt::Silence;
use switchhook_domain::clock::Clock;
use switchhook_domain::webhook::DeliveryDefaults;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::network::{OK, check_silence, check_status, post_to, read_request, receiver};
use crate::support::rig::START;

fn transport(outbound: &Outbound) -> HttpTransport {
    let clock: Arc<dyn Clock> = Arc::new(|| START);
    let guard = Arc::new(AddressGuard::allowing_loopback());
    HttpTransport::new(guard, clock, DeliveryDefaults::default(), outbound)
        .expect("the machine has certificates")
}

async fn ok_receiver() -> (SocketAddr, Arc<std::sync::atomic::AtomicU32>) {
    receiver(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(OK).await;
    })
    .await
}

// --- names ------------------------------------------------------------------------------------------------------------

/// Answers the n-th question with the n-th list, and then always with the last.
struct Scripted {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Names for Scripted {
    async fn addresses(&self, _name: &str) -> Result<Vec<IpAddr>, String> {
        let question = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[question.min(self.answers.len() - 1)].clone())
    }
}

fn scripted(answers: &[&[&str]]) -> Arc<Scripted> {
    let parse = |list: &&[&str]| list.iter().map(|text| text.parse().expect("it is one")).collect();
    Arc::new(Scripted {
        answers: answers.iter().map(parse).collect(),
        asked: AtomicUsize::new(0),
    })
}

/// Posts to a name whose addresses are as scripted; loopback stands for a public address here.
async fn post_by_name(names: &Arc<Scripted>, port: u16) -> Posted {
    let transport = transport(&Outbound::default()).with_names(Arc::clone(names) as Arc<dyn Names>);
    transport
        .post(post_to(&format!("http://receiver.example:{port}/hook"), 2_000))
        .await
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_connected_to() {
    let (address, connections) = ok_receiver().await;
    // A second question would lead to a private address; there is none within an attempt.
    let names = scripted(&[&["127.0.0.1"], &["10.0.0.1"]]);
    check_status(&post_by_name(&names, address.port()).await, 200);
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    // The next attempt asks again, and is refused.
    let posted = post_by_name(&names, address.port()).await;
    check_silence(&posted, Silence::AddressRefused, "10.0.0.1");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_with_one_private_address_is_refused_whole() {
    let (address, connections) = ok_receiver().await;
    for mixed in [
        &["127.0.0.1", "10.0.0.1"][..],
        &["169.254.169.254", "127.0.0.1"],
        &["127.0.0.1", "::ffff:192.168.0.1"],
        &["127.0.0.1", "64:ff9b::a00:1"],
    ] {
        let posted = post_by_name(&scripted(&[mixed]), address.port()).await;
        check_silence(&posted, Silence::AddressRefused, "");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_answer() {
    let (address, _) = ok_receiver().await;
    let posted = post_by_name(&scripted(&[&["127.0.0.2", "127.0.0.1"]]), address.port()).await;
    check_status(&posted, 200);
    let posted = post_by_name(&scripted(&[&[]]), address.port()).await;
    check_silence(&posted, Silence::Dns, "has no address");
}

// --- certificates -----------------------------------------------------------------------------------------------------

/// A receiver with a certificate for 127.0.0.1, and the PEM of the authority that made it.
async fn secure_receiver() -> (SocketAddr, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("keys can be made"))
        .expect("an authority can be made");
    let key = KeyPair::generate().expect("keys can be made");
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()])
        .and_then(|params| params.signed_by(&key, &authority))
        .expect("a certificate can be made");
    let secret_key = PrivateKeyDer::try_from(key.serialize_der()).expect("it is a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret_key)
        .expect("the key belongs to the certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (address, _) = receiver(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(OK).await;
                let _ = stream.shutdown().await;
            }
        }
    })
    .await;
    (address, authority.pem())
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_unless_the_authority_was_added() {
    let (address, authority) = secure_receiver().await;
    let url = format!("https://{address}/hook");
    let posted = transport(&Outbound::default()).post(post_to(&url, 2_000)).await;
    check_silence(&posted, Silence::Tls, "certificate");
    let trusting = Outbound {
        extra_roots: read_certificates(authority.as_bytes()).expect("it is PEM"),
        proxy: None,
    };
    let posted = transport(&trusting).post(post_to(&url, 2_000)).await;
    check_status(&posted, 200);
    assert!(posted.phases.tls.is_some());
    // For another name the same certificate is none.
    let posted = transport(&trusting)
        .with_names(scripted(&[&["127.0.0.1"]]))
        .post(post_to(
            &format!("https://receiver.example:{}/", address.port()),
            2_000,
        ))
        .await;
    check_silence(&posted, Silence::Tls, "certificate");
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
        extra_roots: Vec::new(),
        proxy: Some(
            format!("http://{credentials}{proxy}")
                .parse()
                .expect("it is a proxy"),
        ),
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
    check_silence(&posted, Silence::ConnectionLost, "proxy");
    // The proxy is no way round the guard.
    let posted = known.post(post_to("http://10.0.0.1/", 2_000)).await;
    check_silence(&posted, Silence::AddressRefused, "10.0.0.1");
    let posted = known.post(post_to("http://127.0.0.1:1/", 2_000)).await;
    check_silence(&posted, Silence::ConnectionLost, "made no tunnel to 127.0.0.1:1");
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);
}

// --- deadlines --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_head_has_a_deadline_of_its_own() {
    let (address, _) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let mut post = post_to(&format!("http://{address}/hook"), 30_000);
    let mut webhook = post.route.webhook.clone();
    webhook.settings.head_timeout_ms = Some(100);
    post.route = Arc::new(switchhook::delivery::Route::new(webhook, Arc::default()));
    let posted = transport(&Outbound::default()).post(post).await;
    check_silence(
        &posted,
        Silence::AnswerTimeout,
        "no answer had begun 100 ms after the request",
    );
}
