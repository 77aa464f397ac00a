//! `PgBouncer` between the nodes and the database: in session mode all is as without it, in transaction mode nothing is, and it
//! is said.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use http::StatusCode;
use serde_json::json;
use url::Url;

use super::crew::{Crew, until_all_arrive};
use crate::support::http::RecordingReceiver;
use crate::support::postgres;
use crate::support::program::{Program, free_address};

struct Pooler {
    /// The store's URL through it.
    store: String,
    _program: Program,
    _dir: tempfile::TempDir,
}

impl Pooler {
    /// In front of a new database; `None` where there is no PostgreSQL or no `PgBouncer`.
    async fn start(mode: &str) -> Option<Self> {
        let direct: Url = postgres::new_database()?.parse().expect("it is one");
        let mut command = Program::find("pgbouncer")?;
        let (address, dir) = (free_address(), tempfile::tempdir().expect("there is room"));
        let file = dir.path().join("pgbouncer.ini");
        let text = configuration(&direct, address, mode);
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
        let mut store = direct;
        store.set_port(Some(address.port())).expect("it has a host");
        Some(Self {
            store: store.into(),
            _program: program,
            _dir: dir,
        })
    }
}

fn configuration(direct: &Url, address: SocketAddr, mode: &str) -> String {
    let (host, port) = (
        direct.host_str().unwrap_or("127.0.0.1"),
        direct.port().unwrap_or(5432),
    );
    format!(
        "[databases]\n* = host={host} port={port} user={}\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {}\n\
         unix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = 40\n",
        direct.username(),
        address.ip(),
        address.port(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_behind_a_pooler_in_session_mode_work_as_without_it() {
    let Some(pooler) = Pooler::start("session").await else {
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
    assert!(!logs.contains("other nodes are not heard"), "{logs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_gives_each_transaction_another_session_is_refused_in_words() {
    for mode in ["transaction", "statement"] {
        let Some(pooler) = Pooler::start(mode).await else {
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
