//! API keys in the making: what a key looks like, the hash that is kept in its place, the file it may be kept in.
//!
//! Whose a key is and what it may do is the domain's (`switchhook_domain::key`); who checks it is the API's.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use switchhook_domain::id::CompanyId;
use switchhook_domain::secret::SHORTEST_SECRET;

use crate::amounts;
use crate::duration::parse_duration;
use crate::randomness::fill_secret;

/// For how long a key with an end may work. Longer ends are slips, and some lie beyond what a time can be.
pub const LIFE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_650 * 24 * 60 * 60);

/// Reads after which time a key stops working.
///
/// # Errors
/// Says what is wrong with it, and what to write instead.
pub fn parse_life(text: &str) -> Result<Duration, String> {
    let life = parse_duration(text).map_err(|invalid| invalid.to_string())?;
    if LIFE.contains(&life) {
        return Ok(life);
    }
    let (least, most) = (amounts::time(*LIFE.start()), amounts::time(*LIFE.end()));
    Err(format!(
        "`{text}` is not a time from {least} to {most}, like 90d; leave it out for a key without an end"
    ))
}

/// Prefix of every key, by which people and secret scanners recognize one.
pub const PREFIX: &str = "shk_";

/// Company of keys created for none in particular.
pub const DEFAULT_COMPANY: CompanyId = CompanyId(1);

/// A key that nobody has seen yet: 256 bits that cannot be guessed.
#[must_use]
pub fn new_key() -> String {
    format!("{PREFIX}{}", new_secret())
}

/// A secret that nobody has seen yet, for a webhook: as strong as a key.
#[must_use]
pub fn new_secret() -> String {
    let mut bytes = [0; SHORTEST_SECRET];
    fill_secret(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// SHA-256 of a key, which is what the store has. It needs no salt and no stretching, because a key has 256 random
/// bits.
#[must_use]
pub fn hash(key: &str) -> [u8; 32] {
    hash_of(key.as_bytes())
}

/// The SHA-256 of anything.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> [u8; 32] {
    let digest = digest(&SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Writes a line to a file that only its owner may read.
///
/// # Errors
/// If the file cannot be written or not be kept from others.
pub fn write_private(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    // The mode above is only that of a new file.
    file.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(file, "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_prefix_and_is_never_the_same() {
        let (one, two) = (new_key(), new_key());
        assert_eq!(one.len(), PREFIX.len() + 43);
        assert!(one.starts_with(PREFIX));
        assert_ne!(one, two);
    }

    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(hash("abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    #[test]
    fn a_private_file_is_private_even_if_it_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "an older and longer key").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write_private(&path, "shk_new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "shk_new\n");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
