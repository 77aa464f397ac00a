//! `--secret` of commands that verify: any number of secrets, none of which is ever printed.

use clap::Args;
use switchhook_domain::secret::Secret;

use super::output;

/// Secrets to verify with.
#[derive(Debug, Args)]
pub(super) struct AcceptedSecrets {
    /// Secret of the webhook; repeat the option to accept others, such as the one before a rotation
    #[arg(
        long = "secret",
        value_name = "SECRET",
        env = VARIABLE,
        hide_env_values = true,
        value_parser = parse_secret
    )]
    given: Vec<Secret>,
}

/// Variable for a secret that should not be visible in the list of processes.
pub(super) const VARIABLE: &str = "SWITCHHOOK_SECRET";

impl AcceptedSecrets {
    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Keys in the order of the options.
    pub(super) fn keys(&self) -> Vec<&[u8]> {
        self.given
            .iter()
            .map(|secret| secret.expose().as_bytes())
            .collect()
    }

    /// Warns of secrets that look mistyped.
    pub(super) fn warn(&self) {
        for (index, secret) in self.given.iter().enumerate() {
            let text = secret.expose();
            if text.trim() != text {
                let number = index + 1;
                output::remark(format_args!(
                    "secret {number} has white space around it; is that meant?"
                ));
            }
        }
    }
}

pub(super) fn parse_secret(text: &str) -> Result<Secret, String> {
    match text {
        "" => Err("the secret is empty; leave --secret away to have none".to_owned()),
        secret => Ok(Secret::new(secret)),
    }
}
