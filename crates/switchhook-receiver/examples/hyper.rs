//! The same without a framework: a plain hyper server hands over headers and body, and answers as told.
//!
//! `SECRET=hunter2 cargo run -p switchhook-receiver --features handlers,http --example hyper`

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example shows what arrives, and has its settings from the environment"
)]

use std::convert::Infallible;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use switchhook_receiver::{Bounds, Handlers, Labels, Receiver, Repeats, whole_body};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let receiver = Receiver::builder().secret(std::env::var("SECRET")?).build()?;
    let handlers = Handlers::new(receiver, Repeats::in_memory(Bounds::default()))
        .receive_other_event(|event| async move {
            println!("{:?}: {}", event.kind, event.summary());
            Ok(())
        })
        .report(|trouble| println!("{trouble}"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3001").await?;
    println!("listening at http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let handlers = handlers.clone();
        let service = service_fn(move |request| answer(handlers.clone(), request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(10))
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer(handlers: Handlers, request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let labels = Labels::of(request.headers());
    let answer = match whole_body(request.into_body()).await {
        Ok(content) => handlers.receive(labels, &content).await,
        Err(refusal) => handlers.refuse(refusal),
    };
    let mut response = Response::new(answer.message);
    *response.status_mut() = answer.status.try_into().unwrap_or(hyper::StatusCode::BAD_REQUEST);
    Ok(response)
}
