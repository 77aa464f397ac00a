//! A made-up company, into a server and straight at receivers that behave and that do not.

use axum::http::StatusCode;
use serde_json::Value;
use switchhook_protocol::verify;

use super::run::Shell;
use crate::support::http::{Arrival, RecordingReceiver};
use crate::support::process::ServerProcess;

const SECRET: &str = "a secret that both of us know";

const EVERY_FAULT: &str = "duplicate=0.1,reorder=0.1,delay=0.1,burst=0.02,late-leg=0.3,bad-signature=0.1,\
    old-secret=0.1,wrong-content-type=0.1,truncated=0.1";

fn verifying(arrival: &Arrival) -> StatusCode {
    match verify(&arrival.body, [SECRET]) {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::UNAUTHORIZED,
    }
}

/// The words of a quick run against a receiver.
fn against<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["simulate", "--to", url, "--speed", "max", "--seed", "7"];
    [&words, more].concat()
}

#[test]
fn the_scenarios_are_listed_and_printed_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let list = shell.run(&["simulate", "--list"]).ok().stdout;
    assert!(
        list.contains("ring-all-answered") && list.lines().count() > 20,
        "{list}"
    );
    let list = shell.run(&["simulate", "--list", "--json"]).ok().json();
    let list = list.as_array().expect("a list");
    assert!(list.len() > 20, "{list:?}");
    let dialects = |name: &str| {
        let scenario = list.iter().find(|scenario| scenario["name"] == name);
        scenario.expect("it is listed")["dialects"].clone()
    };
    assert_eq!(
        dialects("ring-all-answered"),
        serde_json::json!(["observed", "asyncapi"])
    );
    assert_eq!(dialects("blocked-caller"), serde_json::json!(["observed"]));

    let words = [
        "simulate",
        "inbound-voicemail",
        "--print",
        "--seed",
        "7",
        "--start",
        "0",
    ];
    let printed = shell.run(&words).ok().stdout;
    assert_eq!(printed, shell.run(&words).ok().stdout);
    let states: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is an event")["state"].clone())
        .collect();
    let expected = [
        "ringing",
        "missed",
        "voicemail",
        "hangup",
        "voicemail_uploaded",
        "transcription",
    ];
    assert_eq!(states, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_verifies_passes_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = RecordingReceiver::start(verifying).await;
    let url = receiver.url();
    let words = against(
        &url,
        &[
            "--secret",
            SECRET,
            "--count",
            "300",
            "--fault",
            EVERY_FAULT,
            "--expect",
            "2xx",
            "--json",
        ],
    );
    let report = Shell::new(folder.path()).run(&words).ok().json();
    assert_eq!(report["as_expected"], true);
    assert_eq!(report["by_fault"].as_array().map(Vec::len), Some(10), "{report}");
    assert_eq!(report["sent"], receiver.arrivals().len());
    let arrivals = receiver.arrivals();
    assert!(
        arrivals
            .iter()
            .any(|arrival| arrival.header("switchhook-attempt") == "2")
    );
    assert!(
        arrivals
            .iter()
            .all(|arrival| !arrival.header("switchhook-event-kind").is_empty())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_believes_everything_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let url = receiver.url();
    let words = against(
        &url,
        &[
            "--secret",
            SECRET,
            "--count",
            "100",
            "--fault",
            "bad-signature=0.2",
            "--expect",
            "2xx",
        ],
    );
    let run = Shell::new(folder.path()).run(&words).failed(1);
    assert!(
        run.stdout.contains("bad-signature") && run.stdout.contains("MUST BE"),
        "{run:?}"
    );
    assert!(
        run.stderr.contains("must be refused and was answered with 200"),
        "{run:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_or_has_another_secret_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let failing = RecordingReceiver::start(|_| StatusCode::INTERNAL_SERVER_ERROR).await;
    shell
        .run(&against(&failing.url(), &["inbound-answered"]))
        .failed(1);
    let verifying = RecordingReceiver::start(verifying).await;
    let url = verifying.url();
    let stranger = ["inbound-answered", "--secret", "another"];
    shell.run(&against(&url, &stranger)).failed(1);
    let rejected = [&stranger[..], &["--expect", "rejected"]].concat();
    shell.run(&against(&url, &rejected)).ok();
}

#[test]
fn nobody_at_the_receivers_address_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = Shell::new(folder.path())
        .run(&against("http://127.0.0.1:1/hook", &["--count", "50"]))
        .failed(1);
    assert!(run.stderr.contains("is the receiver running?"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_reaches_those_who_subscribed_and_nothing_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let shell = Shell::new(folder.path())
        .with("SWITCHHOOK_URL", format!("http://{}", server.address))
        .with("SWITCHHOOK_API_KEY", &server.key);
    let play = [
        "simulate",
        "ring-all-answered",
        "--speed",
        "max",
        "--expect",
        "delivered",
    ];
    let unheard = shell.run(&play).failed(1);
    assert!(unheard.stderr.contains("no subscription matched"), "{unheard:?}");
    assert_eq!(
        shell.run(&["webhooks", "list", "--json"]).ok().json()["items"],
        serde_json::json!([])
    );

    let webhook = shell
        .run(&["webhooks", "create", &receiver.url(), "--json"])
        .ok()
        .json();
    let webhook = webhook["id"].as_str().expect("ids are texts");
    let subscribe = ["subscriptions", "create", "call", "--webhook", webhook];
    shell
        .run(&[&subscribe[..], &["--call-states", "hangup"]].concat())
        .ok();
    let result = shell.run(&play).ok();
    assert!(result.stdout.contains("deliveries: 4 delivered"), "{result:?}");

    let many = ["simulate", "--speed", "max", "--count", "2000", "--json"];
    assert_eq!(shell.run(&many).ok().json()["sent"], 2_000);
}

#[test]
fn what_makes_no_sense_is_told_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    for (words, expected) in [
        (&["simulate", "inbound-fax"][..], "--list"),
        (&["simulate", "--fault", "truncated=0.1"], "--to"),
        (
            &[
                "simulate",
                "--to",
                "http://127.0.0.1:1",
                "--fault",
                "old-secret=1",
            ],
            "--secret",
        ),
        (&["simulate", "--fault", "gremlins=1"], "late-leg"),
        (&["simulate", "--speed", "fast"], "60x"),
        (&["simulate", "--expect", "joy"], "delivered"),
        (&["simulate", "--dialect", "french"], "observed"),
        (&["simulate", "--rate", "0"], "0.0003"),
    ] {
        let run = Shell::new(folder.path()).run(words).failed(2);
        assert!(run.stderr.contains(expected), "{words:?}: {run:?}");
    }
}
