//! Diagnosis of tokens that do not fit: each of the usual mistakes, made on purpose.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use switchhook_protocol::{Cause, Hash, Respelling, SecretChange, VerifyError, diagnose, sign, verify};

const SECRET: &str = "c2hhcmVkIHNlY3JldCE=";
const EVENT: &[u8] = br#"{"call_id":1,"state":"hangup"}"#;

#[track_caller]
fn check(content: impl AsRef<[u8]>, expected: &[Cause]) {
    let diagnosis = diagnose(content.as_ref(), &["another", SECRET], None);
    assert!(diagnosis.verdict.is_err(), "{diagnosis:?}");
    assert_eq!(diagnosis.causes, expected, "{diagnosis:?}");
    assert_eq!(diagnosis.payload.is_some(), !expected.is_empty());
}

#[track_caller]
fn check_secret(senders: impl AsRef<[u8]>, ours: &str, change: SecretChange) {
    let diagnosis = diagnose(sign(senders, EVENT).as_bytes(), &["another", ours], None);
    assert_eq!(
        diagnosis.causes,
        [Cause::Secret { index: 1, change }],
        "{diagnosis:?}"
    );
    let told = diagnosis.causes[0].to_string();
    assert!(told.starts_with("secret 2: ") && !told.contains(ours), "{told}");
}

fn signed_with(algorithm: hmac::Algorithm, name: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"{name}\"}}"));
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(EVENT));
    let tag = hmac::sign(&hmac::Key::new(algorithm, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// The token with its payload replaced.
fn carrying(payload: &[u8]) -> String {
    sign(SECRET, EVENT).replace(&URL_SAFE_NO_PAD.encode(EVENT), &URL_SAFE_NO_PAD.encode(payload))
}

#[test]
fn a_signature_that_holds_needs_no_explanation() {
    let diagnosis = diagnose(sign(SECRET, EVENT).as_bytes(), &["another", SECRET], None);
    assert_eq!(diagnosis.verdict, Ok(1));
    assert_eq!(diagnosis.causes, []);
    assert_eq!(
        diagnosis.header.as_deref(),
        Some(r#"{"alg":"HS256","typ":"JWT"}"#)
    );
    assert_eq!(diagnosis.payload.as_deref(), Some(EVENT));
}

#[test]
fn what_stands_around_a_token_is_named() {
    let token = sign(SECRET, EVENT);
    check(format!("{token}\n"), &[Cause::WhiteSpace]);
    check(format!("\"{token}\""), &[Cause::Quoted]);
    check(format!("\"{token}\"\r\n"), &[Cause::WhiteSpace, Cause::Quoted]);
    check(format!("\u{feff}{token}"), &[Cause::ByteOrderMark]);
    check(format!("Bearer {token}"), &[Cause::Bearer]);
}

#[test]
fn another_encoding_is_named() {
    let token = sign(SECRET, EVENT);
    check(format!("{token}="), &[Cause::OtherBase64]);
    let padded = token.split('.').map(|segment| {
        let bytes = URL_SAFE_NO_PAD.decode(segment).expect("it is a token");
        URL_SAFE.encode(bytes)
    });
    check(padded.collect::<Vec<_>>().join("."), &[Cause::OtherBase64]);
    let (signed, tag) = token.rsplit_once('.').expect("it is a token");
    let tag = URL_SAFE_NO_PAD.decode(tag).expect("it is a token");
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    check(format!("{signed}.{hex}"), &[Cause::SignatureInHex]);
}

#[test]
fn another_algorithm_is_named() {
    check(
        signed_with(hmac::HMAC_SHA512, "HS512"),
        &[Cause::OtherHash(Hash::Sha512)],
    );
    check(
        signed_with(hmac::HMAC_SHA384, "HS256"),
        &[Cause::OtherHash(Hash::Sha384)],
    );
    let none = signed_with(hmac::HMAC_SHA256, "none");
    let diagnosis = diagnose(none.as_bytes(), &[SECRET], None);
    assert_eq!(
        (diagnosis.verdict, diagnosis.causes),
        (Err(VerifyError::Unsigned), vec![])
    );
}

#[test]
fn what_happened_to_the_secret_is_named_and_the_secret_is_not() {
    check_secret(SECRET, &format!("{SECRET} "), SecretChange::WhiteSpaceHere);
    check_secret(format!("{SECRET}\n"), SECRET, SecretChange::LineFeedThere);
    check_secret(SECRET, &format!("\"{SECRET}\""), SecretChange::QuotedHere);
    check_secret(
        STANDARD.decode(SECRET).expect("it is base64"),
        SECRET,
        SecretChange::DecodedThere,
    );
    check_secret(STANDARD.encode(SECRET), SECRET, SecretChange::EncodedThere);
    check_secret(b"\x01\xab", "01aB", SecretChange::HexDecodedThere);
    check_secret("012b", "\u{1}\u{2b}", SecretChange::HexEncodedThere);
    check(sign("", EVENT), &[Cause::EmptySecret]);
}

#[test]
fn what_happened_to_the_body_is_named() {
    let spaced = br#"{"call_id": 1, "state": "hangup"}"#;
    check(carrying(spaced), &[Cause::Respelled(Respelling::Compact)]);
    check(
        carrying(b"{\"call_id\":1,\"state\":\"hangup\"}\n"),
        &[Cause::Respelled(Respelling::NoLineFeed)],
    );
    let changed = carrying(br#"{"call_id":1,"state":"missed"}"#);
    check(&changed, &[Cause::Unexplained]);
    check(carrying(b"{\"call_id\":1,\"st"), &[Cause::PayloadBroken]);
    let diagnosis = diagnose(changed.as_bytes(), &[SECRET], Some(EVENT));
    assert_eq!(diagnosis.causes, [Cause::BodyChanged { at: 22 }]);
    let stranger = diagnose(changed.as_bytes(), &["another"], Some(EVENT));
    assert_eq!(stranger.causes, [Cause::Unexplained]);
}

#[test]
fn what_is_no_token_has_no_causes() {
    check(EVENT, &[]);
    check("", &[]);
    check("hello", &[]);
    check("a.b", &[]);
}

proptest! {
    #[test]
    fn it_never_calls_good_what_a_receiver_refuses(content in any::<Vec<u8>>(), secret in any::<Vec<u8>>()) {
        let token = sign(&secret, &content);
        for content in [content.as_slice(), token.as_bytes(), &token.as_bytes()[1..]] {
            let verdict = diagnose(content, &[&secret], Some(content)).verdict;
            prop_assert_eq!(verdict.map(|_| ()), verify(content, [&secret]).map(|_| ()));
        }
    }
}
