//! Notifications, from what goes wrong to those who are told: real receivers, a real mail server, a real command.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use switchhook_domain::id::{ChannelId, CompanyId};
use switchhook_domain::key::ApiKey;
use switchhook_domain::notification::{Channel, ChannelType, NotificationKind};
use switchhook_domain::secret::Secret;
use switchhook_http::proxy::Outbound;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::notification::{
    MailSettings, MailTls, Message, NotificationSettings, Sender, WatchState,
};
use switchhook_node::settings::Settings;
use switchhook_protocol::verify;
use switchhook_store::PageRequest;
use switchhook_store::StoreOptions;
use switchhook_store::sqlite::SqliteStore;
use tokio_rustls::TlsAcceptor;

use crate::delivery::network::transport;
use crate::support::faulty_store::FaultyStore;
use crate::support::http::{Arrival, RecordingReceiver};
use crate::support::mailbox::{Mailbox, Manner};
use crate::support::process::ServerProcess;
use crate::support::rig::{COMPANY, Reaction, START, Seen};
use crate::support::test_server::TestServer;
use crate::support::tls::Authority;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Events are refused for good; everything else is taken.
fn refuse_events(arrival: &Arrival) -> StatusCode {
    match arrival.header("switchhook-event-id") {
        "" => StatusCode::OK,
        _ => StatusCode::GONE,
    }
}

fn json_of(arrival: &Arrival) -> Value {
    serde_json::from_slice(&arrival.body).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_told_to_every_channel_and_to_the_command_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mailbox, mail_address) = Mailbox::start(Manner::Plainly).await;
    let told = folder.path().join("told");
    let command = format!("tee -a {}", told.display());
    let mail_port = mail_address.port().to_string();
    let server = ServerProcess::start_with(
        folder.path(),
        &[
            ("SWITCHHOOK_NOTIFY_EXEC", &command),
            ("SWITCHHOOK_NOTIFY_EMAIL_HOST", "127.0.0.1"),
            ("SWITCHHOOK_NOTIFY_EMAIL_PORT", &mail_port),
            ("SWITCHHOOK_NOTIFY_EMAIL_TLS", "none"),
            (
                "SWITCHHOOK_NOTIFY_EMAIL_FROM",
                "Switchhook <switchhook@example.com>",
            ),
        ],
    )
    .await;
    let receiver = RecordingReceiver::start(refuse_events).await;
    let caller = server.caller();
    let url = |name: &str| format!("http://{}/{name}/t0ken", receiver.address);
    for channel in [
        json!({"type": "webhook", "url": url("webhook"), "secret": SECRET}),
        json!({"type": "slack", "url": url("slack"), "kinds": ["delivery.exhausted"]}),
        json!({"type": "teams", "url": url("teams"), "kinds": ["delivery.exhausted"]}),
        json!({"type": "discord", "url": url("discord"), "kinds": ["delivery.exhausted"]}),
        json!({"type": "discord", "url": url("other"), "kinds": ["key.expiring"]}),
        json!({"type": "email", "to": ["ops@example.com", "Ann <ann@example.com>"]}),
    ] {
        let made = caller
            .ask("POST", "/v1/notification-channels", &channel.to_string())
            .await;
        assert!(!made.to_string().contains(SECRET), "{made}");
        let is_chat = channel["type"] != "webhook";
        assert!(!is_chat || !made.to_string().contains("t0ken"), "{made}");
    }
    let hook = json!({"hook_url": format!("{}?key=s3cret", receiver.url())});
    let hook = caller.ask("POST", "/v1/webhooks", &hook.to_string()).await;
    let subscription = json!({"endpoint_id": hook["id"]});
    caller
        .ask("POST", "/api/v2/subscriptions/call", &subscription.to_string())
        .await;
    let event = r#"{"call_id":1,"state":"hangup","external_number":"+15551234567"}"#;
    caller.ask("POST", "/v1/events/call", event).await;
    let is_notification = |arrival: &&Arrival| arrival.header("switchhook-event-id").is_empty();
    receiver
        .wait_until("four notifications", |all| {
            all.iter().filter(is_notification).count() == 4
        })
        .await;
    let arrivals = receiver.arrivals();
    let of = |header: &str| {
        arrivals
            .iter()
            .find(|arrival| arrival.header("switchhook-notification-kind") == header)
    };
    let signed = of("delivery.exhausted").expect("the webhook is told");
    assert_eq!(signed.header("content-type"), "application/jwt");
    let verified = verify(&signed.body, [SECRET]).expect("it is signed with the channel's secret");
    let whole: Value = serde_json::from_slice(&verified).unwrap();
    assert_eq!(whole["kind"], "delivery.exhausted");
    assert_eq!(whole["company_id"], "1");
    assert_eq!(whole["data"]["webhook_id"], hook["id"]);
    assert_eq!(whole["data"]["last_status"], 410);
    assert_eq!(whole["data"]["count"], 1);
    let text = whole["text"].as_str().expect("it is text");
    assert!(
        text.contains("was given up") && text.contains("?key=***"),
        "{text}"
    );
    let bodies: Vec<_> = arrivals.iter().filter(is_notification).map(json_of).collect();
    let expected = format!("[Switchhook] {text}");
    assert!(
        bodies.iter().any(|body| body["text"] == expected),
        "Slack: {bodies:#?}"
    );
    assert!(
        bodies.iter().any(|body| body["content"] == expected),
        "Discord: {bodies:#?}"
    );
    let card = |body: &Value| body["attachments"][0]["content"]["body"][0]["text"] == expected;
    assert!(bodies.iter().any(card), "Teams: {bodies:#?}");

    let mail = mailbox.wait_for("QUIT").await;
    for part in [
        "MAIL FROM:<switchhook@example.com>",
        "RCPT TO:<ops@example.com>",
        "RCPT TO:<ann@example.com>",
        "Subject: Switchhook: delivery.exhausted",
        "was given up",
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    let listed = sent(&server, 6).await;
    let line = std::fs::read_to_string(&told).unwrap();
    let told_command: Value = serde_json::from_str(line.trim()).expect("one line");
    assert_eq!(told_command, whole);
    assert_eq!(listed["id"], whole["id"]);
    assert_eq!(listed["held_until"], Value::Null);

    // Within the quiet time others are only counted.
    for _ in 0..3 {
        caller.ask("POST", "/v1/events/call", event).await;
    }
    for _ in 0..200 {
        let newest = caller.ask("GET", "/v1/notifications?limit=1", "").await["items"][0].clone();
        if newest["data"]["count"] == 3 {
            assert!(newest["held_until"].is_i64(), "{newest}");
            assert_eq!(newest["sends"], json!([]));
            let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
            for secret in ["t0ken", "s3cret", SECRET, "5551234567"] {
                assert!(!log.contains(secret), "{secret}: {log}");
            }
            assert!(!line.contains("5551234567") && !mail.contains("5551234567"));
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("they are not counted");
}

/// The one notification, once it was sent to so many.
async fn sent(server: &ServerProcess, recipients: usize) -> Value {
    let mut listed = Value::Null;
    for _ in 0..200 {
        listed = server.caller().ask("GET", "/v1/notifications", "").await;
        let sends = listed["items"][0]["sends"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        if sends.len() == recipients && sends.iter().all(|send| send["state"] == "sent") {
            return listed["items"][0].clone();
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not all was sent: {listed:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_fails_is_tried_again_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::SERVICE_UNAVAILABLE).await;
    let caller = server.caller();
    let channel = json!({"type": "slack", "url": receiver.url()});
    let made = caller
        .ask("POST", "/v1/notification-channels", &channel.to_string())
        .await;
    let path = format!(
        "/v1/notification-channels/{}/test",
        made["id"].as_str().expect("ids are strings")
    );
    let tested = caller.ask("POST", &path, "").await;
    assert_eq!(tested, json!({"sent": false, "error": "it was answered 503"}));
    // A source that refuses is told.
    let source = json!({"name": "ours", "secret": SECRET});
    let source = caller.ask("POST", "/v1/sources", &source.to_string()).await;
    let url = source["url"].as_str().expect("it is new");
    let refused = caller
        .send(
            "POST",
            &url[url.find("/in/").expect("it leads in")..],
            r#"{"call_id":1}"#,
        )
        .await;
    assert!(refused.is_ok_and(|(status, _)| !status.is_success()));
    for _ in 0..200 {
        let listed = caller.ask("GET", "/v1/notifications", "").await;
        let item = &listed["items"][0];
        if item["sends"][0]["attempts"] == 1 && item["sends"][0]["error"].is_string() {
            assert_eq!(item["kind"], "source.refusing");
            assert_eq!(item["sends"][0]["state"], "waiting");
            assert_eq!(item["sends"][0]["error"], "it was answered 503");
            assert!(item["sends"][0]["next_attempt_at"].is_i64(), "{item}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it was not tried");
}

fn mail_to(address: std::net::SocketAddr, tls: MailTls) -> NotificationSettings {
    NotificationSettings {
        mail: Some(MailSettings {
            host: "127.0.0.1".to_owned(),
            port: Some(address.port()),
            tls,
            credentials: Some(("me".to_owned(), Secret::new("hunter2"))),
            from: "switchhook@example.com".to_owned(),
        }),
        ..NotificationSettings::default()
    }
}

fn email() -> Channel {
    Channel {
        id: ChannelId(7),
        company_id: CompanyId(1),
        channel_type: ChannelType::Email,
        destination: Secret::new("ops@example.com"),
        secret: None,
        kinds: NotificationKind::ALL.to_vec(),
        created_at: START,
        updated_at: START,
    }
}

#[tokio::test]
async fn mail_goes_over_tls_that_is_verified_and_with_a_password() {
    let authority = Authority::new();
    let acceptor = || TlsAcceptor::from(Arc::new(authority.good().plain()));
    for (tls, manner) in [
        (MailTls::Implicit, Manner::Securely(acceptor())),
        (MailTls::StartTls, Manner::SecurelyAtLast(acceptor())),
    ] {
        let (mailbox, address) = Mailbox::start(manner).await;
        let network = Arc::new(transport(AddressGuard::default()));
        let message = Message::test("7".to_owned(), CompanyId(1), START);
        let trusting = Sender::new(&mail_to(address, tls), network.clone(), &authority.outbound()).unwrap();
        trusting.send(&message, &email()).await.unwrap();
        let said = mailbox.wait_for("This is a test").await;
        // "\0me\0hunter2"
        assert!(said.contains("AUTH PLAIN AG1lAGh1bnRlcjI="), "{said}");
        let wary = Sender::new(&mail_to(address, tls), network, &Outbound::default()).unwrap();
        let refused = wary.send(&message, &email()).await.unwrap_err();
        assert!(refused.why.contains("certificate"), "{refused}");
    }
}

#[tokio::test]
async fn a_mail_server_without_tls_gets_no_mail() {
    let (mailbox, address) = Mailbox::start(Manner::Plainly).await;
    let network = Arc::new(transport(AddressGuard::default()));
    let message = Message::test("7".to_owned(), CompanyId(1), START);
    let sender = Sender::new(
        &mail_to(address, MailTls::StartTls),
        network,
        &Outbound::default(),
    )
    .unwrap();
    assert!(sender.send(&message, &email()).await.is_err());
    let said = mailbox.wait_for("EHLO").await;
    assert!(!said.contains("AUTH") && !said.contains("MAIL"), "{said}");
}

async fn kinds(server: &TestServer) -> Vec<&'static str> {
    let page = server
        .store
        .list_notifications(COMPANY, PageRequest::first(50))
        .await;
    let items = page.expect("they can be read").items;
    items
        .iter()
        .map(|one| one.notification.payload.kind().as_str())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_about_to_expire_is_told_once() {
    let server = TestServer::new().await;
    for (name, days) in [("soon", 6), ("later", 8)] {
        let expires_at = Some(START.plus(Duration::from_secs(days * 24 * 60 * 60)));
        server.add_key(name, |key| ApiKey { expires_at, ..key }).await;
    }
    for _ in 0..2 {
        WatchState::new(&server.node.notifications)
            .look()
            .await
            .expect("the store works");
    }
    assert_eq!(kinds(&server).await, ["key.expiring"]);
}

#[tokio::test(start_paused = true)]
async fn a_source_by_which_nothing_comes_any_more_is_told_once() {
    let hour = Duration::from_secs(60 * 60);
    let settings = Settings {
        notifications: NotificationSettings {
            source_silent: Some(hour),
            ..NotificationSettings::default()
        },
        ..Settings::default()
    };
    let server = TestServer::with(settings).await;
    let source = server.post("/v1/sources", json!({"name": "ours"})).await.ok();
    let url = source["url"].as_str().expect("it is new");
    server
        .post(
            &url[url.find("/in/").expect("it leads in")..],
            json!({"call_id": 1}),
        )
        .await
        .ok();
    let mut watch = WatchState::new(&server.node.notifications);
    watch.look().await.expect("the store works");
    assert!(kinds(&server).await.is_empty());
    for _ in 0..2 {
        tokio::time::sleep(hour * 2).await;
        watch.look().await.expect("the store works");
        assert_eq!(kinds(&server).await, ["source.silent"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_could_not_be_written_is_told_when_it_can_be_again() {
    let inner = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
    let store = FaultyStore::around(inner);
    let server = TestServer::on(store.clone(), Settings::default(), |_| Reaction::Answer(200)).await;
    let mut watch = WatchState::new(&server.node.notifications);
    watch.look_at_store().await;
    store.set(Some("the disk is full"));
    watch.look_at_store().await;
    watch.look_at_store().await;
    assert!(kinds(&server).await.is_empty());
    store.set(None);
    watch.look_at_store().await;
    watch.look_at_store().await;
    assert_eq!(kinds(&server).await, ["store.trouble"]);
}

#[tokio::test(start_paused = true)]
async fn deliveries_that_wait_too_long_are_told_once() {
    let slowly = |_: &Seen| Reaction::Slowly(200, Duration::from_secs(14));
    let server = TestServer::reacting(Settings::default(), slowly).await;
    let hook = json!({"hook_url": "https://example.com/slow", "max_in_flight": 1});
    let hook = server.post("/v1/webhooks", hook).await.ok();
    let subscription = json!({"endpoint_id": hook["id"]});
    server.post("/api/v2/subscriptions/call", subscription).await.ok();
    let mut watch = WatchState::new(&server.node.notifications);
    for call in 0..20 {
        let event = format!(r#"{{"call_id":{call},"state":"hangup"}}"#);
        server.event("call", event, &[]).await.ok();
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    watch.look().await.expect("the store works");
    assert!(kinds(&server).await.is_empty());
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(80)).await;
        watch.look().await.expect("the store works");
        assert_eq!(kinds(&server).await, ["server.late"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_end_of_quiet_hours_is_not_late() {
    let slowly = |_: &Seen| Reaction::Slowly(200, Duration::from_secs(14));
    let server = TestServer::reacting(Settings::default(), slowly).await;
    // It is 14:13:20 when the test begins.
    let hook =
        json!({"hook_url": "https://example.com/slow", "max_in_flight": 1, "quiet_hours": "14:00-15:00"});
    let hook = server.post("/v1/webhooks", hook).await.ok();
    let subscription = json!({"endpoint_id": hook["id"]});
    server.post("/api/v2/subscriptions/call", subscription).await.ok();
    let mut watch = WatchState::new(&server.node.notifications);
    for call in 0..20 {
        let event = format!(r#"{{"call_id":{call},"state":"hangup"}}"#);
        server.event("call", event, &[]).await.ok();
    }
    for minutes in [30, 17] {
        tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
        watch.look().await.expect("the store works");
        assert!(kinds(&server).await.is_empty(), "after {minutes} minutes");
        assert!(!is_behind(&server).await, "after {minutes} minutes");
    }
    tokio::time::sleep(Duration::from_secs(130)).await;
    watch.look().await.expect("the store works");
    assert_eq!(kinds(&server).await, ["server.late"]);
    assert!(is_behind(&server).await);
}

/// True if the doctor reports a webhook as behind.
async fn is_behind(server: &TestServer) -> bool {
    let report = server.get("/v1/doctor").await.ok();
    let findings = report["findings"].as_array().expect("a list");
    findings.iter().any(|finding| finding["trouble"] == "behind")
}
