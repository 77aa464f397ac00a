//! Operator's settings of a node.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use switchhook_domain::lease::Lease;
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_http::proxy::Outbound;
use switchhook_http::server::ConnectionLimits;
use switchhook_protocol::spelled_enum;
use switchhook_store::{COMMIT_EVERY, SubscriptionLimits};

use crate::encryption::Keyring;
use crate::mask::Mask;
use crate::notification::NotificationSettings;
use crate::share::CompanyLimits;
use crate::validation::ValidationMode;

/// Operator's settings of a node.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// Address for metrics, if it is a separate one.
    pub metrics_listen: Option<SocketAddr>,
    /// For how many webhooks there are metrics of their own.
    pub metrics_per_webhook: usize,
    /// Limits on client connections.
    pub connections: ConnectionLimits,
    /// TLS for client connections.
    pub tls: TlsSettings,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// URL of the store.
    pub store: String,
    /// Time for which a transaction of an SQLite store stays open.
    pub commit_every: Duration,
    /// The program that fills in templates, in processes of its own (`switchhook template-worker`). Without one that is done here,
    /// where a template can take any time and memory.
    pub template_worker: Option<PathBuf>,
    /// URL of this server as the outside world reaches it.
    pub public_url: Option<String>,
    /// Settings for webhooks that do not set their own.
    pub delivery: DeliveryDefaults,
    /// Duration of a claim.
    pub lease: Duration,
    /// Bound on the attempts in flight.
    pub max_in_flight: u32,
    /// Bound on the deliveries in memory.
    pub max_handed_over: u32,
    /// Bound on the memory for events to be sent, in bytes.
    pub max_handed_over_bytes: u64,
    /// Address ranges that hook URLs may use although they are not public.
    pub hook_allow: Vec<IpNet>,
    /// Address ranges that hook URLs may not use, whatever else is allowed.
    pub hook_deny: Vec<IpNet>,
    /// True if hook URLs may be `http://`.
    pub hook_allow_http: bool,
    /// Proxy and certificates for outbound connections.
    pub outbound: Outbound,
    /// Key that encrypts secrets in the store.
    pub encryption: Option<Keyring>,
    /// True if no answer of the API shows a webhook's secret.
    pub hide_secrets: bool,
    /// Bounds on what is kept.
    pub retention: RetentionSettings,
    /// Treatment of events that deviate from the schemas.
    pub validation: ValidationMode,
    /// True if Dialpad's limits are enforced on `/api/v2`.
    pub api_limits: ApiLimits,
    pub company_limits: CompanyLimits,
    /// Time for which requests are still accepted after a request to stop.
    pub drain: Duration,
    /// Time for which attempts in flight may go on when the server stops.
    pub grace: Duration,
    /// Parts that the API and the dashboard leave out of what they show.
    pub mask: Mask,
    /// Functions of the dashboard, and who has them.
    pub dashboard: DashboardSettings,
    pub notifications: NotificationSettings,
}

/// Decisions of the operator about the dashboard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DashboardSettings {
    /// True if there is an inspector.
    pub inspector: bool,
    /// Enables the simulator.
    pub simulator: bool,
    /// The hash of the key with which everybody on this machine is signed in; without one they sign in themselves.
    pub open_with: Option<[u8; 32]>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8400)),
            metrics_listen: None,
            metrics_per_webhook: 0,
            connections: ConnectionLimits::default(),
            tls: TlsSettings::Off,
            trusted_proxies: Vec::new(),
            store: "sqlite:./switchhook.db".to_owned(),
            commit_every: COMMIT_EVERY,
            template_worker: None,
            public_url: None,
            delivery: DeliveryDefaults::default(),
            lease: Lease::DEFAULT.0,
            max_in_flight: 1_024,
            max_handed_over: 10_000,
            max_handed_over_bytes: 256 << 20,
            hook_allow: Vec::new(),
            hook_deny: Vec::new(),
            hook_allow_http: false,
            outbound: Outbound::default(),
            encryption: None,
            hide_secrets: false,
            retention: RetentionSettings::default(),
            validation: ValidationMode::Warn,
            api_limits: ApiLimits::Off,
            company_limits: CompanyLimits::default(),
            drain: Duration::ZERO,
            grace: Duration::from_secs(20),
            mask: Mask::NOTHING,
            dashboard: DashboardSettings::default(),
            notifications: NotificationSettings::default(),
        }
    }
}

/// TLS for client connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TlsSettings {
    /// Not at all: somebody in front of the server does it.
    #[default]
    Off,
    /// With a certificate from a file.
    Files {
        /// PEM file with the certificate chain.
        certificate: PathBuf,
        key: PathBuf,
    },
    /// With certificates that the server gets itself.
    Acme(AcmeSettings),
}

/// Certificates from an authority by ACME.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeSettings {
    /// For which names; at least one.
    pub names: Vec<String>,
    /// Contact address for the authority.
    pub email: Option<String>,
    /// URL of the authority's directory.
    pub directory: String,
    /// Extra root certificate to trust when connecting to the authority.
    pub root: Option<PathBuf>,
    /// Folder for the account and the certificate.
    pub folder: PathBuf,
}

/// Bounds on what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Events are kept this long, and longer while a delivery of theirs is pending; `None` keeps them for ever.
    pub age: Option<Duration>,
    /// The store may take this many bytes; `None` does not limit it.
    pub size: Option<u64>,
    /// Age at which hourly sums are removed; `None` keeps them for ever.
    pub history: Option<Duration>,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            age: Some(Duration::from_secs(30 * 24 * 60 * 60)),
            size: None,
            history: Some(Duration::from_secs(30 * 24 * 60 * 60)),
        }
    }
}

impl Settings {
    /// Public URL, if it is known; else the listening address.
    #[must_use]
    pub fn reachable_at(&self) -> String {
        if let Some(url) = &self.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let mut address = self.listen;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        match &self.tls {
            TlsSettings::Off => format!("http://{address}"),
            TlsSettings::Files { .. } => format!("https://{address}"),
            // The authority looks for the server at this port.
            TlsSettings::Acme(acme) => format!("https://{}", acme.names[0]),
        }
    }
}

spelled_enum! {
    /// Limits of `/api/v2`.
    #[derive(Default)]
    pub enum ApiLimits: "API limit" {
        /// None: it is the operator's own machine.
        #[default]
        Off = "off",
        /// Those that Dialpad documents.
        Dialpad = "dialpad",
    }
}

impl ApiLimits {
    /// Limits on the subscriptions of a company.
    #[must_use]
    pub const fn of_subscriptions(self) -> Option<SubscriptionLimits> {
        match self {
            Self::Off => None,
            Self::Dialpad => Some(SubscriptionLimits {
                per_kind: 100,
                per_kind_without_target: 10,
            }),
        }
    }
}
