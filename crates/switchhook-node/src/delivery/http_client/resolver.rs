//! From a host's name to its addresses, asked once for each connection.
//!
//! What the machine's hosts file names is not asked for. Else name servers are asked for IPv6 and for IPv4 addresses at the
//! same time, and who answers for one is not kept waiting for the other (RFC 8305, section 3).

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Shared, select};
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

/// Time for which the addresses of one family wait for those of the other (RFC 8305, section 3).
pub const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// Longest time for which a positive answer is cached, whatever its TTL.
pub const BELIEVED_FOR: Duration = Duration::from_secs(300);

/// Longest time for which a negative answer is cached, because somebody may be about to create the record.
pub const DISBELIEVED_FOR: Duration = Duration::from_secs(10);

/// Interval of checking the files for changes.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Files with the name servers and the static names.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// Knows the addresses of names.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Every address of a name.
    ///
    /// # Errors
    /// In words for a person, if it could not be looked up.
    async fn addresses(&self, name: &str) -> Result<ResolvedAddresses, String>;
}

/// The addresses of a name.
#[derive(Debug, Clone, Default)]
pub struct ResolvedAddresses {
    /// Those that are known.
    pub at_once: Vec<IpAddr>,
    /// Those of the other family, if its answer has not come yet.
    pub late: Option<LateAddresses>,
}

/// Addresses that may still come; none if they cannot be had.
pub type LateAddresses = Shared<BoxFuture<'static, Vec<IpAddr>>>;

impl From<Vec<IpAddr>> for ResolvedAddresses {
    fn from(at_once: Vec<IpAddr>) -> Self {
        Self { at_once, late: None }
    }
}

/// Resolver configuration of a machine.
pub struct ResolverSettings {
    /// The name servers, and what short names are completed with.
    pub config: ResolverConfig,
    pub options: ResolverOpts,
    /// Static names, which are all there is where no name server is configured.
    pub hosts: Hosts,
}

impl ResolverSettings {
    fn of_the_machine() -> Result<Self, NetError> {
        let (config, options) = read_system_conf()?;
        Ok(Self {
            config,
            options,
            hosts: Hosts::from_system().unwrap_or_default(),
        })
    }
}

/// The machine's own name service, as its settings are now. What it says is kept as long as it says, within bounds.
pub struct SystemResolver {
    read_settings: Box<ReadSettings>,
    files: Vec<PathBuf>,
    state: Mutex<State>,
}

type ReadSettings = dyn Fn() -> Result<ResolverSettings, NetError> + Send + Sync;

struct State {
    service: Arc<LoadedSettings>,
    stamps: Vec<Stamp>,
    looked_at: Instant,
}

/// Version of a file: time of modification and size; `None` if it does not exist.
type Stamp = Option<(SystemTime, u64)>;

impl SystemResolver {
    /// # Errors
    /// If the machine's settings cannot be used.
    pub(super) fn new() -> anyhow::Result<Self> {
        Self::reading(FILES.map(PathBuf::from), ResolverSettings::of_the_machine)
            .context("the machine's name service settings (/etc/resolv.conf) cannot be used")
    }

    /// With settings that are read again when one of `files` has changed.
    ///
    /// # Errors
    /// If they cannot be used.
    pub fn reading(
        files: impl IntoIterator<Item = PathBuf>,
        read_settings: impl Fn() -> Result<ResolverSettings, NetError> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let files: Vec<_> = files.into_iter().collect();
        // Looked at first: what is changed while they are read is then read again.
        let stamps = stamps_of(&files);
        let state = State {
            service: Arc::new(LoadedSettings::new(read_settings()?)?),
            stamps,
            looked_at: Instant::now(),
        };
        Ok(Self {
            read_settings: Box::new(read_settings),
            files,
            state: state.into(),
        })
    }

    fn service(&self) -> Arc<LoadedSettings> {
        let mut state = self.state.lock();
        if state.looked_at.elapsed() >= LOOK_EVERY {
            state.looked_at = Instant::now();
            let stamps = stamps_of(&self.files);
            if stamps != state.stamps {
                state.stamps = stamps;
                match (self.read_settings)().and_then(LoadedSettings::new) {
                    Ok(service) => state.service = Arc::new(service),
                    Err(error) => tracing::warn!(
                        %error,
                        "the changed name service settings cannot be used; those of before go on"
                    ),
                }
            }
        }
        Arc::clone(&state.service)
    }
}

fn stamps_of(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(stamp).collect()
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, name: &str) -> Result<ResolvedAddresses, String> {
        let service = self.service();
        let wanted = Name::from_utf8(name).map_err(|_| format!("{name} is no name that can be looked up"))?;
        match service.pinned(&wanted) {
            Some(pinned) => Ok(pinned.into()),
            None => service
                .look_up(&wanted)
                .await
                .map_err(|error| format!("{name} could not be looked up: {}", in_words(&error))),
        }
    }
}

/// Resolver built from one version of the files.
struct LoadedSettings {
    resolver: Arc<TokioResolver>,
    hosts: Hosts,
    suffixes: Vec<Name>,
    ndots: usize,
}

/// The answer for one family.
type FamilyLookup = BoxFuture<'static, Result<Vec<IpAddr>, NetError>>;

impl LoadedSettings {
    fn new(settings: ResolverSettings) -> Result<Self, NetError> {
        let ResolverSettings {
            config,
            mut options,
            hosts,
        } = settings;
        options.positive_max_ttl = Some(BELIEVED_FOR);
        options.negative_max_ttl = Some(DISBELIEVED_FOR);
        options.use_hosts_file = ResolveHosts::Never;
        let suffixes = config.domain().into_iter().chain(config.search());
        Ok(Self {
            suffixes: suffixes.cloned().collect(),
            ndots: options.ndots,
            hosts,
            resolver: TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
                .with_options(options)
                .build()
                .map(Arc::new)?,
        })
    }

    /// Addresses of a name in the hosts file. They are complete: a name pinned to an address of one family must not
    /// get one of the other family from a name server.
    fn pinned(&self, name: &Name) -> Option<Vec<IpAddr>> {
        let families = [RecordType::AAAA, RecordType::A];
        let known = families
            .into_iter()
            .filter_map(|family| self.hosts.lookup_static_host(&Query::query(name.clone(), family)));
        let pinned: Vec<_> = known.flat_map(|found| addresses_in(&found)).collect();
        (!pinned.is_empty()).then_some(pinned)
    }

    /// The first of the names that `name` may stand for which has an address. Both families are asked of one name before
    /// the next: else a name that has none in one of them would lead to where a completed one does.
    async fn look_up(&self, name: &Name) -> Result<ResolvedAddresses, NetError> {
        let mut found = Ok(ResolvedAddresses::default());
        for full in self.full_names(name) {
            match self.look_up_full(&full).await {
                Ok(addresses) if addresses.at_once.is_empty() => {}
                Ok(addresses) => return Ok(addresses),
                Err(error) => found = Err(error),
            }
        }
        found
    }

    /// The full names that a name may stand for, as resolv.conf(5) has it.
    fn full_names(&self, name: &Name) -> Vec<Name> {
        let mut names = Vec::new();
        if !name.is_fqdn() {
            let completed = |suffix: &Name| name.clone().append_domain(suffix).ok();
            names.extend(self.suffixes.iter().filter_map(completed));
        }
        let is_taken_at_its_word = usize::from(name.num_labels()) > self.ndots;
        let place = if is_taken_at_its_word { 0 } else { names.len() };
        names.insert(place, name.clone());
        for name in &mut names {
            name.set_fqdn(true);
        }
        names.dedup();
        names
    }

    async fn look_up_full(&self, name: &Name) -> Result<ResolvedAddresses, NetError> {
        let asked = select(self.ask(name, RecordType::AAAA), self.ask(name, RecordType::A));
        let (first, mut other) = match asked.await {
            Either::Left(ended) | Either::Right(ended) => ended,
        };
        let mut at_once = match first {
            Ok(found) if !found.is_empty() => found,
            nothing => {
                let found = other.await?;
                if found.is_empty() {
                    nothing?;
                }
                return Ok(found.into());
            }
        };
        match timeout(RESOLUTION_DELAY, &mut other).await {
            Ok(found) => {
                at_once.extend(found.unwrap_or_default());
                at_once.sort_by_key(IpAddr::is_ipv4);
                Ok(at_once.into())
            }
            Err(_elapsed) => Ok(ResolvedAddresses {
                at_once,
                late: Some(other.map(Result::unwrap_or_default).boxed().shared()),
            }),
        }
    }

    /// Asks for a name's addresses of one family. There being none is an answer.
    fn ask(&self, name: &Name, family: RecordType) -> FamilyLookup {
        let (resolver, name) = (Arc::clone(&self.resolver), name.clone());
        async move {
            match resolver.lookup(name, family).await {
                Ok(found) => Ok(addresses_in(&found)),
                Err(error) if error.is_no_records_found() => Ok(Vec::new()),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }
}

fn addresses_in(found: &Lookup) -> Vec<IpAddr> {
    let records = found.answers().iter();
    records.filter_map(|record| record.data.ip_addr()).collect()
}

/// Reason for which the name servers did not answer.
fn in_words(error: &NetError) -> String {
    match error {
        NetError::Timeout => "no name server answered".to_owned(),
        NetError::NoConnections | NetError::Io(_) => "no name server can be reached".to_owned(),
        NetError::Dns(DnsError::ResponseCode(code)) => format!("the name server answers \"{code}\""),
        _ => "the name server's answer cannot be understood".to_owned(),
    }
}
