//! A receiver in ten lines: verified, typed, each event once, and over restarts too.
//!
//! `SECRET=hunter2 cargo run -p switchhook-receiver --features axum --example axum`, and then
//! `switchhook simulate ring-all-answered --to http://127.0.0.1:3000/hook --secret hunter2`.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example shows what arrives, and has its settings from the environment"
)]

use axum::Router;
use switchhook_receiver::{Bounds, Handlers, Receiver, Repeats};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let receiver = Receiver::builder().secret(std::env::var("SECRET")?).build()?;
    let repeats = Repeats::in_file("target/axum-example.seen", Bounds::default())?;
    let handlers = Handlers::new(receiver, repeats)
        .receive_call_event(|event| async move {
            let call = event.call()?;
            println!(
                "call {:?} is {:?} after {:?}",
                call.call_id, call.state, call.duration
            );
            Ok(())
        })
        .receive_sms_event(|event| async move {
            println!("{}", event.summary());
            Ok(())
        })
        .report(|trouble| println!("{trouble}"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening at http://{}/hook", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/hook", handlers.into_route())).await?;
    Ok(())
}
