//! Our tokens against another implementation's, in both directions, and against the standard's example.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use proptest::prelude::*;
use serde_json::{Map, Value};
use switchhook_protocol::{sign, verify};

/// As a receiver of Dialpad's events must: no claim is required, because none is added.
fn any_claims() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

fn any_event() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    prop::collection::btree_map("[a-z_]{1,12}", value, 0..12).prop_map(|event| event.into_iter().collect())
}

proptest! {
    #[test]
    fn what_we_sign_another_implementation_accepts(event in any_event(), secret in any::<Vec<u8>>()) {
        let token = sign(&secret, &serde_json::to_vec(&event).unwrap());
        let key = DecodingKey::from_secret(&secret);
        let decoded = jsonwebtoken::decode::<Map<String, Value>>(&token, &key, &any_claims()).unwrap();
        prop_assert_eq!(decoded.claims, event);
        prop_assert_eq!(decoded.header, Header::new(Algorithm::HS256));
    }

    #[test]
    fn what_another_implementation_signs_we_accept(event in any_event(), secret in any::<Vec<u8>>()) {
        let key = EncodingKey::from_secret(&secret);
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &event, &key).unwrap();
        let payload = verify(token.as_bytes(), [&secret]).unwrap();
        prop_assert_eq!(payload, serde_json::to_vec(&event).unwrap());
    }

    #[test]
    fn any_bytes_come_back_as_they_went(body in any::<Vec<u8>>(), secret in any::<Vec<u8>>()) {
        let token = sign(&secret, &body);
        prop_assert_eq!(verify(token.as_bytes(), [&secret]).unwrap(), body);
    }

    #[test]
    fn a_token_changed_anywhere_is_refused(
        body in any::<Vec<u8>>(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut token = sign("secret", &body).into_bytes();
        let place = place.index(token.len());
        prop_assume!(token[place] != byte);
        token[place] = byte;
        prop_assert!(verify(&token, ["secret"]).is_err());
    }

    #[test]
    fn arbitrary_tokens_do_no_harm(token in any::<Vec<u8>>(), text in "[A-Za-z0-9_.=-]{0,80}") {
        prop_assert!(verify(&token, ["secret"]).is_err());
        prop_assert!(verify(text.as_bytes(), ["secret"]).is_err());
    }
}

/// RFC 7515, appendix A.1: a header and claims with line breaks inside, which must be kept.
#[test]
fn the_example_of_the_standard_is_accepted() {
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
        .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
        .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key = URL_SAFE_NO_PAD.decode(key).unwrap();
    let payload = verify(token.as_bytes(), [key]).unwrap();
    let claims = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    assert_eq!(String::from_utf8(payload).unwrap(), claims);
}
