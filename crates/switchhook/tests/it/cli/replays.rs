//! Sending old events again, by commands alone.

use axum::http::StatusCode;

use super::run::Shell;
use crate::support::http::RecordingReceiver;
use crate::support::process::ServerProcess;

#[tokio::test(flavor = "multi_thread")]
async fn events_that_went_nowhere_are_replayed_to_an_address_and_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let shell = Shell::new(folder.path())
        .with("SWITCHHOOK_URL", format!("http://{}", server.address))
        .with("SWITCHHOOK_API_KEY", &server.key);
    shell
        .run_with_input(&["send", "call"], "{\"call_id\":1}\n{\"call_id\":2}\n")
        .ok();
    let url = receiver.url();
    let create = ["replays", "create", "--since", "1h", "--to-url", &url];

    let dry_run = shell.run(&[&create[..], &["--dry-run"]].concat()).ok();
    assert_eq!(dry_run.stdout, "it would create 2 deliveries from 2 events\n");
    assert!(receiver.arrivals().is_empty());
    let finished = shell
        .run(&[&create[..], &["--call", "2", "--wait", "--json"]].concat())
        .ok()
        .json();
    assert_eq!(
        (&finished["state"], &finished["progress"]["delivered"]),
        (&"finished".into(), &1.into())
    );
    assert_eq!(receiver.arrivals()[0].body, "{\"call_id\":2}");
    let id = finished["id"].as_str().unwrap();
    let shown = shell.run(&["replays", "show", id, "--wait"]).ok().stdout;
    assert!(
        shown.contains("order_key call:2") && shown.contains(&url),
        "{shown}"
    );
    let deliveries = shell.run(&["deliveries", "list", "--replay", id]).ok().stdout;
    assert!(deliveries.contains("delivered"), "{deliveries}");

    let slow = shell
        .run(&[&create[..], &["--rate", "0.1", "--json"]].concat())
        .ok()
        .json();
    let slow = slow["id"].as_str().unwrap();
    assert!(shell.run(&["replays", "list"]).ok().stdout.contains("running"));
    let cancelled = shell.run(&["replays", "cancel", slow]).ok().stdout;
    assert!(cancelled.contains("is cancelled"), "{cancelled}");
    let followed = shell.run(&["replays", "show", slow, "--wait"]).failed(1);
    assert!(followed.stderr.contains("is cancelled: "), "{followed:?}");
    shell.run(&["replays", "cancel", id]).failed(1);
    let elsewhere = [
        "replays",
        "create",
        "--since",
        "1h",
        "--to-url",
        "http://10.0.0.1/",
    ];
    assert!(shell.run(&elsewhere).failed(1).stderr.contains("to.url"));
}
