//! Options for logging.

use clap::Args;
use switchhook_ingress::request_log::LOG_TARGET;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::logging::LogFormat;
use crate::words;

/// Options for logging.
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
    #[arg(long, env = "SWITCHHOOK_LOG_LEVEL", hide_env_values = true, value_name = "LEVEL", default_value = "info", value_parser = parse_level)]
    pub log_level: String,

    /// Log every request: method, route, status, time and company, never its path, query or body
    #[arg(long, env = "SWITCHHOOK_LOG_REQUESTS", hide_env_values = true, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = words::yes_no())]
    pub log_requests: bool,
}

impl LoggingOptions {
    /// Log filter. Requests are logged if the option says so, or if the level of their target is given.
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

fn parse_level(text: &str) -> Result<String, String> {
    // A word alone may only be a level: as the name of a module it would have everything of that logged, and nothing else.
    let is_part = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
    match text.parse::<Targets>() {
        Ok(_) if text.split(',').all(is_part) => Ok(text.to_owned()),
        _ => Err(format!(
            "`{text}` is not a log level; write error, warn, info, debug or trace, or MODULE=LEVEL, several separated by commas"
        )),
    }
}
