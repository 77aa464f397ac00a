//! Settings of the server, defined once: every option of `serve` is also an environment variable and a key of the
//! configuration file, and its help is its documentation.
//!
//! Options that belong together have a file in `config/`. How flag, environment, file and default are combined is
//! `config/sources.rs`; the meaning of the settings is described where they are used, beginning at [`Settings`].

pub mod amount;
pub mod encryption;
pub mod file;
pub mod hooks;
pub mod limits;
pub mod listening;
pub mod logging;
pub mod notifications;
pub mod retention;
pub mod sending;
pub mod sources;
pub mod template;
pub mod tls;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use ipnet::IpNet;
use switchhook_domain::credential::shown_url;
use switchhook_store::StoreError;

pub use self::encryption::EncryptionOptions;
pub use self::hooks::HookOptions;
use self::hooks::parse_network;
pub use self::limits::LimitOptions;
pub use self::listening::ListeningOptions;
pub(crate) use self::listening::parse_listen;
pub use self::logging::LoggingOptions;
pub use self::notifications::NotificationOptions;
pub use self::retention::RetentionOptions;
pub use self::sending::SendingOptions;
use self::sources::Mistakes;
pub use self::tls::TlsOptions;
use crate::words;
use switchhook_node::duration::{parse_duration, show_duration};
use switchhook_node::mask::Mask;
use switchhook_node::settings::{DashboardSettings, Settings};
use switchhook_node::validation::ValidationMode;

/// The options of `serve`.
#[derive(Clone, Debug, Args)]
pub struct ServeOptions {
    /// TOML file with any of these options as keys (`listen = "0.0.0.0:8400"`)
    #[arg(long, env = "SWITCHHOOK_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub listening: ListeningOptions,

    #[command(flatten)]
    pub tls: TlsOptions,

    /// Address ranges of proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted, separated by commas: 10.0.0.0/8
    #[arg(long, env = "SWITCHHOOK_TRUSTED_PROXY", hide_env_values = true, value_name = "CIDR", value_delimiter = ',', value_parser = parse_network)]
    pub trusted_proxy: Vec<IpNet>,

    /// Store for events and deliveries: sqlite:PATH or postgres://…
    #[arg(long, env = "SWITCHHOOK_STORE", hide_env_values = true, value_name = "URL", default_value = DEFAULT_STORE, value_parser = parse_store)]
    pub store: String,

    /// Time between commits of an SQLite store; after a crash, deliveries made since the last commit are sent again
    #[arg(long, env = "SWITCHHOOK_COMMIT_EVERY", hide_env_values = true, value_name = "DURATION", default_value = "100ms", value_parser = parse_commit_every)]
    pub commit_every: Duration,

    /// URL at which clients reach this server
    #[arg(long, env = "SWITCHHOOK_PUBLIC_URL", hide_env_values = true, value_name = "URL", value_parser = parse_public_url)]
    pub public_url: Option<String>,

    #[command(flatten)]
    pub sending: SendingOptions,

    #[command(flatten)]
    pub hooks: HookOptions,

    #[command(flatten)]
    pub encryption: EncryptionOptions,

    #[command(flatten)]
    pub notifications: NotificationOptions,

    /// Leave secrets of webhooks out of API answers
    #[arg(long, env = "SWITCHHOOK_HIDE_SECRETS", hide_env_values = true, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = words::yes_no())]
    pub hide_secrets: bool,

    #[command(flatten)]
    pub retention: RetentionOptions,

    /// Schema validation of events: off, warn (accept with warnings) or strict (refuse, except from sources)
    #[arg(
        long,
        env = "SWITCHHOOK_VALIDATION",
        hide_env_values = true,
        value_name = "MODE",
        default_value = "warn",
        hide_possible_values = true,
        value_parser = words::one_of::<ValidationMode>(ValidationMode::ALL.map(ValidationMode::as_str))
    )]
    pub validation: ValidationMode,

    #[command(flatten)]
    pub limits: LimitOptions,

    /// Allow webhooks to `inspector://NAME`: a receiver inside the server whose deliveries the dashboard shows
    #[arg(long, env = "SWITCHHOOK_INSPECTOR", hide_env_values = true, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = words::yes_no())]
    pub inspector: bool,

    /// Data masked in the dashboard, the API and live views: numbers, text (of messages), numbers,text or nothing
    #[arg(
        long,
        env = "SWITCHHOOK_MASK",
        hide_env_values = true,
        value_name = "WHAT",
        default_value = "nothing",
        hide_possible_values = true,
        value_parser = words::one_of::<Mask>(["numbers", "text", "nothing"])
    )]
    pub mask: Mask,

    /// Time for which requests are accepted after a request to stop, while /readyz reports that the server is stopping (5s)
    #[arg(long, env = "SWITCHHOOK_DRAIN", hide_env_values = true, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub drain: Duration,

    /// Time for open deliveries to end when the server stops
    #[arg(long, env = "SWITCHHOOK_GRACE", hide_env_values = true, value_name = "DURATION", default_value = "20s", value_parser = parse_duration)]
    pub grace: Duration,

    #[command(flatten)]
    pub logging: LoggingOptions,
}

/// The store of a server, for commands that work on it directly.
#[derive(Clone, Debug, Args)]
pub struct StoreOptions {
    /// Configuration file of `serve`, of which only the store is used
    #[arg(long, env = "SWITCHHOOK_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Store for events and deliveries: sqlite:PATH or postgres://…
    #[arg(long, env = "SWITCHHOOK_STORE", hide_env_values = true, value_name = "URL", default_value = DEFAULT_STORE, value_parser = parse_store)]
    pub store: String,
}

const DEFAULT_STORE: &str = "sqlite:./switchhook.db";

/// A transaction must not stay open for longer than whoever looks at the file from outside waits for its commit.
const COMMIT_EVERY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(2);

/// The options that a configuration file may set.
#[must_use]
pub fn file_options() -> Vec<Arg> {
    let command = ServeOptions::augment_args(Command::new("serve"));
    command
        .get_arguments()
        .filter(|option| option.get_id() != "config")
        .cloned()
        .collect()
}

impl ServeOptions {
    /// Settings from the options.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn settings(&self) -> Result<Settings, Mistakes> {
        let mut mistakes = self.sending.check_together();
        mistakes.extend(self.listening.check_together());
        let mut report = |others: Mistakes| mistakes.extend(others.0);
        let outbound = self.hooks.outbound().map_err(&mut report).unwrap_or_default();
        let encryption = self.encryption.keyring().map_err(&mut report).unwrap_or_default();
        let tls = self.tls.settings().map_err(&mut report).unwrap_or_default();
        let notifications = self
            .notifications
            .settings()
            .map_err(&mut report)
            .unwrap_or_default();
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes));
        }
        Ok(Settings {
            listen: self.listening.listen,
            metrics_listen: self.listening.metrics_listen,
            metrics_per_webhook: self.listening.metrics_per_webhook as usize,
            connections: self.listening.connections(),
            tls,
            trusted_proxies: self.trusted_proxy.clone(),
            store: self.store.clone(),
            commit_every: self.commit_every,
            public_url: self.public_url.clone(),
            delivery: self.sending.defaults(),
            lease: self.sending.lease,
            max_in_flight: self.sending.max_in_flight,
            max_handed_over_bytes: self.sending.max_handed_over_bytes,
            hook_allow: self.hooks.hook_allow.clone(),
            hook_deny: self.hooks.hook_deny.clone(),
            hook_allow_http: self.hooks.hook_allow_http,
            outbound,
            encryption,
            hide_secrets: self.hide_secrets,
            retention: self.retention.settings(),
            validation: self.validation,
            api_limits: self.limits.api_limits,
            company_limits: self.limits.company(),
            drain: self.drain,
            grace: self.grace,
            mask: self.mask,
            dashboard: DashboardSettings {
                inspector: self.inspector,
                ..DashboardSettings::default()
            },
            notifications,
            ..Settings::default()
        })
    }
}

/// Mistakes in combinations of settings, without those that are wrong by themselves.
#[must_use]
pub fn mistakes_of(valid_settings: &ArgMatches) -> Vec<String> {
    let options = ServeOptions::from_arg_matches(valid_settings);
    let mistakes = options.map(|options| options.settings().err());
    mistakes
        .ok()
        .flatten()
        .map(|mistakes| mistakes.0)
        .unwrap_or_default()
}

fn parse_commit_every(text: &str) -> Result<Duration, String> {
    match parse_duration(text).map_err(|error| error.to_string())? {
        time if COMMIT_EVERY.contains(&time) => Ok(time),
        time => Err(format!(
            "{} is not between {} and {}",
            show_duration(time),
            show_duration(*COMMIT_EVERY.start()),
            show_duration(*COMMIT_EVERY.end()),
        )),
    }
}

/// A store as it is written on the command line.
pub(crate) fn parse_store(text: &str) -> Result<String, String> {
    // What is no URL may still hold a password, so it is not repeated.
    match switchhook_store::check_url(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(StoreError::Unusable(why)) => Err(why),
        Err(other) => Err(other.to_string()),
    }
}

pub(crate) fn parse_public_url(text: &str) -> Result<String, String> {
    let is_web = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    match url::Url::parse(text) {
        Ok(url) if is_web(&url) && (url.query().is_some() || url.fragment().is_some()) => Err(format!(
            "`{}` has a query or a fragment, to which no path can be added; leave away what begins with ? or #",
            shown_url(text)
        )),
        Ok(url) if is_web(&url) => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(format!(
            "`{}` is not a web address; write it as https://hooks.example.com",
            shown_url(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::sources::{ParseError, parse};
    use super::*;

    /// Without the environment, so that the one of the test does not matter.
    fn command() -> Command {
        let serve = ServeOptions::augment_args(Command::new("serve"));
        serve.mut_args(|option| option.env(clap::builder::Resettable::Reset))
    }

    fn options(file: &str, flags: &[&str]) -> Result<ServeOptions, ParseError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switchhook.toml");
        std::fs::write(&path, file).unwrap();
        let mut args: Vec<OsString> = vec!["serve".into(), "--config".into(), path.into()];
        args.extend(flags.iter().map(OsString::from));
        let parsed = parse(command(), &file_options(), &mistakes_of, &args)?;
        Ok(ServeOptions::from_arg_matches(&parsed.matches).unwrap())
    }

    #[track_caller]
    fn mistakes(file: &str, flags: &[&str]) -> Vec<String> {
        match options(file, flags) {
            Err(ParseError::Mistakes(mistakes)) => mistakes.0,
            other => panic!("these are no mistakes: {other:?}"),
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_system() {
        let settings = options("", &[]).unwrap().settings().unwrap();
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
    }

    #[test]
    fn the_file_is_over_the_default_and_the_flag_over_the_file() {
        let file = "lease = \"2m\"\nmax-in-flight = 7\nhook-allow = [\"10.0.0.0/8\", \"127.0.0.1\"]\nhook-allow-http = true";
        let options = options(file, &["--lease", "3m", "--hook-allow-http=false"]).unwrap();
        assert_eq!(options.sending.lease, Duration::from_secs(180));
        assert_eq!(options.sending.max_in_flight, 7);
        assert_eq!(options.hooks.hook_allow.len(), 2);
        assert!(!options.hooks.hook_allow_http);
    }

    #[test]
    fn ranges_can_be_repeated_or_separated_by_commas() {
        for flags in [
            &["--hook-allow", "10.0.0.0/8,::1"][..],
            &["--hook-allow", "10.0.0.0/8", "--hook-allow", "::1"],
        ] {
            assert_eq!(options("", flags).unwrap().hooks.hook_allow.len(), 2);
        }
        assert_eq!(
            options("hook-allow = \"10.0.0.0/8, ::1\"", &[])
                .unwrap()
                .hooks
                .hook_allow
                .len(),
            2
        );
    }

    #[test]
    fn denied_ranges_are_written_as_allowed_ones_are() {
        let options = options("hook-deny = [\"10.0.0.0/8\", \"::1\"]", &[]).unwrap();
        assert_eq!(options.settings().unwrap().hook_deny.len(), 2);
        assert!(mistakes("hook-deny = \"10.0.0.0/33\"", &[])[0].contains("hook-deny"));
    }

    #[test]
    fn all_mistakes_are_told_at_once_each_with_its_place() {
        let file = "leese = \"60s\"\nlease = 60\nvalidation = \"stritc\"\n[server]\nlisten = 1\n";
        let messages = mistakes(file, &["--grace", "soon"]);
        assert_eq!(messages.len(), 5, "{messages:#?}");
        assert!(
            messages[0].starts_with("--grace: `soon` is not a length of time"),
            "{messages:#?}"
        );
        assert!(
            messages[1].contains(":1: leese: there is no such setting; did you mean `lease`?"),
            "{messages:#?}"
        );
        assert!(
            messages[2].contains(":2: lease: `60` is not a length of time"),
            "{messages:#?}"
        );
        assert!(
            messages[3].contains(":3: validation: ") && messages[3].contains("strict"),
            "{messages:#?}"
        );
        assert!(
            messages[4].contains(":4: server: settings stand at the top"),
            "{messages:#?}"
        );
    }

    #[test]
    fn a_mistake_names_the_value_and_what_to_write_instead() {
        let file = "inspector = \"maybe\"\nmax-in-flight = \"many\"\nlog-level = \"loud\"\nlog = \"xml\"";
        let messages = mistakes(file, &["--hide-secrets=perhaps", "--disable-after-days=999"]);
        for part in [
            ":1: inspector: `maybe` is neither yes nor no: write true or false",
            ":2: max-in-flight: `many` is not a whole number from 1 to 65536",
            ":3: log-level: `loud` is not a log level; write error, warn",
            ":4: log: invalid value 'xml' for '--log <FORMAT>' [possible values: text, json]",
            "--hide-secrets: `perhaps` is neither yes nor no",
            "--disable-after-days: `999` is not a whole number from 0 to 365",
        ] {
            assert!(
                messages.iter().any(|mistake| mistake.contains(part)),
                "{part}: {messages:#?}"
            );
        }
        assert_eq!(messages.len(), 6, "{messages:#?}");
    }

    #[test]
    fn a_mistake_is_told_even_if_a_flag_covers_it() {
        assert_eq!(mistakes("max-in-flight = 0", &["--max-in-flight", "5"]).len(), 1);
        assert_eq!(mistakes("lease = [\"60s\", \"70s\"]", &[]).len(), 1);
    }

    #[test]
    fn a_lease_shorter_than_an_attempt_is_a_mistake() {
        assert!(options("", &["--lease", "15s"]).unwrap().settings().is_err());
        assert!(
            options("", &["--lease", "15s", "--profile", "dialpad"])
                .unwrap()
                .settings()
                .is_ok()
        );
    }

    #[test]
    fn an_idle_timeout_that_lets_nobody_come_back_is_a_mistake() {
        let messages = mistakes("", &["--idle-timeout", "10ms"]);
        assert!(
            messages[0].starts_with("--idle-timeout: 10ms leaves"),
            "{messages:?}"
        );
        let some = options("idle-timeout = \"10m\"\nmax-connections = 50", &[]).unwrap();
        let connections = some.settings().unwrap().connections;
        assert_eq!(
            (connections.idle, connections.max),
            (Duration::from_secs(600), Some(50))
        );
    }

    #[test]
    fn a_transaction_that_stays_open_for_too_long_is_a_mistake() {
        for wrong in ["0s", "3s"] {
            let messages = mistakes("", &["--commit-every", wrong]);
            assert!(messages[0].ends_with("is not between 1ms and 2s"), "{messages:?}");
        }
        let some = options("commit-every = \"20ms\"", &[]).unwrap();
        assert_eq!(some.settings().unwrap().commit_every, Duration::from_millis(20));
    }

    #[test]
    fn a_retention_shorter_than_idempotency_keys_last_is_a_mistake() {
        let messages = mistakes("retention = \"12h\"", &[]);
        assert!(
            messages[0].contains(":1: retention: 12h is shorter"),
            "{messages:?}"
        );
        let all = options("", &["--retention", "none", "--retention-size", "10GB"]).unwrap();
        let retention = all.settings().unwrap().retention;
        assert_eq!((retention.age, retention.size), (None, Some(10_000_000_000)));
    }

    #[test]
    fn a_history_shorter_than_its_minutes_is_a_mistake() {
        let messages = mistakes("retention-history = \"47h\"", &[]);
        assert!(
            messages[0].contains(":1: retention-history: 1d 23h is shorter"),
            "{messages:?}"
        );
        let all = options("", &["--retention-history", "none"]).unwrap();
        assert_eq!(all.settings().unwrap().retention.history, None);
    }

    #[test]
    fn requests_are_logged_only_if_that_is_wanted() {
        for (flags, filter) in [
            (&[][..], "info,requests=off"),
            (&["--log-requests"], "info,requests=info"),
            (&["--log-level", "warn,requests=info"], "warn,requests=info"),
        ] {
            assert_eq!(
                options("", flags).expect("they are options").logging.filter(),
                filter
            );
        }
    }

    #[test]
    fn what_is_wrong_together_is_told_beside_what_is_wrong_alone() {
        let file = "leese = 1\nretention = \"1h\"\nlease = \"12s\"\nhook-ca = \"/no/such/file\"\n\
                    encryption-key-file = \"/no/such/key\"";
        let messages = mistakes(file, &["--grace", "soon"]);
        for (at, part) in [
            "--grace: `soon`",
            ":1: leese: there is no such setting",
            ":2: retention: 1h is shorter",
            "lease: 12s is shorter",
            "hook-ca: /no/such/file",
            "encryption-key-file: /no/such/key",
        ]
        .iter()
        .enumerate()
        {
            assert!(messages[at].contains(part), "{part}: {messages:#?}");
        }
        assert_eq!(messages.len(), 6, "{messages:#?}");
        // What has to do with something that is wrong already is not judged.
        let messages = mistakes(
            "lease = \"12s\"\nprofile = \"dailpad\"\nhook-ca = \"/no/such/file\"",
            &[],
        );
        assert!(
            messages[0].contains("dailpad") && messages[1].contains("hook-ca"),
            "{messages:#?}"
        );
        assert_eq!(messages.len(), 2, "{messages:#?}");
    }

    #[test]
    fn settings_that_cannot_hold_together_are_mistakes() {
        for (file, part) in [
            (
                "listen = \"127.0.0.1:9000\"\nmetrics-listen = \"127.0.0.1:9000\"",
                "metrics-listen: ",
            ),
            (
                "listen = \"0.0.0.0:9000\"\nmetrics-listen = \"127.0.0.1:9000\"",
                "metrics-listen: ",
            ),
            ("hook-proxy-by-name = true", "hook-proxy-by-name: "),
            ("hook-no-proxy = \"internal.example\"", "hook-no-proxy: "),
            (
                "notify-email-password-file = \"/no/such/file\"",
                "notify-email-password-file: /no/such/file",
            ),
            (
                "public-url = \"https://hooks.example.com/?a=1\"",
                "a query or a fragment",
            ),
            (
                "public-url = \"https://hooks.example.com/#a\"",
                "a query or a fragment",
            ),
        ] {
            let messages = mistakes(&format!("{file}\nprofile = \"dailpad\""), &[]).join("\n");
            assert!(
                messages.contains(part) && messages.contains("dailpad"),
                "{file}: {messages}"
            );
        }
        let apart = "listen = \"127.0.0.1:9000\"\nmetrics-listen = \"127.0.0.2:9000\"";
        assert!(options(apart, &[]).unwrap().settings().is_ok());
    }

    #[test]
    fn a_store_that_is_no_url_is_not_repeated() {
        let messages = mistakes("", &["--store", "user:hunter2@host"]);
        assert!(!messages[0].contains("hunter2"), "{messages:?}");
    }
}
