//! From a name to a connection: names that change their mind, that have many addresses, or wrong ones.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::proto::rr::RecordType;
use switchhook_domain::attempt::FailureReason;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::delivery::transport::{PostResult, Transport};
use switchhook_node::delivery::{HttpTransport, ResolvedAddresses, Resolver, SystemResolver};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use super::network::{self, OK, check_status, check_unanswered, post_to, read_request, receiver};
use crate::support::name_server::{NameServer, asking};

/// Loopback stands for a public address here, as do addresses for documentation, to which there is no way.
fn transport(names: Arc<dyn Resolver>) -> HttpTransport {
    let mut guard = AddressGuard::allowing_loopback();
    guard.allow.push("2001:db8::/32".parse().expect("a range"));
    network::transport(guard).with_resolver(names)
}

async fn post_by_name(transport: &HttpTransport, port: u16) -> PostResult {
    let url = format!("http://receiver.example:{port}/hook");
    transport.post(post_to(&url, 2_000)).await
}

fn note(posted: PostResult) -> Option<String> {
    posted.answer.and_then(|answer| answer.note)
}

/// A receiver that ends each connection after one answer.
async fn receiver_for_one() -> (SocketAddr, Arc<std::sync::atomic::AtomicU32>) {
    receiver(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(OK).await;
    })
    .await
}

/// A receiver that keeps connections.
async fn receiver_for_many() -> (SocketAddr, Arc<std::sync::atomic::AtomicU32>) {
    receiver(|mut stream| async move {
        while read_request(&mut stream).await.is_some() {
            let _ = stream.write_all(OK).await;
        }
    })
    .await
}

/// Answers the n-th question with the n-th list, and then always with the last.
struct Scripted {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Resolver for Scripted {
    async fn addresses(&self, _name: &str) -> Result<ResolvedAddresses, String> {
        let question = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[question.min(self.answers.len() - 1)].clone().into())
    }
}

pub(super) fn scripted(answers: &[&[&str]]) -> Arc<impl Resolver + use<>> {
    let parse = |list: &&[&str]| list.iter().map(|text| text.parse().expect("it is one")).collect();
    Arc::new(Scripted {
        answers: answers.iter().map(parse).collect(),
        asked: AtomicUsize::new(0),
    })
}

async fn post_to_addresses(addresses: &[&str], port: u16) -> PostResult {
    post_by_name(&transport(scripted(&[addresses])), port).await
}

fn named_by(server: &NameServer) -> Arc<SystemResolver> {
    let at = server.at;
    let names = SystemResolver::reading([], move || Ok(asking(at)));
    Arc::new(names.expect("the settings are good"))
}

/// The clock goes on by so much at once.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_connected_to() {
    let (address, connections) = receiver_for_one().await;
    // A second question would lead to a private address; there is none within an attempt.
    let transport = transport(scripted(&[&["127.0.0.1"], &["10.0.0.1"]]));
    check_status(&post_by_name(&transport, address.port()).await, 200);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    // The next attempt asks again, and is refused.
    let posted = post_by_name(&transport, address.port()).await;
    check_unanswered(&posted, FailureReason::AddressRefused, "10.0.0.1");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn of_a_name_with_private_addresses_the_others_are_used_and_the_attempt_says_so() {
    let (address, connections) = receiver_for_many().await;
    for (mixed, left_out) in [
        (&["127.0.0.1", "10.0.0.1"][..], "10.0.0.1 is a private address"),
        (
            &["169.254.169.254", "127.0.0.1"],
            "169.254.169.254 is a link-local",
        ),
        (
            &["127.0.0.1", "::ffff:192.168.0.1"],
            "::ffff:192.168.0.1 is a private",
        ),
        (&["64:ff9b::a00:1", "127.0.0.1"], "64:ff9b::a00:1 is a private"),
    ] {
        let transport = transport(scripted(&[mixed]));
        // Over a new connection, and over the same again.
        for _ in 0..2 {
            let posted = post_by_name(&transport, address.port()).await;
            check_status(&posted, 200);
            let note = note(posted).expect("there is something to say");
            assert!(note.contains(&format!("left out: {left_out}")), "{note}");
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 4);
    let posted = post_to_addresses(&["10.0.0.1", "192.168.0.1"], address.port()).await;
    check_unanswered(&posted, FailureReason::AddressRefused, "10.0.0.1");
    // What is not reached says so as well.
    let posted = post_to_addresses(&["10.0.0.1", "127.0.0.1"], 1).await;
    check_unanswered(
        &posted,
        FailureReason::ConnectionRefused,
        "127.0.0.1:1; left out: 10.0.0.1",
    );
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_take_the_connection() {
    let (address, _) = receiver_for_one().await;
    let posted = post_to_addresses(&["127.0.0.2", "127.0.0.1"], address.port()).await;
    check_status(&posted, 200);
    // A machine without a way to them says so at once; on another they are silent.
    let many = [
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::3",
        "2001:db8::4",
        "127.0.0.1",
    ];
    check_status(&post_to_addresses(&many, address.port()).await, 200);
    let posted = post_to_addresses(&["127.0.0.2", "127.0.0.3"], 1).await;
    check_unanswered(
        &posted,
        FailureReason::ConnectionRefused,
        "127.0.0.2:1; nobody listens at 127.0.0.3:1",
    );
    check_unanswered(
        &post_to_addresses(&[], 1).await,
        FailureReason::Dns,
        "no address is known for receiver.example",
    );
}

#[tokio::test]
async fn an_address_that_says_nothing_does_not_hold_up_the_next() {
    let (address, _) = receiver_for_one().await;
    let socket = TcpSocket::new_v4().expect("there are sockets");
    let silent = SocketAddr::new("127.0.0.2".parse().expect("an address"), address.port());
    socket.bind(silent).expect("the port is free there");
    let _full = socket.listen(1).expect("it listens");
    let mut waiting = Vec::new();
    loop {
        let connecting = TcpSocket::new_v4().expect("there are sockets").connect(silent);
        match tokio::time::timeout(Duration::from_millis(100), connecting).await {
            Ok(stream) => waiting.push(stream.expect("it is taken")),
            // From now on nobody is let in.
            Err(_elapsed) => break,
        }
    }
    let transport = transport(scripted(&[&["127.0.0.2", "127.0.0.1"]]));
    for _ in 0..2 {
        check_status(&post_by_name(&transport, address.port()).await, 200);
    }
}

#[tokio::test]
async fn a_name_server_is_asked_again_when_its_word_is_over_and_every_family_counts() {
    let (address, _) = receiver_for_one().await;
    let server = NameServer::start(&["2001:db8::1", "2001:db8::2", "127.0.0.1"], 0).await;
    let sending = transport(named_by(&server));
    for asked in 1..=2 {
        check_status(&post_by_name(&sending, address.port()).await, 200);
        assert_eq!(server.asked(), asked);
    }
    // It changes its mind, to an address that may not be sent to, and to none.
    server.lead_to(&["10.0.0.1", "fd00::1"]);
    let posted = post_by_name(&sending, address.port()).await;
    check_unanswered(&posted, FailureReason::AddressRefused, "a private address");
    server.lead_to(&[]);
    let posted = post_by_name(&sending, address.port()).await;
    check_unanswered(
        &posted,
        FailureReason::Dns,
        "no address is known for receiver.example",
    );

    let server = NameServer::start(&["127.0.0.1"], 60).await;
    let sending = transport(named_by(&server));
    for _ in 0..3 {
        check_status(&post_by_name(&sending, address.port()).await, 200);
    }
    assert_eq!(server.asked(), 1, "what it said holds for a minute");
}

#[tokio::test]
async fn a_kept_connection_grows_only_so_old() {
    let (address, connections) = receiver_for_many().await;
    let server = NameServer::start(&["127.0.0.1"], 0).await;
    let transport = transport(named_by(&server));
    for (age, expected) in [(0, 1), (20, 1), (60, 2), (60, 3)] {
        pass(Duration::from_secs(age)).await;
        check_status(&post_by_name(&transport, address.port()).await, 200);
        assert_eq!(connections.load(Ordering::SeqCst), expected);
    }
    // The name leads to nobody any more, which would not be noticed if the connection were kept for ever.
    server.lead_to(&["127.0.0.2"]);
    pass(Duration::from_secs(60)).await;
    let posted = post_by_name(&transport, address.port()).await;
    check_unanswered(&posted, FailureReason::ConnectionRefused, "127.0.0.2");
}

#[tokio::test]
async fn changed_settings_are_read_again() {
    let (address, _) = receiver_for_one().await;
    let nowhere = NameServer::start(&["127.0.0.2"], 60).await;
    let right = NameServer::start(&["127.0.0.1"], 60).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("resolv.conf");
    let write = |text: &str| std::fs::write(&file, text).expect("it can be written");
    write(&nowhere.at.to_string());
    let read = {
        let file = file.clone();
        move || {
            let text = std::fs::read_to_string(&file)?;
            Ok(asking(text.trim().parse().map_err(|_| "no address")?))
        }
    };
    let names = SystemResolver::reading([file.clone()], read).expect("the settings are good");
    let transport = transport(Arc::new(names));
    let posted = post_by_name(&transport, address.port()).await;
    check_unanswered(&posted, FailureReason::ConnectionRefused, "127.0.0.2");
    for (settings, expected) in [
        ("half of wh", None),
        (&*format!("{}\n\n", right.at), Some(200)),
        ("", Some(200)),
    ] {
        write(settings);
        pass(Duration::from_secs(2)).await;
        let posted = post_by_name(&transport, address.port()).await;
        match expected {
            Some(status) => check_status(&posted, status),
            None => check_unanswered(&posted, FailureReason::ConnectionRefused, "127.0.0.2"),
        }
    }
}

/// Addresses of which some come when the others are there already.
struct InTwo(&'static [&'static str], &'static [&'static str]);

#[async_trait]
impl Resolver for InTwo {
    async fn addresses(&self, _name: &str) -> Result<ResolvedAddresses, String> {
        let parse = |list: &[&str]| -> Vec<IpAddr> {
            list.iter().map(|text| text.parse().expect("it is one")).collect()
        };
        let late = parse(self.1);
        Ok(ResolvedAddresses {
            at_once: parse(self.0),
            late: Some(async move { late }.boxed().shared()),
        })
    }
}

#[tokio::test]
async fn who_is_named_late_is_judged_and_joins_the_race() {
    let (address, connections) = receiver_for_one().await;
    for (at_once, late) in [
        (&["127.0.0.2"][..], &["127.0.0.1"][..]),
        (&["10.0.0.1"], &["127.0.0.1"]),
        (&["127.0.0.1"], &["10.0.0.1"]),
        (&["127.0.0.1"], &[]),
    ] {
        let transport = transport(Arc::new(InTwo(at_once, late)));
        check_status(&post_by_name(&transport, address.port()).await, 200);
    }
    let taken = connections.load(Ordering::SeqCst);
    for (late, words) in [
        (&["10.0.0.1"][..], "127.0.0.2:1; 10.0.0.1 is a private address"),
        (&["127.0.0.3"], "127.0.0.2:1; nobody listens at 127.0.0.3:1"),
        (&[], "nobody listens at 127.0.0.2:1"),
    ] {
        let transport = transport(Arc::new(InTwo(&["127.0.0.2"], late)));
        check_unanswered(
            &post_by_name(&transport, 1).await,
            FailureReason::ConnectionRefused,
            words,
        );
    }
    assert_eq!(connections.load(Ordering::SeqCst), taken);
}

#[tokio::test]
async fn the_silence_of_a_name_server_about_one_family_does_not_keep_the_other_waiting() {
    let (address, _) = receiver_for_one().await;
    let server = NameServer::start(&["127.0.0.1"], 0).await;
    server.leave_unanswered(&[RecordType::AAAA]);
    let sending = transport(named_by(&server));
    check_status(&post_by_name(&sending, address.port()).await, 200);
    check_unanswered(
        &post_by_name(&sending, 1).await,
        FailureReason::ConnectionRefused,
        "nobody listens at 127.0.0.1:1",
    );
    server.lead_to(&["fd00::1"]);
    server.leave_unanswered(&[RecordType::A]);
    let found = named_by(&server).addresses("receiver.example").await;
    let found = found.expect("one family is known");
    assert_eq!(found.at_once, ["fd00::1".parse::<IpAddr>().expect("an address")]);
    assert!(found.late.is_some());
}

#[tokio::test]
async fn that_no_name_server_answers_is_said_of_the_name_and_not_of_the_connection() {
    let server = NameServer::start(&["127.0.0.1"], 0).await;
    server.leave_unanswered(&[RecordType::A, RecordType::AAAA]);
    let posted = transport(named_by(&server))
        .post(post_to("http://receiver.example/hook", 200))
        .await;
    let words = "receiver.example could not be looked up: no name server answered within 200 ms";
    check_unanswered(&posted, FailureReason::Dns, words);
    assert!(posted.phases.dns.is_some());
}

#[tokio::test]
async fn a_name_in_the_hosts_file_leads_nowhere_else() {
    let (address, _) = receiver_for_one().await;
    let server = NameServer::start(&["127.0.0.2", "2001:db8::1"], 0).await;
    server.leave_unanswered(&[RecordType::AAAA]);
    let at = server.at;
    let names = SystemResolver::reading([], move || {
        let mut settings = asking(at);
        settings
            .hosts
            .read_hosts_conf(&b"127.0.0.1 other.example Receiver.Example"[..])?;
        Ok(settings)
    });
    let names = Arc::new(names.expect("the settings are good"));
    let found = names.addresses("receiver.example").await.expect("it is known");
    assert_eq!(
        found.at_once,
        ["127.0.0.1".parse::<IpAddr>().expect("an address")]
    );
    assert!(found.late.is_none());
    check_status(&post_by_name(&transport(names), address.port()).await, 200);
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_name_is_completed_as_a_whole_and_not_by_family() {
    let server = NameServer::start(&["127.0.0.1"], 0).await;
    let at = server.at;
    let names = SystemResolver::reading([], move || {
        let mut settings = asking(at);
        let servers = settings.config.name_servers().to_vec();
        let search = "corp.example.".parse().map_err(|_| "no name")?;
        settings.config = ResolverConfig::from_parts(None, vec![search], servers);
        Ok(settings)
    });
    let names = names.expect("the settings are good");
    for (name, asked) in [("receiver.example", 1), ("receiver", 2), ("receiver.", 3)] {
        assert_eq!(names.addresses(name).await.expect("it is known").at_once.len(), 1);
        assert_eq!(server.asked(), asked, "{name} was known at the first try");
    }
    server.lead_to(&[]);
    for (name, asked) in [("receiver.example", 5), ("receiver.", 6)] {
        let found = names.addresses(name).await.expect("there is an answer");
        assert!(found.at_once.is_empty());
        assert_eq!(server.asked(), asked, "{name} was tried as it is and completed");
    }
}
