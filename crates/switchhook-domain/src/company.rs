//! Companies: whose webhooks, subscriptions, keys and events these are, and what each wants kept.

use switchhook_protocol::Timestamp;

use crate::id::CompanyId;

/// A tenant, with events, webhooks and keys of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    pub id: CompanyId,
    /// Display name.
    pub name: String,
    /// True if payloads are removed once they are delivered; the records of the deliveries stay.
    pub drop_payloads: bool,
    pub created_at: Timestamp,
}

/// A change to a company; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompanyChange {
    /// New name.
    pub name: Option<String>,
    /// New value of [`Company::drop_payloads`].
    pub drop_payloads: Option<bool>,
}
