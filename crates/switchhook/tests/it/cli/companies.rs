//! Retention per company, and erasure.

use super::run::Shell;
use crate::support::process::ServerProcess;

#[tokio::test(flavor = "multi_thread")]
async fn a_company_is_changed_and_a_number_erased_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let shell = Shell::new(folder.path())
        .with("SWITCHHOOK_STORE", "sqlite:./switchhook.db")
        .with("SWITCHHOOK_URL", format!("http://{}", server.address))
        .with("SWITCHHOOK_API_KEY", &server.key);
    let listed = shell.run(&["companies", "list", "--json"]).ok().json();
    assert_eq!(listed["items"][0]["drop_payloads"], false);
    let changed = shell
        .run(&["companies", "update", "1", "--drop-payloads"])
        .ok()
        .stdout;
    assert!(changed.contains("dropped once delivered"), "{changed}");
    assert!(
        shell
            .run(&["companies", "list"])
            .ok()
            .stdout
            .contains("dropped once delivered")
    );
    shell.run(&["companies", "update", "1"]).failed(2);
    shell.run(&["companies", "update", "99", "--name", "x"]).failed(1);

    let event = r#"{"call_id":1,"external_number":"+15551234567"}"#;
    shell.run_with_input(&["send", "call"], event).ok();
    let counted = shell
        .run(&["erase", "--number", "+15551234567", "--dry-run", "--json"])
        .ok()
        .json();
    assert_eq!(counted["events"], 1);
    let erased = shell.run(&["erase", "--number", "+15551234567"]).ok().stdout;
    assert!(erased.contains("events erased         1"), "{erased}");
    drop(server);
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(
        log.contains("a number was erased") && !log.contains("5551234567"),
        "{log}"
    );
}
