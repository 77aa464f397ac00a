//! Changes by other nodes, as far as this one must know them.

use switchhook_domain::id::CompanyId;

/// Something that another node did. (What this node does itself comes back to it too.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Webhooks, websockets or subscriptions of this company are no longer what they were.
    Registry(CompanyId),
    /// So much may have changed that everything must be read anew.
    Everything,
    /// The company's log has grown.
    Log(CompanyId),
}
