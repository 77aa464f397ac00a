//! The listener: says that this node lives, and hears what the others announce.
//!
//! Announcements are hints. What changed is read from the table of changes: when one comes, and once a second anyway.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::announcement::{Announcement, CHANNEL};
use super::changes::{self, Changed};
use super::failure::no_answer;
use super::node::{Node, SAYS_SO_EVERY};
use super::notifier::Notifier;
use super::pool::Pool;
use crate::change::Change;
use crate::effects::Effects;
use crate::error::StoreError;

/// Interval of polling for changes without an announcement.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Time limit of a poll or a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pause after a failure.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

pub(super) struct Listener {
    pub(super) pool: Pool,
    pub(super) node: Arc<Node>,
    pub(super) notifier: Arc<Notifier>,
    pub(super) changes: mpsc::Sender<Change>,
}

/// Position of the listener.
struct ListenerState {
    /// The last change that the node knows; `None`: it is not known what it knows.
    last_change: Option<i64>,
    next_look: Instant,
    next_sign_of_life: Instant,
    /// True if the lack of announcements was logged.
    is_deaf: bool,
}

impl Listener {
    /// Listens until it is to stop, through losses of the connection.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let now = Instant::now();
        let mut heard = ListenerState {
            last_change: None,
            next_look: now,
            next_sign_of_life: now,
            is_deaf: false,
        };
        let listening = async {
            loop {
                if let Err(error) = self.listen(&mut heard).await
                    && !heard.is_deaf
                {
                    tracing::warn!(%error, "the connection that hears of other nodes' changes is lost; changes are polled meanwhile");
                    heard.is_deaf = true;
                }
                // The connection for announcements may be all that is missing. If it is not, that was logged.
                let _ = self.do_what_is_due(&mut heard).await;
                sleep(TRY_AGAIN_AFTER).await;
            }
        };
        tokio::select! {
            () = listening => {}
            _ = stop.wait_for(|is_stopped| *is_stopped) => {}
        }
    }

    /// Listens on one connection until it is lost.
    async fn listen(&self, heard: &mut ListenerState) -> Result<(), StoreError> {
        let made_at = Instant::now();
        let options = self.pool.connector.options_of_fit().await?;
        let only_one = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let mut listener = in_time(PgListener::connect_with(&only_one)).await?;
        in_time(listener.listen(CHANNEL)).await?;
        if std::mem::take(&mut heard.is_deaf) {
            tracing::info!("other nodes are heard again");
        }
        // Nobody knows what was said before.
        (heard.last_change, heard.next_look) = (None, Instant::now());
        while self.pool.connector.is_current_since(made_at) {
            self.do_what_is_due(heard).await?;
            let wake = heard.next_look.min(heard.next_sign_of_life);
            tokio::select! {
                announcement = listener.try_recv() => match announcement? {
                    Some(announcement) => self.take(announcement.payload(), heard),
                    // The connection was lost: its server may not be the one to listen to.
                    None => return Ok(()),
                },
                () = sleep_until(wake) => {}
            }
        }
        Ok(())
    }

    async fn do_what_is_due(&self, heard: &mut ListenerState) -> Result<(), StoreError> {
        let now = Instant::now();
        if now >= heard.next_sign_of_life {
            heard.next_sign_of_life = now + SAYS_SO_EVERY;
            let mut lent = self.pool.acquire().await?;
            let said = in_time(self.node.say_alive(&mut lent.connection)).await;
            self.pool.give_back(lent, said).await?;
        }
        if now >= heard.next_look {
            heard.next_look = now + LOOK_EVERY;
            self.look(heard).await?;
        }
        Ok(())
    }

    /// Reads what changed and notifies the node.
    async fn look(&self, heard: &mut ListenerState) -> Result<(), StoreError> {
        let mut lent = self.pool.acquire().await?;
        let Some(known) = heard.last_change else {
            let last = in_time(changes::last(&mut lent.connection)).await;
            let last = self.pool.give_back(lent, last).await?;
            heard.last_change = Some(last);
            self.notify(Change::Everything, heard);
            return Ok(());
        };
        let changed = in_time(changes::since(&mut lent.connection, known)).await;
        let Changed { last, companies } = self.pool.give_back(lent, changed).await?;
        heard.last_change = Some(last);
        match companies {
            Some(companies) => {
                for company_id in companies {
                    self.notify(Change::Registry(company_id), heard);
                }
            }
            None => self.notify(Change::Everything, heard),
        }
        Ok(())
    }

    fn take(&self, payload: &str, heard: &mut ListenerState) {
        match Announcement::read(payload) {
            Some(Announcement::Registry) => heard.next_look = Instant::now(),
            Some(Announcement::Log(company_id)) => self.notify(Change::Log(company_id), heard),
            Some(Announcement::Cancelled {
                node,
                webhook_id,
                delivery_id,
            }) if node == self.node.id() => {
                let mut effects = Effects::default();
                effects.cancelled(webhook_id, delivery_id);
                self.notifier.listeners.notify(effects);
            }
            _ => {}
        }
    }

    /// Notifies the node, without waiting for it: signs of life must not be late because it is busy. If it is too far behind,
    /// it hears later that everything may have changed.
    fn notify(&self, change: Change, heard: &mut ListenerState) {
        if let Err(TrySendError::Full(_)) = self.changes.try_send(change) {
            heard.last_change = None;
        }
    }
}

async fn in_time<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, StoreError>
where
    StoreError: From<E>,
{
    match timeout(PATIENCE, work).await {
        Ok(result) => Ok(result?),
        Err(_elapsed) => Err(no_answer(PATIENCE)),
    }
}
