//! From a host's name to its addresses, asked once for each connection.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use async_trait::async_trait;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long what a name server says is believed at the most, whatever it says of that.
const BELIEVED_FOR: Duration = Duration::from_secs(300);

/// How long it is believed at the most that a name has no address: somebody may be about to give it one.
const DISBELIEVED_FOR: Duration = Duration::from_secs(10);

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What says which name servers there are, and what is known without them.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// Knows the addresses of names.
#[async_trait]
pub trait Names: Send + Sync {
    /// Every address of a name.
    ///
    /// # Errors
    /// In words for a person, if it could not be looked up.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String>;
}

/// The machine's own name service, as its settings are now. What it says is kept as long as it says, within bounds.
pub struct SystemNames {
    read_settings: Box<ReadSettings>,
    files: Vec<PathBuf>,
    state: Mutex<State>,
}

/// Reads the settings.
type ReadSettings = dyn Fn() -> Result<Builder, NetError> + Send + Sync;
type Builder = ResolverBuilder<TokioRuntimeProvider>;

struct State {
    resolver: Arc<TokioResolver>,
    stamps: Vec<Stamp>,
    looked_at: Instant,
}

/// What tells one content of a file from another: when it was changed and how long it is; `None` if there is no file.
type Stamp = Option<(SystemTime, u64)>;

impl SystemNames {
    /// # Errors
    /// If the machine's settings cannot be used.
    pub(super) fn new() -> anyhow::Result<Self> {
        Self::reading(FILES.map(PathBuf::from), TokioResolver::builder_tokio)
            .context("the machine's name service settings (/etc/resolv.conf) cannot be used")
    }

    /// With settings that are read again when one of `files` has changed.
    ///
    /// # Errors
    /// If they cannot be used.
    pub fn reading(
        files: impl IntoIterator<Item = PathBuf>,
        read_settings: impl Fn() -> Result<Builder, NetError> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let files: Vec<_> = files.into_iter().collect();
        // Looked at first: what is changed while they are read is then read again.
        let stamps = stamps_of(&files);
        let state = State {
            resolver: resolver(&read_settings)?,
            stamps,
            looked_at: Instant::now(),
        };
        Ok(Self {
            read_settings: Box::new(read_settings),
            files,
            state: state.into(),
        })
    }

    fn resolver(&self) -> Arc<TokioResolver> {
        let mut state = self.state.lock();
        if state.looked_at.elapsed() >= LOOK_EVERY {
            state.looked_at = Instant::now();
            let stamps = stamps_of(&self.files);
            if stamps != state.stamps {
                state.stamps = stamps;
                match resolver(&*self.read_settings) {
                    Ok(resolver) => state.resolver = resolver,
                    Err(error) => tracing::warn!(
                        %error,
                        "the changed name service settings cannot be used; those of before go on"
                    ),
                }
            }
        }
        Arc::clone(&state.resolver)
    }
}

fn resolver(read_settings: &ReadSettings) -> Result<Arc<TokioResolver>, NetError> {
    let mut builder = read_settings()?;
    let options = builder.options_mut();
    options.positive_max_ttl = Some(BELIEVED_FOR);
    options.negative_max_ttl = Some(DISBELIEVED_FOR);
    builder.build().map(Arc::new)
}

fn stamps_of(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(stamp).collect()
}

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        match self.resolver().lookup_ip(name).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) => Err(format!("{name} could not be looked up: {error}")),
        }
    }
}
