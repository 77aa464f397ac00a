//! End of a listener's connection, byte by byte: the closing handshake, and violations of the protocol.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::process::ServerProcess;

const PATIENCE: Duration = Duration::from_secs(20);

/// A frame as a client sends it, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).expect("it is small")),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).expect("it is not large").to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend(u64::try_from(length).expect("it fits").to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason].concat())
}

/// Sends bytes after the handshake, and reads until the end; answers the payload of the last frame if that is a close.
async fn ending_of(url: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let (_, rest) = url.split_once("://").expect("a URL has a scheme");
    let (address, path) = rest.split_once('/').expect("a URL has a path");
    #[expect(clippy::disallowed_methods, reason = "the client, on loopback")]
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let hello = format!(
        "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream
        .write_all(hello.as_bytes())
        .await
        .expect("the server reads");
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.expect("the server answers"));
    }
    let answer = String::from_utf8_lossy(&seen);
    assert!(
        answer.contains("101") && answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "{answer}"
    );
    // Whoever sends too much may be hung up on.
    let _ = stream.write_all(bytes).await;
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    read.expect("it ends in time").expect("it ends in order");
    // A ping is answered before.
    match rest.strip_prefix(&[0x8a, 0]).unwrap_or(&rest) {
        [0x88, length, payload @ ..] if usize::from(*length) == payload.len() => Some(payload.to_vec()),
        other => panic!("no close frame, but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_leaves_or_talks_nonsense_is_told_goodbye() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    let made = caller
        .ask("POST", "/api/v2/websockets", &json!({}).to_string())
        .await;
    let url = made["websocket_url"].as_str().expect("it has a URL");
    let mut unmasked = frame(0x81, b"hello");
    unmasked[1] = 5;
    unmasked.drain(2..6);
    for (sent, code) in [
        (close(1000, b"bye"), Some(1000)),
        (close(3001, b""), Some(3001)),
        (frame(0x88, b""), None),
        // After what nobody reads.
        (
            [frame(0x81, b"hello"), frame(0x89, b""), close(1001, b"")].concat(),
            Some(1001),
        ),
        // Codes and payloads that no close frame may have.
        (close(1005, b""), Some(1002)),
        (close(999, b""), Some(1002)),
        (frame(0x88, b"x"), Some(1002)),
        (close(1000, &[0xff]), Some(1007)),
        (unmasked, Some(1002)),
        (frame(0xc1, b"reserved bit"), Some(1002)),
        (frame(0x83, b"unknown kind"), Some(1002)),
        (frame(0x80, b"goes on with nothing"), Some(1002)),
        (frame(0x09, b"a ping in parts"), Some(1002)),
        (frame(0x89, &[b'x'; 126]), Some(1002)),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Some(1002)),
        (frame(0x81, &[0xc3, 0x28]), Some(1007)),
        ([frame(0x01, &[0xe2]), frame(0x80, &[0x28])].concat(), Some(1007)),
        (frame(0x81, &[b'x'; 4_097]), Some(1009)),
        (frame(0x82, &vec![0; 900_000]), Some(1009)),
        (
            [frame(0x01, &[b'x'; 4_000]), frame(0x80, &[b'x'; 4_000])].concat(),
            Some(1009),
        ),
    ] {
        let said = ending_of(url, &sent).await.expect("it is told");
        let shown = &sent[..sent.len().min(32)];
        let heard = said.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
        assert_eq!(heard, code, "{shown:x?}");
    }
}
