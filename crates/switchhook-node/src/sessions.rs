//! Sessions of the dashboard, as far as every node must know of them. Who is signed in is the dashboard's to know.

use switchhook_store::{Session, StoreError};

use crate::Node;

/// Ends a session for good: no node takes it up again, and what was opened in it ends. Whoever shows its cookie may.
///
/// # Errors
/// If it cannot be kept that it ended.
pub async fn end(node: &Node, session: Session) -> Result<(), StoreError> {
    node.store.end_session(session, node.clock.now()).await
}
