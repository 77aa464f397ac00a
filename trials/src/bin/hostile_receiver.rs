//! A receiver that misbehaves on purpose: `cargo trial hostile_receiver`.
//!
//! The path of the webhook's URL says how: `http://127.0.0.1:8499/drip` answers one byte a second. The server must be
//! started with `--hook-allow 127.0.0.1/32 --hook-allow-http`; `switchhook dev` allows it by itself.
#![expect(clippy::print_stdout, reason = "it prints the ways in which it misbehaves")]

use anyhow::{Context, Result};
use tokio::net::TcpListener;

#[path = "../../../crates/switchhook/tests/it/support/hostile.rs"]
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
