//! The guesses: each undoes one thing that usually happens to a secret or a payload, and sees whether that is it.
//! Only one thing is undone at a time; two mistakes at once stay unexplained. What the answers mean is in `diagnosis`.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Cause, Hash, LooseToken, Respelling, SecretChange, decode, decode_hex, signed_text};
use crate::text::hex;

/// Causes for which the token is not signed with any of the secrets. Empty if it is.
pub(super) fn why<S: AsRef<[u8]>>(token: &LooseToken, secrets: &[S], original: Option<&[u8]>) -> Vec<Cause> {
    let secrets: Vec<&[u8]> = secrets.iter().map(AsRef::as_ref).collect();
    for (signature, spelling) in &token.signatures {
        let signature = Signature { bytes: signature };
        let fits = |secret: &&[u8]| signature.fits(hmac::HMAC_SHA256, secret, &token.signed);
        if secrets.iter().any(fits) {
            return spelling.iter().copied().collect();
        }
        let causes = signature
            .other_hash(token, &secrets)
            .or_else(|| signature.other_secret(token, &secrets))
            .or_else(|| signature.other_spelling(token, &secrets))
            .or_else(|| signature.other_body(token, &secrets, original?));
        if let Some(cause) = causes {
            return spelling.iter().copied().chain([cause]).collect();
        }
    }
    let broken = serde_json::from_slice::<serde::de::IgnoredAny>(&token.payload).is_err();
    vec![if broken {
        Cause::PayloadBroken
    } else {
        Cause::Unexplained
    }]
}

struct Signature<'a> {
    bytes: &'a [u8],
}

impl Signature<'_> {
    fn fits(&self, algorithm: hmac::Algorithm, secret: &[u8], signed: &str) -> bool {
        hmac::verify(&hmac::Key::new(algorithm, secret), signed.as_bytes(), self.bytes).is_ok()
    }

    fn other_hash(&self, token: &LooseToken, secrets: &[&[u8]]) -> Option<Cause> {
        let hashes = [
            (hmac::HMAC_SHA384, Hash::Sha384),
            (hmac::HMAC_SHA512, Hash::Sha512),
        ];
        let fits = |algorithm| {
            secrets
                .iter()
                .any(|secret| self.fits(algorithm, secret, &token.signed))
        };
        let found = hashes.into_iter().find(|(algorithm, _)| fits(*algorithm));
        found.map(|(_, hash)| Cause::OtherHash(hash))
    }

    fn other_secret(&self, token: &LooseToken, secrets: &[&[u8]]) -> Option<Cause> {
        let fits = |secret: &[u8]| self.fits(hmac::HMAC_SHA256, secret, &token.signed);
        if fits(b"") {
            return Some(Cause::EmptySecret);
        }
        secrets.iter().enumerate().find_map(|(index, secret)| {
            let mut changes = changes_of(secret).into_iter();
            let (change, _) = changes.find(|(_, changed)| fits(changed))?;
            Some(Cause::Secret { index, change })
        })
    }

    fn other_spelling(&self, token: &LooseToken, secrets: &[&[u8]]) -> Option<Cause> {
        spellings_of(&token.payload)
            .into_iter()
            .find_map(|(how, payload)| {
                let signed = signed_text(&token.header, &payload);
                let fits = |secret: &&[u8]| self.fits(hmac::HMAC_SHA256, secret, &signed);
                secrets.iter().any(fits).then_some(Cause::Respelled(how))
            })
    }

    fn other_body(&self, token: &LooseToken, secrets: &[&[u8]], original: &[u8]) -> Option<Cause> {
        let signed = signed_text(&token.header, original);
        let fits = |secret: &&[u8]| self.fits(hmac::HMAC_SHA256, secret, &signed);
        let both = token.payload.iter().zip(original);
        let at = both.take_while(|(here, there)| here == there).count();
        secrets.iter().any(fits).then_some(Cause::BodyChanged { at })
    }
}

/// The secrets that the sender may have used instead of this one. Nothing that is the same as it.
fn changes_of(secret: &[u8]) -> Vec<(SecretChange, Vec<u8>)> {
    let quoted = |quote: &[u8]| {
        let inner = secret.trim_ascii().strip_prefix(quote)?.strip_suffix(quote)?;
        Some((SecretChange::QuotedHere, inner.to_vec()))
    };
    let hex = hex(secret);
    let line_feed = [secret, b"\n"].concat();
    let certain = [
        (SecretChange::WhiteSpaceHere, secret.trim_ascii().to_vec()),
        (SecretChange::LineFeedThere, line_feed),
        (SecretChange::EncodedThere, STANDARD.encode(secret).into_bytes()),
        (
            SecretChange::EncodedThere,
            STANDARD.encode(secret).trim_end_matches('=').into(),
        ),
        (SecretChange::HexEncodedThere, hex.into_bytes()),
    ];
    let decoded = decode(secret.trim_ascii()).map(|bytes| (SecretChange::DecodedThere, bytes));
    let from_hex = decode_hex(secret.trim_ascii()).map(|bytes| (SecretChange::HexDecodedThere, bytes));
    let possible = [quoted(b"\""), quoted(b"'"), from_hex, decoded];
    certain
        .into_iter()
        .chain(possible.into_iter().flatten())
        .collect()
}

/// The payloads that may have been signed if this one was only written anew.
fn spellings_of(payload: &[u8]) -> Vec<(Respelling, Vec<u8>)> {
    let mut spellings = vec![(Respelling::LineFeed, [payload, b"\n"].concat())];
    if let Some(without) = payload.strip_suffix(b"\n") {
        let without = without.strip_suffix(b"\r").unwrap_or(without);
        spellings.push((Respelling::NoLineFeed, without.to_vec()));
    }
    spellings.push((Respelling::Compact, respell(payload, b",", b":")));
    spellings.push((Respelling::Spaced, respell(payload, b", ", b": ")));
    spellings
}

/// JSON text with other white space. Strings and numbers stay as they are.
fn respell(json: &[u8], comma: &[u8], colon: &[u8]) -> Vec<u8> {
    let mut respelled = Vec::with_capacity(json.len());
    let (mut is_in_string, mut is_escaped) = (false, false);
    for &byte in json {
        if is_in_string {
            respelled.push(byte);
            is_in_string = byte != b'"' || is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            continue;
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b',' => respelled.extend_from_slice(comma),
            b':' => respelled.extend_from_slice(colon),
            _ => respelled.push(byte),
        }
        is_in_string = byte == b'"';
    }
    respelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_in_strings_is_no_spelling() {
        let json = br#" { "a , b" : [ 1.50 , "\" : \\" ] , "c":{} } "#;
        let compact = br#"{"a , b":[1.50,"\" : \\"],"c":{}}"#;
        assert_eq!(respell(json, b",", b":"), compact);
        assert_eq!(
            respell(compact, b", ", b": "),
            br#"{"a , b": [1.50, "\" : \\"], "c": {}}"#
        );
    }
}
