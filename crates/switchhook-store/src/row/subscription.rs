//! A subscription as a row, and its versions.

use switchhook_domain::id::{CompanyId, SubscriptionId, WebhookId, WebsocketId};
use switchhook_domain::subscription::{Endpoint, Filter, Revision, Subscription, SubscriptionVersion};

use super::{Columns, Row};
use crate::error::StoreError;

/// Columns for [`read`].
macro_rules! subscription_columns {
    () => {
        "id, company_id, webhook_id, websocket_id, enabled, filter, payload_filter, scopes, created_at, \
         updated_at"
    };
}
pub(crate) use subscription_columns;

/// Columns for [`read_version`], of the versions `v` and their subscriptions `s`.
macro_rules! version_columns {
    () => {
        "v.revision, v.company_id, v.subscription_id, v.change, v.webhook_id, v.websocket_id, v.enabled, v.filter, \
         v.payload_filter, v.from_at, v.until_at, s.scopes, s.created_at"
    };
}
pub(crate) use version_columns;

pub(crate) fn read(row: &Row<'_>) -> Result<Subscription, StoreError> {
    let mut columns = Columns::of("subscriptions", row)?;
    Ok(Subscription {
        id: SubscriptionId(columns.id()),
        company_id: CompanyId(columns.read()?),
        endpoint: read_endpoint(&mut columns)?,
        enabled: columns.read()?,
        filter: columns.json()?,
        payload_filter: columns.maybe_json()?,
        scopes: columns.word()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

pub(crate) fn read_version(row: &Row<'_>) -> Result<SubscriptionVersion, StoreError> {
    let mut columns = Columns::of("subscription_versions", row)?;
    let revision = Revision(columns.id());
    let company_id = CompanyId(columns.read()?);
    let id = SubscriptionId(columns.read()?);
    let change = columns.word()?;
    let endpoint = read_endpoint(&mut columns)?;
    let enabled = columns.read()?;
    let filter = columns.json()?;
    let payload_filter = columns.maybe_json()?;
    let from_at = columns.time()?;
    let until_at = columns.maybe_time()?;
    Ok(SubscriptionVersion {
        revision,
        change,
        subscription: Subscription {
            id,
            company_id,
            endpoint,
            enabled,
            filter,
            payload_filter,
            scopes: columns.word()?,
            created_at: columns.time()?,
            updated_at: from_at,
        },
        from_at,
        until_at,
    })
}

/// Endpoint of a subscription, from the next two columns.
fn read_endpoint(columns: &mut Columns<'_>) -> Result<Option<Endpoint>, StoreError> {
    let webhook_id = columns.read::<Option<i64>>()?.map(WebhookId);
    let websocket_id = columns.read::<Option<i64>>()?.map(WebsocketId);
    Ok(webhook_id
        .map(Endpoint::Webhook)
        .or(websocket_id.map(Endpoint::Websocket)))
}

/// A filter as text: equal filters have equal text.
pub(crate) fn json(filter: &Filter) -> Result<String, StoreError> {
    serde_json::to_string(filter)
        .map_err(|error| StoreError::Conflict(format!("the subscription's filter cannot be kept: {error}")))
}

/// Two subscriptions would send the same to the same endpoint.
pub(crate) fn refuse_second(other: Option<i64>, endpoint: Endpoint) -> Result<(), StoreError> {
    match other {
        None => Ok(()),
        Some(other) => Err(StoreError::Conflict(format!(
            "subscription {other} already sends the same events to {endpoint}: change that one (it may be \
             disabled), or delete it first"
        ))),
    }
}

/// True if a change concerns where events go, so that it makes a new version.
pub(crate) fn is_another_version(before: &Subscription, after: &Subscription) -> bool {
    let decides = |one: &Subscription| {
        let filters = (one.filter.clone(), one.payload_filter.clone());
        (one.endpoint, one.enabled, filters)
    };
    decides(before) != decides(after)
}
