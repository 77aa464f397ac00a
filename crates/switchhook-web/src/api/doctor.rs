//! `/v1/doctor`: what is wrong with the company's webhooks, subscriptions and deliveries, and what to do.
//!
//! What is looked at and how is `doctor.rs`; here is how one asks for it.

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::id::WebhookId;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::Reader;
use super::request::Query;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_node::Node;
use switchhook_node::doctor::{Connecting, Examination, Finding, Place, Report, examine};

/// How many findings are shown.
pub(super) const MOST_FINDINGS: usize = 500;

/// What is looked at.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by name from the query; the fields are there for the document"
)]
pub(crate) struct DoctorQuery {
    /// Only this webhook.
    #[param(value_type = Option<String>)]
    webhook_id: Option<WebhookId>,
    /// Whether to see if a connection to each webhook can be made: true unless told otherwise. No event is sent.
    connect: Option<bool>,
}

/// What was found.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DoctorAnswer {
    /// What is wrong, the gravest first; empty if all is well. At most {most-findings}.
    pub findings: Vec<FindingAnswer>,
    /// How many things are wrong in all.
    pub findings_count: usize,
    /// How many webhooks were looked at.
    pub webhooks: usize,
    /// How many subscriptions were looked at.
    pub subscriptions: usize,
    /// How many of the webhooks there was no time to connect to.
    pub unreached: usize,
    /// How many nodes share the work.
    pub nodes: u32,
    /// What time it is on the server, in unix milliseconds.
    #[schema(value_type = i64)]
    pub now: Timestamp,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FindingAnswer {
    /// Which kind of thing: `no_subscription`, `short_secret`, `unreachable` and the like.
    #[schema(example = "no_subscription")]
    pub trouble: String,
    /// Where, in words.
    #[serde(rename = "where")]
    #[schema(example = "webhook 7730318061039616 (https://example.com/hook)")]
    pub place: String,
    #[schema(required)]
    pub webhook_id: Option<IdText>,
    #[schema(required)]
    pub subscription_id: Option<IdText>,
    #[schema(required)]
    pub source_id: Option<IdText>,
    /// What is wrong.
    #[schema(example = "No enabled subscription sends to the webhook, so it receives nothing.")]
    pub what: String,
    /// What a receiver that fails answered last: the first line, or why there was no answer.
    #[schema(required)]
    pub last_line: Option<String>,
    /// The HTTP status of that answer; null if no answer came.
    #[schema(required)]
    pub last_status: Option<u16>,
    /// What to do.
    #[schema(
        example = "subscribe it, or enable a subscription: switchhook subscriptions create call --webhook 7730318061039616"
    )]
    pub remedy: String,
}

/// Says what is wrong with the company's webhooks, subscriptions and deliveries, and what to do.
///
/// Connections are tried from where the server stands, by one examination of a company at a time.
#[utoipa::path(
    get, path = "/v1/doctor", tag = "operation", operation_id = "doctor",
    params(DoctorQuery),
    responses((status = 200, description = "What is wrong", body = DoctorAnswer)),
)]
pub(crate) async fn see(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<DoctorAnswer>, ApiError> {
    let query = Query::of(&uri);
    let connects = query.get("connect", "true or false")?.unwrap_or(true);
    let examination = Examination {
        only: query.id("webhook_id")?,
        connecting: if connects {
            Connecting::Try
        } else {
            Connecting::Skip
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
            nodes: node.store.nodes(),
            now: node.clock.now(),
        }
    }
}

impl From<Finding> for FindingAnswer {
    fn from(finding: Finding) -> Self {
        let (mut webhook_id, mut subscription_id, mut source_id) = (None, None, None);
        match &finding.place {
            Place::Server => {}
            Place::Webhook { id, .. } => webhook_id = Some(IdText(id.0)),
            Place::Subscription { id, .. } => subscription_id = Some(IdText(id.0)),
            Place::Source { id, .. } => source_id = Some(IdText(id.0)),
        }
        Self {
            trouble: finding.trouble.as_str().to_owned(),
            place: finding.place.to_string(),
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
