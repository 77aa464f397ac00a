//! Cause of an error, in one line for people.

use std::error::Error;
use std::io;

use hyper_util::client::legacy;

use crate::tls::{Peer, closes_in_handshake, explain, tls_error};

/// An error with its causes. Layers that only say that something failed below them are left out, and so are the numbers
/// of the operating system's errors.
#[must_use]
pub fn in_full(error: &(dyn Error + 'static)) -> String {
    let layers: Vec<_> = std::iter::successors(Some(error), |error| (*error).source()).collect();
    if let Some(words) = layers.iter().find_map(|layer| usual(layer.downcast_ref()?)) {
        return words.to_owned();
    }
    if let Some(words) = layers
        .iter()
        .find_map(|layer| usual_of_http(layer.downcast_ref()?))
    {
        return words.to_owned();
    }
    if let Some(error) = tls_error(error) {
        return explain(error, Peer::IT).1;
    }
    if closes_in_handshake(error) {
        return "it closed the connection in the middle of the TLS handshake: it may speak no TLS newer than 1.1, want a \
                client certificate, or speak no TLS at this port"
            .to_owned();
    }
    if layers.iter().any(|layer| layer.to_string() == "dns error") {
        return "its name leads to no address".to_owned();
    }
    let tells = |layer: &&&(dyn Error + 'static)| !layer.is::<legacy::Error>();
    let last = layers.len() - 1;
    let told = layers.iter().enumerate();
    let told = told.filter(|(place, layer)| *place == last || tells(layer));
    let mut text: Vec<String> = told.map(|(_, layer)| without_code(&layer.to_string())).collect();
    // Many repeat what is below them.
    text.dedup_by(|below, above| above.ends_with(below.as_str()));
    text.join(": ")
}

/// Words for the errors of HTTP that come every day. The text of an error is for those who write HTTP.
fn usual_of_http(error: &hyper::Error) -> Option<&'static str> {
    if error.is_parse_too_large() {
        return Some("the head of its answer is too long");
    }
    if error.is_parse_status() {
        return Some("the status of its answer is none that HTTP has");
    }
    if error.is_parse() {
        return Some("its answer is no HTTP: its first line or a header cannot be read");
    }
    if error.is_incomplete_message() {
        return Some(CLOSED_EARLY);
    }
    if error.is_closed() || error.is_canceled() {
        return Some("the connection was closed before an answer came");
    }
    let below = error.source()?.downcast_ref::<io::Error>()?;
    match below.kind() {
        io::ErrorKind::UnexpectedEof => Some(CLOSED_EARLY),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if tls_error(below).is_none() => {
            Some("the pieces (chunks) of its answer are not made as HTTP wants them")
        }
        _ => None,
    }
}

const CLOSED_EARLY: &str = "the other side closed the connection before the end of its answer";

/// True if the peer closed the connection without ending TLS, so that somebody between may have cut it.
#[must_use]
pub fn closes_without_ending_tls(error: &io::Error) -> bool {
    // rustls has no type for it.
    let is_cut = error.kind() == io::ErrorKind::UnexpectedEof && error.to_string().contains("close_notify");
    let held = || error.get_ref()?.downcast_ref::<io::Error>();
    is_cut || held().is_some_and(closes_without_ending_tls)
}

/// Description of everyday connection errors.
fn usual(error: &io::Error) -> Option<&'static str> {
    if closes_without_ending_tls(error) {
        return Some("the other side closed the connection without ending TLS");
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some("nobody listens there"),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Some("the other side ended the connection")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some("no way leads there"),
        _ => None,
    }
}

/// A message without the numbers of the operating system's errors, which tell nobody anything.
#[must_use]
pub fn without_code(text: &str) -> String {
    let mut rest = text;
    let mut told = String::with_capacity(text.len());
    while let Some((before, code)) = rest.split_once(" (os error ") {
        told += before;
        let Some((_, after)) = code.split_once(')') else {
            return told;
        };
        rest = after;
    }
    told + rest
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("tcp connect error")]
    struct Outer(#[source] io::Error);

    #[test]
    fn the_numbers_of_errors_are_left_out() {
        for (text, told) in [
            ("in use (os error 98)", "in use"),
            ("a (os error 1): b (os error 2)!", "a: b!"),
            ("broken (os error 1", "broken"),
            ("fine", "fine"),
        ] {
            assert_eq!(without_code(text), told);
        }
    }

    #[test]
    fn why_tls_fails_is_said_in_words() {
        let plain = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        let told = in_full(&Outer(io::Error::other(plain)));
        assert!(told.contains("speaks no TLS"), "{told}");
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let error = Outer(io::Error::other(io::Error::other(unknown)));
        assert!(in_full(&error).contains("its certificate was issued by an authority that is not trusted"));
        let authority = rustls::OtherError(Arc::new(io::Error::other("CaUsedAsEndEntity")));
        let self_signed = rustls::Error::InvalidCertificate(rustls::CertificateError::Other(authority));
        let told = in_full(&Outer(io::Error::other(self_signed)));
        assert!(told.contains("is that of an authority"), "{told}");
    }

    #[test]
    fn who_closes_in_the_middle_of_the_handshake_may_have_several_reasons() {
        let closed = || io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof");
        for error in [closed(), io::Error::other(closed())] {
            let told = in_full(&Outer(error));
            assert!(told.contains("in the middle of the TLS handshake"), "{told}");
            assert!(told.contains("a client certificate"), "{told}");
        }
        let elsewhere = Outer(io::Error::from(io::ErrorKind::UnexpectedEof));
        assert!(!closes_in_handshake(&elsewhere));
    }

    #[tokio::test]
    async fn what_is_wrong_with_an_answer_is_said_in_words() {
        for (answer, words) in [
            ("HTTP/1.1 OK 200\r\n\r\n", "the status of its answer"),
            ("SSH-2.0-x\r\n\r\n", "its answer is no HTTP"),
            ("HTTP/1.1 200 OK\r\n", "before the end of its answer"),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
                "before the end of its answer",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n",
                "before the end of its answer",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
                "the pieces (chunks)",
            ),
        ] {
            let told = in_full(&what_comes_of(answer).await);
            assert!(told.contains(words) && !told.contains("pars"), "{answer}: {told}");
        }
        let cut = "peer closed connection without sending TLS close_notify: \
                   https://docs.rs/rustls/latest/rustls/manual/_03_howto/index.html#unexpected-eof";
        let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, cut);
        for error in [cut(), io::Error::other(cut())] {
            assert_eq!(
                in_full(&Outer(error)),
                "the other side closed the connection without ending TLS"
            );
        }
    }

    /// The error of a client that is answered so.
    #[expect(clippy::disallowed_methods, reason = "it leads to nobody but this test")]
    async fn what_comes_of(answer: &str) -> hyper::Error {
        use http_body_util::{BodyExt, Empty};
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let (here, mut there) = tokio::io::duplex(1_024);
        let wire = hyper_util::rt::TokioIo::new(here);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(wire).await.unwrap();
        tokio::spawn(connection);
        let asked = sender.send_request(http::Request::new(Empty::<bytes::Bytes>::new()));
        let answering = async {
            let _ = there.read(&mut [0; 1_024]).await.unwrap();
            there.write_all(answer.as_bytes()).await.unwrap();
            there.shutdown().await.unwrap();
            drop(there);
        };
        match tokio::join!(asked, answering).0 {
            Ok(response) => response.into_body().collect().await.unwrap_err(),
            Err(error) => error,
        }
    }

    #[test]
    fn what_is_usual_is_said_in_words_and_the_rest_with_its_causes() {
        let refused = Outer(io::Error::from_raw_os_error(111));
        assert_eq!(in_full(&refused), "nobody listens there");
        let other = Outer(io::Error::from_raw_os_error(13));
        assert_eq!(in_full(&other), "tcp connect error: Permission denied");
    }
}
