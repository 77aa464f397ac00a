//! Endpoints that are subscribed by the command that makes them, and webhooks that are tried out.

use axum::http::StatusCode;
use serde_json::Value;

use super::client::shell;
use super::run::Shell;
use crate::support::http::RecordingReceiver;
use crate::support::process::ServerProcess;

/// Server's list.
fn listed(shell: &Shell<'_>, words: &[&str]) -> Vec<Value> {
    let run = shell.run(&[words, &["--json"]].concat()).ok();
    run.json()["items"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_made_with_its_subscriptions_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let shell = shell(folder.path(), &server);

    // The key has no scope for the change log.
    let url = "http://127.0.0.1:3000/hook";
    let refused = shell
        .run(&["webhooks", "create", url, "--subscribe", "all"])
        .failed(1);
    assert!(
        refused.stderr.contains("the changelog subscription"),
        "{refused:?}"
    );
    let unsettled = shell
        .run(&["webhooks", "create", url, "--header", "Host: x"])
        .failed(1);
    assert!(unsettled.stderr.contains("nothing was created"), "{unsettled:?}");
    shell
        .run(&["websockets", "create", "--subscribe", "call,changelog"])
        .failed(1);
    for list in ["webhooks", "websockets", "subscriptions"] {
        assert_eq!(listed(&shell, &[list, "list"]), Vec::<Value>::new(), "{list}");
    }

    let made = shell
        .run(&["webhooks", "create", url, "--subscribe", "sms,contact", "--json"])
        .ok()
        .json();
    let kinds = made["subscriptions"].as_array().expect("they are told");
    let kinds: Vec<_> = kinds.iter().map(|made| made["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("sms"), Some("contact"), Some("contact")]);
    let sms = &listed(&shell, &["subscriptions", "list", "sms"])[0];
    assert_eq!(
        (&sms["status"], &sms["include_internal"]),
        (&true.into(), &true.into())
    );
    assert_eq!(sms["webhook"]["id"], made["id"]);
    assert_eq!(made["health"]["condition"], "active");

    let result = shell.run(&["websockets", "create", "--subscribe", "call"]).ok();
    assert!(result.stdout.contains("call: every state"), "{result:?}");
    let short = shell.run(&["websockets", "create", "--secret", "hunter2"]).ok();
    assert!(short.stderr.contains("the secret has 7 bytes"), "{short:?}");
    shell
        .run(&["webhooks", "create", url, "--subscribe", "fax"])
        .failed(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_of_both_types_take_one_command() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let shell = shell(folder.path(), &server);
    let created = shell
        .run(&["webhooks", "create", "http://127.0.0.1:3000/hook", "--json"])
        .ok()
        .json();
    let webhook = created["id"].as_str().expect("ids are texts");
    let create = ["subscriptions", "create", "contact", "--webhook", webhook];
    let made = shell.run(&create).ok();
    assert!(
        made.stdout.contains("local") && made.stdout.contains("shared"),
        "{made:?}"
    );
    // The second of two is there already: neither is made.
    let others = listed(&shell, &["subscriptions", "list", "contact"]);
    let local = others[0]["id"].as_str().expect("ids are texts");
    shell.run(&["subscriptions", "delete", "contact", local]).ok();
    let again = shell.run(&create).failed(1);
    assert!(again.stderr.contains("already sends"), "{again:?}");
    let types: Vec<_> = listed(&shell, &["subscriptions", "list", "contact"])
        .iter()
        .map(|made| made["contact_type"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(types, ["shared"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_tried_out_with_a_sample_event() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let shell = shell(folder.path(), &server);
    let receiver = RecordingReceiver::start(|arrival| match arrival.header("switchhook-event-kind") {
        "sms" => StatusCode::IM_A_TEAPOT,
        _ => StatusCode::OK,
    })
    .await;
    let created = shell
        .run(&["webhooks", "create", &receiver.url(), "--json"])
        .ok()
        .json();
    let webhook = created["id"].as_str().expect("ids are texts");

    let taken = shell.run(&["webhooks", "test", webhook]).ok();
    assert!(taken.stdout.contains("HTTP 200"), "{taken:?}");
    let refused = shell
        .run(&["webhooks", "test", webhook, "--kind", "sms", "--json"])
        .failed(1);
    assert_eq!(refused.json()["attempts"][0]["status"], 418);
    assert!(refused.stderr.contains("did not accept"), "{refused:?}");
    assert_eq!(receiver.arrivals().len(), 2);
    // Both attempts have ended: the list says how, and where they went.
    let listed = shell.run(&["deliveries", "list"]).ok().stdout;
    for words in ["delivered  200", "retrying   418", &receiver.url()] {
        assert!(listed.contains(words), "{words}: {listed}");
    }

    shell.run(&["webhooks", "pause", webhook]).ok();
    let held = shell.run(&["webhooks", "test", webhook]).failed(1);
    assert!(held.stderr.contains("webhooks resume"), "{held:?}");
}
