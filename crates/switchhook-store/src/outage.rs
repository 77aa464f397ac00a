//! Outages as they are written: when one begins, goes on and ends, and what people are notified of with it.

use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::notification::{FailingWebhook, News, Notice, WebhookOf};
use switchhook_domain::outage::Outage;

use crate::error::StoreError;
use crate::row::{Columns, Row};

/// How many outages of a webhook are kept.
pub(crate) const MOST_KEPT: u32 = 1_000;

/// What is to be written of a webhook's outage.
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
pub(crate) struct Failing {
    id: WebhookId,
    company_id: CompanyId,
    hook_url: String,
    /// Whether it exists for a replay only: nobody is notified of that.
    is_of_replay: bool,
}

/// What [`Failing::read`] reads, in its order.
macro_rules! failing_columns {
    () => {
        "id, company_id, hook_url, replay_id"
    };
}
pub(crate) use failing_columns;

impl Failing {
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
        self.notice(outage.last.at, News::WebhookFailing(self.news(outage)))
    }

    /// That an outage ended.
    pub(crate) fn ended(&self, outage: &Outage, at: Timestamp) -> Option<Notice> {
        self.notice(at, News::WebhookRecovered(self.news(outage)))
    }

    fn notice(&self, at: Timestamp, news: News) -> Option<Notice> {
        (!self.is_of_replay).then(|| Notice::new(Some(self.company_id), at, news))
    }

    fn news(&self, outage: &Outage) -> FailingWebhook {
        FailingWebhook {
            webhook: WebhookOf::new(self.id, &self.hook_url),
            since: outage.since,
            attempts: outage.attempts,
            last: outage.last.failure,
        }
    }
}
