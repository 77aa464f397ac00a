//! What is logged, and how.

use clap::Args;
use clap::builder::{BoolishValueParser, NonEmptyStringValueParser};
use switchhook_web::observing::LOG_TARGET;

use crate::logging::LogFormat;

/// What is logged, and how.
#[derive(Clone, Debug, Args)]
pub struct LoggingOptions {
    /// Format of log lines on standard error
    #[arg(
        long,
        env = "SWITCHHOOK_LOG",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log: LogFormat,

    /// Log level: error, warn, info, debug, or module=level pairs separated by commas
    #[arg(long, env = "SWITCHHOOK_LOG_LEVEL", hide_env_values = true, value_name = "LEVEL", default_value = "info", value_parser = NonEmptyStringValueParser::new())]
    pub log_level: String,

    /// Log every request: method, route, status, time and company, never its path, query or body
    #[arg(long, env = "SWITCHHOOK_LOG_REQUESTS", hide_env_values = true, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = BoolishValueParser::new())]
    pub log_requests: bool,
}

impl LoggingOptions {
    /// What is logged. Requests are logged if that is wanted, or the level of their target is given.
    #[must_use]
    pub fn filter(&self) -> String {
        let level = &self.log_level;
        if level.contains(&format!("{LOG_TARGET}=")) {
            return level.clone();
        }
        let requests = if self.log_requests { "info" } else { "off" };
        format!("{level},{LOG_TARGET}={requests}")
    }
}
