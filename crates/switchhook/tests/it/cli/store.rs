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
    assert!(second.stdout.contains("nothing to do"), "{second:?}");
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
