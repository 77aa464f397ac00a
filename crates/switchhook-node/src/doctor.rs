//! The doctor: what is wrong with a company's webhooks, subscriptions and deliveries, and what to do about each.
//!
//! Here: what is examined and what is found. `registered` looks at what was set up, `sending` at how deliveries do, `sources` at
//! what comes in, `reach` whether a connection can be made from where the server stands. It changes nothing and sends no event.

mod reach;
mod registered;
mod sending;
mod sources;

pub use self::sending::{LATE, late_delivery};
pub use self::sources::refusing_sources;

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use switchhook_domain::credential::{shown_text, shown_url};
use switchhook_domain::id::{SourceId, SubscriptionId, WebhookId};
use switchhook_domain::key::Right;
use switchhook_domain::lease::Lease;
use switchhook_domain::webhook::Webhook;
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::spelled_enum;
use switchhook_store::{StoreError, SubscriptionFilter, all_pages};
use tokio::time::Instant;

use crate::Node;
use crate::caller::Caller;
use crate::delivery::EngineState;
use crate::health::{self, Health};
use crate::refusal::Refusal;
use crate::visibility::Visibility;

/// Webhooks examined at once.
const AT_ONCE: usize = 32;

/// Limit on connecting to all webhooks. Those left over are counted.
const LONGEST: Duration = Duration::from_secs(40);

/// Options of an examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExamineOptions {
    /// Only this webhook, and nothing else.
    pub only: Option<WebhookId>,
    pub connections: ConnectionCheck,
}

/// Switch for trying connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionCheck {
    /// Tries a connection to every webhook.
    Try,
    /// Looks only at what is stored.
    Skip,
}

/// Result of an examination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Most severe first.
    pub findings: Vec<Finding>,
    /// Number of webhooks examined.
    pub webhooks: usize,
    /// Number of subscriptions examined.
    pub subscriptions: usize,
    /// Number of webhooks that there was no time to connect to.
    pub unreached: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub trouble: FindingKind,
    pub location: Location,
    /// Sentence about the location.
    pub what: String,
    /// First line of the receiver's last answer, or the error if there was none.
    pub last_line: Option<String>,
    /// The status of that answer, if there was one.
    pub last_status: Option<u16>,
    /// Action to take.
    pub remedy: String,
}

/// Subject of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In the server itself, or everywhere.
    Server,
    Webhook {
        id: WebhookId,
        hook_url: String,
    },
    Source {
        id: SourceId,
        name: String,
    },
    Subscription {
        id: SubscriptionId,
        kind: Kind,
    },
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("the server"),
            Self::Webhook { id, hook_url } => write!(f, "webhook {id} ({hook_url})"),
            Self::Source { id, name } => write!(f, "source {id} ({name})"),
            Self::Subscription { id, kind } => write!(f, "{kind} subscription {id}"),
        }
    }
}

spelled_enum! {
    /// Kind of a finding.
    pub enum FindingKind: "kind of trouble" {
        /// Nothing can be kept.
        StoreUnavailable = "store_unavailable",
        /// The engine does not run, so nothing is sent.
        NotSending = "not_sending",
        /// The company has no webhook.
        NoWebhook = "no_webhook",
        /// No subscription sends to a webhook.
        NoSubscription = "no_subscription",
        /// A subscription sends nowhere.
        SendsNowhere = "sends_nowhere",
        /// A subscription is disabled.
        Disabled = "disabled",
        /// A webhook is paused.
        Paused = "paused",
        /// A webhook was disabled, because its receiver had failed for too long or asked for it.
        WebhookDisabled = "webhook_disabled",
        /// A webhook has no secret.
        NoSecret = "no_secret",
        /// A webhook's secret is short.
        ShortSecret = "short_secret",
        /// A webhook's URL is one that is not sent to.
        AddressRefused = "address_refused",
        /// The name in a webhook's URL has no address.
        UnknownName = "unknown_name",
        /// No connection can be made.
        Unreachable = "unreachable",
        /// No secure connection can be made.
        Tls = "tls",
        /// The receiver answers with a redirect.
        Redirects = "redirects",
        /// The receiver does not take what is sent as what it is called.
        ContentType = "content_type",
        /// The receiver's clock and ours differ, or the machine's and the database's.
        ClockSkew = "clock_skew",
        /// A webhook's receiver fails: every attempt, for some time.
        Failing = "failing",
        /// Deliveries are late.
        Behind = "behind",
        /// Deliveries were given up.
        GivenUp = "given_up",
        /// A source refuses what comes to it.
        SourceRefuses = "source_refuses",
    }
}

/// Severity of a finding, by which findings are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Impact {
    /// Something that was sent does not arrive.
    Lost,
    /// Something is held back, late, or sent to nobody, and somebody may have meant it so.
    Held,
    /// Everything arrives, and could do so more safely.
    Hint,
}

impl FindingKind {
    const fn impact(self) -> Impact {
        match self {
            Self::StoreUnavailable
            | Self::NotSending
            | Self::WebhookDisabled
            | Self::AddressRefused
            | Self::UnknownName
            | Self::Unreachable
            | Self::Tls
            | Self::Redirects
            | Self::ContentType
            | Self::Failing
            | Self::GivenUp
            | Self::SourceRefuses => Impact::Lost,
            Self::NoWebhook
            | Self::NoSubscription
            | Self::SendsNowhere
            | Self::Disabled
            | Self::Paused
            | Self::Behind
            | Self::ClockSkew => Impact::Held,
            Self::NoSecret | Self::ShortSecret => Impact::Hint,
        }
    }
}

/// Looks at a company's things; one examination of a company tries connections at a time.
///
/// # Errors
/// If the caller may not, others are being examined, the caller's key ended meanwhile, the store cannot be read, or there
/// is no such webhook.
pub async fn examine(node: &Node, caller: Caller, examination: ExamineOptions) -> Result<Report, Refusal> {
    caller.require(Right::Read)?;
    let share = node.shares.of(caller.company_id);
    let _places = match examination.connections {
        ConnectionCheck::Try => Some(node.shares.place_to_examine(&share)?),
        ConnectionCheck::Skip => None,
    };
    let lease = node.leases.hold(caller);
    let mut report = tokio::select! {
        report = look(node, caller, examination) => report?,
        () = lease.ended() => return Err(Refusal::KeyEnded),
    };
    report.findings.retain(|finding| match finding.location {
        Location::Subscription { kind, .. } => caller.clearance().sees(kind).is_ok(),
        Location::Server | Location::Webhook { .. } | Location::Source { .. } => true,
    });
    report.findings.sort_by_key(|finding| finding.trouble.impact());
    Ok(report)
}

async fn look(node: &Node, caller: Caller, examination: ExamineOptions) -> Result<Report, StoreError> {
    let company_id = caller.company_id;
    let only = examination.only;
    let store = &node.store;
    let webhooks = match only {
        Some(id) => vec![store.webhook(company_id, id).await?],
        None => all_pages(|page| store.list_webhooks(company_id, page)).await?,
    };
    let every = SubscriptionFilter::default();
    let subscriptions = all_pages(|page| store.list_subscriptions(company_id, every, page)).await?;
    let mut findings = Vec::new();
    if only.is_none() {
        findings.extend(the_server(node).await);
        findings.extend(registered::none_at_all(&webhooks, &subscriptions));
    }
    let mut unreached = 0;
    let healths = health::of_all(node, &webhooks).await?;
    for (seen, was_reached) in each_webhook(node, caller, examination, &webhooks, healths).await {
        for finding in seen? {
            // What is wrong with the server on the way to one webhook is so on the way to others.
            if finding.location != Location::Server || !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        unreached += usize::from(!was_reached);
    }
    if only.is_none() {
        findings.extend(subscriptions.iter().filter_map(registered::subscription));
        findings.extend(refusing_sources(node, company_id).await?);
    }
    Ok(Report {
        findings,
        webhooks: webhooks.len(),
        subscriptions: subscriptions.len(),
        unreached,
    })
}

async fn the_server(node: &Node) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |trouble, what: String, remedy: &str| {
        findings.push(Finding {
            trouble,
            location: Location::Server,
            what,
            last_line: None,
            last_status: None,
            remedy: remedy.to_owned(),
        });
    };
    let store = match node.ingest_progress.problem() {
        Some(trouble) => Err(trouble),
        None => node.store.check().await.map_err(|error| error.to_string()),
    };
    if let Err(error) = store {
        let remedy = "make room on the disk, or see the server's log; events are refused until then";
        find(
            FindingKind::StoreUnavailable,
            format!("it can keep nothing: {error}"),
            remedy,
        );
    }
    if let Some(trouble) = node.clock.agreement().trouble(Lease(node.settings.lease)) {
        let remedy = "set the clocks of all machines by NTP: the node makes up for it, but is not ready and leaves expired \
                      leases to others";
        find(FindingKind::ClockSkew, trouble, remedy);
    }
    match node.engine.state() {
        EngineState::Running => {}
        EngineState::Stalled(why) => {
            let remedy = "make room on the disk, or see the server's log; sending goes on by itself";
            find(
                FindingKind::NotSending,
                format!("it sends nothing: {why}"),
                remedy,
            );
        }
        EngineState::Stopped => find(
            FindingKind::NotSending,
            "it sends nothing: it is stopping".to_owned(),
            "start it again",
        ),
    }
    findings
}

type Examined = (Result<Vec<Finding>, StoreError>, bool);

/// Looks at webhooks, some at once; answers in their order.
async fn each_webhook(
    node: &Node,
    caller: Caller,
    examination: ExamineOptions,
    webhooks: &[Webhook],
    healths: Vec<Health>,
) -> Vec<Examined> {
    let until = Instant::now() + LONGEST;
    let examined: Vec<_> = webhooks
        .iter()
        .zip(healths)
        .map(|(webhook, health)| {
            one_webhook(
                node,
                Visibility::of(caller, node),
                examination.connections,
                webhook,
                health,
                until,
            )
        })
        .collect();
    stream::iter(examined).buffered(AT_ONCE).collect().await
}

async fn one_webhook(
    node: &Node,
    visibility: Visibility,
    connections: ConnectionCheck,
    webhook: &Webhook,
    health: Health,
    until: Instant,
) -> Examined {
    let mut findings = registered::webhook(webhook, &health);
    let reached = match connections {
        ConnectionCheck::Try => tokio::time::timeout_at(until, reach::webhook(node, webhook)).await,
        ConnectionCheck::Skip => Ok(None),
    };
    let was_reached = reached.is_ok();
    let unreachable = reached.ok().flatten();
    let sending = sending::webhook(node, visibility, webhook, health, unreachable.as_ref()).await;
    findings.extend(unreachable);
    let findings = sending.map(|more| {
        findings.extend(more);
        findings
    });
    (findings, was_reached)
}

/// Something that is wrong with a webhook.
fn at_webhook(webhook: &Webhook, trouble: FindingKind, what: impl Into<String>, remedy: String) -> Finding {
    Finding {
        trouble,
        location: Location::Webhook {
            id: webhook.id,
            hook_url: shown_url(&webhook.hook_url).into_owned(),
        },
        what: shown_text(&what.into()).into_owned(),
        last_line: None,
        last_status: None,
        remedy,
    }
}

/// An instant in a sentence.
fn since(at: Timestamp) -> String {
    format!("since {at}")
}
