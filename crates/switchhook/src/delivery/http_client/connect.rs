//! From a host's name to a connection: look up once, check every address, connect to a checked one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hickory_resolver::TokioResolver;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt;
use switchhook_domain::attempt::{Phases, Silence};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;
use url::Host;

use super::exchange::{Connection, Failure};
use crate::delivery::address_guard::{AddressGuard, is_localhost};
use crate::delivery::route::Endpoint;

/// How many of a name's addresses are tried.
const ADDRESSES_TRIED: usize = 4;

/// Makes connections.
pub(super) struct Connector {
    guard: Arc<AddressGuard>,
    names: TokioResolver,
    tls: TlsConnector,
}

impl Connector {
    pub(super) fn new(guard: Arc<AddressGuard>) -> anyhow::Result<Self> {
        let names = TokioResolver::builder_tokio()
            .and_then(hickory_resolver::ResolverBuilder::build)
            .context("the machine's name service settings (/etc/resolv.conf) cannot be used")?;
        let tls =
            ClientConfig::with_platform_verifier().context("the machine's certificates cannot be used")?;
        Ok(Self {
            guard,
            names,
            tls: TlsConnector::from(Arc::new(tls)),
        })
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
            connect_first(&addresses, endpoint.port, deadline),
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
            Host::Domain(name) => match self.names.lookup_ip(name.as_str()).await {
                Ok(found) => {
                    let addresses: Vec<_> = found.iter().collect();
                    if addresses.is_empty() {
                        return Err(Failure::new(Silence::Dns, format!("{name} has no address")));
                    }
                    Ok(addresses)
                }
                Err(error) => Err(Failure::new(
                    Silence::Dns,
                    format!("{name} could not be looked up: {error}"),
                )),
            },
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

/// Connects to the first address that takes us, all of them checked before; each but the last gets a fair part of the time that is left.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded connector: the addresses have been judged"
)]
async fn connect_first(addresses: &[IpAddr], port: u16, deadline: Instant) -> Result<TcpStream, Failure> {
    let tried = &addresses[..addresses.len().min(ADDRESSES_TRIED)];
    let mut last = Failure::new(Silence::Dns, "the name has no address".to_owned());
    for (index, address) in tried.iter().enumerate() {
        let address = SocketAddr::new(*address, port);
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(tried.len() - index).expect("at most four addresses");
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without this a small request may wait 40 ms for an acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                last = Failure::new(Silence::ConnectionRefused, format!("nobody listens at {address}"));
            }
            Ok(Err(error)) => {
                last = Failure::new(
                    Silence::ConnectionLost,
                    format!("{address} cannot be connected to: {error}"),
                );
            }
            Err(_elapsed) => {
                last = Failure::new(
                    Silence::ConnectTimeout,
                    format!("{address} did not take the connection in time"),
                );
            }
        }
    }
    Err(last)
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
