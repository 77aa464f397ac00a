//! Requirements of an installation: the units that we ship, and messages about files that the service cannot open.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::process::new_key;
use crate::support::program::{Program, skip};

const BINARY: &str = env!("CARGO_BIN_EXE_switchhook");

/// Debian's `nobody`, who owns nothing.
const NOBODY: u32 = 65_534;

#[test]
fn the_units_that_we_ship_are_understood_by_systemd() {
    let dir = tempfile::tempdir().expect("there is room");
    for (name, text) in [
        (
            "switchhook.service",
            include_str!("../../../../../deploy/switchhook.service"),
        ),
        (
            "switchhook@8400.service",
            include_str!("../../../../../deploy/switchhook@.service"),
        ),
        // After the service that it starts.
        (
            "switchhook.socket",
            include_str!("../../../../../deploy/switchhook.socket"),
        ),
    ] {
        let path = dir.path().join(name);
        // It looks whether the program is there.
        let text = text.replace("/usr/local/bin/switchhook", "/bin/true");
        assert!(
            !text.contains("Environment=SWITCHHOOK_"),
            "the file counts: {name}"
        );
        std::fs::write(&path, text).expect("the directory is ours");
        let Some(mut analyze) = Program::find("systemd-analyze") else {
            return;
        };
        let output = analyze.arg("verify").arg(&path).output();
        let output = output.expect("it was there a moment ago");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let about_us: Vec<_> = stderr
            .lines()
            .filter(|line| line.contains("switchhook"))
            .collect();
        assert!(output.status.success() && about_us.is_empty(), "{name}: {stderr}");
    }
}

fn as_nobody(arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_clear().current_dir("/");
    command
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("the binary was built")
}

#[track_caller]
fn check(arguments: &[&str], parts: &[&str]) {
    let output = as_nobody(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{arguments:?}");
    for part in parts {
        assert!(stderr.contains(part), "{arguments:?}: {part}: {stderr}");
    }
}

fn set_mode(path: &Path, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).expect("the file is ours");
}

#[test]
fn files_that_root_made_are_named_with_their_owner_and_with_who_cannot_open_them() {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root || as_nobody(&["--version"]).status.code() != Some(0) {
        return skip("only root can run the program as somebody else, who must be able to");
    }
    let dir = tempfile::tempdir().expect("there is room");
    set_mode(dir.path(), 0o755);
    let folder = dir.path().join("switchhook");
    std::fs::create_dir(&folder).expect("the directory is ours");
    let file = folder.join("switchhook.db");
    let store = format!("sqlite:{}", file.display());
    // The order in which one does it first.
    new_key(&store, "");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--store", &store];
    let place = folder.display().to_string();
    let (advice, of_file) = (
        format!("chown nobody {place}"),
        format!("{place}/switchhook.db, {place}/switchhook.db.lock belong to root"),
    );
    check(
        &serve,
        &[
            &format!("{place} belongs to root (mode 0755)"),
            "runs as nobody",
            &advice,
        ],
    );
    chown(&folder, Some(NOBODY), None).expect("we are root");
    // All at once, and how to give them away.
    let advice = format!("chown nobody {place}/switchhook.db {place}/switchhook.db.lock`");
    check(&serve, &[&of_file, "runs as nobody", &advice]);
    check(&["keys", "list", "--store", &store], &[&of_file]);
    chown(&file, Some(NOBODY), None).expect("we are root");
    let lock = folder.join("switchhook.db.lock");
    std::fs::write(&lock, "").expect("the directory is ours");
    set_mode(&lock, 0o600);
    check(&serve, &["switchhook.db.lock belongs to root (mode 0600)"]);
    std::fs::remove_file(&lock).expect("the directory is ours");

    let closed = dir.path().join("switchhook.toml");
    std::fs::write(&closed, "lease = \"60s\"\n").expect("the directory is ours");
    set_mode(&closed, 0o600);
    let closed = closed.display().to_string();
    check(
        &["config", "check", "--config", &closed],
        &[&format!("{closed} belongs to root (mode 0600)"), "runs as nobody"],
    );
    check(
        &[
            "config",
            "check",
            "--encryption-key-file",
            &closed,
            "--hook-ca",
            &closed,
        ],
        &["encryption-key-file: ", "hook-ca: ", "belongs to root"],
    );
    // Once all is his, it works.
    let listed = as_nobody(&["keys", "list", "--store", &store]);
    assert!(listed.status.success(), "{listed:?}");
}
