//! `switchhook init`, and the pages of the manual that packages bring.

use std::os::unix::fs::PermissionsExt;

use super::run::Shell;
use crate::support::process::ServerProcess;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_with_what_init_made_and_takes_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let made = shell.run(&["init", "--dir", "hooks", "--json"]).ok().json();
    let config = made["config"].as_str().unwrap();
    let private = [config, made["encryption_key_file"].as_str().unwrap()];
    for path in private {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
    let settings = shell
        .run(&["config", "check", "--config", config, "--json"])
        .ok()
        .json();
    assert_eq!(
        settings["encryption-key-file"]["value"],
        made["encryption_key_file"]
    );
    let key = made["key"].as_str().unwrap();
    let store = settings["store"]["value"].as_str().unwrap();
    let server = ServerProcess::start_on(
        store,
        key,
        &[("SWITCHHOOK_CONFIG", config)],
        folder.path().join("log"),
    )
    .await;
    let webhook = r#"{"hook_url":"http://127.0.0.1:9/","secret":"keep it"}"#;
    let webhook = server.caller().ask("POST", "/api/v2/webhooks", webhook).await;
    assert!(webhook["id"].is_string(), "{webhook}");
    let kept = std::fs::read(folder.path().join("hooks/switchhook.db")).unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains("keep it"));
}

#[test]
fn init_tells_three_lines_that_come_next_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let output = shell.run(&["init", "--listen", "0.0.0.0:8500"]).ok().stdout;
    let next: Vec<_> = output
        .lines()
        .skip_while(|line| *line != "Next:")
        .skip(1)
        .collect();
    assert_eq!(next.len(), 3, "{output}");
    assert!(next[0].contains("switchhook serve --config /"), "{output}");
    assert!(
        next[1].contains("SWITCHHOOK_URL=http://127.0.0.1:8500 SWITCHHOOK_API_KEY=shk_"),
        "{output}"
    );
    let read = |name| std::fs::read(folder.path().join(name)).unwrap();
    let before = ["switchhook.toml", "switchhook.key"].map(read);
    let again = shell.run(&["init"]).failed(1);
    assert!(
        again.stderr.contains("switchhook.toml already exists") && again.stderr.contains("--dir"),
        "{again:?}"
    );
    std::fs::remove_file(folder.path().join("switchhook.toml")).unwrap();
    assert!(
        shell
            .run(&["init"])
            .failed(1)
            .stderr
            .contains("switchhook.key already exists")
    );
    assert_eq!(read("switchhook.key"), before[1]);
}

#[test]
fn a_store_that_is_out_of_reach_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let words = ["init", "--store", "sqlite:/proc/no/such/folder/switchhook.db"];
    let run = shell.run(&words).failed(1);
    assert!(run.stderr.contains("cannot be created"), "{run:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_store_that_is_in_use_gets_no_further_key() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    shell.run(&["init", "--dir", "first"]).ok();
    let words = ["init", "--dir", "second", "--store", "sqlite:first/switchhook.db"];
    let run = shell.run(&words).failed(1);
    assert!(run.stderr.contains("it is in use (it has API keys)"), "{run:?}");
    assert_eq!(
        std::fs::read_dir(folder.path().join("second")).unwrap().count(),
        0
    );
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    Shell::new(folder.path()).run(&["man", "man1"]).ok();
    for page in ["switchhook.1", "switchhook-dev.1", "switchhook-webhooks-create.1"] {
        let text = std::fs::read_to_string(folder.path().join("man1").join(page)).unwrap();
        assert!(text.contains(".SH NAME") && text.contains("switchhook"), "{page}");
    }
}
