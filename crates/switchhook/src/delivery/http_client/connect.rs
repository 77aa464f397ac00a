//! From a host's name to a connection: look up once, check every address, connect to a checked one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::Verifier;
use switchhook_domain::attempt::{Phases, Silence};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;
use url::Host;

use super::dial::dial_first;
use super::exchange::{Connection, Failure};
use super::names::{Names, SystemNames};
use crate::delivery::address_guard::{AddressGuard, is_localhost};
use crate::delivery::outbound::{Outbound, Proxy};
use crate::delivery::route::Endpoint;

/// Makes connections.
pub(super) struct Connector {
    guard: Arc<AddressGuard>,
    pub(super) names: Arc<dyn Names>,
    proxy: Option<Proxy>,
    tls: TlsConnector,
}

impl Connector {
    pub(super) fn new(guard: Arc<AddressGuard>, outbound: &Outbound) -> anyhow::Result<Self> {
        let tls =
            trusting(outbound).context("the certificates of the machine, or those added, cannot be used")?;
        Ok(Self {
            guard,
            names: Arc::new(SystemNames::new()?),
            proxy: outbound.proxy.clone(),
            tls: TlsConnector::from(Arc::new(tls)),
        })
    }

    /// Whether `endpoint` may be sent to as it would be: encrypted or not.
    pub(super) fn check_scheme(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        self.guard
            .check_scheme(endpoint)
            .map_err(|refused| Failure::new(Silence::AddressRefused, refused.to_string()))
    }

    /// Connects to `endpoint` within `timeout`, noting how long each part took.
    pub(super) async fn connect(
        &self,
        endpoint: &Endpoint,
        timeout: Duration,
        phases: &mut Phases,
    ) -> Result<Connection, Failure> {
        let start = Instant::now();
        let deadline = start + timeout;
        let addresses = within(deadline, timeout, self.addresses(&endpoint.host)).await?;
        phases.dns = matches!(endpoint.host, Host::Domain(_)).then(|| start.elapsed());
        for address in &addresses {
            self.guard
                .check(*address)
                .map_err(|refused| Failure::new(Silence::AddressRefused, refused.to_string()))?;
        }
        let connecting = Instant::now();
        let tcp = within(
            deadline,
            timeout,
            dial_first(&addresses, endpoint.port, self.proxy.as_ref(), deadline),
        )
        .await?;
        phases.connect = Some(connecting.elapsed());
        if !endpoint.is_tls {
            return Connection::open(Either::Left(tcp)).await;
        }
        let securing = Instant::now();
        let name = server_name(&endpoint.host)?;
        let secured = async {
            self.tls
                .connect(name, tcp)
                .await
                .map_err(|e| Failure::new(Silence::Tls, e.to_string()))
        };
        let tls = within(deadline, timeout, secured).await?;
        phases.tls = Some(securing.elapsed());
        Connection::open(Either::Right(tls)).await
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

async fn within<T>(
    deadline: Instant,
    timeout: Duration,
    step: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout_at(deadline, step).await.unwrap_or_else(|_elapsed| {
        let detail = format!("no connection stood within {} ms", timeout.as_millis());
        Err(Failure::new(Silence::ConnectTimeout, detail))
    })
}

/// Trusts what the machine trusts, and what was added.
fn trusting(outbound: &Outbound) -> anyhow::Result<ClientConfig> {
    let builder = ClientConfig::builder();
    let provider = Arc::clone(builder.crypto_provider());
    let verifier = Verifier::new_with_extra_roots(outbound.extra_roots.iter().cloned(), provider)?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn server_name(host: &Host<String>) -> Result<ServerName<'static>, Failure> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| {
            Failure::new(
                Silence::BadRequest,
                format!("{name} is no name that a certificate can have"),
            )
        }),
        Host::Ipv4(address) => Ok(ServerName::from(IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(IpAddr::from(*address))),
    }
}
