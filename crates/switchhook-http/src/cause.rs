//! What is behind an error, in one line that tells a person something.

use std::error::Error;
use std::io;

use hyper_util::client::legacy;

/// An error with its causes. Layers that only say that something failed below them are left out, and so are the numbers
/// of the operating system's errors.
#[must_use]
pub fn in_full(error: &(dyn Error + 'static)) -> String {
    let layers: Vec<_> = std::iter::successors(Some(error), |error| (*error).source()).collect();
    if let Some(words) = layers.iter().find_map(|layer| usual(layer.downcast_ref()?)) {
        return words.to_owned();
    }
    if let Some(words) = tls_error(error).and_then(usual_of_tls) {
        return words.to_owned();
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

/// What TLS failed with, if that is behind an error.
#[must_use]
pub fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    std::iter::successors(Some(error), |error| (*error).source())
        .find_map(|layer| layer.downcast_ref().or_else(|| within(layer.downcast_ref()?)))
}

/// An I/O error passes by what it holds when it is asked for its source, and may hold another one.
fn within(error: &io::Error) -> Option<&rustls::Error> {
    let held = error.get_ref()?;
    held.downcast_ref().or_else(|| within(held.downcast_ref()?))
}

/// Whether the other side closed the connection in the middle of the TLS handshake, without an alert that says why.
#[must_use]
pub fn closes_in_handshake(error: &(dyn Error + 'static)) -> bool {
    // tokio-rustls has no type for it. Who wraps its error keeps the text.
    std::iter::successors(Some(error), |error| (*error).source())
        .filter_map(|layer| layer.downcast_ref::<io::Error>())
        .any(|layer| layer.to_string() == "tls handshake eof")
}

/// What befalls TLS every day.
fn usual_of_tls(error: &rustls::Error) -> Option<&'static str> {
    match error {
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            Some("it speaks no TLS at this port: write http:// if it speaks plain HTTP")
        }
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            Some("its certificate was issued by nobody whom this machine trusts")
        }
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))
            if other.0.to_string() == "CaUsedAsEndEntity" =>
        {
            Some(
                "its certificate is that of an authority, as self-signed ones are where nothing else is said",
            )
        }
        _ => None,
    }
}

/// What befalls connections every day.
fn usual(error: &io::Error) -> Option<&'static str> {
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
        let error = Outer(io::Error::other(io::Error::other(unknown.clone())));
        assert_eq!(tls_error(&error), Some(&unknown));
        assert!(in_full(&error).contains("its certificate was issued by nobody"));
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

    #[test]
    fn what_is_usual_is_said_in_words_and_the_rest_with_its_causes() {
        let refused = Outer(io::Error::from_raw_os_error(111));
        assert_eq!(in_full(&refused), "nobody listens there");
        let other = Outer(io::Error::from_raw_os_error(13));
        assert_eq!(in_full(&other), "tcp connect error: Permission denied");
    }
}
