//! From a host's name to a connection: look up once, check every address, connect to a checked one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use switchhook_domain::attempt::{Phases, Silence};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;
use url::Host;

use super::dial::Dialer;
use super::doubts::Doubts;
use super::exchange::{Connection, Failure, Standing};
use super::names::{Names, SystemNames};
use super::tls::{no_tls, server_name, trusting};
use crate::delivery::address_guard::{AddressGuard, is_localhost};
use crate::delivery::outbound::Outbound;
use crate::delivery::route::Endpoint;

/// The longest that a connection is used, whatever was set.
const LONGEST_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes connections.
pub(super) struct Connector {
    guard: Arc<AddressGuard>,
    pub(super) names: Arc<dyn Names>,
    dialer: Dialer,
    tls: TlsConnector,
    connection_age: Duration,
    made: AtomicU32,
}

impl Connector {
    pub(super) fn new(guard: Arc<AddressGuard>, outbound: &Outbound) -> anyhow::Result<Self> {
        let tls =
            trusting(outbound).context("the certificates of the machine, or those added, cannot be used")?;
        Ok(Self {
            guard,
            names: Arc::new(SystemNames::new()?),
            dialer: Dialer {
                proxy: outbound.proxy.clone(),
                doubts: Doubts::default(),
            },
            tls: TlsConnector::from(Arc::new(tls)),
            connection_age: outbound.connection_age.min(LONGEST_AGE),
            made: AtomicU32::new(0),
        })
    }

    /// Whether `endpoint` may be sent to as it would be: encrypted or not.
    pub(super) fn check_scheme(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        self.guard
            .check_scheme(endpoint)
            .map_err(|refused| Failure::new(Silence::AddressRefused, refused.to_string()))
    }

    /// Connects to `endpoint` by `deadline`, before which there were `timeout`, noting how long each part took.
    pub(super) async fn connect(
        &self,
        endpoint: &Endpoint,
        timeout: Duration,
        deadline: Instant,
        phases: &mut Phases,
    ) -> Result<Connection, Failure> {
        let start = Instant::now();
        let looking_up = timeout_at(deadline, self.addresses(&endpoint.host));
        let addresses = looking_up
            .await
            .unwrap_or_else(|_elapsed| Err(too_late(timeout)))?;
        phases.dns = matches!(endpoint.host, Host::Domain(_)).then(|| start.elapsed());
        let judged = self.guard.judge(&addresses);
        let judged = judged.map_err(|refused| Failure::new(Silence::AddressRefused, refused.to_string()))?;
        let standing = Standing {
            until: start + self.next_age(),
            note: judged.note().map(Into::into),
        };
        let note = standing.note.clone();
        let connecting = self.connect_to(&judged.allowed, endpoint, phases, standing);
        let connected = match timeout_at(deadline, connecting).await {
            Ok(connected) => connected,
            Err(_elapsed) if endpoint.is_tls && phases.connect.is_some() => Err(Failure::new(
                Silence::ConnectTimeout,
                format!(
                    "the receiver took the connection, but TLS did not stand within {} ms: it may speak plain http at \
                     this port",
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

    async fn connect_to(
        &self,
        addresses: &[IpAddr],
        endpoint: &Endpoint,
        phases: &mut Phases,
        standing: Standing,
    ) -> Result<Connection, Failure> {
        let connecting = Instant::now();
        let tcp = self.dialer.dial(addresses, endpoint.port).await?;
        phases.connect = Some(connecting.elapsed());
        if !endpoint.is_tls {
            return Connection::open(Either::Left(tcp), standing).await;
        }
        let securing = Instant::now();
        let secured = self.tls.connect(server_name(&endpoint.host)?, tcp).await;
        let tls = secured.map_err(|error| no_tls(&error))?;
        phases.tls = Some(securing.elapsed());
        Connection::open(Either::Right(tls), standing).await
    }

    /// How old the next connection may become: connections that were made at once do not all end at once.
    fn next_age(&self) -> Duration {
        let step = self.made.fetch_add(1, Ordering::Relaxed) % 16;
        self.connection_age - self.connection_age * step / 64
    }

    async fn addresses(&self, host: &Host<String>) -> Result<Vec<IpAddr>, Failure> {
        match host {
            Host::Ipv4(address) => Ok(vec![(*address).into()]),
            Host::Ipv6(address) => Ok(vec![(*address).into()]),
            Host::Domain(name) if is_localhost(name) => {
                Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
            }
            Host::Domain(name) => {
                let found = self.names.addresses(name).await;
                let addresses = found.map_err(|why| Failure::new(Silence::Dns, why))?;
                if addresses.is_empty() {
                    return Err(Failure::new(Silence::Dns, format!("{name} has no address")));
                }
                Ok(addresses)
            }
        }
    }
}

fn too_late(timeout: Duration) -> Failure {
    Failure::new(
        Silence::ConnectTimeout,
        format!("no connection stood within {} ms", timeout.as_millis()),
    )
}
