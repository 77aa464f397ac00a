//! Notifications: what people were told and what became of it, and the channels it goes to.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::notification::{Channel, ChannelType, NotificationKind, Progress, Recipient};
use switchhook_node::notifications::{self, ChannelRequest, shown_destination};
use switchhook_node::refusal::Refusal;
use switchhook_store::{NotificationRecord, PageRequest};

use super::events::{joined, word};
use super::form::Form;
use super::page::{Flash, Frame, PageError, go, id_of, show, show_again};
use super::session::{SignedForm, Viewer};
use super::widgets::{Choice, Moment, Sentence, many};
use super::{DashboardState, SharedState};

/// Bound on the channels shown, which is above the limit per company.
const MOST_CHANNELS: u32 = 100;

/// A channel as it is shown.
#[derive(Debug)]
struct ChannelRow {
    id: String,
    type_name: &'static str,
    destination: String,
    kinds: String,
    is_signed: bool,
    created_at: Moment,
}

impl ChannelRow {
    fn of(channel: &Channel) -> Self {
        Self {
            id: channel.id.to_string(),
            type_name: channel.channel_type.as_str(),
            destination: shown_destination(channel)
                .unwrap_or_else(|| channel.destination.expose().to_owned()),
            kinds: NotificationKind::list_of(&channel.kinds),
            is_signed: channel.secret.is_some(),
            created_at: Moment(channel.created_at),
        }
    }
}

/// A notification as it is shown.
#[derive(Debug)]
struct NotificationRow {
    id: String,
    kind: &'static str,
    tone: &'static str,
    text: Sentence,
    at: Moment,
    held_until: Option<Moment>,
    sends: Vec<Sentence>,
}

impl NotificationRow {
    fn of(record: NotificationRecord) -> Self {
        let NotificationRecord {
            notification,
            progress,
        } = record;
        let kind = notification.payload.kind();
        let is_held = notification.handed_out_at.is_none();
        Self {
            id: notification.id.to_string(),
            kind: kind.as_str(),
            tone: match kind {
                NotificationKind::WebhookRecovered => "good",
                NotificationKind::KeyExpiring | NotificationKind::SourceSilent => "wait",
                _ => "bad",
            },
            text: Sentence(notification.text()),
            at: Moment(notification.at),
            held_until: is_held.then_some(Moment(notification.due_at)),
            sends: progress.iter().map(|one| Sentence(sent(one))).collect(),
        }
    }
}

/// State of a notification at one recipient, in words.
fn sent(progress: &Progress) -> String {
    let to = match progress.recipient {
        Recipient::Channel(id) => format!("channel {id}"),
        Recipient::Command => "the command of --notify-exec".to_owned(),
    };
    let why = progress.error.as_deref().unwrap_or("it was not tried yet");
    let attempts = many(progress.attempts as usize, "attempt");
    match (progress.sent_at, progress.due_at) {
        (Some(at), _) => format!("Sent to {to} at {at}."),
        (None, Some(at)) => format!("Waits for {to}: {why} ({attempts}); tried next at {at}."),
        (None, None) => format!("Did not reach {to} after {attempts}: {why}."),
    }
}

#[derive(Template)]
#[template(path = "notifications.html")]
struct NotificationsPage {
    frame: Frame,
    /// Result of a test message: the channel at which it arrived, or the reason why it did not.
    tested: Option<Result<String, String>>,
    channels: Vec<ChannelRow>,
    rows: Vec<NotificationRow>,
    next: Option<i64>,
}

#[derive(Template)]
#[template(path = "channel_form.html")]
struct FormPage {
    frame: Frame,
    types: Vec<Choice>,
    kinds: Vec<Choice>,
    destination: String,
}

/// Shows channels and what was said.
pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    page(&dashboard, &viewer, None).await
}

async fn page(
    dashboard: &DashboardState,
    viewer: &Viewer,
    tested: Option<Result<String, String>>,
) -> Result<Response, PageError> {
    let all = PageRequest::first(MOST_CHANNELS);
    let channels = notifications::list_channels(&dashboard.node, viewer.caller, all).await?;
    let page = viewer.page();
    let found = notifications::list(&dashboard.node, viewer.caller, page).await?;
    Ok(show(&NotificationsPage {
        frame: viewer.frame(dashboard, "notifications", "Notifications"),
        tested,
        channels: channels.items.iter().map(ChannelRow::of).collect(),
        rows: found.items.into_iter().map(NotificationRow::of).collect(),
        next: found.next,
    }))
}

/// The form for a new channel.
pub(super) async fn blank(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    viewer.must_write()?;
    Ok(show(&form_page(&dashboard, &viewer, &Form::default(), None)))
}

fn form_page(dashboard: &DashboardState, viewer: &Viewer, form: &Form, error: Option<String>) -> FormPage {
    let chosen = form.text("type");
    let kinds = form.all("kinds");
    let is_blank = error.is_none();
    FormPage {
        frame: viewer
            .frame(dashboard, "notifications", "New channel")
            .with_error(error),
        types: ChannelType::ALL
            .into_iter()
            .map(|one| Choice::new(one.as_str(), one.as_str(), chosen))
            .collect(),
        kinds: notifications::kinds_for(viewer.caller)
            .into_iter()
            .map(|kind| Choice {
                value: kind.as_str().to_owned(),
                label: kind.as_str().to_owned(),
                is_chosen: is_blank || kinds.contains(&kind.as_str()),
            })
            .collect(),
        destination: form.text("destination").unwrap_or_default().to_owned(),
    }
}

/// Request made from a form, or all its errors.
fn asked(form: &Form) -> Result<ChannelRequest, String> {
    let mut errors = Vec::new();
    let text = |name: &str| form.text(name).map(ToOwned::to_owned);
    let channel_type = word::<ChannelType>("type", text("type"), &mut errors);
    let kinds = form.all("kinds").into_iter();
    let kinds: Vec<_> = kinds
        .filter_map(|kind| word::<NotificationKind>("kinds", Some(kind.to_owned()), &mut errors))
        .collect();
    if let Some(errors) = joined(&errors) {
        return Err(errors);
    }
    let is_mail = channel_type == Some(ChannelType::Email);
    let destination = text("destination");
    Ok(ChannelRequest {
        channel_type: Some(channel_type),
        url: (!is_mail).then(|| destination.clone()),
        to: is_mail.then(|| destination.map(|to| vec![to])),
        secret: text("secret").map(Some),
        kinds: Some(Some(kinds)),
    })
}

pub(super) async fn create(
    State(dashboard): State<SharedState>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    viewer.must_write()?;
    let made = match asked(&form) {
        Ok(request) => notifications::create_channel(&dashboard.node, viewer.caller, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match made {
        Ok(_) => Ok(go("/dashboard/notifications", Flash::Created)),
        Err(refusal) => {
            let error = PageError::from(refusal).message;
            Ok(show_again(&form_page(&dashboard, &viewer, &form, Some(error))))
        }
    }
}

/// Sends a test message and shows what came of it.
pub(super) async fn test(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    let came = notifications::test_channel(&dashboard.node, viewer.caller, id).await?;
    let tested = came.map(|()| id.to_string()).map_err(|not_sent| not_sent.why);
    page(&dashboard, &viewer, Some(tested)).await
}

pub(super) async fn delete(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    notifications::delete_channel(&dashboard.node, viewer.caller, id_of(&id)?).await?;
    Ok(go("/dashboard/notifications", Flash::Deleted))
}
