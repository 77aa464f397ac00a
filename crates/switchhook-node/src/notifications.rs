//! Verbs for notifications and their channels.

use switchhook_domain::credential::{MASK, shown_url};
use switchhook_domain::id::{ChannelId, NotificationId};
use switchhook_domain::key::Right;
use switchhook_domain::notification::{
    Channel, ChannelChange, ChannelType, MOST_CHANNELS, MOST_RECIPIENTS, NotificationKind,
};
use switchhook_domain::secret::Secret;
use switchhook_store::{NotificationRecord, Page, PageRequest};

use crate::caller::Caller;
use crate::notification::{Message, SendError, is_mailbox};
use crate::refusal::{Refusal, not_null};
use crate::webhooks::{check_url, secret_of};
use crate::{Node, inspector, keys};

/// A channel to make or to change. Outer `None` was not said and leaves what is there; `Some(None)` clears.
#[derive(Debug, Default)]
pub struct ChannelRequest {
    pub channel_type: Option<Option<ChannelType>>,
    /// URL to post to.
    pub url: Option<Option<String>>,
    /// Mailboxes to write to.
    pub to: Option<Option<Vec<String>>>,
    /// Secret that signs messages.
    pub secret: Option<Option<String>>,
    /// Kinds of notifications to send.
    pub kinds: Option<Option<Vec<NotificationKind>>>,
}

/// The company's notifications, newest first, and what became of each.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn list(
    node: &Node,
    caller: Caller,
    page: PageRequest,
) -> Result<Page<NotificationRecord>, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.list_notifications(caller.company_id, page).await?)
}

/// The company's channels, oldest first.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn list_channels(node: &Node, caller: Caller, page: PageRequest) -> Result<Page<Channel>, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.list_channels(caller.company_id, page).await?)
}

/// One channel.
///
/// # Errors
/// If the caller may not, or there is no such channel.
pub async fn channel(node: &Node, caller: Caller, id: ChannelId) -> Result<Channel, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.channel(caller.company_id, id).await?)
}

/// Makes a channel.
///
/// # Errors
/// If the caller may not, the request lacks something or says what cannot be, or the company has as many as it may have.
pub async fn create_channel(
    node: &Node,
    caller: Caller,
    request: ChannelRequest,
) -> Result<Channel, Refusal> {
    caller.require(Right::Write)?;
    let channel_type = request.channel_type.flatten().ok_or_else(|| {
        Refusal::Required("type is required: webhook, slack, teams, discord or email".to_owned())
    })?;
    if let Some(why) = misfit(channel_type, &request) {
        return Err(Refusal::Invalid(why));
    }
    let destination = destination(node, channel_type, request.url, request.to)?.ok_or_else(|| {
        Refusal::Required(match channel_type {
            ChannelType::Email => {
                "to is required: the mailbox to write to, such as ops@example.com".to_owned()
            }
            _ => format!("url is required: where to post to for type {channel_type}"),
        })
    })?;
    let secret = secret_for(request.secret)?.flatten();
    let kinds = match request.kinds.flatten() {
        Some(kinds) => checked_kinds(caller, kinds)?,
        None => kinds_for(caller),
    };
    let share = node.shares.of(caller.company_id);
    let _alone = share.change.lock().await;
    let there = node
        .store
        .list_channels(caller.company_id, PageRequest::first(MOST_CHANNELS))
        .await?
        .items
        .len();
    if there >= MOST_CHANNELS as usize {
        return Err(Refusal::Conflict(format!(
            "this company has {there} notification channels, which is as many as it may have: delete one first"
        )));
    }
    let now = node.clock.now();
    let channel = Channel {
        id: ChannelId(node.ids.next(now)),
        company_id: caller.company_id,
        channel_type,
        destination,
        secret,
        kinds,
        created_at: now,
        updated_at: now,
    };
    Ok(node.store.create_channel(channel).await?)
}

/// Changes a channel: what the request does not say stays.
///
/// # Errors
/// If the caller may not, the request says what cannot be, or there is no such channel.
pub async fn update_channel(
    node: &Node,
    caller: Caller,
    id: ChannelId,
    mut request: ChannelRequest,
) -> Result<Channel, Refusal> {
    caller.require(Right::Write)?;
    let before = node.store.channel(caller.company_id, id).await?;
    let channel_type = before.channel_type;
    if not_null("type", request.channel_type)?.is_some_and(|other| other != channel_type) {
        return Err(Refusal::Conflict(format!(
            "type: channel {id} is of type {channel_type}, which cannot be changed: make another channel"
        )));
    }
    // What was shown masked and comes back so stays.
    request.url = request
        .url
        .filter(|url| url.as_deref() != shown_destination(&before).as_deref());
    request.secret = request.secret.filter(|secret| secret.as_deref() != Some(MASK));
    // It is the channel that the request does not suit, and not the request that is wrong.
    if let Some(why) = misfit(channel_type, &request) {
        return Err(Refusal::Conflict(why));
    }
    let (url, secret) = (request.url, request.secret);
    let kinds = not_null("kinds", request.kinds)?;
    let change = ChannelChange {
        destination: destination(node, channel_type, url, request.to)?,
        secret: secret_for(secret)?,
        kinds: kinds.map(|kinds| checked_kinds(caller, kinds)).transpose()?,
    };
    let store = &node.store;
    Ok(store
        .update_channel(caller.company_id, id, change, node.clock.now())
        .await?)
}

/// Deletes a channel and answers what it was. What was still to be sent there is not.
///
/// # Errors
/// If the caller may not, or there is no such channel.
pub async fn delete_channel(node: &Node, caller: Caller, id: ChannelId) -> Result<Channel, Refusal> {
    caller.require(Right::Write)?;
    Ok(node.store.delete_channel(caller.company_id, id).await?)
}

/// Sends a test message to a channel now, once, and answers what came of it.
///
/// # Errors
/// If the caller may not, or there is no such channel.
pub async fn test_channel(
    node: &Node,
    caller: Caller,
    id: ChannelId,
) -> Result<Result<(), SendError>, Refusal> {
    caller.require(Right::Write)?;
    let channel = node.store.channel(caller.company_id, id).await?;
    let now = node.clock.now();
    let message = Message::test(
        NotificationId(node.ids.next(now)).to_string(),
        caller.company_id,
        now,
    );
    Ok(node.notifications.sender.send(&message, &channel).await)
}

/// A channel's URL as it may be shown: of a chat's only whose it is, because the rest is a credential. `None`: it has none.
#[must_use]
pub fn shown_destination(channel: &Channel) -> Option<String> {
    let url = channel.destination.expose();
    match channel.channel_type {
        ChannelType::Email => None,
        ChannelType::Webhook => Some(shown_url(url).into_owned()),
        ChannelType::Slack | ChannelType::Teams | ChannelType::Discord => Some(masked_after_host(url)),
    }
}

/// The origin only, such as `https://hooks.slack.com`.
fn masked_after_host(url: &str) -> String {
    let origin = url::Url::parse(url)
        .ok()
        .map(|url| url.origin().ascii_serialization());
    match origin {
        Some(origin) if origin != "null" => format!("{origin}/{MASK}"),
        _ => MASK.to_owned(),
    }
}

fn destination(
    node: &Node,
    channel_type: ChannelType,
    url: Option<Option<String>>,
    to: Option<Option<Vec<String>>>,
) -> Result<Option<Secret>, Refusal> {
    let (url, to) = (not_null("url", url)?, not_null("to", to)?);
    match (channel_type, url, to) {
        (ChannelType::Email, _, to) => to.map(|to| mailboxes(node, &to)).transpose(),
        (_, None, _) => Ok(None),
        (_, Some(url), _) => {
            if inspector::name_of(&url).is_some() {
                let why = "url: the inspector takes no notifications; use an https:// URL";
                return Err(Refusal::Invalid(why.to_owned()));
            }
            check_url(node, "url", &url)?;
            Ok(Some(Secret::new(url)))
        }
    }
}

fn mailboxes(node: &Node, to: &[String]) -> Result<Secret, Refusal> {
    if !node.notifications.sender.has_mail() {
        return Err(Refusal::Conflict(
            "type: this server cannot send e-mail: start it with --notify-email-host and --notify-email-from (and \
             --notify-email-user with a password, if the mail server wants one)"
                .to_owned(),
        ));
    }
    let to: Vec<_> = to
        .iter()
        .flat_map(|text| text.split(','))
        .map(|mailbox| mailbox.trim().to_owned())
        .filter(|mailbox| !mailbox.is_empty())
        .collect();
    if to.is_empty() || to.len() > MOST_RECIPIENTS {
        return Err(Refusal::Invalid(format!(
            "to: name 1 to {MOST_RECIPIENTS} mailboxes, such as ops@example.com"
        )));
    }
    if let Some(wrong) = to.iter().find(|mailbox| !is_mailbox(mailbox)) {
        return Err(Refusal::Invalid(format!(
            "to: `{wrong}` is not a mailbox; write it as ops@example.com"
        )));
    }
    Ok(Secret::new(to.join(", ")))
}

/// Error if the request has a field that channels of this type lack.
fn misfit(channel_type: ChannelType, request: &ChannelRequest) -> Option<String> {
    let is_given = |text: &Option<Option<String>>| text.as_ref().is_some_and(Option::is_some);
    let is_email = channel_type == ChannelType::Email;
    let secret = request
        .secret
        .as_ref()
        .and_then(Option::as_deref)
        .unwrap_or_default();
    if is_email && is_given(&request.url) {
        Some("url: a channel of type email has none; its mailbox is `to`".to_owned())
    } else if !is_email && request.to.as_ref().is_some_and(Option::is_some) {
        Some(format!(
            "to: a channel of type {channel_type} has none; where it posts to is `url`"
        ))
    } else if channel_type != ChannelType::Webhook && !secret.is_empty() {
        Some(format!(
            "secret: only a channel of type webhook signs what it sends; {channel_type} has nothing to verify it with"
        ))
    } else {
        None
    }
}

fn secret_for(secret: Option<Option<String>>) -> Result<Option<Option<Secret>>, Refusal> {
    secret.map(secret_of).transpose()
}

/// Kinds for the caller's company. Those about the whole server are for the operator's company only.
fn checked_kinds(caller: Caller, mut kinds: Vec<NotificationKind>) -> Result<Vec<NotificationKind>, Refusal> {
    if kinds.is_empty() {
        let all: Vec<_> = kinds_for(caller).iter().map(|kind| kind.as_str()).collect();
        return Err(Refusal::Invalid(format!(
            "kinds: name at least one of {}",
            all.join(", ")
        )));
    }
    if let Some(kind) = kinds.iter().find(|kind| kind.is_the_operators())
        && caller.company_id != keys::DEFAULT_COMPANY
    {
        return Err(Refusal::Invalid(format!(
            "kinds: {kind} is about the whole server; only the operator's company is notified of it"
        )));
    }
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

/// The kinds of notifications that a caller's company can be told.
#[must_use]
pub fn kinds_for(caller: Caller) -> Vec<NotificationKind> {
    let may =
        |kind: &NotificationKind| !kind.is_the_operators() || caller.company_id == keys::DEFAULT_COMPANY;
    NotificationKind::ALL.into_iter().filter(may).collect()
}
