//! Secrets at rest: what lies in the file, with which keys it opens, and how keys are replaced.

use std::path::Path;

use super::run::{Run, Shell};
use crate::support::process::ServerProcess;

const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const TWO: &str = "ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";
const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";
const OLDER: &str = "older-older-older-older-older-older-older";

/// True if a text is anywhere in the folder: store, log of the store, log of the server.
fn is_in(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder)
        .expect("the folder is ours")
        .map(|entry| entry.expect("the folder is ours").path());
    files.filter(|path| path.is_file()).any(|path| {
        let bytes = std::fs::read(path).expect("the folder is ours");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn refused_without_key(folder: &Path, keys: &[(&'static str, &str)]) -> Run {
    let shell = Shell::new(folder).with("SWITCHHOOK_STORE", "sqlite:./switchhook.db");
    let shell = keys
        .iter()
        .fold(shell, |shell, (name, key)| shell.with(name, *key));
    shell.run(&["serve", "--listen", "127.0.0.1:0"]).failed(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_encrypted_and_keys_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let server = ServerProcess::start_with(dir, &[("SWITCHHOOK_ENCRYPTION_KEY", ONE)]).await;
    let caller = server.caller();
    let body = format!(r#"{{"hook_url":"http://127.0.0.1:1/","secret":"{OLDER}"}}"#);
    let made = caller.ask("POST", "/api/v2/webhooks", &body).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let body = format!(r#"{{"secret":"{SECRET}"}}"#);
    caller.ask("POST", &format!("{path}/rotate-secret"), &body).await;
    // So are those of sources and websockets, the secret and the key of its tokens.
    let body = format!(r#"{{"name":"account","secret":"{OLDER}"}}"#);
    let source = caller.ask("POST", "/v1/sources", &body).await;
    let path_of_source = format!("/v1/sources/{}", source["id"].as_str().unwrap());
    let body = format!(r#"{{"secret":"{SECRET}"}}"#);
    caller.ask("PATCH", &path_of_source, &body).await;
    let websocket = caller.ask("POST", "/api/v2/websockets", &body).await;
    drop(server);
    for text in [SECRET, OLDER, ONE] {
        assert!(!is_in(dir, text), "{text} is in a file");
    }

    let result = refused_without_key(dir, &[]).stderr;
    assert!(
        result.contains("is encrypted") && result.contains("SWITCHHOOK_ENCRYPTION_KEY"),
        "{result}"
    );
    let result = refused_without_key(dir, &[("SWITCHHOOK_ENCRYPTION_KEY", TWO)]).stderr;
    assert!(
        result.contains("SWITCHHOOK_ENCRYPTION_KEYS_OLD") && !result.contains(TWO),
        "{result}"
    );

    let both = [
        ("SWITCHHOOK_ENCRYPTION_KEY", TWO),
        ("SWITCHHOOK_ENCRYPTION_KEYS_OLD", ONE),
    ];
    let shell = Shell::new(dir).with("SWITCHHOOK_STORE", "sqlite:./switchhook.db");
    let shell = both
        .iter()
        .fold(shell, |shell, (name, key)| shell.with(name, *key));
    let done = shell.run(&["secrets", "re-encrypt", "--json"]).ok().json();
    assert_eq!(
        (done["rewritten"].as_u64(), done["current"].as_u64()),
        (Some(6), Some(0))
    );
    let again = shell.run(&["secrets", "re-encrypt"]).ok().stdout;
    assert!(again.contains("0 secrets were re-encrypted, 6"), "{again}");

    let server = ServerProcess::start_with(dir, &[("SWITCHHOOK_ENCRYPTION_KEY", TWO)]).await;
    let shown = server.caller().ask("GET", &path, "").await;
    assert_eq!(shown["signature"]["secret"], SECRET);
    assert_eq!(shown["old_secrets"][0]["secret"], OLDER);
    let path = format!("/api/v2/websockets/{}", websocket["id"].as_str().unwrap());
    let shown = server.caller().ask("GET", &path, "").await;
    assert_eq!(shown["signature"]["secret"], SECRET);
    let (_, token) = source["url"].as_str().unwrap().rsplit_once('/').unwrap();
    assert!(!is_in(dir, token), "the address of a source is in no file");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_secrets_are_read_and_leave_no_trace_once_they_are_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let server = ServerProcess::start(dir).await;
    let body = format!(r#"{{"hook_url":"http://127.0.0.1:1/","secret":"{SECRET}"}}"#);
    let made = server.caller().ask("POST", "/api/v2/webhooks", &body).await;
    drop(server);
    assert!(is_in(dir, SECRET));
    let shell = Shell::new(dir).with("SWITCHHOOK_STORE", "sqlite:./switchhook.db");
    shell
        .with("SWITCHHOOK_ENCRYPTION_KEY", ONE)
        .run(&["secrets", "re-encrypt"])
        .ok();
    assert!(!is_in(dir, SECRET), "overwritten");
    let server = ServerProcess::start_with(dir, &[("SWITCHHOOK_ENCRYPTION_KEY", ONE)]).await;
    let path = format!("/api/v2/webhooks/{}", made["id"].as_str().unwrap());
    let shown = server.caller().ask("GET", &path, "").await;
    assert_eq!(shown["signature"]["secret"], SECRET);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_beside_the_secret_are_encrypted_as_the_secret_is() {
    const CREDENTIALS: [&str; 2] = ["hunter3-hunter3", "hunter4-hunter4"];
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let make = async |server: &ServerProcess, host: &str| {
        let [password, header] = CREDENTIALS;
        let caller = server.caller();
        let body = format!(r#"{{"hook_url":"http://ann:{password}@{host}/","secret":"{SECRET}"}}"#);
        let made = caller.ask("POST", "/api/v2/webhooks", &body).await;
        let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
        let body = format!(r#"{{"headers":{{"x-api-key":"{header}","x-team":"blue"}}}}"#);
        caller.ask("PATCH", &path, &body).await;
        // An attempt leaves a record.
        caller.ask("POST", &format!("{path}/test"), "{}").await;
        path
    };
    let server = ServerProcess::start(dir).await;
    let open = make(&server, "127.0.0.1:1").await;
    drop(server);
    assert!(CREDENTIALS.iter().all(|credential| is_in(dir, credential)));
    let shell = Shell::new(dir).with("SWITCHHOOK_STORE", "sqlite:./switchhook.db");
    let shell = shell.with("SWITCHHOOK_ENCRYPTION_KEY", ONE);
    shell.run(&["secrets", "re-encrypt"]).ok();
    let server = ServerProcess::start_with(dir, &[("SWITCHHOOK_ENCRYPTION_KEY", ONE)]).await;
    let sealed = make(&server, "127.0.0.1:2").await;
    for path in [open, sealed] {
        let shown = server.caller().ask("GET", &path, "").await;
        let url = shown["hook_url"].as_str().unwrap();
        assert!(url.starts_with("http://ann:hunter3-hunter3@127.0.0.1"), "{url}");
        assert_eq!(shown["headers"]["x-api-key"], CREDENTIALS[1]);
    }
    drop(server);
    for credential in CREDENTIALS {
        assert!(!is_in(dir, credential), "{credential} is in a file");
    }
}

#[test]
fn a_key_that_is_none_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path()).with("SWITCHHOOK_ENCRYPTION_KEY", "hunter2");
    for words in [&["config", "check"][..], &["secrets", "re-encrypt"], &["serve"]] {
        let run = shell.run(words).failed(2);
        assert!(
            run.stderr.contains("32 bytes") && !run.stderr.contains("hunter2"),
            "{run:?}"
        );
    }
    let run = Shell::new(folder.path())
        .run(&["secrets", "re-encrypt"])
        .failed(2);
    assert!(run.stderr.contains("SWITCHHOOK_ENCRYPTION_KEY"), "{run:?}");
}

#[test]
fn the_configuration_says_that_there_is_a_key_and_not_which() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path()).with("SWITCHHOOK_ENCRYPTION_KEY", ONE);
    let run = shell
        .with("SWITCHHOOK_ENCRYPTION_KEYS_OLD", TWO)
        .run(&["config", "check", "--json"])
        .ok();
    assert!(!run.stdout.contains(ONE) && !run.stdout.contains(TWO), "{run:?}");
    assert_eq!(run.json()["encryption-key"]["value"], "***");
}

/// A store whose webhook, source and websocket have encrypted secrets; answers what shows them, and a key of the API.
async fn encrypted_store(dir: &Path) -> (String, String) {
    let server = ServerProcess::start_with(dir, &[("SWITCHHOOK_ENCRYPTION_KEY", ONE)]).await;
    let caller = server.caller();
    let body = format!(r#"{{"hook_url":"http://127.0.0.1:1/","secret":"{SECRET}"}}"#);
    let made = caller.ask("POST", "/api/v2/webhooks", &body).await;
    let body = format!(r#"{{"name":"account","secret":"{OLDER}"}}"#);
    caller.ask("POST", "/v1/sources", &body).await;
    let body = format!(r#"{{"secret":"{SECRET}"}}"#);
    caller.ask("POST", "/api/v2/websockets", &body).await;
    (
        format!("/api/v2/webhooks/{}", made["id"].as_str().expect("ids are texts")),
        server.key.clone(),
    )
}

fn with_keys<'a>(folder: &'a Path, keys: &[(&'static str, &str)]) -> Shell<'a> {
    let shell = Shell::new(folder);
    keys.iter()
        .fold(shell, |shell, (name, key)| shell.with(name, *key))
}

const RIGHT: [(&str, &str); 1] = [("SWITCHHOOK_ENCRYPTION_KEY", ONE)];
const WRONG: [(&str, &str); 1] = [("SWITCHHOOK_ENCRYPTION_KEY", TWO)];

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_store_is_copied_to_postgresql_and_back_and_opens_with_its_key() {
    let Some(middle) = crate::support::postgres::new_database() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (path, key) = encrypted_store(dir).await;
    let run = |keys: &[(&'static str, &str)], from: &str, to: &str| {
        with_keys(dir, keys).run(&["store", "copy", "--json", "--from", from, "--to", to])
    };

    let refused = run(&WRONG, "sqlite:switchhook.db", &middle).failed(1).stderr;
    assert!(refused.contains("SWITCHHOOK_ENCRYPTION_KEYS_OLD"), "{refused}");
    let there = run(&RIGHT, "sqlite:switchhook.db", &middle).ok().json();
    assert_eq!(there["secrets"], "readable", "{there}");
    let refused = run(&WRONG, &middle, "sqlite:back.db").failed(1).stderr;
    assert!(refused.contains("SWITCHHOOK_ENCRYPTION_KEYS_OLD"), "{refused}");
    let back = run(&[], &middle, "sqlite:back.db").ok();
    assert_eq!(back.json()["secrets"], "unchecked", "{back:?}");

    for store in [
        middle.clone(),
        format!("sqlite:{}", dir.join("back.db").display()),
    ] {
        for (keys, because) in [
            (&WRONG[..], "SWITCHHOOK_ENCRYPTION_KEYS_OLD"),
            (&[][..], "SWITCHHOOK_ENCRYPTION_KEY"),
        ] {
            let serve = ["serve", "--listen", "127.0.0.1:0", "--store", &store];
            let refused = with_keys(dir, keys).run(&serve).failed(1).stderr;
            assert!(refused.contains(because), "{refused}");
        }
        let server = ServerProcess::start_on(&store, &key, &RIGHT, dir.join("log")).await;
        let shown = server.caller().ask("GET", &path, "").await;
        assert_eq!(shown["signature"]["secret"], SECRET, "{store}");
    }
    assert!(!is_in(dir, SECRET) && !is_in(dir, OLDER), "sealed all the way");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_between_files_needs_no_key_and_says_that_secrets_were_not_tried() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (path, key) = encrypted_store(dir).await;
    let words = ["store", "copy", "--from", "sqlite:switchhook.db", "--to"];
    let copy =
        |keys: &[(&'static str, &str)], to: &str| with_keys(dir, keys).run(&[&words[..], &[to]].concat());
    let result = copy(&[], "sqlite:a.db").ok();
    assert!(result.stderr.contains("without a test"), "{result:?}");
    let result = copy(&RIGHT, "sqlite:b.db").ok();
    assert!(
        result.stdout.contains("every secret can be decrypted"),
        "{result:?}"
    );
    let result = copy(&WRONG, "sqlite:c.db").failed(1);
    assert!(result.stderr.contains("the secret of"), "{result:?}");
    let both = [WRONG[0], ("SWITCHHOOK_ENCRYPTION_KEYS_OLD", ONE)];
    let result = copy(&both, "sqlite:d.db").ok();
    assert!(
        result.stdout.contains("every secret can be decrypted"),
        "{result:?}"
    );
    for name in ["a.db", "b.db", "d.db"] {
        let store = format!("sqlite:{}", dir.join(name).display());
        let server = ServerProcess::start_on(&store, &key, &RIGHT, dir.join("log")).await;
        let shown = server.caller().ask("GET", &path, "").await;
        assert_eq!(shown["signature"]["secret"], SECRET);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_before_a_new_key_opens_with_the_key_of_that_time() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (path, key) = encrypted_store(dir).await;
    let backup = ["backup", "--store", "sqlite:switchhook.db", "--to", "backup.db"];
    Shell::new(dir).run(&backup).ok();
    let both = [WRONG[0], ("SWITCHHOOK_ENCRYPTION_KEYS_OLD", ONE)];
    let again = ["secrets", "re-encrypt", "--store", "sqlite:switchhook.db"];
    with_keys(dir, &both).run(&again).ok();
    let restore = [
        "restore",
        "--force",
        "--from",
        "backup.db",
        "--store",
        "sqlite:switchhook.db",
    ];
    Shell::new(dir).run(&restore).ok();
    let result = refused_without_key(dir, &WRONG).stderr;
    assert!(result.contains("SWITCHHOOK_ENCRYPTION_KEYS_OLD"), "{result}");
    let store = format!("sqlite:{}", dir.join("switchhook.db").display());
    let server = ServerProcess::start_on(&store, &key, &both, dir.join("log")).await;
    let shown = server.caller().ask("GET", &path, "").await;
    assert_eq!(shown["signature"]["secret"], SECRET);
}
