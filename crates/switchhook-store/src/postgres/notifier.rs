//! The notifier: what several commits of a node bring about reaches it in their order.
//!
//! A ticket is drawn when everything is locked that the transaction decides about, just before it commits. Of two that
//! decide about the same queue or row, the second gets its locks when the first has committed, so that its ticket is later.
//! One statement that locks and commits (`at_once.rs`) has drawn its ticket before.
//! (SQLite needs none of this: one thread commits there, one batch after the other.)

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::transaction::Outcome;
use crate::effects::CommitListeners;

#[derive(Default)]
pub(super) struct Notifier {
    pub(super) listeners: CommitListeners,
    /// Says when the ticket that was drawn last is over.
    last: Mutex<Option<oneshot::Receiver<()>>>,
}

/// A place in the order. It is over when it is dropped.
pub(super) struct Ticket {
    before: Option<oneshot::Receiver<()>>,
    _over: oneshot::Sender<()>,
}

impl Notifier {
    pub(super) const fn new(listeners: CommitListeners) -> Self {
        Self {
            listeners,
            last: Mutex::new(None),
        }
    }

    pub(super) fn draw_ticket(&self) -> Ticket {
        let (over, is_over) = oneshot::channel();
        Ticket {
            before: self.last.lock().replace(is_over),
            _over: over,
        }
    }

    /// Notifies of a commit when its ticket is called. Its callers are answered afterwards.
    pub(super) async fn notify(&self, outcome: Outcome) {
        let Outcome { mut ticket, effects } = outcome;
        ticket.is_called().await;
        self.listeners.notify(effects);
    }
}

impl Ticket {
    /// Waits until all before it are over.
    async fn is_called(&mut self) {
        if let Some(before) = self.before.take() {
            // Nothing is ever sent: the one before is over when its sender is gone.
            let _ = before.await;
        }
    }
}
