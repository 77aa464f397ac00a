//! From a host's name to a connection: look up once, judge every address, connect to a judged one; or leave the name to a
//! proxy, where the operator says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use futures_util::future::{Either, select};
use switchhook_domain::attempt::{FailureReason, Phases};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::either::Either as Wire;
use url::Host;

use super::connection::{Connection, ConnectionInfo, TargetForm};
use super::dial::Dialer;
use super::exchange_error::ExchangeError;
use super::proxy::{to_proxy, tunnel};
use super::resolver::{LateAddresses, ResolvedAddresses, Resolver, SystemResolver};
use super::tls::{HttpVersion, TlsConnectors, no_tls, server_name};
use crate::delivery::address_guard::{AddressGuard, RefusedAddress, is_localhost};
use crate::destination::TlsIdentity;
use switchhook_http::address::Address;
use switchhook_http::proxy::{NoProxy, Outbound, Proxy};
use switchhook_http::tls::is_not_tls;

/// The longest that a connection is used, whatever was set.
const LONGEST_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Time for which late addresses are awaited when no other accepts the connection.
const LATEST: Duration = Duration::from_secs(1);

/// Makes connections to receivers.
pub(super) struct Connector {
    guard: Arc<AddressGuard>,
    pub(super) resolver: Arc<dyn Resolver>,
    proxy: Option<Proxy>,
    proxy_by_name: bool,
    no_proxy: NoProxy,
    dialer: Dialer,
    tls: TlsConnectors,
    connection_age: Duration,
    made: AtomicU32,
}

/// Destination of a connection, as far as it is known before dialling.
enum DialTarget<'a> {
    /// To one of these addresses, or of those that may still come, through a tunnel if there is a proxy.
    Addresses(Vec<IpAddr>, Option<LateAddresses>, Option<&'a Proxy>),
    /// To whatever the proxy takes the name for.
    Name(&'a Proxy),
}

impl Connector {
    pub(super) fn new(guard: Arc<AddressGuard>, outbound: &Outbound) -> anyhow::Result<Self> {
        Ok(Self {
            guard,
            resolver: Arc::new(SystemResolver::new()?),
            proxy: outbound.proxy.clone(),
            proxy_by_name: outbound.proxy_by_name,
            no_proxy: NoProxy::of(&outbound.no_proxy),
            dialer: Dialer::default(),
            tls: TlsConnectors::new(outbound)
                .context("the certificates of the machine, or those added, cannot be used")?,
            connection_age: outbound.connection_age.min(LONGEST_AGE),
            made: AtomicU32::new(0),
        })
    }

    /// Refuses a scheme that the guard does not allow.
    pub(super) fn check_scheme(&self, address: &Address) -> Result<(), ExchangeError> {
        self.guard
            .check_scheme(address)
            .map_err(|refused| refusal(&refused))
    }

    /// Takes note of what `address` turned out to speak.
    pub(super) fn learn(&self, address: &Address, speech: HttpVersion) {
        self.tls.learn(&address.origin, speech);
    }

    /// Connects to `address`, as whom `identity` says, by `deadline`, before which there were `timeout`, noting how long each
    /// part took.
    pub(super) async fn connect(
        &self,
        (address, identity): (&Address, Option<&TlsIdentity>),
        timeout: Duration,
        deadline: Instant,
        phases: &mut Phases,
    ) -> Result<Connection, ExchangeError> {
        let start = Instant::now();
        let finding = timeout_at(deadline, self.find_target(address)).await;
        let found = finding.unwrap_or_else(|_elapsed| Err(not_looked_up(address, timeout)));
        if matches!(address.host, Host::Domain(_)) && !matches!(found, Ok((DialTarget::Name(_), _))) {
            phases.dns = Some(start.elapsed());
        }
        let (way, note) = found?;
        let info = ConnectionInfo {
            until: start + self.next_age(),
            note: note.clone(),
            form: match way {
                DialTarget::Name(proxy) if !address.is_tls => {
                    TargetForm::Absolute(proxy.authorization.clone())
                }
                _ => TargetForm::Origin,
            },
        };
        let connecting = self.connect_by(&way, (address, identity), phases, info);
        let connected = match timeout_at(deadline, connecting).await {
            Ok(connected) => connected,
            Err(_elapsed) if address.is_tls && phases.connect.is_some() => Err(ExchangeError::new(
                FailureReason::ConnectTimeout,
                format!(
                    "the receiver took the connection, but no TLS was established within {} ms: it may speak plain \
                     http at this port",
                    timeout.as_millis()
                ),
            )),
            Err(_elapsed) => Err(too_late(timeout)),
        };
        match note {
            None => connected,
            Some(note) => connected.map_err(|failure| failure.noting(&note)),
        }
    }

    /// Finds out where to connect to, and what is to be said of that.
    async fn find_target(
        &self,
        address: &Address,
    ) -> Result<(DialTarget<'_>, Option<Arc<str>>), ExchangeError> {
        let proxy = self.proxy.as_ref().filter(|_| !self.no_proxy.has(address));
        if let (Some(proxy), true, Host::Domain(name)) = (proxy, self.proxy_by_name, &address.host)
            && !is_localhost(name)
        {
            return Ok((DialTarget::Name(proxy), None));
        }
        let ResolvedAddresses { mut at_once, late } = self.addresses(&address.host).await?;
        let (judged, late) = match (self.guard.judge(&at_once), late) {
            // Of those that are still to come some may be allowed.
            (Err(_), Some(late)) => {
                at_once.extend(late.await);
                (self.guard.judge(&at_once), None)
            }
            judged => judged,
        };
        let judged = judged.map_err(|refused| refusal(&refused))?;
        let note = judged.note().map(Into::into);
        Ok(match proxy {
            Some(proxy) if self.proxy_by_name => (DialTarget::Name(proxy), note),
            proxy => (DialTarget::Addresses(judged.allowed, late, proxy), note),
        })
    }

    async fn connect_by(
        &self,
        way: &DialTarget<'_>,
        (address, identity): (&Address, Option<&TlsIdentity>),
        phases: &mut Phases,
        info: ConnectionInfo,
    ) -> Result<Connection, ExchangeError> {
        let remembered = self.tls.version_of(&address.origin);
        let mut offered = remembered;
        loop {
            let connecting = Instant::now();
            let tcp = self.dial(way, address).await?;
            phases.connect = Some(connecting.elapsed());
            if !address.is_tls {
                return Connection::open(Wire::Left(tcp), info).await;
            }
            let handshake = Instant::now();
            let name = server_name(&address.host)?;
            match self.tls.secure(offered, name, identity, tcp).await {
                Ok(tls) => {
                    phases.tls = Some(handshake.elapsed());
                    return Connection::open(Wire::Right(tls), info).await;
                }
                // Learned is the other of what was offered here: others may have changed what is remembered meanwhile.
                Err(error) if offered == remembered && is_not_tls(&error) => {
                    offered = remembered.other();
                    self.learn(address, offered);
                }
                Err(error) => return Err(no_tls(&error)),
            }
        }
    }

    async fn dial(&self, way: &DialTarget<'_>, address: &Address) -> Result<TcpStream, ExchangeError> {
        match way {
            DialTarget::Addresses(addresses, late, proxy) => {
                let dialing = self.dialer.dial(addresses, address.port, *proxy);
                match late {
                    None => dialing.await,
                    Some(late) => self.race(dialing, late, address.port, *proxy).await,
                }
            }
            DialTarget::Name(proxy) if address.is_tls => {
                tunnel(proxy, &format!("{}:{}", address.host, address.port)).await
            }
            DialTarget::Name(proxy) => to_proxy(proxy).await,
        }
    }

    /// Connects as `dialing` does, or to one of the addresses that come late, whichever stands first.
    async fn race(
        &self,
        dialing: impl Future<Output = Result<TcpStream, ExchangeError>>,
        late: &LateAddresses,
        port: u16,
        proxy: Option<&Proxy>,
    ) -> Result<TcpStream, ExchangeError> {
        let joining = async {
            let addresses = late.clone().await;
            if addresses.is_empty() {
                return Err(None);
            }
            let judged = self
                .guard
                .judge(&addresses)
                .map_err(|refused| refusal(&refused))?;
            let dialed = self.dialer.dial(&judged.allowed, port, proxy).await;
            dialed.map_err(Some)
        };
        let (failure, joined) = match select(pin!(dialing), pin!(joining)).await {
            Either::Left((Ok(stream), _)) | Either::Right((Ok(stream), _)) => return Ok(stream),
            Either::Left((Err(failure), joining)) => match timeout(LATEST, late.clone()).await {
                Ok(_) => (failure, joining.await),
                Err(_elapsed) => return Err(failure),
            },
            Either::Right((Err(joined), dialing)) => match dialing.await {
                Ok(stream) => return Ok(stream),
                Err(failure) => (failure, Err(joined)),
            },
        };
        joined.map_err(|joined| match joined {
            None => failure,
            Some(joined) => ExchangeError::of_all(vec![failure, joined]),
        })
    }

    /// Maximum age of the next connection, varied so that connections made together do not end together.
    fn next_age(&self) -> Duration {
        let step = self.made.fetch_add(1, Ordering::Relaxed) % 16;
        self.connection_age - self.connection_age * step / 64
    }

    async fn addresses(&self, host: &Host<String>) -> Result<ResolvedAddresses, ExchangeError> {
        match host {
            Host::Ipv4(address) => Ok(vec![(*address).into()].into()),
            Host::Ipv6(address) => Ok(vec![(*address).into()].into()),
            Host::Domain(name) if is_localhost(name) => {
                Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].into())
            }
            Host::Domain(name) => {
                let found = self.resolver.addresses(name).await;
                let addresses = found.map_err(|why| ExchangeError::new(FailureReason::Dns, why))?;
                if addresses.at_once.is_empty() {
                    let words = format!("no address is known for {name}");
                    return Err(ExchangeError::new(FailureReason::Dns, words));
                }
                Ok(addresses)
            }
        }
    }
}

fn refusal(refused: &RefusedAddress) -> ExchangeError {
    ExchangeError::new(FailureReason::AddressRefused, refused.to_string())
}

fn not_looked_up(address: &Address, timeout: Duration) -> ExchangeError {
    let words = format!(
        "{} could not be looked up: no name server answered within {} ms",
        address.host,
        timeout.as_millis()
    );
    ExchangeError::new(FailureReason::Dns, words)
}

fn too_late(timeout: Duration) -> ExchangeError {
    ExchangeError::new(
        FailureReason::ConnectTimeout,
        format!("no connection stood within {} ms", timeout.as_millis()),
    )
}
