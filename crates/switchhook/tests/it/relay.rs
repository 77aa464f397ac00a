//! A relay: a second server plays Dialpad, what it sends comes in by a source and goes on to two receivers, and the
//! relay is killed in between.

use std::collections::HashSet;

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::json;
use switchhook_domain::{Kind, Timestamp};
use switchhook_simulator::{Rate, Simulation};

use crate::support::http::{Arrival, Caller, RecordingReceiver};
use crate::support::process::ServerProcess;
use crate::support::proxy::Proxy;

/// Number of events sent, from `SWITCHHOOK_RELAYED_EVENTS`.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a test runs comes from outside"
)]
fn how_many() -> usize {
    let given = std::env::var("SWITCHHOOK_RELAYED_EVENTS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(600)
}

/// The kinds, with filters that let everything through.
const EVERYTHING: [(&str, &str, &str); 6] = [
    ("call", "", ""),
    ("sms", "direction", "all"),
    ("agent_status", "agent_type", "callcenter"),
    ("contact", "contact_type", "local"),
    ("contact", "contact_type", "shared"),
    ("changelog", "", ""),
];

/// Makes a webhook that gets everything. It tries again soon, and has fewer attempts at once than failures open a breaker,
/// so that the killing of a receiver does not make it wait.
async fn subscribe_to_everything(caller: &Caller, hook_url: &str, secret: &str) {
    let webhook = json!({"hook_url": hook_url, "secret": secret}).to_string();
    let webhook = caller.ask("POST", "/api/v2/webhooks", &webhook).await;
    let id = webhook["id"].as_str().expect("ids are strings");
    let settings = json!({"max_in_flight": 8, "retry_schedule": vec![1; 60]}).to_string();
    caller
        .ask("PATCH", &format!("/v1/webhooks/{id}"), &settings)
        .await;
    for (kind, member, value) in EVERYTHING {
        let mut request = json!({"endpoint_id": webhook["id"]});
        if !member.is_empty() {
            request[member] = value.into();
        }
        if kind == "sms" {
            request["status"] = true.into();
            request["include_internal"] = true.into();
        }
        let path = format!("/api/v2/subscriptions/{kind}");
        caller.ask("POST", &path, &request.to_string()).await;
    }
}

fn bodies(arrivals: &[Arrival]) -> HashSet<Bytes> {
    arrivals.iter().map(|arrival| arrival.body.clone()).collect()
}

/// Waits for so many different events, for as long as they keep coming.
async fn wait_for_all(receiver: &RecordingReceiver, count: usize) {
    let mut arrived = 0;
    // Some come twice, because the relay did not live to note that they had arrived.
    while arrived < count || bodies(&receiver.arrivals()).len() < count {
        let some_more = (arrived + count.div_ceil(100)).min(count).max(arrived + 1);
        receiver
            .wait_until("another event", |arrivals| arrivals.len() >= some_more)
            .await;
        arrived = receiver.arrivals().len();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_an_account_reaches_every_receiver_although_the_relay_is_killed() {
    let count = how_many();
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let (dialpad_dir, relay_dir) = (dir.path().join("dialpad"), dir.path().join("relay"));
    for dir in [&dialpad_dir, &relay_dir] {
        std::fs::create_dir(dir).expect("the directory is ours");
    }
    let scopes = "change_log,recordings_export,message_content_export:all";
    let dialpad = ServerProcess::start_scoped(&dialpad_dir, scopes).await;
    let mut relay = ServerProcess::start_scoped(&relay_dir, scopes).await;
    let receivers = [
        RecordingReceiver::start(|_| StatusCode::OK).await,
        RecordingReceiver::start(|_| StatusCode::OK).await,
    ];
    for receiver in &receivers {
        subscribe_to_everything(&relay.caller(), &receiver.url(), "").await;
    }
    let source = json!({"name": "dialpad", "secret": "the secret of this account"}).to_string();
    let source = relay.caller().ask("POST", "/v1/sources", &source).await;
    let address = source["url"].as_str().expect("a new source shows its address");
    // A wire that lets whoever comes wait while the relay is down.
    let wire = Proxy::to(relay.address).await;
    let address = address.replace(&relay.address.to_string(), &wire.address.to_string());
    subscribe_to_everything(&dialpad.caller(), &address, "the secret of this account").await;

    let start = Timestamp::from_millis(1_795_253_400_000);
    let company = Simulation::builder(11, start)
        .rate(Rate::per_hour(100_000))
        .build();
    let events: Vec<_> = company.take(count).collect();
    for (nth, some) in events.chunks(100).enumerate() {
        for kind in Kind::ALL {
            let of_kind = some.iter().filter(|event| event.kind == kind);
            let lines: Vec<_> = of_kind.map(|event| event.body.as_str()).collect();
            if !lines.is_empty() {
                let path = format!("/v1/events/{}", kind.route());
                let answer = dialpad.caller().ask_lines(&path, &lines.join("\n")).await;
                assert_eq!(answer["accepted"], lines.len(), "{answer}");
            }
        }
        // In the middle of it, as often as is worth while.
        let chunks = count.div_ceil(100);
        if nth % chunks.div_ceil(4) == 1 {
            relay.kill();
            relay.start_again().await;
        }
    }
    let sent: HashSet<Bytes> = events.into_iter().map(|event| Bytes::from(event.body)).collect();
    for receiver in &receivers {
        wait_for_all(receiver, sent.len()).await;
        let arrivals = receiver.arrivals();
        println!("{} sent, {} arrived", sent.len(), arrivals.len());
        assert!(bodies(&arrivals) == sent, "what arrives is what was sent");
    }
    let id = source["id"].as_str().expect("ids are strings");
    let refused = relay
        .caller()
        .ask("GET", &format!("/v1/sources/{id}/refusals"), "")
        .await;
    assert_eq!(refused["items"], json!([]));
}
