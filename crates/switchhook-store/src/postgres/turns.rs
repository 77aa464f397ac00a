//! Turns: what several commits of a node tell it is told in their order.
//!
//! A turn is taken when everything is locked that the transaction decides about, just before it commits. Of two that
//! decide about the same queue or row, the second gets its locks when the first has committed, so that its turn is later.

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Gives turns out.
#[derive(Default)]
pub(super) struct Turns {
    /// Says when the last one that was given out is over.
    last: Mutex<Option<oneshot::Receiver<()>>>,
}

/// A place in the order. It is over when it is dropped.
pub(super) struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _over: oneshot::Sender<()>,
}

impl Turns {
    /// The next one.
    pub(super) fn take(&self) -> Turn {
        let (over, is_over) = oneshot::channel();
        Turn {
            before: self.last.lock().replace(is_over),
            _over: over,
        }
    }
}

impl Turn {
    /// Waits until all before it are over.
    pub(super) async fn comes(&mut self) {
        if let Some(before) = &mut self.before {
            // Nothing is ever sent: the one before is over when its sender is gone.
            let _ = before.await;
            self.before = None;
        }
    }
}
