//! Metrics of single webhooks, for the few with the most to tell: labels without a bound would drown whoever stores them.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use switchhook_domain::id::WebhookId;
use switchhook_store::PendingCount;

/// Of how many webhooks attempts are counted.
const MOST_COUNTED: usize = 10_000;

/// Metrics of single webhooks.
#[derive(Debug, Default)]
pub(super) struct WebhookMetrics {
    /// Bound on the webhooks shown; 0 counts nothing.
    most_shown: AtomicUsize,
    attempts: Mutex<HashMap<WebhookId, Attempts>>,
    /// Those that are shown, and what is pending for each.
    shown: Mutex<Vec<(WebhookId, u64)>>,
}

/// Attempts since the start.
#[derive(Debug, Clone, Copy, Default)]
struct Attempts {
    delivered: u64,
    failed: u64,
}

impl WebhookMetrics {
    pub(super) fn show(&self, most: usize) {
        self.most_shown.store(most, Ordering::Relaxed);
    }

    pub(super) fn attempted(&self, id: WebhookId, is_success: bool) {
        if self.most_shown.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut attempts = self.attempts.lock();
        if attempts.len() >= MOST_COUNTED && !attempts.contains_key(&id) {
            return;
        }
        let attempts = attempts.entry(id).or_default();
        let count = if is_success {
            &mut attempts.delivered
        } else {
            &mut attempts.failed
        };
        *count += 1;
    }

    /// Chooses those that are shown: half of them have the most pending, the rest had the most attempts.
    pub(super) fn choose(&self, pending: &[PendingCount]) {
        let most = self.most_shown.load(Ordering::Relaxed);
        let pending: HashMap<_, _> = pending
            .iter()
            .map(|count| (count.webhook_id, count.due + count.later))
            .collect();
        let mut by_pending: Vec<_> = pending.iter().map(|(id, count)| (*id, *count)).collect();
        by_pending.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
        let mut by_attempts: Vec<_> = self
            .attempts
            .lock()
            .iter()
            .map(|(id, attempts)| (*id, attempts.delivered + attempts.failed))
            .collect();
        by_attempts.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
        let mut chosen: Vec<_> = by_pending.into_iter().take(most.div_ceil(2)).collect();
        for (id, _) in by_attempts {
            if chosen.len() >= most {
                break;
            }
            if chosen.iter().all(|(known, _)| *known != id) {
                chosen.push((id, pending.get(&id).copied().unwrap_or(0)));
            }
        }
        *self.shown.lock() = chosen;
    }

    /// As Prometheus reads them; nothing if none is shown.
    pub(super) fn render(&self) -> String {
        let shown = self.shown.lock();
        let mut text = String::new();
        if shown.is_empty() {
            return text;
        }
        let attempts = self.attempts.lock();
        text.push_str(
            "# HELP switchhook_webhook_attempts_total Attempts of the webhooks with the most to tell\n\
             # TYPE switchhook_webhook_attempts_total counter\n",
        );
        for (id, _) in shown.iter() {
            let counted = attempts.get(id).copied().unwrap_or_default();
            for (result, count) in [("delivered", counted.delivered), ("failed", counted.failed)] {
                let _ = writeln!(
                    text,
                    "switchhook_webhook_attempts_total{{webhook_id=\"{id}\",result=\"{result}\"}} {count}"
                );
            }
        }
        text.push_str(
            "\n# HELP switchhook_webhook_pending Pending deliveries of the webhooks with the most to tell, counted up to \
             20000\n# TYPE switchhook_webhook_pending gauge\n",
        );
        for (id, pending) in shown.iter() {
            let _ = writeln!(
                text,
                "switchhook_webhook_pending{{webhook_id=\"{id}\"}} {pending}"
            );
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_with_the_most_to_tell_are_shown_and_no_more() {
        let metrics = WebhookMetrics::default();
        metrics.attempted(WebhookId(1), true);
        metrics.choose(&[]);
        assert_eq!(metrics.render(), "", "nobody asked for any");
        metrics.show(3);
        for (id, attempts) in [(1, 5), (2, 9), (3, 1), (4, 7)] {
            for _ in 0..attempts {
                metrics.attempted(WebhookId(id), id != 4);
            }
        }
        let pending = |id, later| PendingCount {
            webhook_id: WebhookId(id),
            due: 0,
            later,
            oldest: None,
        };
        metrics.choose(&[pending(3, 10), pending(1, 2), pending(9, 400)]);
        let text = metrics.render();
        for line in [
            "switchhook_webhook_pending{webhook_id=\"9\"} 400",
            "switchhook_webhook_pending{webhook_id=\"3\"} 10",
            "switchhook_webhook_attempts_total{webhook_id=\"2\",result=\"delivered\"} 9",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!text.contains("\"4\"") && !text.contains("\"1\""), "{text}");
    }
}
