//! Options for retention.

use std::time::Duration;

use clap::Args;
use switchhook_domain::history::MINUTES_KEPT;
use switchhook_node::amounts;
use switchhook_node::duration::show_duration;
use switchhook_node::ingest::KEY_LASTS;
use switchhook_node::settings::RetentionSettings;

use super::amount::{Bound, parse_age, parse_size};

/// Options for retention.
#[derive(Clone, Debug, Args)]
pub struct RetentionOptions {
    #[arg(
        long,
        help = format!(
            "Time to keep events and deliveries (at least {}), or `none` to keep them forever; pending deliveries always stay",
            amounts::time(KEY_LASTS)
        ),
        env = "SWITCHHOOK_RETENTION", hide_env_values = true, value_name = "DURATION", default_value = "30d", value_parser = parse_retention)]
    pub retention: Bound<Duration>,

    /// Maximum size of the store (10GB); beyond it the oldest events are removed, whatever their age
    #[arg(long, env = "SWITCHHOOK_RETENTION_SIZE", hide_env_values = true, value_name = "SIZE", default_value = "none", value_parser = parse_size)]
    pub retention_size: Bound<u64>,

    #[arg(
        long,
        help = format!(
            "Time to keep the hourly counts behind charts and /v1/history (at least {}), or `none` to keep them forever",
            amounts::time(MINUTES_KEPT)
        ),
        env = "SWITCHHOOK_RETENTION_HISTORY", hide_env_values = true, value_name = "DURATION", default_value = "30d", value_parser = parse_history)]
    pub retention_history: Bound<Duration>,
}

impl RetentionOptions {
    pub(super) const fn settings(&self) -> RetentionSettings {
        RetentionSettings {
            age: self.retention.0,
            size: self.retention_size.0,
            history: self.retention_history.0,
        }
    }
}

fn parse_retention(text: &str) -> Result<Bound<Duration>, String> {
    match parse_age(text)? {
        Bound(Some(age)) if age < KEY_LASTS => Err(format!(
            "{} is shorter than the {} for which idempotency keys are valid: use that or more, or none to keep everything",
            show_duration(age),
            show_duration(KEY_LASTS),
        )),
        age => Ok(age),
    }
}

fn parse_history(text: &str) -> Result<Bound<Duration>, String> {
    match parse_age(text)? {
        Bound(Some(age)) if age < MINUTES_KEPT => Err(format!(
            "{} is shorter than the time for which counts per minute are kept; use at least {}, or none to keep all counts",
            show_duration(age),
            show_duration(MINUTES_KEPT),
        )),
        age => Ok(age),
    }
}
