//! Commands that ask a server.

use std::path::Path;

use axum::http::StatusCode;
use serde_json::Value;

use super::run::Shell;
use crate::support::http::RecordingReceiver;
use crate::support::process::ServerProcess;

pub(super) fn shell<'a>(folder: &'a Path, server: &ServerProcess) -> Shell<'a> {
    Shell::new(folder)
        .with("SWITCHHOOK_URL", format!("http://{}", server.address))
        .with("SWITCHHOOK_API_KEY", &server.key)
}

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("ids are texts")
}

#[test]
fn a_server_that_is_not_there_is_told_with_what_to_try() {
    let folder = tempfile::tempdir().unwrap();
    let run = Shell::new(folder.path())
        .run(&["webhooks", "list", "--url", "http://127.0.0.1:1"])
        .failed(1);
    assert!(
        run.stderr
            .contains("cannot reach the server at http://127.0.0.1:1: nobody listens there; is it running?"),
        "{run:?}"
    );
    assert!(!run.stderr.contains("os error"), "{run:?}");
}

#[test]
fn an_empty_variable_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path()).with("SWITCHHOOK_API_KEY", "");
    let words = ["webhooks", "list", "--url", "http://127.0.0.1:1"];
    shell.run(&words).failed(1);
    shell.run(&[&words[..], &["--key="]].concat()).failed(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_webhook_to_a_delivery_by_commands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let shell = shell(folder.path(), &server);

    let webhook = shell
        .run(&[
            "webhooks",
            "create",
            &receiver.url(),
            "--generate-secret",
            "--timeout",
            "4s",
            "--json",
        ])
        .ok()
        .json();
    assert_eq!(webhook["in_force"]["timeout_ms"], 4_000);
    let webhook = id(&webhook);
    shell
        .run(&[
            "subscriptions",
            "create",
            "call",
            "--webhook",
            webhook,
            "--call-states",
            "hangup",
        ])
        .ok();
    shell
        .run(&[
            "subscriptions",
            "create",
            "sms",
            "--webhook",
            webhook,
            "--target-type",
            "office",
            "--target-id",
            "7",
        ])
        .ok();
    assert!(
        shell
            .run(&["subscriptions", "list"])
            .ok()
            .stdout
            .contains("both ways of office 7")
    );

    let event = r#"{"call_id": 9223372036854775807, "state": "hangup", "duration": 8951.03}"#;
    let sent = shell
        .run_with_input(&["send", "call", "--json"], event)
        .ok()
        .json();
    let delivery = sent["deliveries"][0]["id"].as_str().expect("it matches");
    receiver
        .wait_until("the delivery", |arrivals| !arrivals.is_empty())
        .await;

    let shown = shell.run(&["events", "show", id(&sent)]).ok().stdout;
    assert!(shown.contains(event) && shown.contains(delivery), "{shown}");
    let events = shell.run(&["events", "list", "--kind", "call", "--since", "1h"]);
    let deliveries = shell.run(&["deliveries", "list", "--webhook", webhook]);
    for (listed, id) in [(events, id(&sent)), (deliveries, delivery)] {
        let listed = listed.ok().stdout;
        assert!(listed.contains(id) && listed.contains("hangup"), "{listed}");
    }
    shell.run(&["deliveries", "redeliver", delivery]).ok();
    receiver
        .wait_until("the second delivery", |arrivals| arrivals.len() == 2)
        .await;
    assert!(
        shell
            .run(&["deliveries", "show", delivery])
            .ok()
            .stdout
            .contains(&receiver.url())
    );

    shell.run(&["webhooks", "pause", webhook]).ok();
    assert!(shell.run(&["webhooks", "list"]).ok().stdout.contains("paused"));
    shell.run(&["webhooks", "resume", webhook]).ok();
    shell.run(&["webhooks", "delete", webhook]).ok();
    assert!(
        shell
            .run(&["subscriptions", "list"])
            .ok()
            .stdout
            .contains("without a webhook")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_all_kinds_are_sent_from_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let shell = shell(folder.path(), &server);
    let lines = "{\"call_id\": 1, \"state\": \"hangup\"}\n{\"on_duty_status\": \"busy\"}\n{}\n";
    let run = shell.run_with_input(&["send", "auto"], lines).failed(1);
    assert!(run.stdout.contains("2 accepted, 1 rejected"), "{run:?}");
    assert!(
        run.stderr.contains("line 3: its shape is that of no known kind"),
        "{run:?}"
    );
    let wrong = shell.run_with_input(&["send", "call"], lines).ok();
    assert!(wrong.stdout.contains("3 accepted, 2 with warnings"), "{wrong:?}");
    assert!(
        wrong
            .stderr
            .contains("line 2: warning: it is sent as call and looks like agent_status"),
        "{wrong:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_counted_and_what_is_rejected_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let shell = shell(folder.path(), &server);

    let lines = "{\"call_id\": 1}\n\nnonsense\n{\"call_id\": 2}\n[]\n";
    let run = shell
        .run_with_input(&["send", "call", "--idempotency-key", "import-1"], lines)
        .failed(1);
    assert!(run.stdout.contains("2 accepted, 2 rejected"), "{run:?}");
    assert!(
        run.stderr.contains("line 3: ") && run.stderr.contains("line 5: "),
        "{run:?}"
    );
    let again = shell
        .run_with_input(&["send", "call", "--idempotency-key", "import-1"], lines)
        .failed(1);
    assert!(
        again.stdout.contains("0 accepted, 2 duplicates, 2 rejected"),
        "{again:?}"
    );

    std::fs::write(
        folder.path().join("events.json"),
        "[{\"call_id\": 1.0,\n \"x\": 1e400},\n 7, {}]",
    )
    .unwrap();
    let array = shell
        .run(&["send", "call", "events.json", "--json"])
        .failed(1)
        .json();
    assert_eq!(
        (&array["accepted"], &array["rejected"][0]["element"]),
        (&2.into(), &2.into())
    );
    let listed = shell
        .run(&["events", "list", "--limit", "2", "--json"])
        .ok()
        .json();
    let pretty = id(&listed["items"][1]);
    let shown = shell.run(&["events", "show", pretty]).ok().stdout;
    assert!(
        shown.contains("{\"call_id\": 1.0,\n \"x\": 1e400}"),
        "bytes are not touched: {shown}"
    );

    let single = shell.run_with_input(&["send", "call"], "{\n}").ok();
    assert!(
        single.stdout.contains("was accepted") && single.stderr.contains("no subscription"),
        "{single:?}"
    );
    shell.run_with_input(&["send", "call"], "").failed(1);
    let stranger = shell
        .with("SWITCHHOOK_API_KEY", "shk_unknown")
        .run_with_input(&["send", "call"], "{}")
        .failed(1);
    assert!(
        stranger.stderr.contains("keys create") && !stranger.stderr.contains("shk_unknown"),
        "{stranger:?}"
    );
}
