//! Token in a session's cookie, from which every node can restore the session, and which nobody else can make or
//! read.
//!
//! It holds the id of the API key and, sealed, the key itself and the time of signing in. The sealing key is derived
//! from the API key's hash, which the nodes share through the store. So whoever steals a cookie has a session and not
//! the key, and whoever can read the store cannot make a session, because the key is not in it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use switchhook_domain::Timestamp;
use switchhook_domain::id::KeyId;
use switchhook_domain::key::ApiKey;
use zeroize::Zeroizing;

use switchhook_node::keys;

/// Size of an id or a time, in bytes.
const NUMBER: usize = 8;

/// No cookie of ours is longer.
const LONGEST: usize = 1_024;

/// Makes the token of a session that begins with `shown`, which is `key`.
pub(super) fn seal(key: &ApiKey, shown: &str, now: Timestamp) -> String {
    let id = key.id.0.to_be_bytes();
    let mut sealed = now.as_millis().to_be_bytes().to_vec();
    sealed.extend_from_slice(shown.as_bytes());
    let nonce = sealing_key(key)
        .seal_in_place_append_tag(Aad::from(id), &mut sealed)
        .expect("a key is shorter than what GCM can take");
    let mut whole = id.to_vec();
    whole.extend_from_slice(nonce.as_ref());
    whole.append(&mut sealed);
    URL_SAFE_NO_PAD.encode(whole)
}

/// Id of the key that a token claims to be made with. Nothing is verified yet.
pub(super) fn claimed_key(token: &str) -> Option<KeyId> {
    let whole = decode(token)?;
    let id = whole.first_chunk::<NUMBER>()?;
    Some(KeyId(i64::from_be_bytes(*id)))
}

/// Start of the session, if the token was made with `key`.
pub(super) fn open(token: &str, key: &ApiKey) -> Option<Timestamp> {
    let whole = decode(token)?;
    let (id, rest) = whole.split_first_chunk::<NUMBER>()?;
    let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut opened = Zeroizing::new(sealed.to_vec());
    let opened = sealing_key(key)
        .open_in_place(nonce, Aad::from(*id), &mut opened)
        .ok()?;
    let (began_at, shown) = opened.split_first_chunk::<NUMBER>()?;
    verify_slices_are_equal(&keys::hash_of(shown), &key.hash).ok()?;
    Some(Timestamp::from_millis(i64::from_be_bytes(*began_at)))
}

/// CSRF token of a session: the same on every node, and no help in finding the session's token.
pub(super) fn csrf(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(keys::hash(&format!("forms of {token}")))
}

fn decode(token: &str) -> Option<Vec<u8>> {
    (token.len() <= LONGEST).then(|| URL_SAFE_NO_PAD.decode(token).ok())?
}

fn sealing_key(key: &ApiKey) -> RandomizedNonceKey {
    let derived = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, &key.hash),
        b"switchhook dashboard session",
    );
    RandomizedNonceKey::new(&AES_256_GCM, derived.as_ref()).expect("HMAC-SHA256 has 32 bytes")
}

#[cfg(test)]
pub(super) mod tests {
    use switchhook_domain::id::CompanyId;
    use switchhook_domain::scope::Scopes;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    pub(crate) fn key(id: i64, shown: &str) -> ApiKey {
        ApiKey {
            scopes: Scopes::NONE,
            ..ApiKey::of_admin(KeyId(id), CompanyId(1), "", keys::hash(shown), NOW)
        }
    }

    #[test]
    fn a_token_opens_with_its_key_and_does_not_show_it() {
        let key = key(7, "shk_one");
        let token = seal(&key, "shk_one", NOW);
        assert_eq!(claimed_key(&token), Some(KeyId(7)));
        assert_eq!(open(&token, &key), Some(NOW));
        assert!(!String::from_utf8_lossy(&decode(&token).unwrap()).contains("one"));
        assert_ne!(token, seal(&key, "shk_one", NOW), "no two sessions have the same");
        assert_ne!(csrf(&token), token);
    }

    #[test]
    fn nobody_makes_a_token_who_knows_only_what_the_store_knows() {
        let key = key(7, "shk_one");
        assert_eq!(open(&seal(&key, "shk_guessed", NOW), &key), None);
        assert_eq!(open(&seal(&self::key(7, "shk_two"), "shk_two", NOW), &key), None);
        for nonsense in ["", "AAAA", "not base64!", &"A".repeat(5_000)] {
            assert_eq!(open(nonsense, &key), None, "{nonsense}");
        }
    }
}
