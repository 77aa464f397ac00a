//! Options for limits per company, and for Dialpad's limits on `/api/v2`.

use clap::Args;
use switchhook_node::settings::ApiLimits;
use switchhook_node::share::{CompanyLimits, Limit};

use crate::words;

/// Limits per company.
#[derive(Clone, Debug, Args)]
pub struct LimitOptions {
    /// Rate and count limits of /api/v2: off, or dialpad for the same as Dialpad's
    #[arg(
        long,
        env = "SWITCHHOOK_API_LIMITS",
        hide_env_values = true,
        value_name = "LIMITS",
        default_value_t,
        hide_possible_values = true,
        value_parser = words::one_of::<ApiLimits>(ApiLimits::ALL.map(ApiLimits::as_str))
    )]
    pub api_limits: ApiLimits,

    /// Maximum number of webhooks per company, or `off`
    #[arg(
        long,
        env = "SWITCHHOOK_LIMIT_WEBHOOKS",
        hide_env_values = true,
        value_name = "N",
        default_value = "1000"
    )]
    pub limit_webhooks: Limit,

    /// Maximum number of subscriptions per company, or `off`
    #[arg(
        long,
        env = "SWITCHHOOK_LIMIT_SUBSCRIPTIONS",
        hide_env_values = true,
        value_name = "N",
        default_value = "10000"
    )]
    pub limit_subscriptions: Limit,

    /// Maximum number of websockets per company, and of connections to them, or `off`
    #[arg(
        long,
        env = "SWITCHHOOK_LIMIT_WEBSOCKETS",
        hide_env_values = true,
        value_name = "N",
        default_value = "200"
    )]
    pub limit_websockets: Limit,

    /// Maximum number of sources per company, or `off`
    #[arg(
        long,
        env = "SWITCHHOOK_LIMIT_SOURCES",
        hide_env_values = true,
        value_name = "N",
        default_value = "1000"
    )]
    pub limit_sources: Limit,

    /// Maximum number of live streams per company, and of dashboard pages that update live, or `off`
    #[arg(
        long,
        env = "SWITCHHOOK_LIMIT_STREAMS",
        hide_env_values = true,
        value_name = "N",
        default_value = "32"
    )]
    pub limit_streams: Limit,

    /// Maximum number of concurrent read requests per company (more wait briefly), or `off`
    #[arg(
        long,
        env = "SWITCHHOOK_LIMIT_READS",
        hide_env_values = true,
        value_name = "N",
        default_value = "4"
    )]
    pub limit_reads: Limit,
}

impl LimitOptions {
    pub(super) const fn company(&self) -> CompanyLimits {
        CompanyLimits {
            webhooks: self.limit_webhooks,
            subscriptions: self.limit_subscriptions,
            websockets: self.limit_websockets,
            sources: self.limit_sources,
            streams: self.limit_streams,
            reads: self.limit_reads,
        }
    }
}
