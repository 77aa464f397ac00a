//! Background tasks of a node, which begin and end with its server.

use std::sync::Arc;
use std::time::Duration;

use switchhook_node::clock::{self, NodeClock};
use switchhook_node::telemetry::Telemetry;
use switchhook_node::{Node, callers, counters, follower, gauges, notification, retention};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Interval at which metrics fold their samples.
const TIDY_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Tasks(Vec<JoinHandle<()>>);

impl Tasks {
    pub(super) fn start(node: &Arc<Node>, clock: Arc<NodeClock>) -> Self {
        let (liveness, here) = (&node.liveness, Handle::current());
        let (store, telemetry) = (Arc::clone(&node.store), node.telemetry.clone());
        let counting = counters::run(node.history.clone(), Arc::clone(&store), Arc::clone(&node.clock));
        let notifying = notification::run(Arc::clone(&node.notifications));
        let mut tasks = vec![
            liveness.spawn("keeper of metrics", &here, tidy_up(telemetry.clone())),
            liveness.spawn("retention", &here, retention::run(Arc::clone(node))),
            liveness.spawn("keeper of gauges", &here, gauges::run(Arc::clone(node))),
            liveness.spawn("history", &here, counting),
            liveness.spawn("uses of keys", &here, callers::run(Arc::clone(&node.callers))),
            liveness.spawn("notifications", &here, notifying),
            tokio::spawn(clock::keep_measuring(clock, store, telemetry)),
        ];
        // Not where there can be no other nodes.
        tasks.extend(follower::start(node));
        Self(tasks)
    }

    pub(super) fn abort(&self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn tidy_up(telemetry: Telemetry) {
    loop {
        tokio::time::sleep(TIDY_EVERY).await;
        telemetry.tidy_up();
    }
}
