//! Servers of a store's URL, and which of them may be used. As in libpq, since sqlx knows one host only:
//! `postgres://user@one:5432,two:5433/database?target_session_attrs=read-write`.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use self::url::{Host, Query, refuse_what_is_not_encoded};
use crate::error::StoreError;

#[cfg(test)]
mod tests;
mod url;

/// The servers that a URL names, and what one must be to be used.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    pub(super) servers: Vec<Server>,
    pub(super) wanted: SessionAttrs,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    /// The host and port as the URL gives them, for people.
    pub(super) name: String,
    pub(super) options: PgConnectOptions,
}

/// Required kind of server: libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionAttrs {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// Present state of a server, as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerState {
    pub(super) is_read_only: bool,
    pub(super) is_standby: bool,
}

impl SessionAttrs {
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

    /// Reason for which a server does not match.
    pub(super) fn refusal(self, state: ServerState) -> Option<&'static str> {
        match self {
            Self::Any | Self::PreferStandby => None,
            Self::ReadWrite if state.is_standby => Some("it is a standby, which takes no writes"),
            Self::ReadWrite => state.is_read_only.then_some("it is read-only"),
            Self::ReadOnly => (!state.is_read_only).then_some("it is not read-only"),
            Self::Primary => state.is_standby.then_some("it is a standby"),
            Self::Standby => (!state.is_standby).then_some("it is no standby"),
        }
    }

    /// True if a connection that failed, to a server in this state, is still of use. A read-only one is of no use to
    /// a writer, whatever was required: a new connection may lead to another server.
    pub(super) fn is_still_met(self, state: ServerState) -> bool {
        let may_be_read_only = matches!(self, Self::ReadOnly | Self::Standby | Self::PreferStandby);
        self.refusal(state).is_none() && (may_be_read_only || !state.is_read_only)
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
            SessionAttrs::ReadWrite
        } else {
            SessionAttrs::Any
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

fn not_understood(why: &str) -> StoreError {
    StoreError::Unusable(format!("the store's URL is not understood: {why}"))
}
