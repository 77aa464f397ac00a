//! The built server as a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Sends requests to the server.
pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

#[expect(
    clippy::disallowed_methods,
    reason = "the client of a trial must not be the product's"
)]
pub(crate) fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    child: Child,
}

impl Server {
    /// Starts one on a new store in `folder`.
    pub(crate) async fn start(folder: &Path, max_connections: Option<u32>) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let store = format!("sqlite:{}", folder.join("switchhook.db").display());
        let key = new_key(&store)?;
        let log = std::fs::File::create(folder.join("log"))?;
        let mut command = Command::new(binary()?);
        command
            .args(["serve", "--store", &store, "--listen", &address.to_string()])
            .args(["--hook-allow-http", "--hook-allow", "127.0.0.0/8"]);
        if let Some(max) = max_connections {
            command.args(["--max-connections", &max.to_string()]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let server = Self { address, key, child };
        for _ in 0..400 {
            if matches!(server.send("GET", "/readyz", String::new()).await, Ok((status, _)) if status.is_success())
            {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the server at {address} does not get ready")
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (status, bytes) = self.send(method, path, body.to_string()).await?;
        ensure!(status.is_success(), "{method} {path}: {status} {bytes:?}");
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Whether it answers on a new connection.
    pub(crate) async fn is_healthy(&self) -> bool {
        matches!(self.send("GET", "/healthz", String::new()).await, Ok((status, _)) if status.is_success())
    }

    /// The metrics whose names begin so.
    pub(crate) async fn counted(&self, prefix: &str) -> Result<Vec<String>> {
        let (_, bytes) = self.send("GET", "/metrics", String::new()).await?;
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter(|line| line.starts_with(prefix));
        Ok(lines.map(str::to_owned).collect())
    }

    async fn send(&self, method: &str, path: &str, body: String) -> Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::from(body))?;
        let response = http().request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary beside this program's folder.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent);
    let binary = folder.context("this program is in a folder")?.join("switchhook");
    ensure!(
        binary.exists(),
        "{} is not there: build it first",
        binary.display()
    );
    Ok(binary)
}

fn new_key(store: &str) -> Result<String> {
    let output = Command::new(binary()?)
        .args(["keys", "create", "--name", "trial", "--admin", "--store", store])
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
