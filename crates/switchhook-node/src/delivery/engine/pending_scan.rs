//! A survey of the store: which webhooks have something pending. It is a net under lost hints, and the way a node learns at
//! start what waits.

use std::time::Duration;

use switchhook_domain::id::WebhookId;
use switchhook_store::{PendingWebhook, StoreError};
use tokio::time::Instant;
use tracing::warn;

use super::schedule::Schedule;
use super::tasks::Tasks;

/// Interval of a full scan.
const SCAN_EVERY: Duration = Duration::from_secs(10);

/// Page size.
pub(super) const SCAN_PAGE: u32 = 1_000;

/// Position of the scan, which reads one page at a time.
#[derive(Debug)]
pub(super) struct PendingScan {
    /// The last webhook of the page before.
    after: Option<WebhookId>,
    next_at: Instant,
}

impl PendingScan {
    pub(super) fn new() -> Self {
        Self {
            after: None,
            next_at: Instant::now(),
        }
    }

    pub(super) const fn next_at(&self) -> Instant {
        self.next_at
    }

    /// Asks for the next page, if it is time.
    pub(super) fn go_on(&mut self, tasks: &Tasks) {
        if Instant::now() >= self.next_at {
            self.next_at = Instant::now() + SCAN_EVERY;
            tasks.pending_scan(self.after);
        }
    }

    /// Takes a page, or why there is none.
    pub(super) fn take(&mut self, page: Result<Vec<PendingWebhook>, StoreError>, schedule: &mut Schedule) {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                warn!(%error, "the store could not be asked what is pending");
                return;
            }
        };
        self.note(&page);
        for webhook in page {
            schedule
                .queue(webhook.webhook_id)
                .backlog()
                .due(webhook.first_due_at);
            schedule.reschedule(webhook.webhook_id);
        }
    }

    /// Behind a full page there may be another, which is asked for at once.
    fn note(&mut self, page: &[PendingWebhook]) {
        let is_last = page.len() < SCAN_PAGE as usize;
        let last = page.last().map(|webhook| webhook.webhook_id);
        self.after = last.filter(|_| !is_last);
        if !is_last {
            self.next_at = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use switchhook_domain::Timestamp;

    use super::*;

    fn page(first: i64, count: i64) -> Vec<PendingWebhook> {
        let pending = |id| PendingWebhook {
            webhook_id: WebhookId(id),
            first_due_at: Timestamp::from_millis(0),
        };
        (first..first + count).map(pending).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_survey_goes_through_all_pages_at_once_and_begins_anew_later() {
        let begun = Instant::now();
        let mut pending_scan = PendingScan::new();
        pending_scan.next_at = begun + SCAN_EVERY;
        pending_scan.note(&page(1, 1_000));
        assert_eq!(
            (pending_scan.after, pending_scan.next_at),
            (Some(WebhookId(1_000)), begun)
        );
        pending_scan.next_at = begun + SCAN_EVERY;
        pending_scan.note(&page(1_001, 7));
        assert_eq!(
            (pending_scan.after, pending_scan.next_at),
            (None, begun + SCAN_EVERY)
        );
    }
}
