//! `/v1/dead-letters`: deliveries that were given up and that nobody has dealt with since, by what they have in common.
//!
//! They are sent again, dismissed, or taken out with their events, line by line (`export`).

pub(super) mod answer;
pub(super) mod export;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use switchhook_domain::attempt::Failure;
use switchhook_domain::id::WebhookId;
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::dead_letters::{self, Groups};
use switchhook_store::DeadLetterFilter;
use utoipa::ToSchema;

use self::answer::{DeadLetterGroups, DismissAnswer};
use super::SharedApi;
use super::auth::{Reader, Writer};
use super::query::{Query, query};
use super::replays::{DryRunAnswer, Instant, ReplayAnswer, shown};
use super::request::JsonBody;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::LooseId;
use switchhook_ingress::words;

query! {
    /// Filter for dead letters.
    DeadLetterQuery {
        /// Webhook to narrow to.
        #[param(value_type = Option<String>)]
        webhook_id: WebhookId,
        /// Failure of the last attempt to narrow to: an HTTP status, or the reason for which no answer came.
        #[param(schema_with = words::failure)]
        failure: Failure,
        /// Kind to narrow to.
        #[param(schema_with = words::kept_kind)]
        kind: Kind,
        /// Start of the period in which they were made: RFC 3339 or unix milliseconds.
        #[param(value_type = Option<String>)]
        since: Timestamp,
        /// End of that period.
        #[param(value_type = Option<String>)]
        until: Timestamp,
    }
}

impl From<DeadLetterQuery> for DeadLetterFilter {
    fn from(query: DeadLetterQuery) -> Self {
        Self {
            webhook_id: query.webhook_id,
            failure: query.failure,
            kind: query.kind,
            since: query.since,
            until: query.until,
        }
    }
}

/// Filter for dead letters: everything in it must hold.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct DeadLetterFilterRequest {
    /// Webhook to narrow to.
    webhook_id: Option<LooseId>,
    /// Failure of the last attempt to narrow to.
    #[schema(schema_with = words::failure_or_null)]
    failure: Option<Failure>,
    /// Kind to narrow to.
    #[schema(schema_with = words::kept_kind_or_null)]
    kind: Option<Kind>,
    /// Start of the period in which they were made: RFC 3339 or unix milliseconds.
    #[schema(value_type = Option<String>)]
    since: Option<Instant>,
    /// End of that period.
    #[schema(value_type = Option<String>)]
    until: Option<Instant>,
}

impl DeadLetterFilterRequest {
    fn read(self) -> DeadLetterFilter {
        DeadLetterFilter {
            webhook_id: self.webhook_id.map(|id| WebhookId(id.0)),
            failure: self.failure,
            kind: self.kind,
            since: self.since.map(|at| at.0),
            until: self.until.map(|at| at.0),
        }
    }
}

/// Dead letters to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct ResendRequest {
    /// Dead letters to resend; all of the company if absent.
    filter: Option<DeadLetterFilterRequest>,
    /// Maximum events per second. Without it, as fast as the receivers take them.
    #[schema(example = 50)]
    rate: Option<f64>,
    /// True to only count the deliveries.
    dry_run: Option<bool>,
}

/// Dead letters to dismiss.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct DismissRequest {
    /// Dead letters to dismiss; all of the company if absent.
    filter: Option<DeadLetterFilterRequest>,
}

/// Lists dead letters by webhook and by how they failed.
///
/// A dead letter is a delivery that was given up, until its event is sent to the webhook again or somebody dismisses it. Kinds that
/// the key may not see are left out.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "deliveries", operation_id = "dead_letters.list",
    params(DeadLetterQuery),
    responses((status = 200, description = "The groups of dead letters.", body = DeadLetterGroups)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<DeadLetterQuery>,
) -> Result<Json<DeadLetterGroups>, ApiError> {
    let Groups { groups, are_more } = dead_letters::list(&api.node, caller, query.into()).await?;
    Ok(Json(DeadLetterGroups {
        items: groups.into_iter().map(Into::into).collect(),
        more: are_more,
    }))
}

/// Sends dead letters again, each to the webhook that it was for, or counts them.
///
/// A replay sends them: it goes on after a restart, and can be watched and cancelled under `/v1/replays`. It sends nothing that
/// the key may not see. Dead letters that it sends leave the list, unless the new delivery is given up as well.
#[utoipa::path(
    post, path = "/v1/dead-letters/resend", tag = "deliveries", operation_id = "dead_letters.resend",
    request_body = ResendRequest,
    responses(
        (status = 202, description = "The replay, which is running.", body = ReplayAnswer),
        (status = 200, description = "The counts of a dry run, which sends nothing.", body = DryRunAnswer),
    ),
)]
pub(crate) async fn resend(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<ResendRequest>,
) -> Result<Response, ApiError> {
    let filter = request.filter.unwrap_or_default().read();
    if request.dry_run.unwrap_or_default() {
        let tally = dead_letters::count(&api.node, caller, filter).await?;
        return Ok(Json(DryRunAnswer::of(tally)).into_response());
    }
    let replay = dead_letters::resend(&api.node, caller, filter, request.rate).await?;
    let answer = shown(&api, &replay, replay.created_at);
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Dismisses dead letters: they stay in the history and no longer wait for a decision. Kinds that the key may not see stay as they are.
#[utoipa::path(
    post, path = "/v1/dead-letters/dismiss", tag = "deliveries", operation_id = "dead_letters.dismiss",
    request_body = DismissRequest,
    responses((status = 200, description = "The number of dismissed dead letters.", body = DismissAnswer)),
)]
pub(crate) async fn dismiss(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<DismissRequest>,
) -> Result<Json<DismissAnswer>, ApiError> {
    let filter = request.filter.unwrap_or_default().read();
    let done = dead_letters::dismiss(&api.node, caller, filter).await?;
    Ok(Json(DismissAnswer {
        dismissed: done.count,
        more: done.is_more,
    }))
}
