//! Secure connections: whom they trust, and in words why one does not come to stand.

use std::collections::HashSet;
use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::WantsClientCert;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ConfigBuilder, Error, InvalidMessage, PeerIncompatible,
};
use rustls_platform_verifier::Verifier;
use switchhook_domain::attempt::FailureReason;
use switchhook_protocol::Timestamp;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use super::exchange::Failure;
use crate::delivery::transport::TlsTrouble;
use crate::destination::TlsIdentity;
use switchhook_http::cause::without_code;
use switchhook_http::proxy::Outbound;

/// What HTTP/1.1 is called in TLS.
const HTTP1: &[u8] = b"http/1.1";

/// What HTTP/2 is called in TLS.
pub(super) const HTTP2: &[u8] = b"h2";

/// How many origins are remembered that speak HTTP/2 alone.
const MOST_ORIGINS: usize = 1_024;

/// Makes TCP connections secure. HTTP/1.1 is offered; to origins that do not want it, HTTP/2.
pub(super) struct Securing {
    http1: TlsConnector,
    http2: TlsConnector,
    verifier: Arc<Verifier>,
    only_http2: Mutex<HashSet<Arc<str>>>,
}

impl Securing {
    pub(super) fn new(outbound: &Outbound) -> anyhow::Result<Self> {
        let verifier = Arc::new(verifier(outbound)?);
        let config = trusting(&verifier).with_no_client_auth();
        let offering = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Ok(Self {
            http1: offering(HTTP1),
            http2: offering(HTTP2),
            verifier,
            only_http2: Mutex::default(),
        })
    }

    pub(super) async fn secure(
        &self,
        offered: Speech,
        name: ServerName<'static>,
        identity: Option<&TlsIdentity>,
        tcp: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let Some(identity) = identity else {
            let connector = match offered {
                Speech::Http1 => &self.http1,
                Speech::Http2 => &self.http2,
            };
            return connector.connect(name, tcp).await;
        };
        let made = identity.configured((HTTP1, HTTP2), || trusting(&self.verifier));
        let made = made.map_err(io::Error::other)?;
        let config = match offered {
            Speech::Http1 => made.http1,
            Speech::Http2 => made.http2,
        };
        TlsConnector::from(config).connect(name, tcp).await
    }

    /// What is to be offered to an origin.
    pub(super) fn speech_of(&self, origin: &Arc<str>) -> Speech {
        match self.only_http2.lock().contains(origin) {
            true => Speech::Http2,
            false => Speech::Http1,
        }
    }

    /// Takes note of what an origin turned out to speak.
    pub(super) fn learn(&self, origin: &Arc<str>, speech: Speech) {
        let mut only_http2 = self.only_http2.lock();
        match speech {
            Speech::Http1 => {
                only_http2.remove(origin);
            }
            Speech::Http2 if only_http2.len() < MOST_ORIGINS => {
                only_http2.insert(Arc::clone(origin));
            }
            Speech::Http2 => {}
        }
    }
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    Http1,
    Http2,
}

impl Speech {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Http1 => Self::Http2,
            Self::Http2 => Self::Http1,
        }
    }
}

/// What was agreed to be spoken, if anything was said of that.
pub(super) fn agreed(stream: &TlsStream<TcpStream>) -> Option<&[u8]> {
    stream.get_ref().1.alpn_protocol()
}

/// Whether a receiver has none of the protocols that were offered.
pub(super) fn speaks_otherwise(error: &io::Error) -> bool {
    matches!(
        inner(error),
        Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol))
    )
}

/// Trusts what the machine trusts, and what was added.
fn verifier(outbound: &Outbound) -> anyhow::Result<Verifier> {
    let provider = Arc::clone(ClientConfig::builder().crypto_provider());
    let roots = outbound.extra_roots.iter().cloned();
    Ok(Verifier::new_with_extra_roots(roots, provider)?)
}

fn trusting(verifier: &Arc<Verifier>) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let verifier = Arc::clone(verifier);
    ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
}

pub(super) fn server_name(host: &Host<String>) -> Result<ServerName<'static>, Failure> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| {
            Failure::new(
                FailureReason::BadRequest,
                format!("{name} is no name that a certificate can have"),
            )
        }),
        Host::Ipv4(address) => Ok(ServerName::from(IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(IpAddr::from(*address))),
    }
}

/// Why TLS does not stand.
pub(super) fn no_tls(error: &io::Error) -> Failure {
    let (trouble, detail) = match inner(error) {
        Some(error) => explain(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => (
            TlsTrouble::BrokenOff,
            "the receiver closed the connection in the middle of the TLS handshake".to_owned(),
        ),
        None => (
            TlsTrouble::BrokenOff,
            format!(
                "the connection broke in the middle of the TLS handshake: {}",
                without_code(&error.to_string())
            ),
        ),
    };
    Failure {
        tls: Some(trouble),
        ..Failure::new(FailureReason::Tls, detail)
    }
}

/// A TLS failure that showed itself only when something was sent or read.
pub(super) fn tls_behind(error: &hyper::Error) -> Option<Failure> {
    let error = error.source()?.downcast_ref::<io::Error>()?;
    inner(error).map(|_| no_tls(error))
}

fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn explain(error: &Error) -> (TlsTrouble, String) {
    match error {
        Error::InvalidCertificate(wrong) => certificate(wrong),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => (
            TlsTrouble::NoTls,
            "the receiver answers without TLS: it may speak plain http at this port".to_owned(),
        ),
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => (
            TlsTrouble::OldTls,
            "the receiver speaks neither TLS 1.2 nor TLS 1.3".to_owned(),
        ),
        Error::AlertReceived(AlertDescription::CertificateRequired) => (
            TlsTrouble::ClientCertificate,
            "the receiver wants a client certificate, and was shown none that it takes".to_owned(),
        ),
        Error::AlertReceived(AlertDescription::UnrecognisedName) => (
            TlsTrouble::WrongName,
            "the receiver has no certificate for this name".to_owned(),
        ),
        // Before TLS 1.3 who misses a client certificate says no more than this.
        Error::AlertReceived(AlertDescription::HandshakeFailure) => (
            TlsTrouble::NothingInCommon,
            "the receiver wants a client certificate, and was shown none that it takes, or it has no way of TLS in common with \
             the server (it ends the handshake with the alert \"handshake failure\")"
                .to_owned(),
        ),
        Error::PeerIncompatible(_) => (
            TlsTrouble::NothingInCommon,
            "the receiver and the server have no way of TLS in common".to_owned(),
        ),
        Error::AlertReceived(alert) => (
            TlsTrouble::BrokenOff,
            format!("the receiver broke TLS off with the alert {}", alert_name(*alert)),
        ),
        Error::InvalidMessage(_) => (
            TlsTrouble::NoTls,
            "the receiver answers with what is no TLS: it may speak something else at this port".to_owned(),
        ),
        _ => (
            TlsTrouble::BrokenOff,
            "the receiver does not keep to the rules of TLS".to_owned(),
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

fn certificate(wrong: &CertificateError) -> (TlsTrouble, String) {
    let (trouble, detail) = match wrong {
        CertificateError::Expired => (TlsTrouble::Expired, "has expired".to_owned()),
        CertificateError::ExpiredContext { not_after, .. } => {
            (TlsTrouble::Expired, format!("expired on {}", day(*not_after)))
        }
        CertificateError::NotValidYet => (TlsTrouble::NotYetValid, "is not valid yet".to_owned()),
        CertificateError::NotValidYetContext { not_before, .. } => (
            TlsTrouble::NotYetValid,
            format!("is not valid before {}", day(*not_before)),
        ),
        CertificateError::NotValidForName => (TlsTrouble::WrongName, "is for another name".to_owned()),
        CertificateError::NotValidForNameContext { expected, presented } => (
            TlsTrouble::WrongName,
            format!("is not for {} but for {}", expected.to_str(), names(presented)),
        ),
        CertificateError::UnknownIssuer => (
            TlsTrouble::UnknownIssuer,
            "was issued by an authority that is not trusted for it, or comes without the intermediate \
             certificates that lead to one"
                .to_owned(),
        ),
        CertificateError::Other(other) => {
            let (trouble, words) = unfit(&other.0.to_string());
            (trouble, words.to_owned())
        }
        other => (TlsTrouble::Unfit, in_words(other).to_owned()),
    };
    (trouble, format!("the receiver's certificate {detail}"))
}

/// What is wrong with a certificate that could not be used by anybody. The text of an error is for programmers (and may
/// hold a list of all algorithms there are), so it is not shown.
fn in_words(wrong: &CertificateError) -> &'static str {
    match wrong {
        CertificateError::BadSignature => {
            "has a key that is too short, or its authority has (RSA: under 2048 bits); or it was not signed as it is by the \
             authority that it names, of which another may have the name"
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
        _ => "cannot be trusted: it is not made as certificates of servers are",
    }
}

const NOT_FOR_SERVERS: &str =
    "is not meant for servers: its extended key usage does not name server authentication";

/// Whether what names a signature's algorithm, in DER and with its parameters, names SHA-1.
fn is_sha1(algorithm: &[u8]) -> bool {
    let names = |name: &&[u8]| algorithm.windows(name.len()).any(|part| part == *name);
    SHA1.iter().any(names)
}

/// What SHA-1 signatures are called: with RSA, and with ECDSA.
const SHA1: [&[u8]; 2] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1],
];

/// The same, where the libraries tell only by a text what they found.
fn unfit(text: &str) -> (TlsTrouble, &'static str) {
    match text {
        "CaUsedAsEndEntity" => (
            TlsTrouble::Authority,
            "is that of an authority, which no server may show as its own; self-signed ones are made so where nothing else \
             is said",
        ),
        "certificate had invalid extensions" => (TlsTrouble::Unfit, NOT_FOR_SERVERS),
        "UnsupportedCertVersion" => (
            TlsTrouble::Unfit,
            "is of an old form (not X.509 version 3), which cannot name the servers it is for",
        ),
        "NameConstraintViolation" => (
            TlsTrouble::Unfit,
            "is for a name that its authority may not issue certificates for",
        ),
        _ => (
            TlsTrouble::Unfit,
            "cannot be trusted: it, or one that it comes with, is not made as certificates of servers are",
        ),
    }
}

/// The names of a certificate, of which there may be hundreds.
fn names(presented: &[String]) -> String {
    /// How many are shown.
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
                "has a key that is too short, or its authority has (RSA: under 2048 bits); or it was not signed",
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
            let (trouble, told) = certificate(&wrong);
            assert_eq!(trouble, TlsTrouble::Unfit);
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
