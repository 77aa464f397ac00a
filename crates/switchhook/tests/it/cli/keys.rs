//! Keys: made, listed and revoked on the store itself.

use super::run::Shell;

#[test]
fn keys_create_prints_the_key_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let run = Shell::new(folder.path())
        .run(&["keys", "create", "--name", "me", "--admin"])
        .ok();
    let key = run.stdout.strip_suffix('\n').expect("a line");
    assert!(
        key.starts_with("shk_") && key.len() == 47 && !key.contains('\n'),
        "{run:?}"
    );
    assert!(!run.stderr.contains(key), "{run:?}");
    let file = std::fs::read(folder.path().join("switchhook.db")).expect("the default store");
    assert!(
        !file.windows(key.len()).any(|bytes| bytes == key.as_bytes()),
        "only the hash is kept"
    );
}

#[test]
fn keys_are_listed_without_themselves_and_can_be_revoked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("switchhook.toml"),
        "store = \"sqlite:./other.db\"\n",
    )
    .unwrap();
    let shell = Shell::new(folder.path()).with("SWITCHHOOK_CONFIG", "switchhook.toml");
    let words = [
        "keys",
        "create",
        "--name",
        "crm",
        "--company",
        "7",
        "--rights",
        "read",
        "--expires",
        "90d",
        "--json",
    ];
    let created = shell.run(&words).ok().json();
    assert!(
        folder.path().join("other.db").exists(),
        "the store of the configuration file is used"
    );
    let key = created["key"].as_str().unwrap();

    let listed = shell.run(&["keys", "list", "--json"]).ok();
    assert!(!listed.stdout.contains(key));
    let item = &listed.json()["items"][0];
    assert_eq!(
        (&item["name"], &item["company_id"], &item["rights"]),
        (&"crm".into(), &"7".into(), &"read".into())
    );
    let lifetime = item["expires_at"].as_i64().unwrap() - item["created_at"].as_i64().unwrap();
    assert_eq!(lifetime, 90 * 86_400_000);

    let id = created["id"].as_str().unwrap();
    assert!(shell.run(&["keys", "list"]).ok().stdout.contains("valid"));
    shell.run(&["keys", "revoke", id]).ok();
    assert!(shell.run(&["keys", "list"]).ok().stdout.contains("revoked"));
    shell.run(&["keys", "revoke", "1"]).failed(1);
}

#[test]
fn beside_a_store_of_dev_no_other_one_is_made_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    std::fs::create_dir(folder.path().join(".switchhook")).unwrap();
    let of_dev = ["--store", "sqlite:.switchhook/switchhook.db"];
    shell.run(&[&["migrate"][..], &of_dev].concat()).ok();
    let create = ["keys", "create", "--name", "me"];
    let refused = shell.run(&create).failed(2);
    assert!(
        refused
            .stderr
            .contains("--store sqlite:.switchhook/switchhook.db"),
        "{refused:?}"
    );
    assert!(!folder.path().join("switchhook.db").exists());
    shell.run(&[&create[..], &of_dev].concat()).ok();
    shell.run(&["migrate", "--store", "sqlite:./switchhook.db"]).ok();
    shell.run(&create).ok();
}
