//! Options for the addresses of receivers, and for proxies to them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ipnet::{IpNet, Ipv4Net};

use super::file::read_text;
use super::sources::Mistakes;
use crate::words;
use switchhook_http::proxy::{Outbound, Proxy, no_proxy_entry, read_certificates};
use switchhook_node::duration::parse_duration;

/// Options for reaching receivers.
#[derive(Clone, Debug, Args)]
pub struct HookOptions {
    /// Non-public address ranges that hook URLs may lead to, separated by commas: 10.0.0.0/8
    #[arg(long, env = "SWITCHHOOK_HOOK_ALLOW", hide_env_values = true, value_name = "CIDR", value_delimiter = ',', value_parser = parse_network)]
    pub hook_allow: Vec<IpNet>,

    /// Address ranges that hook URLs must not lead to, even if public or allowed, separated by commas: 203.0.114.0/24
    #[arg(long, env = "SWITCHHOOK_HOOK_DENY", hide_env_values = true, value_name = "CIDR", value_delimiter = ',', value_parser = parse_network)]
    pub hook_deny: Vec<IpNet>,

    /// Allow hook URLs with http://
    #[arg(long, env = "SWITCHHOOK_HOOK_ALLOW_HTTP", hide_env_values = true, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = words::yes_no())]
    pub hook_allow_http: bool,

    /// Extra root certificates (PEM) to trust when connecting to receivers
    #[arg(long, env = "SWITCHHOOK_HOOK_CA", hide_env_values = true, value_name = "FILE")]
    pub hook_ca: Option<PathBuf>,

    /// HTTP proxy for deliveries: http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT
    #[arg(
        long,
        env = "SWITCHHOOK_HOOK_PROXY",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub hook_proxy: Option<Proxy>,

    /// Let the proxy resolve the names in hook URLs; --hook-allow and --hook-deny then do not apply to names
    #[arg(long, env = "SWITCHHOOK_HOOK_PROXY_BY_NAME", hide_env_values = true, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = words::yes_no())]
    pub hook_proxy_by_name: bool,

    /// Hosts to reach without the proxy, separated by commas: names (with their subdomains), addresses, ranges
    #[arg(
        long,
        env = "SWITCHHOOK_HOOK_NO_PROXY",
        hide_env_values = true,
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = no_proxy_entry
    )]
    pub hook_no_proxy: Vec<String>,

    /// Maximum age of a connection to a receiver; a new one resolves the name again
    #[arg(long, env = "SWITCHHOOK_HOOK_CONNECTION_AGE", hide_env_values = true, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    pub hook_connection_age: Duration,
}

impl HookOptions {
    pub(super) fn outbound(&self) -> Result<Outbound, Mistakes> {
        let read = |path: &PathBuf| {
            let pem = read_text(path)?;
            read_certificates(pem.as_bytes())
        };
        let mut mistakes = Vec::new();
        let extra_roots = self.hook_ca.as_ref().map(|path| {
            let report = |error| mistakes.push(format!("hook-ca: {}: {error:#}", path.display()));
            read(path).map_err(report).unwrap_or_default()
        });
        if self.hook_proxy.is_none() {
            let needing = [
                ("hook-proxy-by-name", self.hook_proxy_by_name),
                ("hook-no-proxy", !self.hook_no_proxy.is_empty()),
            ];
            let needing = needing.into_iter().filter(|(_, is_set)| *is_set);
            mistakes
                .extend(needing.map(|(name, _)| {
                    format!("{name}: there is no proxy; set hook-proxy, or leave this out")
                }));
        }
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes));
        }
        Ok(Outbound {
            extra_roots: extra_roots.unwrap_or_default(),
            proxy: self.hook_proxy.clone(),
            proxy_by_name: self.hook_proxy_by_name,
            no_proxy: self.hook_no_proxy.join(","),
            connection_age: self.hook_connection_age,
        })
    }
}

pub(super) fn parse_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let single = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address));
    let network = text.parse().or_else(|_| single()).map_err(|_| {
        format!("`{text}` is not an address range; write it as 10.0.0.0/8, fd00::/8, or as one address")
    })?;
    Ok(unmapped(network))
}

/// An IPv4 range written as IPv6 (`::ffff:10.0.0.0/104`) becomes IPv4, as addresses are compared.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    let inner = mapped.addr().to_ipv4_mapped();
    let length = mapped.prefix_len().checked_sub(96);
    let inner = inner
        .zip(length)
        .and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    inner.map_or(network, IpNet::V4)
}
