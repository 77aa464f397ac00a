//! `--forward-ca` and `--forward-insecure`: accepted certificates of a receiver that is named on the command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use switchhook_client::Trust;
use switchhook_http::proxy::read_certificates;

/// Certificates that are accepted from the receiver.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ForwardTrust {
    /// Extra root certificates (PEM) to trust when connecting to the receiver
    #[arg(long, value_name = "FILE")]
    forward_ca: Option<PathBuf>,

    /// Accept any certificate of the receiver
    #[arg(long, conflicts_with = "forward_ca")]
    forward_insecure: bool,
}

impl ForwardTrust {
    pub(super) fn trust(&self) -> anyhow::Result<Trust> {
        match &self.forward_ca {
            None if self.forward_insecure => Ok(Trust::AnyCertificate),
            None => Ok(Trust::System),
            Some(path) => {
                let read = || read_certificates(&std::fs::read(path)?);
                let authorities = read().with_context(|| format!("--forward-ca {}", path.display()))?;
                Ok(Trust::ExtraRoots(authorities))
            }
        }
    }
}
