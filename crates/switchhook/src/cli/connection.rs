//! Server and API key of client commands.
//!
//! Without flags and variables they are those of `switchhook dev` in the same folder, which stores both there. The address counts
//! only if it is one of this machine, and the key is sent to no other: a folder may come from a stranger.

use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueHint};
use switchhook_domain::secret::Secret;
use url::{Host, Url};

use crate::words;
use crate::{dev, private_folder};
use switchhook_client::Client;

/// URL of the server without flags, variables and `switchhook dev`.
const DEFAULT_URL: &str = "http://127.0.0.1:8400";

/// Delay before asking again a server that is down.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Options for the server and the API key.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct Connection {
    /// URL of the Switchhook server [default: the `switchhook dev` of this folder, or http://127.0.0.1:8400]
    #[arg(long, global = true, env = "SWITCHHOOK_URL", hide_env_values = true, value_name = "URL", value_hint = ValueHint::Url, value_parser = words::url("http://127.0.0.1:8400"))]
    url: Option<Url>,

    /// API key [default: that of `switchhook dev` in this folder]
    #[arg(long, global = true, env = "SWITCHHOOK_API_KEY", value_name = "KEY", hide_env_values = true, value_parser = parse_key)]
    key: Option<Secret>,
}

impl Connection {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let (url, dev_folder) = (self.url(), DevFolder::read(Path::new(private_folder::NAME)));
        let found = dev_folder
            .key
            .filter(|_| self.key.is_none() && is_this_machine(&url));
        Ok(Client::new(&url, self.key.as_ref().or(found.as_ref()))?)
    }

    /// URL of the server.
    pub(super) fn url(&self) -> Url {
        let dev_folder = || DevFolder::read(Path::new(private_folder::NAME)).url;
        let default = || DEFAULT_URL.parse().expect("it is a URL");
        self.url.clone().or_else(dev_folder).unwrap_or_else(default)
    }
}

/// Address and key that `switchhook dev` stored in its folder.
struct DevFolder {
    url: Option<Url>,
    key: Option<Secret>,
}

impl DevFolder {
    fn read(folder: &Path) -> Self {
        let read = |name| {
            let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let url = read(dev::ADDRESS_FILE).and_then(|text| text.parse().ok());
        Self {
            url: url.filter(is_this_machine),
            key: read(dev::KEY_FILE).map(Secret::new),
        }
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
        Some(Host::Ipv4(address)) => is_own_address(address.into()),
        Some(Host::Ipv6(address)) => is_own_address(address.into()),
        None => false,
    }
}

/// True if a socket can be bound to the address, as only to own ones.
fn is_own_address(address: IpAddr) -> bool {
    address.is_loopback() || (!address.is_unspecified() && UdpSocket::bind((address, 0)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dev_left_is_for_this_machine_only() {
        for url in ["http://127.0.0.1:8400", "http://localhost:1", "http://[::1]:8400"] {
            assert!(is_this_machine(&url.parse().unwrap()), "{url}");
        }
        for url in [
            "http://192.0.2.1:8400",
            "http://0.0.0.0:8400",
            "https://example.com",
            "http://localhost.example.com",
            "http://[2001:db8::1]",
        ] {
            assert!(!is_this_machine(&url.parse().unwrap()), "{url}");
        }
    }

    #[test]
    fn an_address_that_dev_left_counts_if_it_is_one_of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let dev_folder = |address: &str| {
            std::fs::write(folder.path().join(dev::ADDRESS_FILE), address).unwrap();
            std::fs::write(folder.path().join(dev::KEY_FILE), "shk_dev\n").unwrap();
            let dev_folder = DevFolder::read(folder.path());
            assert_eq!(dev_folder.key, Some(Secret::new("shk_dev")));
            dev_folder.url.map(|url| url.to_string())
        };
        assert_eq!(
            dev_folder("http://127.0.0.1:9999\n").as_deref(),
            Some("http://127.0.0.1:9999/")
        );
        for address in ["", "nonsense", "https://evil.example", "http://192.0.2.1:8400"] {
            assert_eq!(dev_folder(address), None, "{address}");
        }
    }
}
