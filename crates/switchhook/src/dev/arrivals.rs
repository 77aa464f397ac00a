//! Requests at the inspector of `dev`, printed one per line.

use std::sync::Arc;

use switchhook_protocol::headers;
use tokio::sync::broadcast::error::RecvError;

use super::welcome;
use switchhook_node::Node;
use switchhook_node::inspector::ReceivedRequest;
use switchhook_node::mask::Mask;
use switchhook_node::summary::Summary;

/// Tells what arrives until it is dropped.
pub(super) async fn tell(node: Arc<Node>) {
    let Some(inspector) = &node.inspector else {
        return;
    };
    let mut arrivals = inspector.listen();
    loop {
        match arrivals.recv().await {
            Ok(arrival) => welcome::show(&line(&arrival)),
            Err(RecvError::Lagged(count)) => welcome::show(&format!("… {count} more")),
            Err(RecvError::Closed) => return,
        }
    }
}

fn line(arrival: &ReceivedRequest) -> String {
    let (name, summary) = match (arrival.kind(), &arrival.event) {
        (Some(kind), Some(event)) => (kind.route(), Summary::of(kind, event, Mask::NOTHING)),
        _ => ("?", Summary::default()),
    };
    let words = format!("{} {}", summary.what, summary.detail);
    format!(
        "{name:<13} {words:<58} event {} attempt {}  {}, {} bytes",
        arrival.header(headers::EVENT_ID),
        arrival.header(headers::ATTEMPT),
        arrival.verdict,
        arrival.body.len(),
    )
}
