//! Stores that commands open by themselves.

use super::run::Shell;

#[test]
fn migrate_says_from_where_to_where() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path()).with("SWITCHHOOK_STORE", "sqlite:./a.db");
    let first = shell.run(&["migrate", "--json"]).ok().json();
    assert_eq!(
        (first["from"].as_u64(), &first["store"]),
        (Some(0), &"sqlite:./a.db".into())
    );
    assert!(first["to"].as_u64() >= Some(1), "{first}");
    let second = shell.run(&["migrate"]).ok();
    assert!(second.stdout.contains("nothing to migrate"), "{second:?}");
}

#[test]
fn a_store_that_cannot_be_opened_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let run = shell
        .run(&["keys", "list", "--store", "sqlite:./no/such/folder.db"])
        .failed(1);
    assert!(
        run.stderr.contains("no/such/folder.db") && run.stderr.contains("directory must exist"),
        "{run:?}"
    );
    std::fs::write(
        folder.path().join("text.db"),
        "not a database, but long enough to be taken for one".repeat(20),
    )
    .unwrap();
    shell.run(&["migrate", "--store", "sqlite:./text.db"]).failed(1);
}

#[test]
fn commands_work_on_postgresql_as_on_a_file() {
    let Some(url) = crate::support::postgres::new_database() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path()).with("SWITCHHOOK_STORE", &url);
    let first = shell.run(&["migrate", "--json"]).ok().json();
    assert_eq!(first["from"], 0, "{first}");
    assert!(shell.run(&["migrate"]).ok().stdout.contains("nothing to migrate"));
    let key = shell.run(&["keys", "create", "--name", "ann", "--admin"]).ok();
    assert!(key.stdout.starts_with("shk_"), "{key:?}");
    assert!(shell.run(&["keys", "list"]).ok().stdout.contains("ann"));
    shell.run(&["companies", "list"]).ok();
    shell.run(&["companies", "update", "1", "--drop-payloads"]).ok();
    shell.run(&["keys", "revoke", "1"]).failed(1);
    let backup = shell.run(&["backup", "--to", "copy.db"]).failed(1);
    assert!(backup.stderr.contains("pg_dump"), "{backup:?}");
}

#[test]
fn a_database_that_cannot_be_reached_is_told_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let shell =
        Shell::new(folder.path()).with("SWITCHHOOK_STORE", "postgres://me:hunter2@127.0.0.1:1/switchhook");
    for words in [&["serve", "--listen", "127.0.0.1:0"][..], &["keys", "list"]] {
        let run = shell.run(words).failed(1);
        assert!(
            run.stderr.contains("postgres://***@127.0.0.1:1/switchhook") && !run.stderr.contains("hunter2"),
            "{run:?}"
        );
        assert!(run.stderr.contains("is it up"), "{run:?}");
    }
}
