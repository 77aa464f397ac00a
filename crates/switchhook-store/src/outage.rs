//! Outages as they are written: when one begins, goes on and ends, and what people are notified of with it.

use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::notification::{FailingWebhook, Notice, NotificationPayload, WebhookInfo};
use switchhook_domain::outage::Outage;

use crate::error::StoreError;
use crate::row::{Columns, Row};

/// Bound on the outages kept per webhook.
pub const MOST_KEPT: u32 = 1_000;

/// Change to a webhook's stored outage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutageWrite {
    /// It begins or goes on: its attempts are added to those that are known.
    Fails {
        webhook_id: WebhookId,
        /// The outage, with the attempts that are not written yet.
        outage: Outage,
    },
    /// It is over, if there is one.
    Ended { webhook_id: WebhookId, at: Timestamp },
}

/// A webhook, as far as it matters to whoever is notified of its outage.
pub(crate) struct FailingWebhookRow {
    id: WebhookId,
    company_id: CompanyId,
    hook_url: String,
    /// True if it exists for a replay only, about which nobody is notified.
    is_of_replay: bool,
}

/// Columns for [`FailingWebhookRow::read`].
macro_rules! failing_columns {
    () => {
        "id, company_id, hook_url, replay_id"
    };
}
pub(crate) use failing_columns;

impl FailingWebhookRow {
    pub(crate) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let mut columns = Columns::of("webhooks", row)?;
        Ok(Self {
            id: WebhookId(columns.id()),
            company_id: CompanyId(columns.read()?),
            hook_url: columns.read()?,
            is_of_replay: columns.read::<Option<i64>>()?.is_some(),
        })
    }

    /// That an outage began.
    pub(crate) fn began(&self, outage: &Outage) -> Option<Notice> {
        self.notice(
            outage.last.at,
            NotificationPayload::WebhookFailing(self.payload(outage)),
        )
    }

    /// That an outage ended.
    pub(crate) fn ended(&self, outage: &Outage, at: Timestamp) -> Option<Notice> {
        self.notice(at, NotificationPayload::WebhookRecovered(self.payload(outage)))
    }

    fn notice(&self, at: Timestamp, payload: NotificationPayload) -> Option<Notice> {
        (!self.is_of_replay).then(|| Notice::new(Some(self.company_id), at, payload))
    }

    fn payload(&self, outage: &Outage) -> FailingWebhook {
        FailingWebhook {
            webhook: WebhookInfo::new(self.id, &self.hook_url),
            since: outage.since,
            attempts: outage.attempts,
            last: outage.last.failure,
        }
    }
}
