//! The built server as a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::request::Builder;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Sends requests to servers.
pub type Http = Client<HttpConnector, Full<Bytes>>;

/// A client with connections of its own.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a trial must not test the product with the product's client"
)]
pub fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A running `switchhook serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    key: String,
    arguments: Vec<String>,
    log: PathBuf,
    child: Child,
    http: Http,
}

impl Server {
    /// Starts a server on a store and waits until it is ready.
    ///
    /// # Errors
    /// If the program is not built, or the server does not get ready.
    pub async fn start(store: &str, key: &str, log: PathBuf, options: &[&str]) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let listen = address.to_string();
        let mut arguments = vec!["serve", "--store", store, "--listen", &listen];
        arguments.extend(["--hook-allow-http", "--hook-allow", "127.0.0.0/8"]);
        arguments.extend(options);
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let server = Self {
            address,
            key: key.to_owned(),
            child: spawn(&arguments, &log)?,
            arguments,
            log,
            http: http(),
        };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again after [`Self::kill`], at the same address.
    ///
    /// # Errors
    /// If it does not get ready.
    pub async fn start_again(&mut self) -> Result<()> {
        self.child = spawn(&self.arguments, &self.log)?;
        self.wait_until_ready().await
    }

    /// Sends it a signal: `-STOP`, `-CONT`.
    ///
    /// # Errors
    /// If there is no such signal or process.
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([name, &id]).status()?;
        ensure!(status.success(), "kill {name} failed");
        Ok(())
    }

    /// Calls the API and returns the JSON of the answer.
    ///
    /// # Errors
    /// If the answer is not a success.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let request = self.request(method, path);
        let request = request.header("content-type", "application/json");
        let (status, bytes) = answer(&self.http, request, body.to_string()).await?;
        ensure!(status.is_success(), "{method} {path}: {status} {bytes:?}");
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// True if it answers `/healthz` on a new connection.
    pub async fn is_healthy(&self) -> bool {
        let answered = answer(&http(), self.request("GET", "/healthz"), String::new()).await;
        answered.is_ok_and(|(status, _)| status.is_success())
    }

    /// The lines of `/metrics` that begin with `prefix`.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn metrics(&self, prefix: &str) -> Result<Vec<String>> {
        let (_, bytes) = answer(&self.http, self.request("GET", "/metrics"), String::new()).await?;
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter(|line| line.starts_with(prefix));
        Ok(lines.map(str::to_owned).collect())
    }

    /// A request with the key.
    pub fn request(&self, method: &str, path: &str) -> Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.key))
    }

    async fn wait_until_ready(&self) -> Result<()> {
        for _ in 0..400 {
            let answered = answer(&self.http, self.request("GET", "/readyz"), String::new()).await;
            if answered.is_ok_and(|(status, _)| status.is_success()) {
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

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn answer(http: &Http, request: Builder, body: String) -> Result<(StatusCode, Bytes)> {
    let response = http.request(request.body(Full::from(body))?).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

/// Makes an admin key on a store.
///
/// # Errors
/// If the program is not built, or refuses.
pub fn new_key(store: &str) -> Result<String> {
    let output = Command::new(program()?)
        .args(["keys", "create", "--name", "trial", "--admin", "--store", store])
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// `switchhook`, built into the same folder as this program.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("a program lies in a folder")?;
    let program = folder.join("switchhook");
    ensure!(
        program.exists(),
        "{} does not exist; build it with `cargo build --release`",
        program.display()
    );
    Ok(program)
}

fn spawn(arguments: &[String], log: &Path) -> Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(log)?;
    let child = Command::new(program()?)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    Ok(child)
}
