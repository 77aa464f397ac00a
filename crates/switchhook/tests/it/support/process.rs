//! The built binary as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::http::Caller;
use super::program::free_address;

const BINARY: &str = env!("CARGO_BIN_EXE_switchhook");

/// A server that can be killed and started again on the same store.
pub(crate) struct ServerProcess {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    store: String,
    variables: Vec<(&'static str, String)>,
    log: PathBuf,
    child: Child,
}

impl ServerProcess {
    /// Starts a server on a new store in `dir`.
    pub(crate) async fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[]).await
    }

    /// The same, with these scopes for its key.
    pub(crate) async fn start_scoped(dir: &Path, scopes: &str) -> Self {
        Self::start_as(dir, &[], scopes).await
    }

    /// The same, with these variables in its environment.
    pub(crate) async fn start_with(dir: &Path, variables: &[(&'static str, &str)]) -> Self {
        Self::start_as(dir, variables, "").await
    }

    async fn start_as(dir: &Path, variables: &[(&'static str, &str)], scopes: &str) -> Self {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let store = format!("sqlite:{}", dir.join("switchhook.db").display());
        let key = new_key(&store, scopes);
        Self::begin(store, key, variables, dir.join("log")).await
    }

    /// Starts one of the nodes on a store that is there, with a key of it.
    pub(crate) async fn start_on(
        store: &str,
        key: &str,
        variables: &[(&'static str, &str)],
        log: PathBuf,
    ) -> Self {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Self::begin(store.to_owned(), key.to_owned(), variables.collect(), log).await
    }

    /// The same, of one that may not get ready.
    pub(crate) fn start_unready_on(store: &str, key: &str, log: PathBuf) -> Self {
        Self::spawned(store.to_owned(), key.to_owned(), Vec::new(), log)
    }

    async fn begin(store: String, key: String, variables: Vec<(&'static str, String)>, log: PathBuf) -> Self {
        let server = Self::spawned(store, key, variables, log);
        server.wait_until_ready().await;
        server
    }

    fn spawned(store: String, key: String, variables: Vec<(&'static str, String)>, log: PathBuf) -> Self {
        let address = free_address();
        let child = spawn(&store, address, &variables, &log);
        Self {
            address,
            key,
            store,
            variables,
            log,
            child,
        }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::new(self.address, &self.key)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("the process is ours");
    }

    /// Asks it to stop (`SIGTERM`) and waits until it has.
    pub(crate) async fn stop(&mut self) {
        self.signal("-TERM");
        let (code, log) = self.ended().await;
        assert_eq!(code, Some(0), "{log}");
    }

    /// Asks it to stop, and does not wait.
    pub(crate) fn ask_to_stop(&self) {
        self.signal("-TERM");
    }

    /// Waits until it ends by itself; answers its exit code and all that it logged.
    pub(crate) async fn ended(&mut self) -> (Option<i32>, String) {
        for _ in 0..400 {
            if let Some(status) = self.child.try_wait().expect("the process is ours") {
                let log = std::fs::read_to_string(&self.log).expect("the log is ours");
                return (status.code(), log);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server at {} does not end", self.address);
    }

    /// Starts it again where it was.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(&self.store, self.address, &self.variables, &self.log);
        self.wait_until_ready().await;
    }

    /// Stops it in the middle of whatever it does (`SIGSTOP`).
    pub(crate) fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
    }

    pub(crate) async fn wait_until_ready(&self) {
        let caller = self.caller();
        for _ in 0..400 {
            if matches!(caller.send("GET", "/readyz", "").await, Ok((status, _)) if status.is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server at {} does not get ready", self.address);
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // An error means that it is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(store: &str, address: SocketAddr, variables: &[(&str, String)], log: &Path) -> Child {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("the directory is ours");
    Command::new(BINARY)
        .args([
            "serve",
            "--store",
            store,
            "--hook-allow-http",
            "--hook-allow",
            "127.0.0.0/8",
        ])
        .args(["--listen", &address.to_string()])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the binary was built")
}

/// Makes an admin's key of the store.
pub(crate) fn new_key(store: &str, scopes: &str) -> String {
    let output = Command::new(BINARY)
        .args(["keys", "create", "--name", "test", "--admin", "--store", store])
        .args(
            Some(["--scopes", scopes])
                .filter(|_| !scopes.is_empty())
                .into_iter()
                .flatten(),
        )
        .output()
        .expect("the binary was built");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .expect("a key is text")
        .trim()
        .to_owned()
}
