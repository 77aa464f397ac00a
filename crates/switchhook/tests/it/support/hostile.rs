//! Receivers that misbehave: the first part of the path says how.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use rcgen::generate_simple_self_signed;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Ways in which a receiver can misbehave, with their description.
pub(crate) const WAYS: [(&str, &str); 12] = [
    ("ok", "answers 200, as it should"),
    ("silent", "takes the request and says nothing"),
    ("drip", "sends its answer a byte a second"),
    ("headers", "never stops sending headers"),
    ("body", "never stops sending its body"),
    ("bomb", "answers 10 kB that would be 10 MB unpacked"),
    ("reset", "breaks the connection in the middle of its answer"),
    ("length", "promises more bytes than it sends"),
    ("provisional", "sends 103 Early Hints for ever"),
    ("redirect", "redirects to a private address"),
    ("kept", "keeps connections, and closes each at the next request"),
    ("garbage", "speaks another protocol"),
];

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Receives until the runtime ends.
pub(crate) async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(treat(stream));
    }
}

/// Receives over TLS, with a certificate that nobody signed.
pub(crate) async fn serve_badly_secured(listener: TcpListener) {
    let made =
        generate_simple_self_signed(["elsewhere.example".to_owned()]).expect("a certificate can be made");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("it is a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("the key belongs to the certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                treat(stream).await;
            }
        });
    }
}

/// Requests to several ways may come over one connection.
async fn treat(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    while let Some(way) = read_request(&mut stream).await {
        let answered = if way == "ok" {
            stream.write_all(OK).await
        } else {
            misbehave(&way, &mut stream).await
        };
        // What goes wrong here is the other side's leaving.
        if answered.and(stream.flush().await).is_err() || way != "ok" {
            return;
        }
    }
}

async fn misbehave(way: &str, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<()> {
    match way {
        "silent" => {
            // Until the other side has had enough.
            stream.read_u8().await?;
        }
        "drip" => {
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
                .iter()
                .chain(&[b'x'; 100_000])
            {
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        "headers" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream
                    .write_all(b"x-more: and more and more and more\r\n")
                    .await?;
            }
        }
        "body" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await?;
            let chunk = [&b"400\r\n"[..], &[b'x'; 1024], b"\r\n"].concat();
            loop {
                stream.write_all(&chunk).await?;
            }
        }
        "bomb" => {
            let mut packed = GzEncoder::new(Vec::new(), Compression::best());
            packed.write_all(&vec![0; 10_000_000])?;
            let packed = packed.finish()?;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                packed.len()
            );
            stream.write_all(&[head.as_bytes(), &packed].concat()).await?;
        }
        "reset" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf of")
                .await?;
        }
        "length" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nno more")
                .await?;
            stream.read_u8().await?;
        }
        "provisional" => loop {
            stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await?;
        },
        "redirect" => {
            let answer = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await?;
        }
        "kept" => {
            stream.write_all(OK).await?;
            stream.flush().await?;
            read_request(stream).await;
        }
        _ => stream.write_all(b"220 mail.example.com ESMTP\r\n").await?,
    }
    Ok(())
}

/// Reads one request to its end, and says what its path begins with.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let path = lines.next()?.split(' ').nth(1)?;
            let way = path.split(['/', '?']).nth(1).unwrap_or_default().to_owned();
            let length = lines.find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(way);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => seen.extend_from_slice(&buffer[..n]),
        }
    }
}
