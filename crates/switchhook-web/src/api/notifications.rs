//! `/v1/notifications` and `/v1/notification-channels`: what people were told when something went wrong, and where.

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchhook_domain::Timestamp;
use switchhook_domain::credential::MASK;
use switchhook_domain::id::ChannelId;
use switchhook_domain::notification::{Channel, ChannelType, NotificationKind, Progress, Recipient};
use switchhook_node::notification::Message;
use switchhook_node::notifications::{self, ChannelRequest, shown_destination};
use switchhook_store::NotificationRecord;
use utoipa::ToSchema;

use super::auth::{Reader, Writer};
use super::compat::{IdText, Items};
use super::error::ApiError;
use super::request::{Field, JsonBody, PageQuery, PathId, Query};
use super::{SharedApi, words};

/// A notification channel to make or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct NotificationChannelRequest {
    /// What the channel is. Required to make one, and cannot be changed.
    #[serde(default, rename = "type")]
    #[schema(schema_with = words::channel_type)]
    channel_type: Field<ChannelType>,
    /// Where to post to. Required unless the type is `email`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "https://hooks.slack.com/services/T000/B000/XXXX")]
    url: Field<String>,
    /// The mailbox to write to, or several. Required if the type is `email`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "ops@example.com")]
    to: Field<Mailboxes>,
    /// What to sign with (HS256), for the type `webhook`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Field<String>,
    /// What to tell; everything unless told otherwise.
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

/// A notification channel. Its secret is never shown, nor is what in a URL is a credential.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotificationChannel {
    id: IdText,
    #[serde(rename = "type")]
    #[schema(schema_with = words::channel_type)]
    channel_type: ChannelType,
    /// Where it posts to; of a chat's URL only the host, because the rest is a credential. Absent for `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "https://hooks.slack.com/***")]
    url: Option<String>,
    /// The mailboxes; only for `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ops@example.com")]
    to: Option<String>,
    /// `***` if it signs, else null.
    #[schema(required, example = "***")]
    secret: Option<&'static str>,
    /// What it is told.
    #[schema(schema_with = words::notification_kinds)]
    kinds: Vec<NotificationKind>,
    /// When it was made, in unix milliseconds.
    #[schema(value_type = i64)]
    created_at: Timestamp,
}

impl NotificationChannel {
    fn of(channel: &Channel) -> Self {
        let is_mail = channel.channel_type == ChannelType::Email;
        Self {
            id: IdText(channel.id.0),
            channel_type: channel.channel_type,
            url: shown_destination(channel),
            to: is_mail.then(|| channel.destination.expose().to_owned()),
            secret: channel.secret.as_ref().map(|_| MASK),
            kinds: channel.kinds.clone(),
            created_at: channel.created_at,
        }
    }
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotificationTest {
    /// Whether it arrived.
    sent: bool,
    /// Why it did not.
    #[schema(required)]
    error: Option<String>,
}

/// Something that people were told, or are about to be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotificationAnswer {
    /// Its id, the same wherever it was sent.
    #[schema(value_type = IdText)]
    id: String,
    #[schema(schema_with = words::notification_kind)]
    kind: &'static str,
    /// When it happened, for the first time, in unix milliseconds.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// Whose it is; null if it is about the whole server.
    #[schema(required, value_type = Option<IdText>)]
    company_id: Option<String>,
    /// What people read.
    text: String,
    /// What programs read: what it has depends on the kind; `count` says how many times it happened.
    #[schema(value_type = Object)]
    data: Value,
    /// When it is handed to the channels, if it is held back now, in unix milliseconds.
    #[schema(required, value_type = Option<i64>)]
    held_until: Option<Timestamp>,
    /// What became of it; empty if no channel wanted it.
    sends: Vec<NotificationSend>,
}

/// What became of a notification at one recipient.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotificationSend {
    /// The channel; null: the command of `--notify-exec`.
    #[schema(required)]
    channel_id: Option<IdText>,
    /// `waiting`, `sent` or `failed`.
    #[schema(example = "sent")]
    state: &'static str,
    /// How many times it was tried.
    attempts: u32,
    /// When it arrived, in unix milliseconds.
    #[schema(required, value_type = Option<i64>)]
    sent_at: Option<Timestamp>,
    /// When it is tried next, in unix milliseconds.
    #[schema(required, value_type = Option<i64>)]
    next_attempt_at: Option<Timestamp>,
    /// Why it did not arrive, the last time.
    #[schema(required)]
    error: Option<String>,
}

impl NotificationAnswer {
    fn of(record: NotificationRecord) -> Self {
        let NotificationRecord {
            notification,
            progress,
        } = record;
        let message = Message::of(&notification);
        Self {
            id: message.id,
            kind: message.kind,
            at: message.at,
            company_id: message.company_id.map(|id| id.to_string()),
            text: message.text,
            data: message.data,
            held_until: notification
                .handed_out_at
                .is_none()
                .then_some(notification.due_at),
            sends: progress.into_iter().map(NotificationSend::of).collect(),
        }
    }
}

impl NotificationSend {
    fn of(progress: Progress) -> Self {
        Self {
            channel_id: match progress.recipient {
                Recipient::Channel(id) => Some(IdText(id.0)),
                Recipient::Command => None,
            },
            state: match (progress.sent_at, progress.due_at) {
                (Some(_), _) => "sent",
                (None, Some(_)) => "waiting",
                (None, None) => "failed",
            },
            attempts: progress.attempts,
            sent_at: progress.sent_at,
            next_attempt_at: progress.due_at,
            error: progress.error,
        }
    }
}

/// Lists what people were told, newest first, and what became of each. Notifications are kept for 30 days.
#[utoipa::path(
    get, path = "/v1/notifications", tag = "notifications", operation_id = "notifications.list",
    params(PageQuery),
    responses((status = 200, description = "A page of notifications", body = Items<NotificationAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Items<NotificationAnswer>>, ApiError> {
    let page = PageQuery::read(Query::of(&uri))?.ours()?;
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
    responses((status = 200, description = "A page of channels", body = Items<NotificationChannel>)),
)]
pub(crate) async fn list_channels(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Items<NotificationChannel>>, ApiError> {
    let page = PageQuery::read(Query::of(&uri))?.ours()?;
    let page = notifications::list_channels(&api.node, caller, page).await?;
    Ok(Json(Items {
        items: page.items.iter().map(NotificationChannel::of).collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Makes a notification channel. A company may have 20.
#[utoipa::path(
    post, path = "/v1/notification-channels", tag = "notifications", operation_id = "notification_channels.create",
    request_body = NotificationChannelRequest,
    responses((status = 200, description = "The channel", body = NotificationChannel)),
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
    params(("id" = IdText, Path, description = "The channel's id")),
    responses((status = 200, description = "The channel", body = NotificationChannel)),
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
    params(("id" = IdText, Path, description = "The channel's id")),
    request_body = NotificationChannelRequest,
    responses((status = 200, description = "The channel", body = NotificationChannel)),
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

/// Deletes a notification channel and shows what it was. What was still to be sent there is not.
#[utoipa::path(
    delete, path = "/v1/notification-channels/{id}", tag = "notifications", operation_id = "notification_channels.delete",
    params(("id" = IdText, Path, description = "The channel's id")),
    responses((status = 200, description = "What the channel was", body = NotificationChannel)),
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
    params(("id" = IdText, Path, description = "The channel's id")),
    responses((status = 200, description = "What came of it", body = NotificationTest)),
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
