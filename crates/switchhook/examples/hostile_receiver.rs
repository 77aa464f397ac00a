//! A receiver that misbehaves on purpose, to see how a server fares: `cargo run --release --example hostile_receiver`.
//!
//! The path says how: a webhook with `http://127.0.0.1:8499/drip` gets its answers a byte a second. The server must be
//! started with `--hook-allow 127.0.0.1/32 --hook-allow-http`, as `switchhook dev` is.
#![expect(clippy::print_stdout, reason = "it says what it offers")]

use anyhow::{Context, Result};
use tokio::net::TcpListener;

#[path = "../tests/it/support/hostile.rs"]
mod hostile;

#[tokio::main]
async fn main() -> Result<()> {
    let plain = TcpListener::bind("127.0.0.1:8499")
        .await
        .context("port 8499 is taken")?;
    let secured = TcpListener::bind("127.0.0.1:8498")
        .await
        .context("port 8498 is taken")?;
    for (way, meaning) in hostile::WAYS {
        println!("http://127.0.0.1:8499/{way:<12} {meaning}");
    }
    println!("https://127.0.0.1:8498/            has a certificate that nobody signed");
    println!("http://127.0.0.1:1/                refuses the connection, as nobody is there");
    tokio::join!(hostile::serve(plain), hostile::serve_badly_secured(secured));
    Ok(())
}
