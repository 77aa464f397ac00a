//! Watching: what `tail` shows of a server that works.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::http::RecordingReceiver;
use crate::support::process::ServerProcess;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_shows_an_event_and_its_delivery_as_they_happen() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let receiver = RecordingReceiver::start(|_| http::StatusCode::OK).await;
    let caller = server.caller();
    let webhook = caller
        .ask(
            "POST",
            "/api/v2/webhooks",
            &format!(r#"{{"hook_url":"{}"}}"#, receiver.url()),
        )
        .await;
    let id = webhook["id"].as_str().expect("a webhook has an id");
    caller
        .ask(
            "POST",
            "/api/v2/subscriptions/call",
            &format!(r#"{{"endpoint_id":"{id}"}}"#),
        )
        .await;
    let tail = Command::new(env!("CARGO_BIN_EXE_switchhook"))
        .args([
            "tail",
            "--json",
            "--count",
            "2",
            "--kind",
            "call",
            "--webhook",
            id,
        ])
        .args([
            "--url",
            &format!("http://{}", server.address),
            "--key",
            &server.key,
        ])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    let watching = tokio::task::spawn_blocking(move || tail.wait_with_output().expect("it ends"));
    // It may take a moment to listen: events come until it has seen what it was told to wait for.
    while !watching.is_finished() {
        caller.ask("POST", "/v1/events/sms", r#"{"id":1}"#).await;
        caller
            .ask("POST", "/v1/events/call", r#"{"call_id":7,"state":"ringing"}"#)
            .await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let output = watching.await.expect("waiting does not fail");
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .expect("JSON is text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in &lines {
        assert_eq!(line["kind"], "call", "{line}");
        match line["type"].as_str() {
            Some("event") => assert_eq!(line["what"], "ringing"),
            Some("attempt") => assert_eq!(line["webhook_id"], id),
            other => panic!("{other:?}"),
        }
    }
}
