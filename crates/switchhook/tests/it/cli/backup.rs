//! Copies of a store by commands.

use super::run::Shell;
use crate::support::process::ServerProcess;

#[tokio::test(flavor = "multi_thread")]
async fn a_running_store_is_backed_up_and_restored_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let made = server
        .caller()
        .ask("POST", "/v1/events/call", r#"{"call_id":1}"#)
        .await;
    let shell = Shell::new(folder.path()).with("SWITCHHOOK_STORE", "sqlite:./switchhook.db");
    let output = shell.run(&["backup", "--to", "copy.db"]).ok().stdout;
    assert!(output.contains("was copied to copy.db"), "{output}");
    shell.run(&["backup", "--to", "copy.db"]).failed(1);
    let json = shell
        .run(&["backup", "--to", "copy.db", "--force", "--json"])
        .ok()
        .json();
    assert!(json["bytes"].as_u64() > Some(0));
    let refused = shell.run(&["restore", "--from", "copy.db", "--force"]).failed(1);
    assert!(refused.stderr.contains("in use by process"), "{refused:?}");
    drop(server);
    let into = [
        "restore",
        "--from",
        "copy.db",
        "--store",
        "sqlite:./other/switchhook.db",
    ];
    shell.run(&into).failed(1);
    std::fs::create_dir(folder.path().join("other")).unwrap();
    shell.run(&into).ok();
    let server = ServerProcess::start(&folder.path().join("other")).await;
    let path = format!("/v1/events/{}", made["id"].as_str().unwrap());
    assert_eq!(
        server.caller().ask("GET", &path, "").await["payload"]["call_id"],
        1
    );
}
