//! One transaction, and what is to be told once it is committed.

use std::pin::Pin;

use sqlx::postgres::PgConnection;
use switchhook_domain::id::{CompanyId, DeliveryId, WebhookId};

use super::notice::Notice;
use super::turns::{Turn, Turns};
use crate::claim::{HandOver, HandedOver};
use crate::error::StoreError;
use crate::observer::SetAside;

/// What a closure that works on a connection or in a transaction gives back.
pub(super) type Work<'t, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 't>>;

/// Locks that last until the end of the transaction. Keys of order have a space of their own ([`lock_keys`]).
///
/// Whoever takes several takes them in this order, then that of a replay, those of order queues, then the rows of events by id,
/// of deliveries by id, and of replays.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lock {
    /// Who brings the schema up to date.
    Schema = 1,
    /// Who registers or ends nodes.
    Nodes = 2,
    /// Who changes webhooks, websockets and subscriptions: their changes are numbered in the order of their commits.
    Registry = 3,
}

/// What the first half of our locks is, so that other programs in the same database can have locks too.
const LOCK_SPACE: i32 = 0x5377_6974;

pub(super) async fn lock(connection: &mut PgConnection, lock: Lock) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind(LOCK_SPACE)
        .bind(lock as i32)
        .execute(connection)
        .await?;
    Ok(())
}

/// The open transaction.
pub(super) struct Transaction<'c> {
    pub(super) connection: &'c mut PgConnection,
    /// Which node this is; `None`: it is a guest, which may claim nothing.
    pub(super) node: Option<i64>,
    handed_over: HandOver,
    set_aside: Vec<SetAside>,
    notices: Vec<Notice>,
}

/// What a commit has to tell: to the node, and to the operator.
#[derive(Default)]
pub(super) struct Told {
    /// When; `None`: at once, because no commit of this node is told.
    pub(super) turn: Option<Turn>,
    pub(super) handed_over: HandOver,
    pub(super) set_aside: Vec<SetAside>,
}

impl Told {
    /// What to tell if the commit may have failed: the claims, so that they are given back if they are this node's.
    pub(super) fn doubtful(self) -> Self {
        let doubtful = |item| match item {
            HandedOver::Claimed(claimed) => Some(HandedOver::Doubtful(claimed)),
            _ => None,
        };
        Self {
            turn: self.turn,
            handed_over: self.handed_over.into_iter().filter_map(doubtful).collect(),
            set_aside: Vec::new(),
        }
    }
}

impl<'c> Transaction<'c> {
    pub(super) const fn new(connection: &'c mut PgConnection, node: Option<i64>) -> Self {
        Self {
            connection,
            node,
            handed_over: Vec::new(),
            set_aside: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// Tells this node something, once the commit is done.
    pub(super) fn hand_over(&mut self, item: HandedOver) {
        self.handed_over.push(item);
    }

    /// Tells the operator of a delivery that was set aside, once the commit is done.
    pub(super) fn report(&mut self, set_aside: SetAside) {
        self.set_aside.push(set_aside);
    }

    /// Tells the node that has a delivery in memory, this one or another, that it was cancelled.
    pub(super) fn tell_holder(&mut self, holder: i64, webhook_id: WebhookId, delivery_id: DeliveryId) {
        if Some(holder) == self.node {
            self.hand_over(HandedOver::Cancelled {
                webhook_id,
                delivery_id,
            });
        } else {
            self.notices.push(Notice::Cancelled {
                node: holder,
                webhook_id,
                delivery_id,
            });
        }
    }

    /// Tells whoever listens, on every node, that the company's log has grown.
    pub(super) fn log_grew(&mut self, company_id: CompanyId) {
        let notice = Notice::Log(company_id);
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// Tells every node that webhooks, websockets or subscriptions of the company changed.
    pub(super) async fn registry_changed(&mut self, company_id: CompanyId) -> Result<(), StoreError> {
        super::changes::keep(self.connection, company_id).await?;
        self.notices.push(Notice::Registry);
        Ok(())
    }

    /// Ends the work: notices go out with the commit, which is to follow.
    pub(super) async fn into_told(self, turns: &Turns) -> Result<Told, StoreError> {
        for notice in &self.notices {
            notice.send(self.connection).await?;
        }
        Ok(Told {
            turn: Some(turns.take()),
            handed_over: self.handed_over,
            set_aside: self.set_aside,
        })
    }
}
