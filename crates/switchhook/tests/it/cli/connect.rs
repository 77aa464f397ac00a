//! `switchhook connect dialpad`: a second server plays Dialpad, which it can because it speaks its API.

use serde_json::{Value, json};

use super::run::{Run, Shell};
use crate::support::http::Caller;
use crate::support::process::ServerProcess;

struct Scene {
    folder: tempfile::TempDir,
    here: ServerProcess,
    dialpad: ServerProcess,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        let server = async |name: &str| {
            let dir = folder.path().join(name);
            std::fs::create_dir(&dir).expect("the directory is ours");
            ServerProcess::start_scoped(&dir, "change_log").await
        };
        let (here, dialpad) = (server("here").await, server("dialpad").await);
        Self {
            folder,
            here,
            dialpad,
        }
    }

    /// Connects, or with `--undo` takes it back.
    fn connect(&self, api_key: &str, more: &[&str]) -> Run {
        let here = format!("http://{}", self.here.address);
        let dialpad = format!("http://{}", self.dialpad.address);
        let words = [
            "connect",
            "dialpad",
            "--api-key",
            api_key,
            "--public-url",
            &here,
            "--dialpad-url",
            &dialpad,
            "--url",
            &here,
            "--key",
            &self.here.key,
        ];
        Shell::new(self.folder.path()).run(&[&words, more].concat())
    }

    /// Things on both sides.
    async fn all(&self) -> Vec<Value> {
        let dialpad = self.dialpad.caller();
        let mut all = items(&self.here.caller(), "/v1/sources").await;
        all.extend(items(&dialpad, "/api/v2/webhooks").await);
        for kind in ["call", "sms", "agent_status", "contact", "changelog"] {
            all.extend(items(&dialpad, &format!("/api/v2/subscriptions/{kind}")).await);
        }
        all
    }
}

async fn items(caller: &Caller, path: &str) -> Vec<Value> {
    let listed = caller.ask("GET", path, "").await;
    listed["items"].as_array().expect("there is a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_connected_its_events_come_in_and_it_is_let_go() {
    let scene = Scene::new().await;
    let api_key = full_key(&scene);
    let connected = scene.connect(&api_key, &["--json"]).ok().json();
    // One source, one webhook, and a subscription to each kind, contacts to both types.
    assert_eq!(connected["subscription_ids"].as_array().map(Vec::len), Some(6));
    assert_eq!(scene.all().await.len(), 8);
    let (here, dialpad) = (scene.here.caller(), scene.dialpad.caller());
    let body = r#"{"call_id":7,"state":"hangup","event_timestamp":1795253400250}"#;
    dialpad.ask("POST", "/v1/events/call", body).await;
    let mut came_in = Vec::new();
    for _ in 0..400 {
        came_in = items(&here, "/v1/events").await;
        if !came_in.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(came_in.len(), 1);
    assert_eq!(came_in[0]["kind"], "call");
    let again = scene.connect(&api_key, &[]).failed(1);
    assert!(again.stderr.contains("--undo first"), "{again:?}");
    let undone = scene.connect(&api_key, &["--undo", "--json"]).ok().json();
    assert_eq!(undone["removed"].as_array().map(Vec::len), Some(8), "{undone}");
    assert_eq!(scene.all().await, Vec::<Value>::new());
    let nothing = scene.connect(&api_key, &["--undo"]).ok();
    assert!(nothing.stderr.contains("nothing of this account"), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stays_half_connected() {
    let scene = Scene::new().await;
    // No admin's key: the third kind is refused.
    let api_key = new_key(&scene, &[]);
    let refused = scene.connect(&api_key, &[]).failed(1);
    assert!(
        refused
            .stderr
            .contains("the agent_status subscription cannot be created at Dialpad"),
        "{refused:?}"
    );
    assert!(!refused.stderr.contains("left over"), "{refused:?}");
    assert_eq!(scene.all().await, Vec::<Value>::new());
    scene.connect(&api_key, &["--kinds", "call,sms"]).ok();
    assert_eq!(scene.all().await.len(), 4);
    let wrong = scene.connect("shk_wrong", &["--undo"]).failed(1);
    assert!(wrong.stderr.contains("API key"), "{wrong:?}");
    let webhooks = items(&scene.dialpad.caller(), "/api/v2/webhooks").await;
    assert_eq!(webhooks.len(), 1, "{}", json!(webhooks));
}

fn full_key(scene: &Scene) -> String {
    new_key(scene, &["--admin", "--scopes", "change_log"])
}

fn new_key(scene: &Scene, more: &[&str]) -> String {
    let store = format!(
        "sqlite:{}",
        scene.folder.path().join("dialpad/switchhook.db").display()
    );
    let words = ["keys", "create", "--name", "connect", "--store", &store];
    let run = Shell::new(scene.folder.path()).run(&[&words, more].concat()).ok();
    run.stdout.trim().to_owned()
}

#[test]
fn an_address_to_which_no_path_can_be_added_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (public_url, words) in [
        ("https://hooks.example.com/?to=us", "has a query or a fragment"),
        ("hooks.example.com", "is not a web address"),
    ] {
        let words_of = ["connect", "dialpad", "--api-key", "k", "--public-url", public_url];
        let refused = Shell::new(folder.path()).run(&words_of).failed(2);
        assert!(refused.stderr.contains(words), "{refused:?}");
    }
}
