//! Requests at the inspector of `dev`, printed one per line.

use std::sync::Arc;

use switchhook_protocol::headers;
use tokio::sync::broadcast::error::RecvError;

use super::welcome;
use switchhook_node::Node;
use switchhook_node::inspector::ReceivedRequest;
use switchhook_node::mask::Mask;
use switchhook_node::summary::Summary;

/// Prints requests until it is dropped.
pub(super) async fn print_requests(node: Arc<Node>) {
    let Some(inspector) = &node.inspector else {
        return;
    };
    let mut requests = inspector.listen();
    loop {
        match requests.recv().await {
            Ok(request) => welcome::show(&line(&request)),
            Err(RecvError::Lagged(count)) => welcome::show(&format!("… {count} more")),
            Err(RecvError::Closed) => return,
        }
    }
}

fn line(request: &ReceivedRequest) -> String {
    let (name, summary) = match (request.kind(), &request.event) {
        (Some(kind), Some(event)) => (kind.route(), Summary::of(kind, event, Mask::NOTHING)),
        _ => ("?", Summary::default()),
    };
    let words = format!("{} {}", summary.what, summary.detail);
    format!(
        "{name:<13} {words:<58} event {} attempt {}  {}, {} bytes",
        request.header(headers::EVENT_ID),
        request.header(headers::ATTEMPT),
        request.verdict,
        request.body.len(),
    )
}
