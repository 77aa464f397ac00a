//! Previews: what a template would make of an event, before anything is sent.

use std::borrow::Cow;

use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::key::Right;
use switchhook_domain::template::TemplateContext;
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::{EventFilter, EventRecord, PageRequest};

use crate::Node;
use crate::caller::Caller;
use crate::ingest::sample;
use crate::refusal::Refusal;
use crate::templates::TemplateSource;
use crate::visibility::Visibility;

/// Request for a preview.
#[derive(Debug, Clone, Default)]
pub struct PreviewRequest {
    /// The template; without one the webhook's.
    pub template: Option<String>,
    /// Content type; the webhook's if there is none.
    pub content_type: Option<String>,
    /// Of this event; without one of the last, or of a sample if there is none.
    pub event_id: Option<EventId>,
    /// Of the last event of this kind.
    pub kind: Option<Kind>,
}

/// Output of a template for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Of which event; `None` for a sample.
    pub event_id: Option<EventId>,
    pub kind: Kind,
    /// Content type of the output.
    pub content_type: String,
    /// Body, or the reason why there is none.
    pub made: Result<String, String>,
}

/// Shows what a template, which need not be a webhook's yet, makes of an event as far as the caller may see it.
///
/// # Errors
/// If the caller may not, or may not see the event; if there is no template, no such webhook or no such event.
pub async fn preview(
    node: &Node,
    caller: Caller,
    id: Option<WebhookId>,
    request: PreviewRequest,
) -> Result<Preview, Refusal> {
    caller.require(Right::Read)?;
    let settings = match id {
        Some(id) => node.store.webhook(caller.company_id, id).await?.settings,
        None => Default::default(),
    };
    let text = request.template.or(settings.template).ok_or_else(|| match id {
        Some(_) => {
            Refusal::Conflict("the webhook has no template: give one, or set its own first".to_owned())
        }
        None => Refusal::Required("template is required".to_owned()),
    })?;
    let content_type = request.content_type.or(settings.content_type);
    let (event_id, kind, body) = event(node, caller, request.event_id, request.kind).await?;
    let context = TemplateContext {
        kind,
        event_id: event_id.unwrap_or(EventId(0)),
        delivery_id: DeliveryId(0),
        webhook_id: id.unwrap_or(WebhookId(0)),
        attempt: 1,
        created_at: node.clock.now(),
    };
    let piece = TemplateSource::Body {
        template: text,
        content_type: content_type.clone(),
    };
    let made = node
        .templates
        .preview(caller.company_id, piece, &body, context)
        .await;
    let made = made.map_err(|error| error.to_string());
    Ok(Preview {
        event_id,
        kind,
        content_type: content_type.unwrap_or_else(|| "application/json".to_owned()),
        made,
    })
}

/// The event that was asked for, as the caller sees it.
async fn event(
    node: &Node,
    caller: Caller,
    id: Option<EventId>,
    kind: Option<Kind>,
) -> Result<(Option<EventId>, Kind, Vec<u8>), Refusal> {
    let visibility = Visibility::of(caller, node);
    let event = match id {
        Some(id) => {
            let event = node.store.event(caller.company_id, id).await?;
            caller.require_visible(event.kind)?;
            if event.payload_removed.is_some() {
                return Err(Refusal::Conflict(format!(
                    "the payload of event {id} was removed, so nothing can be made of it: name another event"
                )));
            }
            event
        }
        None => {
            let kind = kind.unwrap_or(Kind::Call);
            caller.require_visible(kind)?;
            match last(node, caller, kind).await? {
                Some(event) => event,
                None => return sample_of(kind, node.clock.now()),
            }
        }
    };
    let body = match visibility.redacted(event.kind, &event.body) {
        Cow::Borrowed(body) => body.to_vec(),
        Cow::Owned(body) => body,
    };
    // What is masked is masked in what is made of it, too.
    let shown = crate::json_text::raw(&String::from_utf8_lossy(&body), visibility.mask).into_owned();
    Ok((Some(event.id), event.kind, shown.into_bytes()))
}

/// The last event of a kind, if its payload is still there.
async fn last(node: &Node, caller: Caller, kind: Kind) -> Result<Option<EventRecord>, Refusal> {
    let filter = EventFilter {
        kind: Some(kind),
        ..EventFilter::default()
    };
    let page = PageRequest::first(1);
    let last = node.store.list_events(caller.company_id, filter, page).await?;
    let last = last.items.into_iter().next();
    Ok(last.filter(|event| event.payload_removed.is_none()))
}

fn sample_of(kind: Kind, now: Timestamp) -> Result<(Option<EventId>, Kind, Vec<u8>), Refusal> {
    let sample = sample::body(kind, now).ok_or_else(|| {
        Refusal::Conflict(format!(
            "there is no event of kind `{kind}` to make anything of, and no sample of one: name another kind"
        ))
    })?;
    Ok((None, kind, sample.into()))
}
