//! Options for sending: retry rules, concurrency, and the duration of claims.

use std::time::Duration;

use clap::Args;
use switchhook_domain::lease::Lease;
use switchhook_domain::retry::Profile;
use switchhook_domain::webhook::{DeliveryDefaults, LONGEST_DISABLE_DAYS};
use switchhook_node::duration::{parse_duration, show_duration};
use switchhook_node::ingest::LARGEST_EVENT;

use super::amount::{Bound, parse_size};
use crate::words;

/// Between the end of the longest attempt and the end of its lease there must be time to write down how it ended; and an
/// attempt does not begin the moment it is claimed.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// Options for sending deliveries.
#[derive(Clone, Debug, Args)]
pub struct SendingOptions {
    /// Default retry rules of webhooks: durable (for days) or dialpad (exactly as Dialpad)
    #[arg(
        long,
        env = "SWITCHHOOK_PROFILE",
        hide_env_values = true,
        value_name = "PROFILE",
        default_value = "durable",
        hide_possible_values = true,
        value_parser = words::one_of::<Profile>(Profile::ALL.map(Profile::as_str))
    )]
    pub profile: Profile,

    /// Time for which a server claims a delivery before another may send it
    #[arg(long, env = "SWITCHHOOK_LEASE", hide_env_values = true, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    pub lease: Duration,

    /// Maximum number of deliveries sent at once
    #[arg(long, env = "SWITCHHOOK_MAX_IN_FLIGHT", hide_env_values = true, value_name = "N", default_value = "1024", value_parser = words::whole_number::<u32>(1..=65_536))]
    pub max_in_flight: u32,

    /// Memory for events that are being sent, at least 1MiB; the rest waits in the store
    #[arg(long, env = "SWITCHHOOK_MAX_HANDED_OVER_BYTES", hide_env_values = true, value_name = "SIZE", default_value = "256MiB", value_parser = parse_memory)]
    pub max_handed_over_bytes: u64,

    /// Days without a success after which a webhook is disabled, and its deliveries wait until it is resumed; 0 for never
    #[arg(long, env = "SWITCHHOOK_DISABLE_AFTER_DAYS", hide_env_values = true, value_name = "DAYS", default_value = "0", value_parser = words::whole_number::<u32>(0..=LONGEST_DISABLE_DAYS))]
    pub disable_after_days: u32,
}

impl SendingOptions {
    /// Settings for webhooks that do not set their own.
    pub(super) fn defaults(&self) -> DeliveryDefaults {
        DeliveryDefaults {
            profile: self.profile,
            disable_after_days: self.disable_after_days,
            longest_attempt: Lease(self.lease).longest_attempt(),
            ..DeliveryDefaults::default()
        }
    }

    /// Checks combinations of settings that are valid by themselves.
    pub(super) fn check_together(&self) -> Vec<String> {
        let shortest = self.profile.timeout() + LEASE_MARGIN;
        if self.lease >= shortest {
            return Vec::new();
        }
        vec![format!(
            "lease: {} is shorter than an attempt of the profile {} may take; use at least {}",
            show_duration(self.lease),
            self.profile,
            show_duration(shortest),
        )]
    }
}

/// A size with room for at least one event.
fn parse_memory(text: &str) -> Result<u64, String> {
    match parse_size(text) {
        Ok(Bound(Some(bytes))) if bytes >= LARGEST_EVENT as u64 => Ok(bytes),
        Ok(_) => Err(format!(
            "`{text}` is less than an event may have, which is 1MiB; write 1MiB or more, like 256MiB"
        )),
        Err(error) => Err(error),
    }
}
