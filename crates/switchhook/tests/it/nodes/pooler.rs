//! `PgBouncer` between the nodes and the database: in session mode all is as without it, in transaction mode nothing is, and it
//! is said.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use http::StatusCode;
use serde_json::json;
use url::Url;

use super::crew::{Crew, until, until_all_arrive};
use crate::support::http::RecordingReceiver;
use crate::support::postgres;
use crate::support::process::{ServerProcess, new_key};
use crate::support::program::{Program, free_address};

struct Pooler {
    /// The store's URL through it.
    store: String,
    program: Program,
    direct: Url,
    address: SocketAddr,
    dir: tempfile::TempDir,
}

/// Connections that are enough for all nodes of a test.
const ENOUGH: usize = 40;

impl Pooler {
    /// In front of a new database; `None` where there is no PostgreSQL or no `PgBouncer`.
    async fn start(mode: &str, size: usize) -> Option<Self> {
        let direct: Url = postgres::new_database()?.parse().expect("it is one");
        let mut command = Program::find("pgbouncer")?;
        let (address, dir) = (free_address(), tempfile::tempdir().expect("there is room"));
        let file = dir.path().join("pgbouncer.ini");
        let text = configuration(&direct, address, mode, size);
        std::fs::write(&file, text).expect("the directory is ours");
        // It does not run as root, and whoever it runs as then must read it.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).expect("the directory is ours");
        if std::fs::metadata("/proc/self")
            .is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
        {
            command.args(["-u", "nobody"]);
        }
        let program = Program::start(command.arg("-q").arg(&file), address).await;
        let mut store = direct.clone();
        store.set_port(Some(address.port())).expect("it has a host");
        Some(Self {
            store: store.into(),
            program,
            direct,
            address,
            dir,
        })
    }

    /// Gives it more connections.
    fn grow(&self) {
        let text = configuration(&self.direct, self.address, "session", ENOUGH);
        std::fs::write(self.dir.path().join("pgbouncer.ini"), text).expect("the directory is ours");
        self.program.reload();
    }
}

fn configuration(direct: &Url, address: SocketAddr, mode: &str, size: usize) -> String {
    let (host, port) = (
        direct.host_str().unwrap_or("127.0.0.1"),
        direct.port().unwrap_or(5432),
    );
    format!(
        "[databases]\n* = host={host} port={port} user={}\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {}\n\
         unix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = {size}\n\
         query_wait_timeout = 1\n",
        direct.username(),
        address.ip(),
        address.port(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_behind_a_pooler_in_session_mode_work_as_without_it() {
    let Some(pooler) = Pooler::start("session", ENOUGH).await else {
        return;
    };
    let crew = Crew::on(pooler.store.clone(), 2).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    // Made at one, heard of by the other.
    crew.known_webhook(&receiver).await;
    let mut sent = std::collections::HashSet::new();
    for n in 0..40 {
        let event = json!({"call_id": n / 4, "state": "hangup", "n": n}).to_string();
        let caller = crew.caller(n % 2);
        let accepted = caller.ask("POST", "/v1/events/call", &event).await;
        sent.insert(accepted["id"].as_str().expect("ids are strings").to_owned());
    }
    until_all_arrive(&receiver, &sent, &crew).await;
    let logs = crew.logs();
    assert!(!logs.contains("hears of other nodes' changes is lost"), "{logs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_events_find_no_connection_is_not_ready_until_they_do() {
    // The key is made by a command, which wants fewer.
    let Some(pooler) = Pooler::start("session", 3).await else {
        return;
    };
    let dir = tempfile::tempdir().expect("there is room");
    let key = new_key(&pooler.store, "");
    let node = ServerProcess::start_unready_on(&pooler.store, &key, dir.path().join("log"));
    let caller = node.caller();
    until("not ready for want of a connection", async || {
        let told = caller.send("GET", "/readyz", "").await;
        told.is_ok_and(|(status, answer)| {
            status == StatusCode::SERVICE_UNAVAILABLE && answer.to_string().contains("default_pool_size")
        })
    })
    .await;
    pooler.grow();
    // Without an event that would show it.
    node.wait_until_ready().await;
    let event = json!({"call_id": 1, "state": "hangup"}).to_string();
    let accepted = caller.ask("POST", "/v1/events/call", &event).await;
    assert!(accepted["id"].is_string(), "{accepted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_gives_each_transaction_another_session_is_refused_in_words() {
    for mode in ["transaction", "statement"] {
        let Some(pooler) = Pooler::start(mode, ENOUGH).await else {
            return;
        };
        for arguments in [
            &["migrate"][..],
            &["serve", "--listen", "127.0.0.1:0"],
            &["keys", "create", "--name", "n"],
        ] {
            let output = Command::new(env!("CARGO_BIN_EXE_switchhook"))
                .args(arguments)
                .args(["--store", &pooler.store])
                .output()
                .expect("the binary was built");
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{mode} {arguments:?}");
            assert!(
                told.contains("PgBouncer in transaction mode") && told.contains("connect directly"),
                "{mode} {arguments:?}: {told}"
            );
        }
    }
}
