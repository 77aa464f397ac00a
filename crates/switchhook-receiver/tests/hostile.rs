//! Tokens made to get in without the secret, and bodies made to do harm: each is refused, for its own reason.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use switchhook_protocol::{TokenPart, VerifyError, sign};
use switchhook_receiver::{MAX_BODY_BYTES, Receiver, Refusal};

const SECRET: &str = "a secret of more than thirty-two bytes";
const EVENT: &str = r#"{"call_id":1,"state":"hangup"}"#;

fn receiver() -> Receiver {
    let builder = Receiver::builder().secret(SECRET).also_accept("the former");
    builder.build().expect("the secrets are not empty")
}

#[track_caller]
fn check(content: impl AsRef<[u8]>, status: u16, reason: VerifyError) {
    let refusal = receiver().receive(content.as_ref()).expect_err("it is refused");
    assert_eq!(refusal.answer_status(), status);
    assert_eq!(refusal, Refusal::Signature(reason));
}

/// Signed rightly with the key, whatever the header says.
fn token(header: &str, payload: &str, key: &[u8]) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn other(found: &str) -> VerifyError {
    VerifyError::OtherAlgorithm {
        found: format!("\"{found}\""),
    }
}

#[test]
fn an_unsigned_token_is_refused_however_none_is_spelled() {
    for none in ["none", "None", "NONE", "nOnE"] {
        let header = format!(r#"{{"alg":"{none}","typ":"JWT"}}"#);
        check(
            token(&header, EVENT, SECRET.as_bytes()),
            401,
            VerifyError::Unsigned,
        );
        let unsigned = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(&header),
            URL_SAFE_NO_PAD.encode(EVENT)
        );
        check(unsigned, 401, VerifyError::Unsigned);
    }
    let stripped = sign(SECRET, EVENT.as_bytes());
    let (signed, _) = stripped.rsplit_once('.').expect("it is a token");
    check(
        format!("{signed}."),
        401,
        VerifyError::WrongSignature { secrets_tried: 2 },
    );
    check(signed, 400, VerifyError::Segments { found: 2 });
}

#[test]
fn a_public_key_is_no_secret() {
    // The classic confusion: an HMAC made with the text of a public key, offered to who would check an RSA signature.
    let public_key =
        b"-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL\n-----END PUBLIC KEY-----\n";
    for algorithm in [
        "RS256", "ES256", "PS256", "EdDSA", "HS384", "HS512", "HS256 ", "hs256",
    ] {
        let header = format!(r#"{{"alg":"{algorithm}"}}"#);
        check(token(&header, EVENT, public_key), 401, other(algorithm));
        check(token(&header, EVENT, SECRET.as_bytes()), 401, other(algorithm));
    }
    let wrong = VerifyError::WrongSignature { secrets_tried: 2 };
    check(token(r#"{"alg":"HS256"}"#, EVENT, public_key), 401, wrong.clone());
    check(token(r#"{"alg":"HS256"}"#, EVENT, b""), 401, wrong.clone());
    check(token(r#"{"alg":"HS256"}"#, EVENT, b"\0"), 401, wrong.clone());
    // A key that the token brings along is nobody's.
    let jwk =
        r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"kid":"../../dev/null","jku":"http://127.0.0.1/"}"#;
    check(token(jwk, EVENT, &[0, 0, 0]), 401, wrong);
}

#[test]
fn of_two_algorithms_the_last_counts_and_the_signature_must_hold_all_the_same() {
    let header = r#"{"alg":"HS256","alg":"none"}"#;
    check(
        token(header, EVENT, SECRET.as_bytes()),
        401,
        VerifyError::Unsigned,
    );
    let header = r#"{"alg":"none","alg":"HS256"}"#;
    check(
        token(header, EVENT, b"guess"),
        401,
        VerifyError::WrongSignature { secrets_tried: 2 },
    );
    let nested = r#"{"\u0061lg":"none"}"#;
    check(
        token(nested, EVENT, SECRET.as_bytes()),
        401,
        VerifyError::Unsigned,
    );
}

#[test]
fn every_token_has_one_spelling() {
    let good = sign(SECRET, EVENT.as_bytes());
    let segments: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = segments[..] else {
        panic!("{good}");
    };
    let at = |part, found, at| VerifyError::NotBase64 { part, at, found };
    check(
        format!("{good}.{payload}"),
        400,
        VerifyError::Segments { found: 4 },
    );
    check(format!("{good}..."), 400, VerifyError::Segments { found: 6 });
    check(format!(".{good}"), 400, VerifyError::Segments { found: 4 });
    check(
        format!("{good}="),
        400,
        VerifyError::Padded {
            part: TokenPart::Signature,
        },
    );
    check(
        format!("{good}\n"),
        400,
        at(TokenPart::Signature, '\n', signature.len()),
    );
    check(format!(" {good}"), 400, at(TokenPart::Header, ' ', 0));
    check(format!("\"{good}\""), 400, at(TokenPart::Header, '"', 0));
    check(
        format!("{header}.{payload}.{signature}\0"),
        400,
        at(TokenPart::Signature, '\0', signature.len()),
    );
    let standard = STANDARD.encode([0xfb_u8, 0xff, 0xfe]);
    check(
        format!("{header}.{payload}.{standard}"),
        400,
        at(TokenPart::Signature, '+', 0),
    );
    let twin = {
        let mut twin = good.clone().into_bytes();
        let last = twin.last_mut().expect("it is not empty");
        *last += 1;
        twin
    };
    check(
        twin,
        400,
        VerifyError::NotCanonical {
            part: TokenPart::Signature,
        },
    );
    let short = &good[..good.len() - 3];
    check(short, 401, VerifyError::WrongSignature { secrets_tried: 2 });
}

#[test]
fn parts_of_good_tokens_make_no_good_token() {
    let one = sign(SECRET, EVENT.as_bytes());
    let two = sign(SECRET, br#"{"call_id":2,"state":"hangup"}"#);
    let (signed, _) = one.rsplit_once('.').expect("it is a token");
    let (_, tag) = two.rsplit_once('.').expect("it is a token");
    check(
        format!("{signed}.{tag}"),
        401,
        VerifyError::WrongSignature { secrets_tried: 2 },
    );
}

#[test]
fn what_is_large_is_not_looked_at_and_what_is_deep_does_no_harm() {
    let huge = vec![b'a'; MAX_BODY_BYTES + 1];
    let refusal = receiver().receive(&huge).expect_err("it is refused");
    assert_eq!(
        (refusal.answer_status(), refusal),
        (413, Refusal::TooLarge { bytes: huge.len() })
    );
    let dots = vec![b'.'; MAX_BODY_BYTES];
    check(
        &dots,
        400,
        VerifyError::Segments {
            found: MAX_BODY_BYTES + 1,
        },
    );
    let deep = format!("{{\"a\":{}", "[".repeat(500_000));
    let refusal = receiver().receive(sign(SECRET, deep.as_bytes()).as_bytes());
    assert_eq!(refusal.expect_err("it is not JSON").answer_status(), 400);
    let header = "[".repeat(200_000);
    let refused = receiver().receive(token(&header, EVENT, SECRET.as_bytes()).as_bytes());
    assert!(
        matches!(
            refused,
            Err(Refusal::Signature(VerifyError::HeaderNotJson { .. }))
        ),
        "{refused:?}"
    );
}

#[test]
fn a_refusal_tells_nothing_that_is_secret() {
    for content in [
        token("{}", "my text", b"x"),
        format!("\"{SECRET}\""),
        sign("guess", b"my text"),
    ] {
        let refusal = receiver().receive(content.as_bytes()).expect_err("it is refused");
        let told = format!("{refusal} {refusal:?}");
        assert!(!told.contains("my text") && !told.contains(SECRET), "{told}");
    }
}
