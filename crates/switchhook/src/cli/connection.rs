//! Which server a client command asks, and with which key.
//!
//! Without a flag and a variable the key of a `switchhook dev` in the same folder is used, and only for a server on
//! this machine: nobody else gets to see it.

use std::path::Path;

use clap::Args;
use switchhook_domain::secret::Secret;
use url::{Host, Url};

use crate::client::Client;

/// Where `switchhook dev` leaves its key.
const DEV_KEY: &str = ".switchhook/key";

/// The server to ask.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct Connection {
    /// The Switchhook server to ask
    #[arg(
        long,
        global = true,
        env = "SWITCHHOOK_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8400"
    )]
    pub(super) url: Url,

    /// The API key; without one that of `switchhook dev` in this folder
    #[arg(long, global = true, env = "SWITCHHOOK_API_KEY", value_name = "KEY", hide_env_values = true, value_parser = parse_key)]
    key: Option<Secret>,
}

impl Connection {
    /// A client for that server.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let found = if self.key.is_none() {
            self.dev_key(Path::new(DEV_KEY))
        } else {
            None
        };
        Ok(Client::new(&self.url, self.key.as_ref().or(found.as_ref()))?)
    }

    fn dev_key(&self, path: &Path) -> Option<Secret> {
        if !is_this_machine(&self.url) {
            return None;
        }
        let text = std::fs::read_to_string(path).ok()?;
        let key = text.trim();
        (!key.is_empty()).then(|| Secret::new(key))
    }
}

fn parse_key(text: &str) -> Result<Secret, String> {
    match text.trim() {
        "" => Err("the key is empty; leave --key and SWITCHHOOK_API_KEY away to have none".to_owned()),
        key => Ok(Secret::new(key)),
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(url: &str) -> Connection {
        Connection {
            url: url.parse().unwrap(),
            key: None,
        }
    }

    #[test]
    fn the_key_of_dev_goes_to_this_machine_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "shk_dev\n").unwrap();
        for url in ["http://127.0.0.1:8400", "http://localhost:1", "http://[::1]:8400"] {
            assert_eq!(
                connection(url).dev_key(&file),
                Some(Secret::new("shk_dev")),
                "{url}"
            );
        }
        for url in [
            "http://192.168.0.1:8400",
            "https://example.com",
            "http://localhost.example.com",
        ] {
            assert_eq!(connection(url).dev_key(&file), None, "{url}");
        }
    }
}
