//! Companies: whose webhooks, subscriptions, keys and events these are, and what each wants kept.

use switchhook_protocol::Timestamp;

use crate::id::CompanyId;

/// A company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    pub id: CompanyId,
    /// What it is called.
    pub name: String,
    /// Whether the payloads of its events go once they are delivered; the record of the deliveries stays.
    pub drop_payloads: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A change to a company; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompanyChange {
    /// Another name.
    pub name: Option<String>,
    /// Whether payloads go once they are delivered.
    pub drop_payloads: Option<bool>,
}
