//! The floor: a forwarder on the server's HTTP stack that keeps nothing. Takes a request, posts its body on, waits for the
//! answer, answers. What stores and signs can be held against it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::wire;

/// Each connection that comes in has one that goes out.
type UpstreamConnection = Arc<Mutex<Option<SendRequest<Full<Bytes>>>>>;

/// Forwards what comes to `listen` to `to`, until it is killed.
///
/// # Errors
/// If it cannot listen there.
pub async fn forward(listen: SocketAddr, to: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen at {listen}"))?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, to));
    }
}

async fn serve(stream: TcpStream, to: SocketAddr) {
    let onward = UpstreamConnection::default();
    let service = service_fn(move |request| answer(request, to, Arc::clone(&onward)));
    // A connection that breaks off is its sender's to tell.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    to: SocketAddr,
    onward: UpstreamConnection,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let forwarded = forward_one(request, to, &onward).await;
    let (status, text) = match forwarded {
        Ok(status) if status.is_success() => (StatusCode::ACCEPTED, r#"{"id":"1"}"#.to_owned()),
        Ok(status) => (StatusCode::BAD_GATEWAY, format!("{to} answered {status}")),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

async fn forward_one(
    request: Request<Incoming>,
    to: SocketAddr,
    onward: &UpstreamConnection,
) -> Result<StatusCode> {
    let body = request.into_body().collect().await?.to_bytes();
    let mut onward = onward.lock().await;
    if onward.is_none() {
        *onward = Some(open(to).await?);
    }
    let onward = onward.as_mut().expect("it was just opened");
    let post = Request::post("/count/0")
        .header("host", to.to_string())
        .body(Full::new(body))?;
    // The last answer may be read before the task of the connection is ready for more.
    onward.ready().await?;
    let response = onward.send_request(post).await?;
    let status = response.status();
    response.into_body().collect().await?;
    Ok(status)
}

#[expect(clippy::disallowed_methods, reason = "loopback only; no hook URL comes here")]
async fn open(to: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = wire::connect(to).await?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
