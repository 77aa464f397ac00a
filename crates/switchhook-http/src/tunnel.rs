//! Asks an HTTP proxy for a tunnel (`CONNECT`, RFC 9110 §9.3.6), and says in words what it answers instead.

use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The most that the head of an answer may take.
const MAX_HEAD: usize = 8 * 1024;

/// Reason for which there is no tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelError {
    /// In words for a person, of which the proxy is the subject.
    pub why: String,
    /// True if the proxy would fail for every destination: there is no proxy at its address, or it wants other
    /// credentials.
    pub to_anywhere: bool,
}

/// Asks for a tunnel to `to` (`HOST:PORT`). After that `stream` leads there.
///
/// # Errors
/// Says why there is none.
pub async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    to: &str,
    authorization: Option<&HeaderValue>,
) -> Result<(), TunnelError> {
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    if let Some(authorization) = authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let none = |why: &str, to_anywhere| TunnelError {
        why: why.to_owned(),
        to_anywhere,
    };
    let broke = |_| none("it broke the connection", false);
    stream.write_all(&request).await.map_err(broke)?;
    let mut head = Vec::new();
    while !ends(&head) && head.len() < MAX_HEAD {
        if stream.read_buf(&mut head).await.map_err(broke)? == 0 {
            break;
        }
    }
    match status(&head) {
        _ if head.is_empty() => Err(none("it closed the connection without an answer", false)),
        None => Err(none("what it answers is no HTTP", true)),
        Some(407) => Err(none(
            "it wants other credentials than it got (it answers 407)",
            true,
        )),
        Some(200..=299) if ends(&head) => Ok(()),
        Some(status @ 200..=299) => Err(none(&format!("its answer ({status}) has no end"), true)),
        Some(status) => Err(none(&format!("it answers {status}"), false)),
    }
}

fn ends(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n")
}

fn status(head: &[u8]) -> Option<u16> {
    let head = String::from_utf8_lossy(head);
    let (version, rest) = head.lines().next()?.split_once(' ')?;
    let status = rest.split(' ').next()?.parse().ok()?;
    (version.starts_with("HTTP/1.") && (100..600).contains(&status)).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_proxy_answers_instead_of_a_tunnel_is_said() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nVia: x\r\n\r\n", Ok(())),
            ("HTTP/1.0 204 \r\n\r\n", Ok(())),
            ("HTTP/1.1 403 No\r\n\r\nbecause", Err("it answers 403")),
            ("HTTP/1.1 502\r\n", Err("it answers 502")),
            ("HTTP/1.1 407 Who\r\n\r\n", Err("it answers 407")),
            ("SSH-2.0\r\n", Err("is no HTTP")),
            ("HTTP/1.1 OK 200\r\n\r\n", Err("is no HTTP")),
            ("HTTP/1.1 200 OK\r\n", Err("has no end")),
            ("", Err("closed the connection without an answer")),
        ] {
            let (mut here, mut there) = tokio::io::duplex(1_024);
            there.write_all(answer.as_bytes()).await.unwrap();
            there.shutdown().await.unwrap();
            let authorization = HeaderValue::from_static("Basic eA==");
            let asked = ask(&mut here, "192.0.2.1:443", Some(&authorization)).await;
            match expected {
                Ok(()) => assert_eq!(asked, Ok(()), "{answer}"),
                Err(words) => assert!(asked.unwrap_err().why.contains(words), "{answer}"),
            }
            drop(here);
            let mut request = String::new();
            there.read_to_string(&mut request).await.unwrap();
            assert_eq!(
                request,
                "CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1:443\r\nProxy-Authorization: Basic eA==\r\n\r\n"
            );
        }
    }
}
