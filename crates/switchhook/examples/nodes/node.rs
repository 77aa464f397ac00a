//! A server as a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Sends requests to servers.
pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

#[expect(
    clippy::disallowed_methods,
    reason = "the client of a trial must not be the product's"
)]
pub(crate) fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) struct Node {
    address: SocketAddr,
    store: String,
    key: String,
    lease: Duration,
    log: PathBuf,
    child: Child,
    http: Http,
}

impl Node {
    pub(crate) async fn start(store: &str, key: &str, lease: Duration, log: PathBuf) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let node = Self {
            address,
            store: store.to_owned(),
            key: key.to_owned(),
            lease,
            child: spawn(store, address, lease, &log)?,
            log,
            http: http(),
        };
        node.until_ready().await?;
        Ok(node)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        // An error means that it is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) async fn start_again(&mut self) -> Result<()> {
        self.child = spawn(&self.store, self.address, self.lease, &self.log)?;
        self.until_ready().await
    }

    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([name, &id]).status()?;
        anyhow::ensure!(status.success(), "kill {name} failed");
        Ok(())
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (status, bytes) = self.send(method, path, body.to_string()).await?;
        anyhow::ensure!(status.is_success(), "{method} {path}: {status} {bytes:?}");
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// How many answers came too late, since it was started.
    pub(crate) async fn late_answers(&self) -> Result<u64> {
        let (_, bytes) = self.send("GET", "/metrics", String::new()).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("switchhook_late_answers_total "));
        Ok(line.context("it is counted")?.trim().parse()?)
    }

    async fn send(&self, method: &str, path: &str, body: String) -> Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::from(body))?;
        let response = self.http.request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    async fn until_ready(&self) -> Result<()> {
        for _ in 0..400 {
            if matches!(self.send("GET", "/readyz", String::new()).await, Ok((status, _)) if status.is_success())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!(
            "the server at {} does not get ready; its log: {}",
            self.address,
            self.log.display()
        )
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary beside this program's folder.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(|folder| folder.parent());
    let binary = folder.context("this program is in a folder")?.join("switchhook");
    anyhow::ensure!(
        binary.exists(),
        "{} is not there: build it first",
        binary.display()
    );
    Ok(binary)
}

pub(crate) fn new_key(store: &str) -> Result<String> {
    let output = Command::new(binary()?)
        .args(["keys", "create", "--name", "trial", "--admin", "--store", store])
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn spawn(store: &str, address: SocketAddr, lease: Duration, log: &PathBuf) -> Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(log)?;
    let child = Command::new(binary()?)
        .args(["serve", "--store", store, "--hook-allow-http", "--hook-allow", "127.0.0.0/8"])
        // The profile with the short attempts allows the short lease; the webhooks say what they get.
        .args(["--profile", "dialpad", "--lease", &format!("{}s", lease.as_secs())])
        .args(["--listen", &address.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    Ok(child)
}
