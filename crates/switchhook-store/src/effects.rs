//! Effects: what a commit brings about beyond its rows, and who is notified of it once it is certain.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::claim::{HandOver, HandedOver};
use crate::observer::{Commit, CommitObserver, SetAside};

/// What a commit changes for this node and for the operator.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) handed_over: HandOver,
    pub(crate) set_aside: Vec<SetAside>,
}

/// How many effects there were at some time.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    handed_over: usize,
    set_aside: usize,
}

impl Effects {
    pub(crate) const fn mark(&self) -> Mark {
        Mark {
            handed_over: self.handed_over.len(),
            set_aside: self.set_aside.len(),
        }
    }

    /// Takes back what came since: it was rolled back.
    pub(crate) fn take_back(&mut self, since: Mark) {
        self.handed_over.truncate(since.handed_over);
        self.set_aside.truncate(since.set_aside);
    }

    /// What is left of them if the commit may have failed: the claims, so that they are given back if they are this node's.
    pub(crate) fn doubtful(self) -> Self {
        let doubtful = |item| match item {
            HandedOver::Claimed(claimed) => Some(HandedOver::Doubtful(claimed)),
            _ => None,
        };
        Self {
            handed_over: self.handed_over.into_iter().filter_map(doubtful).collect(),
            set_aside: Vec::new(),
        }
    }
}

/// Who is notified of commits: the node of what it was handed over, the operator of how they went.
#[derive(Clone, Default)]
pub(crate) struct Audience {
    /// Bounded by what the node asks for: nothing is claimed that it did not request. A guest claims nothing.
    pub(crate) hand_over: Option<mpsc::UnboundedSender<HandOver>>,
    pub(crate) observer: Option<Arc<dyn CommitObserver>>,
}

impl Audience {
    /// To be called in the order of the commits, each before its callers are answered.
    pub(crate) fn notify(&self, effects: Effects) {
        if let Some(node) = &self.hand_over
            && !effects.handed_over.is_empty()
        {
            // Nobody takes it where nothing is sent.
            let _ = node.send(effects.handed_over);
        }
        for one in &effects.set_aside {
            let (delivery_id, why) = (one.delivery_id.0, &one.why);
            tracing::error!(delivery_id, why, "a delivery is set aside: its row is damaged");
            if let Some(observer) = &self.observer {
                observer.set_aside(one);
            }
        }
    }

    pub(crate) fn committed(&self, commit: Commit) {
        if let Some(observer) = &self.observer {
            observer.committed(commit);
        }
    }
}
