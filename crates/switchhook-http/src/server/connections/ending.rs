//! End of the connections when the server stops: after their answers, or at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Connections, SOON};
use crate::server::connection::{Connection, Directive, Phase};

/// Time for new connections to send a request before the server stops.
const MOMENT: Duration = Duration::from_millis(250);

impl Connections {
    /// Lets every connection end with the request that it has, and at once if it has none.
    pub(in crate::server) fn finish(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.direct_all(Directive::Finish);
    }

    /// Lets every connection close with its next answer.
    pub(in crate::server) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub(in crate::server) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Waits a moment for those that have just come to ask: what they send is on its way.
    pub(in crate::server) async fn await_first_requests(&self) {
        let until = Instant::now() + MOMENT;
        let is_new =
            |connection: &Arc<Connection>| matches!(connection.state().0, Phase::Fresh | Phase::Head);
        while Instant::now() < until && self.open.lock().connections.values().any(is_new) {
            sleep(SOON).await;
        }
    }

    /// Ends every connection at once.
    pub(in crate::server) fn cut(&self) {
        self.direct_all(Directive::Cut);
    }

    fn direct_all(&self, order: Directive) {
        let mut open = self.open.lock();
        let mut closing = open.closing;
        for connection in open.connections.values() {
            let before = connection.order();
            let is_news = connection.tell(order);
            closing += usize::from(is_news && order >= Directive::Close && before < Directive::Close);
        }
        open.closing = closing;
    }

    /// Waits until a connection has closed, once it is stopping.
    pub(in crate::server) async fn one_closed(&self) {
        self.one_closed.notified().await;
    }
}
