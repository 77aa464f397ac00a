//! TLS on the side of a client: the versions of HTTP that are agreed on in it, and in words why it does not stand.

use std::error::Error as StdError;
use std::io;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use switchhook_protocol::Timestamp;
use tokio_rustls::client::TlsStream;

/// The name of HTTP/1.1 in TLS (ALPN).
pub const HTTP1: &[u8] = b"http/1.1";

/// The name of HTTP/2 in TLS.
pub const HTTP2: &[u8] = b"h2";

/// The protocol that was agreed on, if the server named one.
#[must_use]
pub fn agreed<S>(stream: &TlsStream<S>) -> Option<&[u8]> {
    stream.get_ref().1.alpn_protocol()
}

/// True if a server has none of the protocols that were offered.
#[must_use]
pub fn is_not_tls(error: &(dyn StdError + 'static)) -> bool {
    let otherwise = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    tls_error(error) == Some(&otherwise)
}

/// The error of TLS behind an error, if there is one.
#[must_use]
pub fn tls_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Error> {
    std::iter::successors(Some(error), |error| (*error).source())
        .find_map(|layer| layer.downcast_ref().or_else(|| within(layer.downcast_ref()?)))
}

/// An I/O error passes by what it holds when it is asked for its source, and may hold another one.
fn within(error: &io::Error) -> Option<&Error> {
    let held = error.get_ref()?;
    held.downcast_ref().or_else(|| within(held.downcast_ref()?))
}

/// True if the other side closed the connection in the middle of the TLS handshake, without an alert that says why.
#[must_use]
pub fn closes_in_handshake(error: &(dyn StdError + 'static)) -> bool {
    // tokio-rustls has no type for it. Who wraps its error keeps the text.
    std::iter::successors(Some(error), |error| (*error).source())
        .filter_map(|layer| layer.downcast_ref::<io::Error>())
        .any(|layer| layer.to_string() == "tls handshake eof")
}

/// Reason for which a secure connection is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailure {
    /// The other side speaks no TLS.
    NoTls,
    /// It speaks only versions that are not safe any more.
    OldTls,
    /// It wants a certificate of ours.
    ClientCertificate,
    /// Its certificate was issued by nobody we trust.
    UnknownIssuer,
    /// Its certificate is for another name.
    WrongName,
    /// Its certificate has expired.
    Expired,
    /// Its certificate is not valid yet.
    NotYetValid,
    /// Its certificate is that of an authority.
    Authority,
    /// Its certificate is not made as one of a server has to be.
    Unfit,
    /// It wants a certificate of ours, or speaks TLS in none of our ways.
    NothingInCommon,
    /// It ended the handshake for a reason of its own.
    BrokenOff,
}

/// The other side of a connection in a sentence: as its subject, and as the owner of something.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    is: &'static str,
    whose: &'static str,
}

impl Peer {
    /// For a place where the sentence before names it.
    pub const IT: Self = Self {
        is: "it",
        whose: "its",
    };

    /// A receiver of deliveries.
    pub const RECEIVER: Self = Self {
        is: "the receiver",
        whose: "the receiver's",
    };
}

/// Says why TLS does not stand with the other side, of which `peer` is the name.
#[must_use]
pub fn explain(error: &Error, peer: Peer) -> (TlsFailure, String) {
    let Peer { is, whose } = peer;
    match error {
        Error::InvalidCertificate(wrong) => certificate(wrong, whose),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => (
            TlsFailure::NoTls,
            format!("{is} speaks no TLS at this port: write http:// if it may speak plain http"),
        ),
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => (
            TlsFailure::OldTls,
            format!("{is} speaks neither TLS 1.2 nor TLS 1.3"),
        ),
        Error::AlertReceived(AlertDescription::CertificateRequired) => (
            TlsFailure::ClientCertificate,
            format!("{is} wants a client certificate, and was shown none that it takes"),
        ),
        Error::AlertReceived(AlertDescription::UnrecognisedName) => (
            TlsFailure::WrongName,
            format!("{is} has no certificate for this name"),
        ),
        // Before TLS 1.3 who misses a client certificate says no more than this.
        Error::AlertReceived(AlertDescription::HandshakeFailure) => (
            TlsFailure::NothingInCommon,
            format!(
                "{is} wants a client certificate, and was shown none that it takes, or it has no way of TLS in common with \
                 this program (it ends the handshake with the alert \"handshake failure\")"
            ),
        ),
        Error::PeerIncompatible(_) => (
            TlsFailure::NothingInCommon,
            format!("{is} has no way of TLS in common with this program"),
        ),
        Error::AlertReceived(alert) => (
            TlsFailure::BrokenOff,
            format!("{is} broke TLS off with the alert {}", alert_name(*alert)),
        ),
        Error::InvalidMessage(_) => (
            TlsFailure::NoTls,
            format!("{is} does not speak TLS at this port: it may speak something else there"),
        ),
        _ => (
            TlsFailure::BrokenOff,
            format!("{is} does not keep to the rules of TLS"),
        ),
    }
}

/// An alert as RFC 8446 names it, in words; or its number.
fn alert_name(alert: AlertDescription) -> String {
    let Some(name) = alert.as_str() else {
        return u8::from(alert).to_string();
    };
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    format!("\"{words}\"")
}

fn certificate(wrong: &CertificateError, whose: &str) -> (TlsFailure, String) {
    let (trouble, detail) = match wrong {
        CertificateError::Expired => (TlsFailure::Expired, "has expired".to_owned()),
        CertificateError::ExpiredContext { not_after, .. } => {
            (TlsFailure::Expired, format!("expired on {}", day(*not_after)))
        }
        CertificateError::NotValidYet => (TlsFailure::NotYetValid, "is not valid yet".to_owned()),
        CertificateError::NotValidYetContext { not_before, .. } => (
            TlsFailure::NotYetValid,
            format!("is not valid before {}", day(*not_before)),
        ),
        CertificateError::NotValidForName => (TlsFailure::WrongName, "is for another name".to_owned()),
        CertificateError::NotValidForNameContext { expected, presented } => (
            TlsFailure::WrongName,
            format!("is not for {} but for {}", expected.to_str(), names(presented)),
        ),
        CertificateError::UnknownIssuer => (
            TlsFailure::UnknownIssuer,
            "was issued by an authority that is not trusted for it, or comes without the intermediate \
             certificates that lead to one"
                .to_owned(),
        ),
        CertificateError::Other(other) => {
            let (trouble, words) = unfit(&other.0.to_string());
            (trouble, words.to_owned())
        }
        other => (TlsFailure::Unfit, in_words(other).to_owned()),
    };
    (trouble, format!("{whose} certificate {detail}"))
}

/// Words for a certificate that could not be used by anybody. The text of an error is for programmers (and may
/// hold a list of all algorithms there are), so it is not shown.
fn in_words(wrong: &CertificateError) -> &'static str {
    match wrong {
        CertificateError::BadSignature => {
            "has a bad signature: its key or its authority's is too short (RSA: under 2048 bits), or another authority of the same \
             name signed it"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id,
            ..
        } if is_sha1(signature_algorithm_id) => "is signed with SHA-1, which proves nothing any more",
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed in a way that is not accepted"
        }
        CertificateError::BadEncoding => "cannot be read",
        CertificateError::Revoked => "was revoked",
        CertificateError::UnhandledCriticalExtension => {
            "holds a condition that this machine does not know (a critical extension)"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => NOT_FOR_SERVERS,
        _ => "cannot be trusted: it breaks a rule for certificates of servers",
    }
}

const NOT_FOR_SERVERS: &str =
    "is not meant for servers: its extended key usage does not name server authentication";

/// True if the identifier of a signature's algorithm, in DER and with its parameters, is that of SHA-1.
fn is_sha1(algorithm: &[u8]) -> bool {
    let names = |name: &&[u8]| algorithm.windows(name.len()).any(|part| part == *name);
    SHA1.iter().any(names)
}

/// Identifiers of SHA-1 signatures: with RSA, and with ECDSA.
const SHA1: [&[u8]; 2] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1],
];

/// The same, where the libraries tell only by a text what they found.
fn unfit(text: &str) -> (TlsFailure, &'static str) {
    match text {
        "CaUsedAsEndEntity" => (
            TlsFailure::Authority,
            "is that of an authority, which no server may show as its own; many tools make self-signed certificates so unless \
             told otherwise",
        ),
        "certificate had invalid extensions" => (TlsFailure::Unfit, NOT_FOR_SERVERS),
        "UnsupportedCertVersion" => (
            TlsFailure::Unfit,
            "is of an old form (not X.509 version 3), which cannot name the servers it is for",
        ),
        "NameConstraintViolation" => (
            TlsFailure::Unfit,
            "is for a name that its authority may not issue certificates for",
        ),
        _ => (
            TlsFailure::Unfit,
            "cannot be trusted: it, or another of its chain, breaks a rule for certificates of servers",
        ),
    }
}

/// The names of a certificate, of which there may be hundreds.
fn names(presented: &[String]) -> String {
    /// Most names that are shown.
    const SHOWN: usize = 5;
    // They come as `DnsName("example.com")` and `IpAddress(192.0.2.1)`.
    let unwrapped = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    let shown: Vec<_> = presented.iter().take(SHOWN).map(unwrapped).collect();
    match presented.len() {
        0 => "no name at all".to_owned(),
        count if count > SHOWN => format!("{} and {} more", shown.join(", "), count - SHOWN),
        _ => shown.join(", "),
    }
}

fn day(at: UnixTime) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    let at = Timestamp::from_millis(seconds.saturating_mul(1_000)).to_string();
    at.split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("tcp connect error")]
    struct Outer(#[source] io::Error);

    #[test]
    fn an_error_of_tls_is_found_however_deep_it_is_wrapped() {
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let error = Outer(io::Error::other(io::Error::other(unknown.clone())));
        assert_eq!(tls_error(&error), Some(&unknown));
        assert!(!is_not_tls(&error));
        let alert = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
        assert!(is_not_tls(&Outer(io::Error::other(alert))));
    }

    #[test]
    fn the_names_of_a_certificate_are_shown_as_they_are_written_and_not_all_of_many() {
        let presented =
            |count| -> Vec<_> { (0..count).map(|n| format!("DnsName(\"{n}.example\")")).collect() };
        assert_eq!(names(&presented(0)), "no name at all");
        assert_eq!(names(&presented(2)), "0.example, 1.example");
        assert!(names(&presented(7)).ends_with("4.example and 2 more"));
        assert_eq!(names(&["IpAddress(10.0.0.1)".to_owned()]), "10.0.0.1");
    }

    #[test]
    fn alerts_are_named_in_words_and_unknown_ones_by_their_number() {
        assert_eq!(alert_name(AlertDescription::InternalError), "\"internal error\"");
        assert_eq!(alert_name(AlertDescription::from(99)), "99");
    }

    #[test]
    fn nothing_that_is_wrong_with_a_certificate_is_told_in_the_words_of_programmers() {
        let signed = |id: &[u8]| CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: id.to_vec(),
            supported_algorithms: Vec::new(),
        };
        for (wrong, words) in [
            (
                CertificateError::BadSignature,
                "has a bad signature: its key or its authority's is too short (RSA: under 2048 bits), or another",
            ),
            (
                signed(&[&[6, 9], SHA1[0], &[5, 0]].concat()),
                "is signed with SHA-1",
            ),
            (signed(&[1, 2]), "is signed in a way that is not accepted"),
            (CertificateError::BadEncoding, "cannot be read"),
            (CertificateError::InvalidPurpose, "is not meant for servers"),
            (CertificateError::UnknownRevocationStatus, "cannot be trusted"),
        ] {
            let (trouble, told) = certificate(&wrong, "its");
            assert_eq!(trouble, TlsFailure::Unfit);
            assert!(told.contains(words) && told.len() < 220, "{told}");
        }
        for (text, words) in [
            ("CaUsedAsEndEntity", "is that of an authority"),
            ("UnsupportedCertVersion", "is of an old form"),
            ("SomethingNew { x: Y(1) }", "cannot be trusted"),
        ] {
            assert!(unfit(text).1.contains(words), "{text}");
        }
    }

    #[test]
    fn expiry_is_a_date() {
        assert_eq!(
            day(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
                1_792_567_680
            ))),
            "2026-10-21"
        );
    }
}
