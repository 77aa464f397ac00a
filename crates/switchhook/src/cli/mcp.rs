//! `switchhook mcp`: a server of the Model Context Protocol, through which an assistant examines events and deliveries.
//!
//! Transports and API keys are here. The tools are `tools`, the marking of untrusted text is
//! `untrusted`, the masking of credentials is `credentials`. Everything goes through the HTTP API, which alone decides what a key may see and do.

mod credentials;
mod tools;
mod untrusted;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use clap::Args;
use rmcp::ServiceExt;
use rmcp::transport::stdio;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use switchhook_domain::secret::Secret;
use switchhook_http::server::{Answer, ConnectionCounts, ConnectionLimits, HttpServer, listen};
use url::Url;

use self::tools::ToolServer;
use super::connection::Connection;
use super::{block_on, block_on_server, output};
use crate::config::parse_listen;
use crate::server::asked_to_stop;
use switchhook_client::{Client, ClientError};

/// Run a server of the Model Context Protocol, for assistants to examine events and deliveries
///
/// It only reads, unless --allow-write is given, and may see and do what the API key may.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook mcp                                  # over standard input and output, as assistants start it
  switchhook mcp --allow-write                    # may also redeliver, play scenarios and diagnose receivers
  switchhook mcp --http 127.0.0.1:8500            # at http://127.0.0.1:8500/mcp, with each caller's own API key

In an assistant's settings:
  {\"command\": \"switchhook\", \"args\": [\"mcp\"], \"env\": {\"SWITCHHOOK_URL\": \"…\", \"SWITCHHOOK_API_KEY\": \"…\"}}")]
pub(super) struct Mcp {
    /// Address and port to listen on, instead of standard input; callers send their API key as `Authorization: Bearer KEY`
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen)]
    http: Option<SocketAddr>,

    /// Host name that callers use, if not localhost (the `Host` that a proxy passes on)
    #[arg(long, value_name = "HOST", requires = "http")]
    http_host: Vec<String>,

    /// Also offer tools that change or send something
    #[arg(long)]
    allow_write: bool,

    #[command(flatten)]
    connection: Connection,
}

/// Source of the API key.
#[derive(Clone)]
enum Access {
    /// The command's key.
    Own(Box<Client>),
    /// The key of each request.
    PerCaller(Url),
}

impl Access {
    /// Client for a request; only requests over HTTP have headers.
    fn client(&self, headers: Option<&HeaderMap>) -> Result<Client, ClientError> {
        match self {
            Self::Own(client) => Ok(Client::clone(client)),
            Self::PerCaller(url) => {
                let key = headers.and_then(bearer).map(Secret::new);
                Client::new(url, key.as_ref())
            }
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let is_key = scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty();
    is_key.then_some(key.trim())
}

impl Mcp {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.http {
            None => block_on(self.answer_on_standard_streams()),
            Some(address) => block_on_server(self.answer_over_http(address)),
        }
    }

    async fn answer_on_standard_streams(self) -> anyhow::Result<()> {
        let server = ToolServer::new(Access::Own(Box::new(self.connection.client()?)), self.allow_write);
        let session = server.serve(stdio()).await;
        let session = session.context("standard input is not a session of the Model Context Protocol")?;
        session.waiting().await?;
        Ok(())
    }

    async fn answer_over_http(self, address: SocketAddr) -> anyhow::Result<()> {
        let access = Access::PerCaller(self.connection.url());
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        hosts.extend(self.http_host);
        // Each request stands for itself: nothing is kept of a caller.
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(LARGEST_REQUEST);
        let allow_write = self.allow_write;
        let server = move || Ok(ToolServer::new(access.clone(), allow_write));
        let sessions = Arc::new(LocalSessionManager::default());
        let service = StreamableHttpService::new(server, sessions, config);
        let listener = listen(address)?;
        output::remark(format_args!("listening at http://{}/mcp", listener.local_addr()?));
        let handler = Arc::new(move |request| Box::pin(take(service.clone(), request)) as Answer);
        let limits = ConnectionLimits::default();
        let mut server = HttpServer::start(
            listener,
            handler,
            limits,
            MOST_CONNECTIONS,
            ConnectionCounts::none(),
        );
        tokio::select! {
            () = asked_to_stop() => {}
            () = server.failed() => bail!("the listener has failed: no requests are accepted any more"),
        }
        server.stop(GRACE).await;
        Ok(())
    }
}

/// Bound on the bytes of a request.
const LARGEST_REQUEST: usize = 64 << 10;

/// Bound on open connections.
const MOST_CONNECTIONS: usize = 256;

/// Time for open requests to end at a stop.
const GRACE: Duration = Duration::from_secs(2);

async fn take(service: StreamableHttpService<ToolServer, LocalSessionManager>, request: Request) -> Response {
    if request.uri().path() != "/mcp" {
        return (
            StatusCode::NOT_FOUND,
            "the Model Context Protocol is spoken at /mcp\n",
        )
            .into_response();
    }
    if bearer(request.headers()).is_none() {
        let scheme = [(WWW_AUTHENTICATE, "Bearer")];
        let why = "send an API key of the server as `Authorization: Bearer KEY`\n";
        return (StatusCode::UNAUTHORIZED, scheme, why).into_response();
    }
    service.handle(request).await.map(Body::new)
}
