//! Source of the encryption key: a variable, a flag or a file. Using it is `encryption.rs`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::file::read_text;
use super::sources::Mistakes;
use switchhook_node::encryption::{EncryptionKey, Keyring};

/// The key that secrets in the store are encrypted with.
#[derive(Clone, Debug, Default, Args)]
pub struct EncryptionOptions {
    /// Key that encrypts secrets in the store: 32 bytes as base64 or hexadecimal digits
    #[arg(
        long,
        env = "SWITCHHOOK_ENCRYPTION_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub encryption_key: Option<EncryptionKey>,

    /// File with the encryption key in its first line and older keys in further lines
    #[arg(
        long,
        env = "SWITCHHOOK_ENCRYPTION_KEY_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub encryption_key_file: Option<PathBuf>,

    /// Older encryption keys that can still decrypt secrets, separated by commas
    #[arg(
        long,
        env = "SWITCHHOOK_ENCRYPTION_KEYS_OLD",
        hide_env_values = true,
        value_name = "KEYS",
        value_delimiter = ','
    )]
    pub encryption_keys_old: Vec<EncryptionKey>,
}

impl EncryptionOptions {
    /// The keys; `None` if secrets are not to be encrypted.
    ///
    /// # Errors
    /// If the options contradict each other, or the file holds no keys.
    pub fn keyring(&self) -> Result<Option<Keyring>, Mistakes> {
        let mistake = |what: String| Mistakes(vec![what]);
        let mut keys = match (&self.encryption_key, &self.encryption_key_file) {
            (Some(_), Some(_)) => {
                let both = "encryption-key and encryption-key-file are both set: use one of them";
                return Err(mistake(both.to_owned()));
            }
            (Some(key), None) => vec![key.clone()],
            (None, Some(path)) => read(path).map_err(mistake)?,
            (None, None) => Vec::new(),
        };
        keys.extend(self.encryption_keys_old.iter().cloned());
        let mut keys = keys.into_iter();
        match (
            keys.next(),
            self.encryption_key.is_some() || self.encryption_key_file.is_some(),
        ) {
            (Some(current), true) => Ok(Some(Keyring::new(current, keys.collect()))),
            (Some(_), false) => {
                let alone = "encryption-keys-old: these are only read with; set encryption-key too";
                Err(mistake(alone.to_owned()))
            }
            (None, _) => Ok(None),
        }
    }
}

fn read(path: &Path) -> Result<Vec<EncryptionKey>, String> {
    let place = format!("encryption-key-file: {}", path.display());
    let text = read_text(path).map_err(|error| format!("{place} cannot be read: {error}"))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let keys = lines.map(|(at, line)| {
        line.parse()
            .map_err(|error| format!("{place}:{}: {error}", at + 1))
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(format!("{place} is empty: write a key into it"));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const TWO: &str = "ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";

    fn with_file(text: &str) -> Result<Option<Keyring>, Mistakes> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, text).unwrap();
        let options = EncryptionOptions {
            encryption_key_file: Some(path),
            ..EncryptionOptions::default()
        };
        options.keyring()
    }

    #[test]
    fn a_file_has_the_key_and_older_ones() {
        let both = with_file(&format!("{ONE}\n\n{TWO}\n")).unwrap();
        let same = EncryptionOptions {
            encryption_key: Some(ONE.parse().unwrap()),
            encryption_keys_old: vec![TWO.parse().unwrap()],
            ..EncryptionOptions::default()
        };
        assert_eq!(format!("{both:?}"), format!("{:?}", same.keyring().unwrap()));
        assert!(EncryptionOptions::default().keyring().unwrap().is_none());
    }

    #[test]
    fn a_file_without_a_key_is_a_mistake_that_names_its_line() {
        for (text, part) in [("", "is empty"), ("hunter2", ":1: this is not an encryption key")] {
            let messages = with_file(text).unwrap_err().0.remove(0);
            assert!(
                messages.contains(part) && !messages.contains("hunter2"),
                "{messages}"
            );
        }
    }

    #[test]
    fn old_keys_alone_encrypt_nothing() {
        let options = EncryptionOptions {
            encryption_keys_old: vec![TWO.parse().unwrap()],
            ..EncryptionOptions::default()
        };
        assert!(options.keyring().is_err());
    }
}
