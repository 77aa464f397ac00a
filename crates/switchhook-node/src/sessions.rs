//! Sessions of the dashboard, as far as every node must know of them. Who is signed in is the dashboard's to know.

use switchhook_domain::id::KeyId;
use switchhook_domain::key::ApiKey;
use switchhook_store::{Session, StoreError};

use crate::Node;

/// Ends a session for good: no node takes it up again, and what was opened in it ends. Whoever shows its cookie may.
///
/// # Errors
/// If it cannot be kept that it ended.
pub async fn end(node: &Node, session: Session) -> Result<(), StoreError> {
    node.store.end_session(session, node.clock.now()).await
}

/// True if a session was ended, on whatever node.
///
/// # Errors
/// If the store cannot be read.
pub async fn has_ended(node: &Node, session: Session) -> Result<bool, StoreError> {
    Ok(!node.store.ended_sessions(vec![session]).await?.is_empty())
}

/// The key that a session says it was begun with. The session proves it: its token is made from the key.
///
/// # Errors
/// If the store cannot be read.
pub async fn key(node: &Node, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
    Ok(node.store.keys(vec![id]).await?.pop())
}
