//! Which server a client command asks, and with which key.
//!
//! Without flags and variables it is the `switchhook dev` of the same folder, which leaves both there. Its address counts
//! only if it is one of this machine, and its key goes to no other: a folder may come from a stranger.

use std::net::{IpAddr, UdpSocket};
use std::path::Path;

use clap::{Args, ValueHint};
use switchhook_domain::secret::Secret;
use url::{Host, Url};

use crate::words;
use crate::{dev, private_folder};
use switchhook_client::Client;

/// The server to ask if nothing says which.
const USUAL: &str = "http://127.0.0.1:8400";

/// The server to ask.
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
    /// A client for that server.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let (url, left) = (self.url(), Left::in_folder(Path::new(private_folder::NAME)));
        let found = left.key.filter(|_| self.key.is_none() && is_this_machine(&url));
        Ok(Client::new(&url, self.key.as_ref().or(found.as_ref()))?)
    }

    /// Where the server is.
    pub(super) fn url(&self) -> Url {
        let left = || Left::in_folder(Path::new(private_folder::NAME)).url;
        let usual = || USUAL.parse().expect("it is a URL");
        self.url.clone().or_else(left).unwrap_or_else(usual)
    }
}

/// What `switchhook dev` left in its folder.
struct Left {
    url: Option<Url>,
    key: Option<Secret>,
}

impl Left {
    fn in_folder(folder: &Path) -> Self {
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
        Some(Host::Ipv4(address)) => is_ours(address.into()),
        Some(Host::Ipv6(address)) => is_ours(address.into()),
        None => false,
    }
}

/// One can only listen at one's own addresses.
fn is_ours(address: IpAddr) -> bool {
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
        let left = |address: &str| {
            std::fs::write(folder.path().join(dev::ADDRESS_FILE), address).unwrap();
            std::fs::write(folder.path().join(dev::KEY_FILE), "shk_dev\n").unwrap();
            let left = Left::in_folder(folder.path());
            assert_eq!(left.key, Some(Secret::new("shk_dev")));
            left.url.map(|url| url.to_string())
        };
        assert_eq!(
            left("http://127.0.0.1:9999\n").as_deref(),
            Some("http://127.0.0.1:9999/")
        );
        for address in ["", "nonsense", "https://evil.example", "http://192.0.2.1:8400"] {
            assert_eq!(left(address), None, "{address}");
        }
    }
}
