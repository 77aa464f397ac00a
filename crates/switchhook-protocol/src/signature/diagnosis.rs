//! Diagnosis of a signature that does not hold: it tries the usual mistakes between a sender and a receiver, and says
//! which of them makes the signature fit.
//!
//! For people who look at one request; it accepts nothing that [`verify`](super::verify) refuses, and belongs in no
//! receiver's path. The guesses themselves are in `guess`.

mod guess;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::error::VerifyError;
use super::verify::{MAX_TOKEN_BYTES, Verifier};

/// Diagnosis of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// Verdict of a receiver with these secrets: the index of the one that fits, from 0, or the reason for refusing.
    pub verdict: Result<usize, VerifyError>,
    /// Causes, the most telling first. Empty if the signature holds, or if no cause was found.
    pub causes: Vec<Cause>,
    /// The token's header, as the text that it is; `None` if there is no token or its header cannot be decoded.
    pub header: Option<String>,
    /// The payload that the body carries. Nobody vouches for it unless the verdict is good.
    pub payload: Option<Vec<u8>>,
}

/// Something that keeps a signature from holding, or explains why it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// White space, such as a line's end, stands around the token.
    WhiteSpace,
    /// The token stands in quotes: somebody made a JSON string of it.
    Quoted,
    /// A byte order mark stands before the token.
    ByteOrderMark,
    /// The word `Bearer` stands before the token.
    Bearer,
    /// The segments are padded or in the wrong base64 alphabet, and fit otherwise.
    OtherBase64,
    /// The third segment is the signature in hexadecimal digits.
    SignatureInHex,
    /// The signature fits with another hash than SHA-256.
    OtherHash(Hash),
    /// The secret was changed by somebody before it was used; undoing it makes the signature fit.
    Secret {
        /// Index of the secret, from 0.
        index: usize,
        /// Change of the secret.
        change: SecretChange,
    },
    /// The sender signed with an empty secret.
    EmptySecret,
    /// The payload was written anew on its way; in its former spelling the signature fits.
    Respelled(Respelling),
    /// The secret is the right one: with the original body it makes this very signature. The payload differs.
    BodyChanged {
        /// The first byte that differs, counted from 0.
        at: usize,
    },
    /// The payload is no longer JSON.
    PayloadBroken,
    /// Nothing that was tried makes the signature fit.
    Unexplained,
}

/// Hash of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hash {
    /// HS384.
    Sha384,
    /// HS512.
    Sha512,
}

/// The difference between the secret known here and the one the signature was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretChange {
    /// Here it has white space around it.
    WhiteSpaceHere,
    /// The sender's ends with a line feed.
    LineFeedThere,
    /// Here it has quotes around it.
    QuotedHere,
    /// The sender used the bytes that it stands for in base64.
    DecodedThere,
    /// The sender used the base64 text of it.
    EncodedThere,
    /// The sender used the bytes that it stands for in hexadecimal digits.
    HexDecodedThere,
    /// The sender used its hexadecimal digits.
    HexEncodedThere,
}

/// Spelling of a payload when it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Respelling {
    /// Without any white space.
    Compact,
    /// With a space after each comma and colon.
    Spaced,
    /// With a line feed at its end.
    LineFeed,
    /// Without the line feed at its end.
    NoLineFeed,
}

impl Cause {
    /// A word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WhiteSpace => "white_space",
            Self::Quoted => "quoted",
            Self::ByteOrderMark => "byte_order_mark",
            Self::Bearer => "bearer",
            Self::OtherBase64 => "other_base64",
            Self::SignatureInHex => "signature_in_hex",
            Self::OtherHash(_) => "other_hash",
            Self::Secret { change, .. } => change.name(),
            Self::EmptySecret => "secret_empty",
            Self::Respelled(_) => "respelled",
            Self::BodyChanged { .. } => "body_changed",
            Self::PayloadBroken => "payload_broken",
            Self::Unexplained => "unexplained",
        }
    }
}

impl SecretChange {
    const fn name(self) -> &'static str {
        match self {
            Self::WhiteSpaceHere => "secret_white_space",
            Self::LineFeedThere => "secret_line_feed",
            Self::QuotedHere => "secret_quoted",
            Self::DecodedThere => "secret_base64_decoded",
            Self::EncodedThere => "secret_base64_encoded",
            Self::HexDecodedThere => "secret_hex_decoded",
            Self::HexEncodedThere => "secret_hex_encoded",
        }
    }
}

/// One sentence: what is so, and what to do about it.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WhiteSpace => {
                "white space stands around the token, such as a line's end that a tool added; hand over the body's bytes as they came"
            }
            Self::Quoted => {
                "the token stands in quotes: a framework made a JSON string of the body; read the body raw, or let the receiver take quoted tokens"
            }
            Self::ByteOrderMark => "a byte order mark stands before the token; read the body as bytes, not as a text file",
            Self::Bearer => "the word `Bearer` stands before the token; the token is the body and not an Authorization header",
            Self::OtherBase64 => {
                "the token was encoded anew, with padding or with `+` and `/`; a JWS is base64url without padding, so hand over the bytes as they came"
            }
            Self::SignatureInHex => "the signature stands in hexadecimal digits; a JWS has it in base64url",
            Self::OtherHash(Hash::Sha384) => "the signature was made with HS384; the sender must use HS256",
            Self::OtherHash(Hash::Sha512) => "the signature was made with HS512; the sender must use HS256",
            Self::Secret { index, change } => return write!(f, "secret {}: {change}", index + 1),
            Self::EmptySecret => "the sender signed with an empty secret: a variable that was not set?",
            Self::Respelled(how) => return write!(f, "the secret is right, but the payload was written anew on its way: {how}"),
            Self::BodyChanged { at } => {
                return write!(
                    f,
                    "the secret is right, and the payload is not the one that was signed: it differs from byte {at} (counted from 0)"
                );
            }
            Self::PayloadBroken => "the payload is not JSON any more: the token was cut or changed on its way",
            Self::Unexplained => {
                "nothing usual explains it: either the sender has another secret (was it rotated? is it another webhook's?) or the payload was changed after it was signed"
            }
        })
    }
}

impl fmt::Display for SecretChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WhiteSpaceHere => "the one given here has white space around it; without that the signature holds",
            Self::LineFeedThere => {
                "the sender's has a line feed at its end (`echo` instead of `printf` when it was set?); set it again without"
            }
            Self::QuotedHere => "the one given here has quotes around it; without them the signature holds",
            Self::DecodedThere => {
                "it looks like base64, and the sender signed with the bytes it stands for; the text itself is the key"
            }
            Self::EncodedThere => "the sender signed with the base64 text of it; the secret's own bytes are the key",
            Self::HexDecodedThere => {
                "it is hexadecimal, and the sender signed with the bytes it stands for; the text itself is the key"
            }
            Self::HexEncodedThere => "the sender signed with its hexadecimal digits; the secret's own bytes are the key",
        })
    }
}

impl fmt::Display for Respelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compact => "it had no white space when it was signed",
            Self::Spaced => "it had a space after each comma and colon when it was signed",
            Self::LineFeed => "it ended with a line feed when it was signed",
            Self::NoLineFeed => "the line feed at its end was not there when it was signed",
        })
    }
}

/// Looks at the body of a request as a receiver with these secrets would, and says why it refuses.
///
/// `original` is the event as the sender has it, if that is known: it tells a changed body from a wrong secret, which
/// nothing else can. Without secrets it is only told what the body is.
///
/// ```
/// use switchhook_protocol::{Cause, SecretChange, diagnose, sign};
///
/// let token = sign("hunter2", b"{}");
/// let diagnosis = diagnose(token.as_bytes(), &["hunter2 "], None);
/// assert!(diagnosis.verdict.is_err());
/// let change = SecretChange::WhiteSpaceHere;
/// assert_eq!(diagnosis.causes, [Cause::Secret { index: 0, change }]);
/// ```
#[must_use]
pub fn diagnose<S: AsRef<[u8]>>(content: &[u8], secrets: &[S], original: Option<&[u8]>) -> Diagnosis {
    let fits = |secret: &S| Verifier::new([secret]).verify(content).is_ok();
    let verdict = match Verifier::new(secrets).verify(content) {
        Ok(_) => Ok(secrets.iter().position(fits).unwrap_or_default()),
        Err(error) => Err(error),
    };
    let unwrapped = Unwrapped::of(content);
    let token = LooseToken::of(unwrapped.token);
    let mut causes = Vec::new();
    if let (Err(error), Some(token)) = (&verdict, &token) {
        causes.extend(unwrapped.wrappings);
        if token.is_spelled_otherwise {
            causes.push(Cause::OtherBase64);
        }
        if !secrets.is_empty() && !matches!(error, VerifyError::Unsigned) {
            causes.extend(guess::why(token, secrets, original));
        }
    }
    Diagnosis {
        verdict,
        causes,
        header: token
            .as_ref()
            .and_then(|token| String::from_utf8(token.header.clone()).ok()),
        payload: token.map(|token| token.payload),
    }
}

/// A body without what people and tools wrap around tokens.
struct Unwrapped<'a> {
    token: &'a [u8],
    wrappings: Vec<Cause>,
}

impl<'a> Unwrapped<'a> {
    fn of(content: &'a [u8]) -> Self {
        let mut token = content;
        let mut wrappings = Vec::new();
        while let Some((inner, wrapping)) = unwrap_once(token) {
            token = inner;
            if !wrappings.contains(&wrapping) {
                wrappings.push(wrapping);
            }
        }
        Self { token, wrappings }
    }
}

fn unwrap_once(token: &[u8]) -> Option<(&[u8], Cause)> {
    if let Some(inner) = token.strip_prefix("\u{feff}".as_bytes()) {
        return Some((inner, Cause::ByteOrderMark));
    }
    if token.trim_ascii().len() < token.len() {
        return Some((token.trim_ascii(), Cause::WhiteSpace));
    }
    for quote in [b"\"", b"'"] {
        let inner = token
            .strip_prefix(quote)
            .and_then(|token| token.strip_suffix(quote));
        if let Some(inner) = inner {
            return Some((inner, Cause::Quoted));
        }
    }
    let inner = token
        .strip_prefix(b"Bearer ")
        .or_else(|| token.strip_prefix(b"bearer "))?;
    Some((inner, Cause::Bearer))
}

/// A token read with more patience than a receiver may have.
struct LooseToken {
    header: Vec<u8>,
    payload: Vec<u8>,
    /// As the third segment stands for, in base64 or in hexadecimal digits.
    signatures: Vec<(Vec<u8>, Option<Cause>)>,
    /// Signed text, in the one spelling that a JWS has.
    signed: String,
    is_spelled_otherwise: bool,
}

impl LooseToken {
    fn of(token: &[u8]) -> Option<Self> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let segments: Vec<&[u8]> = token.split(|byte| *byte == b'.').collect();
        let [header, payload, signature] = segments[..] else {
            return None;
        };
        let (header, payload_bytes) = (decode(header)?, decode(payload)?);
        let signed = signed_text(&header, &payload_bytes);
        let hex = decode_hex(signature).filter(|bytes| bytes.len() == 32);
        let signatures = decode(signature).map(|bytes| (bytes, None)).into_iter();
        let signatures = signatures.chain(hex.map(|bytes| (bytes, Some(Cause::SignatureInHex))));
        Some(Self {
            is_spelled_otherwise: !token.starts_with(signed.as_bytes()) || signature.ends_with(b"="),
            header,
            payload: payload_bytes,
            signatures: signatures.collect(),
            signed,
        })
    }
}

fn signed_text(header: &[u8], payload: &[u8]) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    )
}

/// Any of the four common spellings of base64.
fn decode(segment: &[u8]) -> Option<Vec<u8>> {
    const SPELLINGS: [&GeneralPurpose; 4] = [&URL_SAFE_NO_PAD, &URL_SAFE, &STANDARD_NO_PAD, &STANDARD];
    SPELLINGS
        .iter()
        .find_map(|spelling| spelling.decode(segment).ok())
}

fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
    let is_even = text.len().is_multiple_of(2) && !text.is_empty();
    is_even.then(|| text.chunks_exact(2).map(byte).collect())?
}
