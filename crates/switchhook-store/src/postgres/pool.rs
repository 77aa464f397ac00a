//! The connections for everything but the commits of the hot path: a few, lent one at a time. One on which something failed is
//! lent again only if it says that it is well.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection::{Connector, Link};
use crate::error::StoreError;

/// Number of connections for everything but commits, keys and listening.
pub(super) const SIZE: usize = 5;

/// Number of connections for keys alone, so that requests are not refused while everything else is taken.
pub(super) const SIZE_FOR_KEYS: usize = 1;

/// Time that a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) struct Pool {
    pub(super) connector: Arc<Connector>,
    idle: Arc<Mutex<Vec<Link>>>,
    free: Arc<Semaphore>,
}

/// A connection that is lent. If it is dropped without being given back it is not used again: nobody knows what state it is in.
pub(super) struct PooledConnection {
    link: Link,
    _permit: OwnedSemaphorePermit,
}

impl std::ops::Deref for PooledConnection {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl std::ops::DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

impl Pool {
    pub(super) fn new(connector: Arc<Connector>, size: usize) -> Self {
        Self {
            connector,
            idle: Arc::default(),
            free: Arc::new(Semaphore::new(size)),
        }
    }

    /// Lends a connection that is current and there.
    pub(super) async fn acquire(&self) -> Result<PooledConnection, StoreError> {
        let permit = timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.free).acquire_owned());
        let Ok(permit) = permit.await else {
            return Err(StoreError::Unavailable(
                "no connection to PostgreSQL was free in time: is it up, and does it answer?".into(),
            ));
        };
        let _permit = permit.map_err(|_| StoreError::closed())?;
        let link = match self.idle_one().await {
            Some(link) => link,
            None => self.connector.connect().await?,
        };
        Ok(PooledConnection { link, _permit })
    }

    /// Takes a connection back and answers what came of the work on it.
    pub(super) async fn give_back<T>(
        &self,
        mut lent: PooledConnection,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let has_failed = matches!(result, Err(StoreError::Unavailable(_)));
        if !has_failed || self.connector.is_well(&mut lent.link).await {
            self.idle.lock().push(lent.link);
        }
        result
    }

    async fn idle_one(&self) -> Option<Link> {
        loop {
            let mut link = self.idle.lock().pop()?;
            if self.connector.is_current(&link) && is_there(&mut link.connection).await {
                return Some(link);
            }
        }
    }

    /// Lends none any more, and closes those that are idle.
    pub(super) async fn close(&self) {
        self.free.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        for link in idle {
            // The server would notice by itself; saying so only keeps its log tidy.
            let _ = link.connection.close().await;
        }
    }
}

async fn is_there(connection: &mut PgConnection) -> bool {
    matches!(timeout(ACQUIRE_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}
