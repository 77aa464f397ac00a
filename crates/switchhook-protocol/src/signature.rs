//! Signing events: a compact JWS (RFC 7515) with HMAC-SHA-256 over the event's bytes exactly as they are stored.
//! Nothing is added to the claims, and the same bytes and secret always give the same token.
//! Where tokens are checked is `verify`, why one does not fit is `diagnosis`; which secret a webhook has is not known
//! here.

mod diagnosis;
mod error;
mod standard;
mod verify;

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::Simd;
use base64::engine::general_purpose::{NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroize;

use crate::text::hex;

pub use diagnosis::{Cause, Diagnosis, Hash, Respelling, SecretChange, diagnose};
pub use error::{TokenPart, VerifyError};
pub use standard::{
    STANDARD_SECRET_PREFIX, STANDARD_TOLERANCE, StandardCause, StandardError, StandardHeaders, StandardKey,
    is_broken_standard_secret, standard_secret,
};
pub use verify::{MAX_TOKEN_BYTES, Verifier, verify};

/// A shared secret, kept out of logs: its `Debug` shows nothing of it, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// A secret of these bytes. In Dialpad's API it is text, and its UTF-8 bytes are the key.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into().into_boxed_slice())
    }

    /// The key itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// True for an empty secret, which Dialpad's API takes for "none".
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Signs many events with one secret; the key is prepared once.
#[derive(Clone)]
pub struct Signer {
    key: hmac::Key,
    /// In base64url.
    header: Cow<'static, str>,
}

impl Signer {
    /// Prepares `secret` for signing.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()),
            header: Cow::Borrowed(HEADER),
        }
    }

    /// As [`Signer::new`], and the header names the secret by its [`key_id`]: `{"alg":"HS256","typ":"JWT","kid":"…"}`.
    ///
    /// Dialpad's header has no `kid`, so this is for receivers that ask for it.
    #[must_use]
    pub fn with_key_id(secret: impl AsRef<[u8]>) -> Self {
        let id = key_id(&secret);
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{id}"}}"#));
        Self {
            header: Cow::Owned(header),
            ..Self::new(secret)
        }
    }

    /// The compact JWS over `body`: header, body and signature, each in unpadded base64url, joined by dots.
    #[must_use]
    pub fn sign(&self, body: &[u8]) -> String {
        String::from_utf8(self.sign_to_bytes(body)).expect("base64url is ASCII")
    }

    /// As [`Signer::sign`], for who sends it.
    #[must_use]
    pub fn sign_to_bytes(&self, body: &[u8]) -> Vec<u8> {
        self.token(encoded_length(body.len()), |token| {
            encode(&*BASE64URL, body, token);
        })
    }

    /// As [`Signer::sign`] over the body of another signer's token, which need not be encoded again. The token is not
    /// verified; `None` if it is none.
    #[must_use]
    pub fn sign_again(&self, token: &[u8]) -> Option<Vec<u8>> {
        // The body is long, so that it is not searched for where it ends: signatures have one length.
        let signed = token.len().checked_sub(encoded_length(SIGNATURE_BYTES))?;
        let signed = token[..signed].strip_suffix(b".")?;
        let header = signed.iter().position(|byte| *byte == b'.')?;
        let body = &signed[header + 1..];
        Some(self.token(body.len(), |token| token.extend_from_slice(body)))
    }

    fn token(&self, body_length: usize, push_body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let length = self.header.len() + body_length + encoded_length(SIGNATURE_BYTES) + 2;
        let mut token = Vec::with_capacity(length);
        token.extend_from_slice(self.header.as_bytes());
        token.push(b'.');
        push_body(&mut token);
        let tag = hmac::sign(&self.key, &token);
        token.push(b'.');
        encode(&URL_SAFE_NO_PAD, tag.as_ref(), &mut token);
        token
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(***)")
    }
}

/// The name of a secret: the first 8 bytes, in hexadecimal, of HMAC-SHA-256 of `switchhook kid` with it as the key.
///
/// Whoever knows the secret can work its name out; the name tells no more of the secret than a signature does.
///
/// ```
/// assert_eq!(switchhook_protocol::key_id("a shared secret"), "5ada2679854afa67");
/// ```
#[must_use]
pub fn key_id(secret: impl AsRef<[u8]>) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref());
    let tag = hmac::sign(&key, b"switchhook kid");
    hex(&tag.as_ref()[..8])
}

/// Signs one event. For many with the same secret, keep a [`Signer`].
///
/// ```
/// let token = switchhook_protocol::sign("a shared secret", br#"{"id":1}"#);
/// assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6MX0."));
/// ```
#[must_use]
pub fn sign(secret: impl AsRef<[u8]>, body: &[u8]) -> String {
    Signer::new(secret).sign(body)
}

/// Many letters at once, where the processor can. What is encoded by it is what [`URL_SAFE_NO_PAD`] encodes.
static BASE64URL: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(NO_PAD));

/// `{"alg":"HS256","typ":"JWT"}`: the header Dialpad sends, byte for byte.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

const SIGNATURE_BYTES: usize = 32;

/// Appends `bytes` in base64, in one piece: a `String` would be checked piece by piece.
fn encode(base64: &impl Engine, bytes: &[u8], token: &mut Vec<u8>) {
    let start = token.len();
    token.resize(start + encoded_length(bytes.len()), 0);
    let written = base64.encode_slice(bytes, &mut token[start..]);
    written.expect("there is room for all of it");
}

const fn encoded_length(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_one_dialpad_sends() {
        let header = URL_SAFE_NO_PAD.decode(HEADER).unwrap();
        assert_eq!(header, br#"{"alg":"HS256","typ":"JWT"}"#);
    }

    #[test]
    fn a_token_says_what_the_bytes_are_whatever_their_length() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(3_000).collect();
        for length in (0..200).chain(1_000..1_100).chain([2_999]) {
            let token = sign("secret", &bytes[..length]);
            let body = token.split('.').nth(1).unwrap();
            assert_eq!(body, URL_SAFE_NO_PAD.encode(&bytes[..length]), "{length}");
        }
    }

    #[test]
    fn a_token_fills_the_space_made_for_it_exactly() {
        for length in 0..50 {
            let token = sign("secret", &vec![b'x'; length]);
            assert_eq!(token.len(), token.capacity(), "{length}");
        }
    }

    #[test]
    fn the_body_of_a_token_is_signed_as_the_body_itself() {
        let first = Signer::new("first");
        for other in [Signer::new("second"), Signer::with_key_id("second")] {
            for length in 0..50 {
                let body = vec![b'x'; length];
                let again = other.sign_again(first.sign(&body).as_bytes()).unwrap();
                assert_eq!(again, other.sign_to_bytes(&body));
            }
            let no_dot = "a".repeat(100);
            let one_dot = format!("{}.{}", "a".repeat(50), "a".repeat(43));
            for no_token in ["", "a", "a.b", &no_dot, &one_dot] {
                assert_eq!(other.sign_again(no_token.as_bytes()), None, "{no_token}");
            }
        }
    }

    #[test]
    fn a_token_may_name_its_secret_and_is_verified_all_the_same() {
        let token = Signer::with_key_id("secret").sign(b"{}");
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let expected = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{}"}}"#, key_id("secret"));
        assert_eq!(String::from_utf8(header).unwrap(), expected);
        assert_eq!(verify(token.as_bytes(), ["secret"]).unwrap(), b"{}");
        assert_ne!(key_id("secret"), key_id("Secret"));
        assert_eq!(token.len(), token.capacity());
    }

    #[test]
    fn secrets_do_not_show() {
        let secret = Secret::new("hunter2hunter2");
        let signer = Signer::new(&secret);
        let verifier = Verifier::new([&secret]);
        let shown = format!("{secret:?} {signer:?} {verifier:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("104, 117"), "{shown}");
    }
}
