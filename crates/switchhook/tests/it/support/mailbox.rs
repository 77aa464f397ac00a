//! A mail server that remembers every mail, and can want TLS and a password.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Encryption and authentication that it requires.
#[derive(Clone)]
pub(crate) enum Manner {
    Plainly,
    Securely(TlsAcceptor),
    /// After `STARTTLS`.
    SecurelyAtLast(TlsAcceptor),
}

/// Mail server that keeps everything it is sent.
#[derive(Clone, Default)]
pub(crate) struct Mailbox {
    said: Arc<Mutex<Vec<String>>>,
}

impl Mailbox {
    pub(crate) async fn start(manner: Manner) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let mailbox = Self::default();
        let ours = mailbox.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(ours.clone().take(stream, manner.clone()));
            }
        });
        (mailbox, address)
    }

    /// All that was said, once `enough` is among it.
    pub(crate) async fn wait_for(&self, enough: &str) -> String {
        for _ in 0..400 {
            let said = self.said.lock().join("\n");
            if said.contains(enough) {
                return said;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("`{enough}` was not said: {}", self.said.lock().join("\n"));
    }

    async fn take(self, stream: TcpStream, manner: Manner) {
        match manner {
            Manner::Plainly => {
                self.converse(stream, Some("220 here\r\n"), false).await;
            }
            Manner::Securely(acceptor) => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    self.converse(stream, Some("220 here\r\n"), false).await;
                }
            }
            Manner::SecurelyAtLast(acceptor) => {
                let stream = self.converse(stream, Some("220 here\r\n"), true).await;
                if let Some(stream) = stream
                    && let Ok(stream) = acceptor.accept(stream).await
                {
                    self.converse(stream, None, false).await;
                }
            }
        }
    }

    /// Talks until the other side is done, or asks for TLS: then the stream is what it goes on with.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        greeting: Option<&str>,
        wants_tls: bool,
    ) -> Option<S> {
        let mut stream = BufReader::new(stream);
        stream
            .write_all(greeting.unwrap_or_default().as_bytes())
            .await
            .ok()?;
        stream.flush().await.ok()?;
        let mut in_mail = false;
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let said = line.trim_end().to_owned();
            let answer = match said.split(' ').next().unwrap_or_default() {
                "." if in_mail => {
                    in_mail = false;
                    "250 kept\r\n"
                }
                _ if in_mail => "",
                "EHLO" if wants_tls => "250-here\r\n250 STARTTLS\r\n",
                "EHLO" => "250-here\r\n250 AUTH PLAIN\r\n",
                "STARTTLS" => "220 go on\r\n",
                "AUTH" => "235 it is you\r\n",
                "DATA" => {
                    in_mail = true;
                    "354 go on\r\n"
                }
                "QUIT" => "221 gone\r\n",
                _ => "250 well\r\n",
            };
            self.said.lock().push(said.clone());
            stream.write_all(answer.as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
            if said == "STARTTLS" {
                return Some(stream.into_inner());
            }
        }
    }
}
