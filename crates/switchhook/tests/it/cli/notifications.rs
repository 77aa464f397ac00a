//! `switchhook notifications`: channels are made, changed, tested and deleted, and what was told is listed.

use http::StatusCode;

use super::client::shell;
use crate::support::http::RecordingReceiver;
use crate::support::process::ServerProcess;

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_made_tested_changed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let shell = shell(folder.path(), &server);
    let channels = |words: &[&str]| shell.run(&[&["notifications", "channels"], words].concat());
    let none = channels(&["list"]).ok();
    assert!(none.stderr.contains("there are no channels") || none.stdout.contains("there are no channels"));
    let made = channels(&["create", "--type", "slack", "--to", &receiver.url(), "--json"])
        .ok()
        .json();
    let id = made["id"].as_str().expect("ids are strings").to_owned();
    assert_eq!(made["url"], format!("http://{}/***", receiver.address));
    let tested = channels(&["test", &id]).ok().stdout;
    assert!(tested.contains("has arrived"), "{tested}");
    receiver.wait_until("the test", |all| all.len() == 1).await;
    let changed = channels(&[
        "update",
        &id,
        "--kind",
        "webhook.failing",
        "--kind",
        "key.expiring",
    ])
    .ok()
    .stdout;
    assert!(changed.contains("webhook.failing, key.expiring"), "{changed}");
    channels(&["update", &id]).failed(2);
    let listed = channels(&["list"]).ok().stdout;
    assert!(listed.contains("slack") && listed.contains("/***"), "{listed}");
    let refused = channels(&["create", "--type", "email", "--to", "ops@example.com"])
        .failed(1)
        .stderr;
    assert!(refused.contains("--notify-email-host"), "{refused}");
    channels(&["create", "--type", "pager", "--to", "https://example.com"]).failed(2);
    channels(&["delete", &id]).ok();
    let gone = channels(&["test", &id]).failed(1).stderr;
    assert!(gone.contains("notification channel"), "{gone}");
    let list = shell.run(&["notifications", "list", "--json"]).ok().json();
    assert_eq!(list["items"], serde_json::json!([]));
}
