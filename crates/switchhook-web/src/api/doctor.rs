//! `/v1/doctor`: what is wrong with the company's webhooks, subscriptions and deliveries, and what to do.
//!
//! The examination is `doctor.rs` of the node; its request and answer are here.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::id::WebhookId;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::Reader;
use super::query::{Query, query};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_node::Node;
use switchhook_node::doctor::{ConnectionCheck, ExamineOptions, Finding, Location, Report, examine};

/// Bound on the findings shown.
pub(super) const MOST_FINDINGS: usize = 500;

query! {
    /// Options of an examination.
    DoctorQuery {
        /// Webhook to narrow to.
        #[param(value_type = Option<String>)]
        webhook_id: WebhookId,
        /// Tests whether a connection to each webhook can be made, without sending an event; true by default.
        connect: bool,
    }
}

/// Result of an examination.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DoctorAnswer {
    /// Findings, the gravest first; empty if all is well. At most {most-findings}.
    pub findings: Vec<FindingAnswer>,
    /// Number of all findings.
    pub findings_count: usize,
    /// Number of webhooks examined.
    pub webhooks: usize,
    /// Number of subscriptions examined.
    pub subscriptions: usize,
    /// Number of webhooks that there was no time to connect to.
    pub unreached: usize,
    /// Number of nodes that share the work.
    pub nodes: u32,
    /// Server's time, in unix milliseconds.
    #[schema(value_type = i64)]
    pub now: Timestamp,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FindingAnswer {
    /// Kind of the finding: `no_subscription`, `short_secret`, `unreachable` and the like.
    #[schema(example = "no_subscription")]
    pub trouble: String,
    /// Location, in words.
    #[serde(rename = "where")]
    #[schema(example = "webhook 7730318061039616 (https://example.com/hook)")]
    pub place: String,
    #[schema(required)]
    pub webhook_id: Option<IdText>,
    #[schema(required)]
    pub subscription_id: Option<IdText>,
    #[schema(required)]
    pub source_id: Option<IdText>,
    /// Description of the problem.
    #[schema(example = "No enabled subscription sends to the webhook, so it receives nothing.")]
    pub what: String,
    /// First line of the receiver's last answer, or the reason for which there was none.
    #[schema(required)]
    pub last_line: Option<String>,
    /// The HTTP status of that answer; null if no answer came.
    #[schema(required)]
    pub last_status: Option<u16>,
    /// Action to take.
    #[schema(
        example = "subscribe it, or enable a subscription: switchhook subscriptions create call --webhook 7730318061039616"
    )]
    pub remedy: String,
}

/// Examines the company's webhooks, subscriptions and deliveries: lists the problems and their remedies.
///
/// The server itself tries the connections. A company has one examination at a time.
#[utoipa::path(
    get, path = "/v1/doctor", tag = "operation", operation_id = "doctor",
    params(DoctorQuery),
    responses((status = 200, description = "The findings.", body = DoctorAnswer)),
)]
pub(crate) async fn see(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<DoctorQuery>,
) -> Result<Json<DoctorAnswer>, ApiError> {
    let examination = ExamineOptions {
        only: query.webhook_id,
        connections: if query.connect.unwrap_or(true) {
            ConnectionCheck::Try
        } else {
            ConnectionCheck::Skip
        },
    };
    let report = examine(&api.node, caller, examination).await?;
    Ok(Json(DoctorAnswer::of(report, &api.node)))
}

impl DoctorAnswer {
    fn of(report: Report, node: &Node) -> Self {
        let findings_count = report.findings.len();
        let findings = report.findings.into_iter().take(MOST_FINDINGS);
        Self {
            findings: findings.map(FindingAnswer::from).collect(),
            findings_count,
            webhooks: report.webhooks,
            subscriptions: report.subscriptions,
            unreached: report.unreached,
            nodes: node.live_nodes(),
            now: node.clock.now(),
        }
    }
}

impl From<Finding> for FindingAnswer {
    fn from(finding: Finding) -> Self {
        let (mut webhook_id, mut subscription_id, mut source_id) = (None, None, None);
        match &finding.location {
            Location::Server => {}
            Location::Webhook { id, .. } => webhook_id = Some(IdText(id.0)),
            Location::Subscription { id, .. } => subscription_id = Some(IdText(id.0)),
            Location::Source { id, .. } => source_id = Some(IdText(id.0)),
        }
        Self {
            trouble: finding.trouble.as_str().to_owned(),
            place: finding.location.to_string(),
            webhook_id,
            subscription_id,
            source_id,
            what: finding.what,
            last_line: finding.last_line,
            last_status: finding.last_status,
            remedy: finding.remedy,
        }
    }
}
