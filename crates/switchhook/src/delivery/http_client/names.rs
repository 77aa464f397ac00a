//! From a host's name to its addresses, asked once for each connection.

use std::net::IpAddr;

use anyhow::Context;
use async_trait::async_trait;
use hickory_resolver::TokioResolver;

/// Knows the addresses of names.
#[async_trait]
pub trait Names: Send + Sync {
    /// Every address of a name.
    ///
    /// # Errors
    /// In words for a person, if it could not be looked up.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String>;
}

/// The machine's own name service.
pub(super) struct SystemNames(TokioResolver);

impl SystemNames {
    pub(super) fn new() -> anyhow::Result<Self> {
        let resolver = TokioResolver::builder_tokio()
            .and_then(hickory_resolver::ResolverBuilder::build)
            .context("the machine's name service settings (/etc/resolv.conf) cannot be used")?;
        Ok(Self(resolver))
    }
}

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        match self.0.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) => Err(format!("{name} could not be looked up: {error}")),
        }
    }
}
