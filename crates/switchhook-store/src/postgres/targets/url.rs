//! The parts of a store's URL that name servers, beside those that sqlx reads.

use super::{SessionAttrs, not_understood};
use crate::error::StoreError;
use crate::postgres::failure::PERCENT_ENCODED;

/// A host and a port, either of which may be left to the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    host: String,
    port: Option<String>,
}

impl Host {
    /// As it may stand in a URL: folders of sockets may not.
    pub(super) fn authority(&self) -> String {
        match (self.is_folder(), &self.port) {
            (true, _) => String::new(),
            (false, Some(port)) => format!("{}:{port}", self.host),
            (false, None) => self.host.clone(),
        }
    }

    fn is_folder(&self) -> bool {
        self.host.is_empty()
            || self.host.starts_with('/')
            || self.host.to_ascii_lowercase().starts_with("%2f")
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = if self.host.is_empty() {
            "the local server"
        } else {
            &self.host
        };
        match &self.port {
            Some(port) => write!(f, "{host}:{port}"),
            None => f.write_str(host),
        }
    }
}

/// The parameters of a URL, those taken out that are read here.
#[derive(Debug, Default)]
pub(super) struct Query<'u> {
    others: Vec<&'u str>,
    hosts: Option<String>,
    ports: Option<String>,
    pub(super) wanted: Option<SessionAttrs>,
}

/// The parameters that count, by libpq's names. What a URL asks for beside them would not be done, and nobody would know.
const KNOWN: [&str; 14] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "target_session_attrs",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// Other names that sqlx has for some of them.
const ALIASES: [&str; 5] = ["ssl-mode", "ssl-root-cert", "ssl-ca", "ssl-cert", "ssl-key"];

/// Values of `sslmode`.
const SSL_MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

impl<'u> Query<'u> {
    pub(super) fn read(text: &'u str) -> Result<Self, StoreError> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value
                .replace("%2C", ",")
                .replace("%2c", ",")
                .replace("%2F", "/")
                .replace("%2f", "/");
            match name {
                "target_session_attrs" => query.wanted = Some(SessionAttrs::parse(&value)?),
                "host" => query.hosts = Some(value),
                "port" => query.ports = Some(value),
                "sslmode" | "ssl-mode" if !SSL_MODES.contains(&&*value) => {
                    let modes = SSL_MODES.join(", ");
                    return Err(not_understood(&format!("sslmode is one of {modes}")));
                }
                name if KNOWN.contains(&name) || ALIASES.contains(&name) || name.starts_with("options[") => {
                    query.others.push(pair);
                }
                unknown => return Err(refused(unknown)),
            }
        }
        Ok(query)
    }

    /// The hosts of the URL's authority, or of its parameters.
    pub(super) fn hosts(&self, authority: &str) -> Result<Vec<Host>, StoreError> {
        let mut hosts: Vec<_> = match &self.hosts {
            Some(hosts) => hosts.split(',').map(|host| (host, None)).collect(),
            None => authority.split(',').map(split_port).collect(),
        };
        if let Some(ports) = &self.ports {
            let ports: Vec<_> = ports.split(',').collect();
            if ports.len() != 1 && ports.len() != hosts.len() {
                return Err(not_understood("give one port, or as many as hosts"));
            }
            for (place, (_, port)) in hosts.iter_mut().enumerate() {
                *port = Some(ports[place.min(ports.len() - 1)]);
            }
        }
        if hosts.len() > 1 && hosts.iter().any(|(host, _)| host.is_empty()) {
            return Err(not_understood("one of the hosts has no name"));
        }
        let owned = |(host, port): (&str, Option<&str>)| Host {
            host: host.to_owned(),
            port: port.filter(|port| !port.is_empty()).map(str::to_owned),
        };
        Ok(hosts.into_iter().map(owned).collect())
    }

    /// The parameters of one of the hosts.
    pub(super) fn of(&self, host: &Host) -> String {
        let mut pairs: Vec<String> = self.others.iter().map(|pair| (*pair).to_owned()).collect();
        if host.is_folder() && !host.host.is_empty() {
            pairs.push(format!("host={}", host.host));
        }
        if let Some(port) = host.port.as_ref().filter(|_| host.is_folder()) {
            pairs.push(format!("port={port}"));
        }
        pairs.join("&")
    }
}

/// Says which parameter is not known; what is no name may be a part of a password and is not repeated.
fn refused(unknown: &str) -> StoreError {
    let is_name = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let which = if is_name(unknown) {
        format!("the parameter `{unknown}` is not known")
    } else {
        "a parameter has a name that is none".to_owned()
    };
    not_understood(&format!(
        "{which}: leave it out, or use one of {}",
        KNOWN.join(", ")
    ))
}

/// The port is behind the last colon, unless that is inside an IPv6 address.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host, None),
    }
}

/// Refuses a URL whose password, as it seems, has a letter in it that means something in a URL: it would be read as another
/// host, port or database.
pub(super) fn refuse_what_is_not_encoded(rest: &str) -> Result<(), StoreError> {
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = address.split_once('/').unwrap_or((address, ""));
    let name_of_first = query.split(['=', '&']).next().unwrap_or_default();
    let is_byte = |digits: &str| {
        digits
            .get(..2)
            .is_some_and(|two| u8::from_str_radix(two, 16).is_ok())
    };
    let is_torn = path.contains('@')
        || name_of_first.contains('@')
        || !address.contains('/') && !authority.contains('@') && query.contains('@');
    let has_user = authority.contains('@') || path.contains('@');
    let is_encoded = rest.split('%').skip(1).all(is_byte);
    if !is_torn && !rest.contains('#') && (is_encoded || !has_user) {
        return Ok(());
    }
    Err(not_understood(&format!(
        "in a password `@ # / ? : %` are written percent-encoded: {PERCENT_ENCODED}"
    )))
}
