//! `/v1/notifications` and `/v1/notification-channels`: what people were told when something went wrong, and where.

pub(super) mod answer;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use switchhook_domain::id::ChannelId;
use switchhook_domain::notification::{ChannelType, NotificationKind};
use switchhook_node::notifications::{self, ChannelRequest};
use utoipa::ToSchema;

use self::answer::{NotificationAnswer, NotificationChannel, NotificationTest};
use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::Items;
use super::query::{PageQuery, Query};
use super::request::{Field, JsonBody, PathId};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// A notification channel to make or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct NotificationChannelRequest {
    /// Type of the channel. Required to create one, and cannot be changed.
    #[serde(default, rename = "type")]
    #[schema(schema_with = words::channel_type)]
    channel_type: Field<ChannelType>,
    /// URL to post to. Required unless the type is `email`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "https://hooks.slack.com/services/T000/B000/XXXX")]
    url: Field<String>,
    /// The mailbox to write to, or several. Required if the type is `email`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "ops@example.com")]
    to: Field<Mailboxes>,
    /// Secret that signs notifications (HS256), for the type `webhook`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Field<String>,
    /// Kinds of notifications to send; all by default.
    #[serde(default)]
    #[schema(schema_with = words::notification_kinds)]
    kinds: Field<Vec<NotificationKind>>,
}

/// One mailbox, or several: separated by commas, or as an array.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a mailbox such as \"ops@example.com\", or an array of them"
)]
enum Mailboxes {
    Text(String),
    List(Vec<String>),
}

impl From<NotificationChannelRequest> for ChannelRequest {
    fn from(request: NotificationChannelRequest) -> Self {
        let to = |to: Option<Mailboxes>| {
            to.map(|to| match to {
                Mailboxes::Text(one) => vec![one],
                Mailboxes::List(several) => several,
            })
        };
        Self {
            channel_type: request.channel_type.change(),
            url: request.url.change(),
            to: request.to.change().map(to),
            secret: request.secret.change(),
            kinds: request.kinds.change(),
        }
    }
}

/// Lists what people were told, newest first, and what became of each. Notifications are kept for {notifications-last}.
#[utoipa::path(
    get, path = "/v1/notifications", tag = "notifications", operation_id = "notifications.list",
    params(PageQuery),
    responses((status = 200, description = "A page of notifications.", body = Items<NotificationAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Items<NotificationAnswer>>, ApiError> {
    let page = query.ours()?;
    let page = notifications::list(&api.node, caller, page).await?;
    Ok(Json(Items {
        items: page.items.into_iter().map(NotificationAnswer::of).collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Lists the company's notification channels, oldest first.
#[utoipa::path(
    get, path = "/v1/notification-channels", tag = "notifications", operation_id = "notification_channels.list",
    params(PageQuery),
    responses((status = 200, description = "A page of channels.", body = Items<NotificationChannel>)),
)]
pub(crate) async fn list_channels(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Items<NotificationChannel>>, ApiError> {
    let page = query.ours()?;
    let page = notifications::list_channels(&api.node, caller, page).await?;
    Ok(Json(Items {
        items: page.items.iter().map(NotificationChannel::of).collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Makes a notification channel. A company may have {most-channels}.
#[utoipa::path(
    post, path = "/v1/notification-channels", tag = "notifications", operation_id = "notification_channels.create",
    request_body = NotificationChannelRequest,
    responses((status = 200, description = "The channel.", body = NotificationChannel)),
)]
pub(crate) async fn create_channel(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<NotificationChannelRequest>,
) -> Result<Json<NotificationChannel>, ApiError> {
    let channel = notifications::create_channel(&api.node, caller, request.into()).await?;
    Ok(Json(NotificationChannel::of(&channel)))
}

/// Shows a notification channel.
#[utoipa::path(
    get, path = "/v1/notification-channels/{id}", tag = "notifications", operation_id = "notification_channels.get",
    params(("id" = IdText, Path, description = "The channel's id.")),
    responses((status = 200, description = "The channel.", body = NotificationChannel)),
)]
pub(crate) async fn get_channel(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<ChannelId>,
) -> Result<Json<NotificationChannel>, ApiError> {
    let channel = notifications::channel(&api.node, caller, id).await?;
    Ok(Json(NotificationChannel::of(&channel)))
}

/// Changes a notification channel: what is not sent stays.
#[utoipa::path(
    patch, path = "/v1/notification-channels/{id}", tag = "notifications", operation_id = "notification_channels.update",
    params(("id" = IdText, Path, description = "The channel's id.")),
    request_body = NotificationChannelRequest,
    responses((status = 200, description = "The channel.", body = NotificationChannel)),
)]
pub(crate) async fn update_channel(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<ChannelId>,
    JsonBody(request): JsonBody<NotificationChannelRequest>,
) -> Result<Json<NotificationChannel>, ApiError> {
    let channel = notifications::update_channel(&api.node, caller, id, request.into()).await?;
    Ok(Json(NotificationChannel::of(&channel)))
}

/// Deletes a notification channel and shows it. Notifications that were still to be sent there are not.
#[utoipa::path(
    delete, path = "/v1/notification-channels/{id}", tag = "notifications", operation_id = "notification_channels.delete",
    params(("id" = IdText, Path, description = "The channel's id.")),
    responses((status = 200, description = "The deleted channel.", body = NotificationChannel)),
)]
pub(crate) async fn delete_channel(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<ChannelId>,
) -> Result<Json<NotificationChannel>, ApiError> {
    let channel = notifications::delete_channel(&api.node, caller, id).await?;
    Ok(Json(NotificationChannel::of(&channel)))
}

/// Sends a test message to a notification channel now, once, and says what came of it. Its kind is `test`; it is not kept.
#[utoipa::path(
    post, path = "/v1/notification-channels/{id}/test", tag = "notifications",
    operation_id = "notification_channels.test",
    params(("id" = IdText, Path, description = "The channel's id.")),
    responses((status = 200, description = "The result of the test.", body = NotificationTest)),
)]
pub(crate) async fn test_channel(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<ChannelId>,
) -> Result<Json<NotificationTest>, ApiError> {
    let not_sent = notifications::test_channel(&api.node, caller, id).await?.err();
    Ok(Json(NotificationTest {
        sent: not_sent.is_none(),
        error: not_sent.map(|not_sent| not_sent.why),
    }))
}
