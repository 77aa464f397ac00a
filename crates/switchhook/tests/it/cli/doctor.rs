//! `doctor` against a real server, and the remark of `webhooks show`.

use axum::http::StatusCode;

use super::client::shell;
use crate::support::http::RecordingReceiver;
use crate::support::process::ServerProcess;

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_to_do_until_all_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let shell = shell(folder.path(), &server);

    let run = shell.run(&["doctor"]).failed(1);
    assert!(run.stdout.contains("webhooks create URL"), "{run:?}");
    assert!(run.stderr.contains("1 problem found"), "{run:?}");

    let create = [
        "webhooks",
        "create",
        &receiver.url(),
        "--generate-secret",
        "--json",
    ];
    let webhook = shell.run(&create).ok().json();
    let webhook = webhook["id"].as_str().unwrap();
    let shown = shell.run(&["webhooks", "show", webhook]).ok();
    let subscribe = format!("subscriptions create call --webhook {webhook}");
    assert!(shown.stderr.contains(&subscribe), "{shown:?}");
    assert!(
        shown.stderr.contains("so it receives nothing; subscribe it"),
        "{shown:?}"
    );
    assert!(shell.run(&["doctor"]).failed(1).stdout.contains(&subscribe));

    shell
        .run(&["subscriptions", "create", "call", "--webhook", webhook])
        .ok();
    let run = shell.run(&["doctor"]).ok();
    assert!(
        run.stdout.contains("all is well: 1 webhook, 1 subscription"),
        "{run:?}"
    );
    assert_eq!(shell.run(&["webhooks", "show", webhook]).ok().stderr, "");
    assert!(receiver.arrivals().is_empty(), "nothing was sent");

    let dead = [
        "webhooks",
        "update",
        webhook,
        "--hook-url",
        "http://127.0.0.1:1/hook",
    ];
    shell.run(&dead).ok();
    let report = shell.run(&["doctor", "--json"]).failed(1).json();
    assert_eq!(report["findings"][0]["trouble"], "unreachable");
    let what = report["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("nobody listens at 127.0.0.1:1"), "{what}");
    shell.run(&["doctor", "--no-connect"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_explained_in_a_sentence_for_each_subscription() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let shell = shell(folder.path(), &server);
    let create = ["webhooks", "create", "http://127.0.0.1:1/hook", "--json"];
    let webhook = shell.run(&create).ok().json();
    let webhook = webhook["id"].as_str().unwrap();
    let subscribe = [
        "subscriptions",
        "create",
        "call",
        "--webhook",
        webhook,
        "--call-states",
    ];
    for states in ["hold", "hangup"] {
        shell.run(&[&subscribe[..], &[states]].concat()).ok();
    }
    let send = |body| {
        let sent = shell
            .run_with_input(&["send", "call", "--json"], body)
            .ok()
            .json();
        sent["id"].as_str().unwrap().to_owned()
    };
    let (taken, nowhere) = (
        send(r#"{"call_id": 1, "state": "hangup"}"#),
        send(r#"{"call_id": 2, "state": "ringing"}"#),
    );
    let run = shell.run(&["events", "explain", &taken]).ok();
    assert!(
        run.stdout.contains("passed over")
            && run
                .stdout
                .contains("its call_states (hold) do not include hangup"),
        "{run:?}"
    );
    assert!(run.stdout.contains("sent") && run.stderr.is_empty(), "{run:?}");
    let run = shell.run(&["events", "explain", &nowhere, "--limit", "1"]).ok();
    assert!(
        run.stderr
            .contains("it was sent to no webhook: no subscription of kind call took it"),
        "{run:?}"
    );
    assert!(run.stderr.contains("--cursor"), "{run:?}");
    let json = shell.run(&["events", "explain", &taken, "--json"]).ok().json();
    assert_eq!(json["items"][0]["reason"], "state_not_in_list");
}
