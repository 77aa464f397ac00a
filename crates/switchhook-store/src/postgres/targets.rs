//! Where a store's URL leads: one server or several, and which of them may be used. As in libpq, of which sqlx has one host
//! only: `postgres://user@one:5432,two:5433/database?target_session_attrs=read-write`.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::failure::PERCENT_ENCODED;
use crate::error::StoreError;

/// The servers that a URL names, and what one must be to be used.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    pub(super) servers: Vec<Server>,
    pub(super) wanted: Wanted,
}

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// The host and port as the URL gives them, for people.
    pub(super) name: String,
    pub(super) options: PgConnectOptions,
}

/// What a server must be: libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// What a server says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nature {
    pub(super) is_read_only: bool,
    pub(super) is_standby: bool,
}

impl Wanted {
    fn parse(word: &str) -> Result<Self, StoreError> {
        Ok(match word {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => {
                return Err(not_understood(
                    "target_session_attrs is one of any, read-write, read-only, primary, standby and prefer-standby",
                ));
            }
        })
    }

    /// Why a server is not the wanted one.
    pub(super) fn refusal(self, nature: Nature) -> Option<&'static str> {
        match self {
            Self::Any | Self::PreferStandby => None,
            Self::ReadWrite if nature.is_standby => Some("it is a standby, which takes no writes"),
            Self::ReadWrite => nature.is_read_only.then_some("it is read-only"),
            Self::ReadOnly => (!nature.is_read_only).then_some("it is not read-only"),
            Self::Primary => nature.is_standby.then_some("it is a standby"),
            Self::Standby => (!nature.is_standby).then_some("it is no standby"),
        }
    }

    /// Whether a connection on which something failed, to a server that now says this of itself, is of use any longer. Whoever
    /// writes finds no use in one that is read-only, whatever was wanted: another server may be there when it is made anew.
    pub(super) fn is_still_met(self, nature: Nature) -> bool {
        let may_be_read_only = matches!(self, Self::ReadOnly | Self::Standby | Self::PreferStandby);
        self.refusal(nature).is_none() && (may_be_read_only || !nature.is_read_only)
    }
}

impl Targets {
    /// Reads a URL.
    ///
    /// # Errors
    /// `Unusable`, and never with the URL, which may hold a password.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| not_understood("write postgres://USER@HOST/DATABASE"))?;
        refuse_what_is_not_encoded(rest)?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = address.split_once('/').unwrap_or((address, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let query = Query::read(query)?;
        let hosts = query.hosts(hosts)?;
        let server = |host: Host| {
            let name = host.to_string();
            let parameters = query.of(&host);
            let url = format!("{scheme}://{user}{}/{path}?{parameters}", host.authority());
            // The reason may repeat a part of the URL.
            let options = PgConnectOptions::from_str(&url)
                .map_err(|_| not_understood("write postgres://USER:PASSWORD@HOST:PORT/DATABASE"))?;
            Ok(Server { name, options })
        };
        let servers: Vec<_> = hosts.into_iter().map(server).collect::<Result<_, StoreError>>()?;
        // Of several servers at most one takes writes, and that is why there are several.
        let default = if servers.len() > 1 {
            Wanted::ReadWrite
        } else {
            Wanted::Any
        };
        Ok(Self {
            servers,
            wanted: query.wanted.unwrap_or(default),
        })
    }

    /// The same with a change to how each server is connected to.
    pub(super) fn with(mut self, change: impl Fn(PgConnectOptions) -> PgConnectOptions) -> Self {
        for server in &mut self.servers {
            server.options = change(server.options.clone());
        }
        self
    }
}

/// A host and a port, either of which may be left to the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    host: String,
    port: Option<String>,
}

impl Host {
    /// As it may stand in a URL: folders of sockets may not.
    fn authority(&self) -> String {
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
struct Query<'u> {
    others: Vec<&'u str>,
    hosts: Option<String>,
    ports: Option<String>,
    wanted: Option<Wanted>,
}

impl<'u> Query<'u> {
    fn read(text: &'u str) -> Result<Self, StoreError> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value
                .replace("%2C", ",")
                .replace("%2c", ",")
                .replace("%2F", "/")
                .replace("%2f", "/");
            match name {
                "target_session_attrs" => query.wanted = Some(Wanted::parse(&value)?),
                "host" => query.hosts = Some(value),
                "port" => query.ports = Some(value),
                _ => query.others.push(pair),
            }
        }
        Ok(query)
    }

    /// The hosts of the URL's authority, or of its parameters.
    fn hosts(&self, authority: &str) -> Result<Vec<Host>, StoreError> {
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
    fn of(&self, host: &Host) -> String {
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

/// The port is behind the last colon, unless that is inside an IPv6 address.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host, None),
    }
}

/// Refuses a URL whose password, as it seems, has a letter in it that means something in a URL: it would be read as another
/// host, port or database.
fn refuse_what_is_not_encoded(rest: &str) -> Result<(), StoreError> {
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

fn not_understood(why: &str) -> StoreError {
    StoreError::Unusable(format!("the store's URL is not understood: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(url: &str) -> Targets {
        Targets::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[track_caller]
    fn check(url: &str, servers: &[(&str, u16)], wanted: Wanted) {
        let targets = targets(url);
        let found: Vec<_> = targets
            .servers
            .iter()
            .map(|server| (server.options.get_host(), server.options.get_port()))
            .collect();
        assert_eq!(found, servers, "{url}");
        assert_eq!(targets.wanted, wanted, "{url}");
        for server in &targets.servers {
            assert_eq!(server.options.get_database(), Some("calls"), "{url}");
            assert_eq!(server.options.get_username(), "me", "{url}");
        }
    }

    #[test]
    fn hosts_are_read_as_libpq_reads_them() {
        check("postgres://me@db/calls", &[("db", 5432)], Wanted::Any);
        check(
            "postgresql://me:p%40ss@db:6000/calls?sslmode=disable",
            &[("db", 6000)],
            Wanted::Any,
        );
        check(
            "postgres://me@one:1,two:2,three/calls",
            &[("one", 1), ("two", 2), ("three", 5432)],
            Wanted::ReadWrite,
        );
        check(
            "postgres://me:a,b@one,two/calls",
            &[("one", 5432), ("two", 5432)],
            Wanted::ReadWrite,
        );
        check(
            "postgres://me@one,two/calls?target_session_attrs=any&sslmode=disable",
            &[("one", 5432), ("two", 5432)],
            Wanted::Any,
        );
        check(
            "postgres://me@db/calls?target_session_attrs=primary",
            &[("db", 5432)],
            Wanted::Primary,
        );
        check(
            "postgres://me@/calls?host=one,two&port=7",
            &[("one", 7), ("two", 7)],
            Wanted::ReadWrite,
        );
        check(
            "postgres://me@/calls?host=one%2Ctwo&port=7,8",
            &[("one", 7), ("two", 8)],
            Wanted::ReadWrite,
        );
        check(
            "postgres://me@[::1]:7,db:8/calls",
            &[("[::1]", 7), ("db", 8)],
            Wanted::ReadWrite,
        );
    }

    #[test]
    fn a_folder_of_sockets_is_a_host_too() {
        let targets = targets("postgres:///calls?host=/run/postgresql&user=me");
        assert_eq!(targets.servers[0].name, "/run/postgresql");
        let socket = targets.servers[0]
            .options
            .get_socket()
            .map(|path| path.display().to_string());
        assert_eq!(socket.as_deref(), Some("/run/postgresql"));
    }

    #[test]
    fn what_is_not_understood_is_refused_without_being_repeated() {
        for url in [
            "postgres:me:hunter2@db",
            "postgres://me:hunter2@db:port/calls",
            "postgres://me:hunter2@one,/calls",
            "postgres://me:hunter2@one,two/calls?port=1,2,3",
            "postgres://me:hunter2@db/calls?target_session_attrs=writable",
        ] {
            let error = Targets::parse(url).expect_err(url).to_string();
            assert!(error.contains("URL is not understood"), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_password_that_is_not_percent_encoded_is_told_of_and_not_repeated() {
        for password in [
            "hun/ter2",
            "hun#ter2",
            "hun?ter2",
            "hun%ter2",
            "1/hunter2@x",
            "hun@t/er2",
            "12?a=b",
        ] {
            for url in [
                format!("postgres://me:{password}@db/calls"),
                format!("postgres://me:{password}@db,other/calls?sslmode=require"),
            ] {
                let error = Targets::parse(&url).expect_err(&url).to_string();
                assert!(error.contains("percent-encoded"), "{url}: {error}");
                for part in ["hun", "ter2", "12"] {
                    assert!(!error.contains(part), "{error}");
                }
            }
        }
        // What can only be meant one way is taken.
        for password in ["hun@ter2", "hun:ter2", "hun%40ter2", "a=b&c"] {
            check(
                &format!("postgres://me:{password}@db/calls"),
                &[("db", 5432)],
                Wanted::Any,
            );
        }
    }

    #[test]
    fn a_server_is_used_if_it_is_what_is_wanted() {
        const PRIMARY: Nature = Nature {
            is_read_only: false,
            is_standby: false,
        };
        const STANDBY: Nature = Nature {
            is_read_only: true,
            is_standby: true,
        };
        const CLOSED: Nature = Nature {
            is_read_only: true,
            is_standby: false,
        };
        for (wanted, accepted) in [
            (Wanted::Any, vec![PRIMARY, STANDBY, CLOSED]),
            (Wanted::PreferStandby, vec![PRIMARY, STANDBY, CLOSED]),
            (Wanted::ReadWrite, vec![PRIMARY]),
            (Wanted::ReadOnly, vec![STANDBY, CLOSED]),
            (Wanted::Primary, vec![PRIMARY, CLOSED]),
            (Wanted::Standby, vec![STANDBY]),
        ] {
            for nature in [PRIMARY, STANDBY, CLOSED] {
                let is_accepted = wanted.refusal(nature).is_none();
                assert_eq!(is_accepted, accepted.contains(&nature), "{wanted:?} {nature:?}");
            }
        }
        for wanted in [Wanted::Any, Wanted::ReadWrite, Wanted::Primary] {
            assert!(wanted.is_still_met(PRIMARY));
            assert!(
                !wanted.is_still_met(STANDBY) && !wanted.is_still_met(CLOSED),
                "{wanted:?}"
            );
        }
    }
}
