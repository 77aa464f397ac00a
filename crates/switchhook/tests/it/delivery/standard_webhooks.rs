//! Standard Webhooks: headers that the official libraries verify, and receivers that want no more.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use switchhook_domain::delivery::StateName;
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::{SettingsPatch, WebhookChange, WebhookSettings};
use switchhook_node::clock::SystemClock;
use switchhook_node::settings::Settings;
use switchhook_protocol::{StandardHeaders, StandardKey, standard_secret};
use switchhook_store::StoreOptions;
use switchhook_store::sqlite::SqliteStore;

use crate::support::program::{skip, variable};
use crate::support::rig::{COMPANY, Reaction, Rig, START, Seen};

const SECRET: &str = "a secret of more than thirty-two bytes";

fn standard(jwt: Option<bool>) -> WebhookSettings {
    WebhookSettings {
        standard_webhooks: true,
        jwt,
        ..WebhookSettings::default()
    }
}

fn signature_of(seen: &Seen) -> StandardHeaders {
    let headers = StandardHeaders::read(|name| seen.headers.get(name)?.to_str().ok());
    headers.expect("they are complete").expect("it is signed")
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_signed_with_its_own_time_over_the_body_as_it_is_sent() {
    let rig = Rig::new(|seen| Reaction::Answer(if seen.attempt == 1 { 503 } else { 200 })).await;
    let settings = WebhookSettings {
        headers: [("webhook-id".to_owned(), "of an older version".to_owned())].into(),
        ..standard(None)
    };
    let id = rig.signed_webhook(settings, Some(SECRET)).await;
    let accepted = rig.call(1, "hangup").await;
    rig.wait(Duration::from_secs(10)).await;
    let seen = rig.network.seen();
    assert_eq!(seen.len(), 2);
    for one in &seen {
        assert_eq!(one.headers.get_all("webhook-id").iter().count(), 1);
        let headers = signature_of(one);
        let now = START.plus(one.at);
        assert_eq!(headers.id, format!("evt_{}", accepted.id));
        assert_eq!(headers.timestamp, (now.as_millis() / 1_000).to_string());
        assert_eq!(
            headers.verify(&[StandardKey::new(SECRET)], &one.body, now),
            Ok(())
        );
        assert!(
            headers
                .verify(&[StandardKey::new("another")], &one.body, now)
                .is_err()
        );
        assert_eq!(one.headers["content-type"], "application/jwt");
        assert!(
            switchhook_protocol::verify(&one.body, [SECRET]).is_ok(),
            "the JWT stays"
        );
    }
    assert_ne!(signature_of(&seen[0]), signature_of(&seen[1]));
    // While a secret rotates there is a signature with each.
    let change = WebhookChange {
        secret: Some(Some(Secret::new("the new secret"))),
        old_secret_until: Some(rig.node.clock.now().plus(Duration::from_secs(60))),
        settings: SettingsPatch {
            jwt: Some(Some(false)),
            ..SettingsPatch::default()
        },
        ..WebhookChange::default()
    };
    let now = rig.node.clock.now();
    rig.store.update_webhook(COMPANY, id, change, now).await.unwrap();
    rig.node.registry.refresh(COMPANY).await.unwrap();
    for (wait, signatures) in [(1, 2), (70, 1)] {
        rig.wait(Duration::from_secs(wait)).await;
        rig.call(2, "hangup").await;
        rig.wait(Duration::from_secs(1)).await;
        let last = rig.network.seen().pop().unwrap();
        let headers = signature_of(&last);
        assert_eq!(headers.signature.split(' ').count(), signatures);
        for (secret, counts) in [("the new secret", true), (SECRET, signatures == 2)] {
            let verified = headers.verify(&[StandardKey::new(secret)], &last.body, START.plus(last.at));
            assert_eq!(verified.is_ok(), counts, "{secret}");
        }
        assert_eq!(last.body, r#"{"call_id":2,"state":"hangup"}"#);
        assert_eq!(last.headers["content-type"], "application/json");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_added_for_those_who_do_not_ask() {
    let rig = Rig::new(|_| Reaction::AnswerWith(500, "webhook-delivery", "disable")).await;
    rig.signed_webhook(WebhookSettings::default(), Some(SECRET)).await;
    rig.call(1, "hangup").await;
    rig.wait(Duration::from_secs(10)).await;
    let seen = rig.network.seen();
    assert!(seen.len() > 1, "its receiver is not listened to either");
    assert!(
        seen[0]
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("webhook-"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_receiver_gives_up_a_delivery_or_all_of_them() {
    let wish = |seen: &Seen| match seen.body.as_ref() {
        br#"{"call_id":1,"state":"hangup"}"# => Reaction::AnswerWith(503, "webhook-delivery", "abort"),
        br#"{"call_id":2,"state":"hangup"}"# => Reaction::AnswerWith(200, "webhook-delivery", "disable"),
        _ => Reaction::Answer(200),
    };
    let rig = Rig::new(wish).await;
    let id = rig.signed_webhook(standard(Some(false)), Some(SECRET)).await;
    let aborted = rig.call(1, "hangup").await.deliveries[0].id;
    rig.wait(Duration::from_secs(60)).await;
    assert_eq!(rig.network.seen().len(), 1, "no retry");
    let delivery = rig.store.delivery(COMPANY, aborted).await.unwrap();
    assert_eq!(delivery.state.name(), StateName::Exhausted);
    let taken = rig.call(2, "hangup").await.deliveries[0].id;
    rig.wait(Duration::from_secs(10)).await;
    let delivery = rig.store.delivery(COMPANY, taken).await.unwrap();
    assert_eq!(delivery.state.name(), StateName::Delivered);
    let webhook = rig.store.webhook(COMPANY, id).await.unwrap();
    assert!(webhook.disabled_at.is_some(), "until somebody resumes it");
    rig.call(3, "hangup").await;
    rig.wait(Duration::from_secs(60)).await;
    assert_eq!(rig.network.seen().len(), 2);
}

/// Reads `[[secret, headers, body], …]`; answers what the library makes of each body.
const PYTHON: &str = r#"
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
seen = []
for secret, headers, body in json.load(sys.stdin):
    try: Webhook("whsec_" + "A" * 32).verify(body, headers)
    except WebhookVerificationError: pass
    else: raise SystemExit("another secret was accepted")
    try: Webhook(secret).verify(body + " ", headers)
    except WebhookVerificationError: pass
    else: raise SystemExit("another body was accepted")
    seen.append(Webhook(secret).verify(body, headers))
json.dump(seen, sys.stdout)
"#;

const NODE: &str = r#"
const { Webhook } = require("standardwebhooks");
const all = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const refuses = (attempt) => { try { attempt(); return false; } catch { return true; } };
process.stdout.write(JSON.stringify(all.map(([secret, headers, body]) => {
  if (!refuses(() => new Webhook("whsec_" + "A".repeat(32)).verify(body, headers))) throw new Error("any secret holds");
  if (!refuses(() => new Webhook(secret).verify(body + " ", headers))) throw new Error("any body holds");
  return new Webhook(secret).verify(body, headers);
})));
"#;

/// Requests just sent to webhooks with secrets of both forms, as JSON texts; the secrets in the form of the
/// libraries.
async fn sent_now() -> Value {
    let clock = Arc::new(SystemClock);
    let store = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
    let rig = Rig::with_clock(store, Settings::default(), clock, |_| Reaction::Answer(200)).await;
    let secrets = [SECRET, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
    let mut sent = Vec::new();
    for secret in secrets {
        let id = rig.signed_webhook(standard(Some(false)), Some(secret)).await;
        rig.accept(
            switchhook_domain::Kind::Call,
            "{\"call_id\":1, \"state\":\"hangup\",\"name\":\"Zoë 😀\"}",
        )
        .await;
        rig.wait(Duration::from_secs(1)).await;
        let seen = rig.network.seen().into_iter().rfind(|seen| seen.webhook_id == id);
        let seen = seen.expect("it was sent");
        let headers: serde_json::Map<_, _> = seen
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), json!(value.to_str().expect("it is ASCII"))))
            .collect();
        sent.push(json!([
            standard_secret(secret),
            headers,
            String::from_utf8_lossy(&seen.body)
        ]));
    }
    Value::from(sent)
}

#[track_caller]
fn check(command: &mut Command, question: &Value) {
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.expect("the interpreter starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin
        .write_all(question.to_string().as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answers: Value = serde_json::from_slice(&output.stdout).expect("it answers in JSON");
    let event = json!({"call_id": 1, "state": "hangup", "name": "Zoë 😀"});
    assert_eq!(answers, json!([event, event]));
}

#[tokio::test(start_paused = true)]
async fn the_official_library_of_python_verifies_what_is_sent() {
    match variable("SWITCHHOOK_TEST_PYTHON") {
        Some(python) => check(Command::new(python).args(["-c", PYTHON]), &sent_now().await),
        None => skip("SWITCHHOOK_TEST_PYTHON names no Python with standardwebhooks: scripts/check --install"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_official_library_of_node_verifies_what_is_sent() {
    match variable("SWITCHHOOK_TEST_NODE_PATH") {
        Some(path) => check(
            Command::new("node").env("NODE_PATH", path).args(["-e", NODE]),
            &sent_now().await,
        ),
        None => {
            skip(
                "SWITCHHOOK_TEST_NODE_PATH names no packages with standardwebhooks: scripts/check --install",
            );
        }
    }
}
