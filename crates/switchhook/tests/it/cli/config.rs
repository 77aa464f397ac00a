//! Settings: which source wins, and how mistakes are told.

use std::path::Path;

use super::run::Shell;

const FILE: &str = "switchhook.toml";

fn write(folder: &Path, text: &str) {
    std::fs::write(folder.join(FILE), text).expect("the folder is ours");
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "lease = \"2m\"\ngrace = \"3s\"\nvalidation = \"strict\"\n",
    );
    let shell = Shell::new(folder.path())
        .with("SWITCHHOOK_CONFIG", FILE)
        .with("SWITCHHOOK_LEASE", "3m")
        .with("SWITCHHOOK_GRACE", "4s")
        .with("SWITCHHOOK_API_LIMITS", "");
    let settings = shell
        .run(&["config", "check", "--json", "--lease", "4m"])
        .ok()
        .json();
    for (name, value, from) in [
        ("lease", "4m", "flag"),
        ("grace", "4s", "SWITCHHOOK_GRACE"),
        ("validation", "strict", "switchhook.toml:3"),
        ("profile", "durable", "default"),
        // An empty variable is none.
        ("api-limits", "off", "default"),
    ] {
        assert_eq!(
            settings[name],
            serde_json::json!({ "value": value, "from": from }),
            "{name}"
        );
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "leese = \"60s\"\nlisten = \"everywhere\"\n\nhook-allow = [\"10.0.0.0/33\"]\n",
    );
    let shell = Shell::new(folder.path()).with("SWITCHHOOK_GRACE", "soon");
    for command in [&["config", "check"][..], &["serve"]] {
        let words = [command, &["--config", FILE, "--max-in-flight", "none"]].concat();
        let run = shell.run(&words).failed(2);
        for expected in [
            "the configuration has 5 mistakes",
            "--max-in-flight: ",
            "SWITCHHOOK_GRACE: `soon` is not a length of time",
            "switchhook.toml:1: leese: there is no such setting; did you mean `lease`?",
            "switchhook.toml:2: listen: `everywhere` is not an address",
            "switchhook.toml:4: hook-allow: `10.0.0.0/33` is not an address range",
        ] {
            assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let missing = shell
        .run(&["config", "check", "--config", "nowhere.toml"])
        .failed(2);
    assert!(missing.stderr.contains("nowhere.toml: "), "{missing:?}");
    write(folder.path(), "lease = \"60s\"\ngrace = = 1\n");
    let broken = shell.run(&["serve", "--config", FILE]).failed(2);
    assert!(
        broken.stderr.contains("switchhook.toml:2: this is not TOML"),
        "{broken:?}"
    );
}

#[test]
fn a_password_of_the_store_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path()).with("SWITCHHOOK_STORE", "postgres://me:hunter2@db/switchhook");
    let shown = shell.run(&["config", "check"]).ok().stdout;
    assert!(
        shown.contains("postgres://***@db/switchhook") && !shown.contains("hunter2"),
        "{shown}"
    );
    let help = shell.run(&["serve", "--help"]).ok().stdout;
    assert!(!help.contains("hunter2"), "{help}");
    let shell = shell.with("SWITCHHOOK_HOOK_PROXY", "http://me:hunter3@proxy:3128");
    for options in [&["config", "check"][..], &["config", "check", "--json"]] {
        let shown = shell.run(options).ok().stdout;
        assert!(
            shown.contains("http://***@proxy:3128") && !shown.contains("hunter3"),
            "{shown}"
        );
    }
}
