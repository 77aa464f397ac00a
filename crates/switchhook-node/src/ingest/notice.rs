//! What is told of an event that was accepted or refused: to those who watch, and to those who count.

use bytes::Bytes;
use switchhook_domain::Kind;
use switchhook_domain::id::CompanyId;

use super::submission::{Accepted, Rejected, Submission};
use crate::Node;
use crate::live::EventOf;
use crate::summary::Summary;

/// What those who watch are told of an event once it is kept.
pub(super) struct Notice {
    company_id: CompanyId,
    kind: Kind,
    /// Only if somebody watches.
    body: Option<Bytes>,
}

impl Notice {
    pub(super) fn of(node: &Node, submission: &Submission) -> Self {
        let is_heard = node.live.is_heard(submission.company_id);
        Self {
            company_id: submission.company_id,
            kind: submission.kind,
            body: is_heard.then(|| submission.body.clone()),
        }
    }
}

pub(super) fn count(node: &Node, outcome: &Result<Accepted, Rejected>, notice: Notice) {
    match outcome {
        Ok(accepted) => {
            let Notice {
                company_id,
                kind,
                body,
            } = notice;
            node.telemetry.accepted(accepted.kind, accepted.is_duplicate);
            let mask = node.settings.dashboard.mask;
            let summary = || body.map(|body| Summary::of(kind, &body, mask));
            let event = EventOf {
                id: accepted.id,
                kind: accepted.kind,
                is_duplicate: accepted.is_duplicate,
            };
            let deliveries = accepted.deliveries.iter();
            let deliveries = deliveries.map(|delivery| (delivery.id, delivery.webhook_id));
            let now = node.clock.now();
            node.live.accepted(company_id, event, deliveries, now, summary);
            if !accepted.is_duplicate {
                node.history.accepted(company_id, now);
            }
        }
        Err(rejected) => node.telemetry.rejected(rejected.reason()),
    }
}
