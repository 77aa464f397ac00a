//! Encryption of secrets at rest: AES-256-GCM, with what a secret belongs to (`webhook 7`) as associated data.
//!
//! What the store keeps is `v1:KEY:BASE64`: which key, then nonce, ciphertext and tag. The store knows nothing of it
//! (`switchhook_store::Sealer`); where keys come from is `config/encryption.rs`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use switchhook_domain::secret::Secret;
use switchhook_protocol::hex;
use switchhook_store::{Sealer, SecretOwner};
use zeroize::Zeroizing;

/// Size of a key, in bytes.
const KEY_BYTES: usize = 32;

/// The form of what is sealed. Another form gets another word here.
const FORM: &str = "v1";

/// A key that secrets are encrypted with. Shows its name only.
#[derive(Clone)]
pub struct EncryptionKey {
    /// The first 8 hexadecimal digits of an HMAC with the key: which key, and nothing of it.
    name: String,
    key: Arc<RandomizedNonceKey>,
}

/// A text that is no key. It does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not an encryption key: write 32 bytes as 64 hexadecimal digits or as base64; \
     `openssl rand -base64 32` makes one"
)]
pub struct InvalidKey;

impl FromStr for EncryptionKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        let bytes = from_hex(text).or_else(|| from_base64(text)).ok_or(InvalidKey)?;
        Self::of(&bytes)
    }
}

impl EncryptionKey {
    fn of(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| InvalidKey)?;
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, bytes),
            b"switchhook encryption key",
        );
        Ok(Self {
            name: hex(&tag.as_ref()[..4]),
            key: Arc::new(key),
        })
    }

    fn seal(&self, owner: SecretOwner, secret: &Secret) -> String {
        let mut sealed = secret.expose().as_bytes().to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(associated(owner)), &mut sealed);
        let nonce = nonce.expect("a secret is shorter than what GCM can take");
        let mut whole = nonce.as_ref().to_vec();
        whole.append(&mut sealed);
        format!("{FORM}:{}:{}", self.name, URL_SAFE_NO_PAD.encode(whole))
    }

    fn unseal(&self, owner: SecretOwner, sealed: &[u8]) -> Option<Secret> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = Zeroizing::new(sealed.to_vec());
        let text = self
            .key
            .open_in_place(nonce, Aad::from(associated(owner)), &mut opened)
            .ok()?;
        std::str::from_utf8(text).ok().map(Secret::new)
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKey({})", self.name)
    }
}

/// Associated data that ties a secret to its owner: copied to another row it does not open.
fn associated(owner: SecretOwner) -> String {
    format!("switchhook {owner}")
}

fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
        return None;
    }
    let digits = (0..text.len()).step_by(2);
    let bytes = digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok());
    bytes.collect::<Option<Vec<_>>>().map(Zeroizing::new)
}

fn from_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabets = [STANDARD, URL_SAFE];
    let decoded = alphabets.iter().find_map(|alphabet| {
        let engine = GeneralPurpose::new(alphabet, config);
        engine.decode(text).ok().map(Zeroizing::new)
    });
    decoded.filter(|bytes| bytes.len() == KEY_BYTES)
}

/// The key that is used, and older ones that can still be read with.
#[derive(Debug, Clone)]
pub struct Keyring {
    current: EncryptionKey,
    old: Vec<EncryptionKey>,
}

impl Keyring {
    #[must_use]
    pub const fn new(current: EncryptionKey, old: Vec<EncryptionKey>) -> Self {
        Self { current, old }
    }
}

impl Sealer for Keyring {
    fn seal(&self, owner: SecretOwner, secret: &Secret) -> String {
        self.current.seal(owner, secret)
    }

    fn unseal(&self, owner: SecretOwner, sealed: &str) -> Result<Secret, String> {
        let mut parts = sealed.splitn(3, ':');
        let (Some(FORM), Some(name), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("it was encrypted by a newer version of Switchhook".to_owned());
        };
        let mut keys = std::iter::once(&self.current).chain(&self.old);
        let key = keys.find(|key| key.name == name).ok_or_else(|| {
            format!(
                "it was encrypted with the key {name}, the one given is {}: give that one too, in \
                 SWITCHHOOK_ENCRYPTION_KEYS_OLD",
                self.current.name
            )
        })?;
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        key.unseal(owner, &bytes)
            .ok_or_else(|| "what is kept of it was changed or belongs to another: set it anew".to_owned())
    }

    fn is_current(&self, sealed: &str) -> bool {
        let name = sealed.strip_prefix(FORM).and_then(|rest| rest.strip_prefix(':'));
        name.and_then(|rest| rest.strip_prefix(self.current.name.as_str()))
            .is_some_and(|rest| rest.starts_with(':'))
    }
}

#[cfg(test)]
mod tests {
    use switchhook_domain::id::{SourceId, WebhookId};

    use super::*;

    const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const TWO: &str = "ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";
    const HOOK: SecretOwner = SecretOwner::Webhook(WebhookId(7));

    fn key(text: &str) -> EncryptionKey {
        text.parse().unwrap()
    }

    fn keyring(current: &str, old: &[&str]) -> Keyring {
        Keyring::new(key(current), old.iter().map(|text| key(text)).collect())
    }

    #[test]
    fn a_key_is_32_bytes_in_hexadecimal_or_base64() {
        let name = key(ONE).name;
        for same in [
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            " AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
            &ONE.to_uppercase(),
        ] {
            assert_eq!(key(same).name, name);
        }
        assert_eq!(key(&TWO.replace('+', "-")).name, key(TWO).name);
        for wrong in [
            "",
            "hunter2",
            &ONE[2..],
            "AAECAwQFBgcICQoLDA0ODw==",
            &"é".repeat(32),
        ] {
            let error = wrong.parse::<EncryptionKey>().unwrap_err().to_string();
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_sealed_secret_opens_for_its_webhook_and_with_its_key_only() {
        let ring = keyring(ONE, &[]);
        let secret = Secret::new("hunter2 ü");
        let sealed = ring.seal(HOOK, &secret);
        assert!(!sealed.contains("hunter2"));
        assert_ne!(sealed, ring.seal(HOOK, &secret), "never the same nonce");
        assert_eq!(ring.unseal(HOOK, &sealed), Ok(secret.clone()));
        assert!(ring.unseal(SecretOwner::Source(SourceId(7)), &sealed).is_err());
        let mut changed = sealed.clone();
        changed.replace_range(
            sealed.len() - 4..sealed.len() - 3,
            if sealed.as_bytes()[sealed.len() - 4] == b'A' {
                "B"
            } else {
                "A"
            },
        );
        assert!(ring.unseal(HOOK, &changed).is_err());
        for odd in ["", "v1", "v2:ab:cd", "v1:ab:cd", &sealed[..20]] {
            assert!(ring.unseal(HOOK, odd).is_err(), "{odd}");
        }
        let other = keyring(TWO, &[]).unseal(HOOK, &sealed).unwrap_err();
        assert!(other.contains("ENCRYPTION_KEYS_OLD"), "{other}");
    }

    #[test]
    fn an_older_key_still_reads_and_no_longer_writes() {
        let sealed = keyring(ONE, &[]).seal(HOOK, &Secret::new("hunter2"));
        let ring = keyring(TWO, &[ONE]);
        assert_eq!(ring.unseal(HOOK, &sealed).unwrap().expose(), "hunter2");
        assert!(!ring.is_current(&sealed));
        assert!(ring.is_current(&ring.seal(HOOK, &Secret::new("hunter2"))));
    }

    #[test]
    fn keys_do_not_show() {
        let shown = format!("{:?}", keyring(ONE, &[TWO]));
        assert!(!shown.contains("000102") && !shown.contains("ISIj"), "{shown}");
    }
}
