//! Charts of what came of the attempts: over which time, how many, and how long they took.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::history::{Counts, Point, Range};
use switchhook_domain::id::WebhookId;

use super::DashboardState;
use super::chart::{Axes, Line, Scale, chart, rate};
use super::page::PageError;
use super::session::Viewer;
use super::widgets::{Choice, millis, span};
use switchhook_node::history::{self, History};

const HOUR: u64 = 60 * 60;

/// Over which times one can look: as it is in the address, in words, in seconds.
pub const SPANS: [(&str, &str, u64); 6] = [
    ("15m", "15 min", HOUR / 4),
    ("1h", "1 h", HOUR),
    ("6h", "6 h", 6 * HOUR),
    ("24h", "24 h", 24 * HOUR),
    ("7d", "7 days", 7 * 24 * HOUR),
    ("30d", "30 days", 30 * 24 * HOUR),
];

/// The charts of a page.
pub(super) struct Charts {
    pub(super) spans: Vec<Choice>,
    /// The time that is looked at, in words.
    pub(super) span: &'static str,
    /// Length of time of each point, in words.
    pub(super) step: String,
    pub(super) has_accepted: bool,
    pub(super) rates: String,
    pub(super) times: String,
    /// Sum over the range.
    pub(super) total: Counts,
}

impl Charts {
    /// The charts of a webhook, or of the whole company, over the time that the address says, with the beginning of an outage.
    pub(super) async fn of(
        dashboard: &DashboardState,
        viewer: &Viewer,
        webhook_id: Option<WebhookId>,
    ) -> Result<Self, PageError> {
        let wish = viewer.query("span");
        let chosen = SPANS.iter().find(|(name, ..)| wish.as_deref() == Some(name));
        let (name, words, seconds) = chosen.unwrap_or(&SPANS[0]);
        let now = dashboard.node.clock.now();
        let range = Range::last(Duration::from_secs(*seconds), now);
        let History {
            points,
            failing_since,
        } = history::of(&dashboard.node, viewer.caller, webhook_id, range).await?;
        let spans = SPANS.iter();
        let mut total = Counts::default();
        for counts in points.iter().filter_map(|point| point.counts.as_ref()) {
            total.add(counts);
        }
        let view = View {
            points: &points,
            now,
            mark: failing_since.map(|at| (at, "failing")),
        };
        Ok(Self {
            spans: spans
                .map(|(value, label, _)| Choice::new(*value, *label, Some(name)))
                .collect(),
            span: words,
            step: span(range.step()),
            has_accepted: webhook_id.is_none(),
            rates: view.rates(range, webhook_id.is_none()),
            times: view.times(),
            total,
        })
    }
}

struct View<'a> {
    points: &'a [Point],
    now: Timestamp,
    mark: Option<(Timestamp, &'static str)>,
}

impl View<'_> {
    /// Chart of events and attempts per second.
    fn rates(&self, range: Range, with_accepted: bool) -> String {
        let points = without_the_newest(self.points, range.step());
        let rates = |count: fn(&Counts) -> u64| -> Vec<Option<f64>> {
            let a_second = |point: &Point| {
                let counts = point.counts.as_ref()?;
                Some(count(counts) as f64 / point.length.as_secs_f64().max(1.0))
            };
            points.iter().map(a_second).collect()
        };
        let accepted = rates(|counts| counts.accepted);
        let delivered = rates(|counts| counts.delivered);
        let failed = rates(Counts::failed);
        let mut lines = vec![
            Line {
                class: "b",
                name: "delivered",
                values: &delivered,
            },
            Line {
                class: "c",
                name: "failed",
                values: &failed,
            },
        ];
        let title = if with_accepted {
            lines.insert(
                0,
                Line {
                    class: "a",
                    name: "accepted",
                    values: &accepted,
                },
            );
            "Events accepted, deliveries made and attempts failed a second"
        } else {
            "Deliveries made and attempts failed a second"
        };
        self.chart(points, title, Scale::Linear, rate, &lines)
    }

    /// Chart of delivery times.
    fn times(&self) -> String {
        let times = |share: f64| -> Vec<Option<f64>> {
            let time = |point: &Point| point.counts.as_ref()?.latencies.percentile(share);
            self.points.iter().map(time).collect()
        };
        let (p50, p95, p99) = (times(0.5), times(0.95), times(0.99));
        let lines = [
            Line {
                class: "c",
                name: "99 %",
                values: &p99,
            },
            Line {
                class: "b",
                name: "95 %",
                values: &p95,
            },
            Line {
                class: "a",
                name: "median",
                values: &p50,
            },
        ];
        let title = "Time from acceptance to delivery";
        self.chart(self.points, title, Scale::Logarithmic, millis, &lines)
    }

    fn chart(
        &self,
        points: &[Point],
        title: &str,
        scale: Scale,
        label: fn(f64) -> String,
        lines: &[Line<'_>],
    ) -> String {
        let times: Vec<_> = points.iter().map(|point| point.at).collect();
        let axes = Axes {
            title,
            times: &times,
            now: self.now,
            scale,
            label,
            mark: self.mark,
        };
        chart(&axes, lines)
    }
}

/// A step that has hardly begun, and of which the last seconds are not in the store yet, would look like a fall.
fn without_the_newest(points: &[Point], step: Duration) -> &[Point] {
    match points {
        [before @ .., last]
            if last.length < step / 2 && before.iter().any(|point| point.counts.is_some()) =>
        {
            before
        }
        points => points,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_has_hardly_begun_is_not_shown_as_a_fall() {
        let minute = Duration::from_secs(60);
        let point = |length, counts| Point {
            at: Timestamp::from_millis(0),
            length,
            counts,
        };
        let some = || Some(Counts::default());
        let begun = point(minute / 3, some());
        let shown = |points: &[Point]| without_the_newest(points, minute).len();
        assert_eq!(shown(&[point(minute, some()), begun.clone()]), 1);
        assert_eq!(shown(&[point(minute, some()), point(minute / 2, some())]), 2);
        assert_eq!(shown(&[point(minute, None), begun]), 2, "it is all there is");
        assert_eq!(shown(&[]), 0);
    }
}
