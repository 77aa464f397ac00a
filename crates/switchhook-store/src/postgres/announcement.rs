//! Announcements: what nodes tell each other through the database. They are hints; each may be lost.

use sqlx::postgres::PgConnection;
use switchhook_domain::id::{CompanyId, DeliveryId, WebhookId};

use crate::error::StoreError;

/// The channel on which they go.
pub(super) const CHANNEL: &str = "switchhook";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announcement {
    /// Something was registered or changed: read the changes.
    Registry,
    /// The company's log has grown.
    Log(CompanyId),
    /// A delivery that the node has was cancelled.
    Cancelled {
        node: i64,
        webhook_id: WebhookId,
        delivery_id: DeliveryId,
    },
}

impl Announcement {
    pub(super) async fn send(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(self.to_string())
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Meaning of a payload; `None` if it is not ours.
    pub(super) fn read(payload: &str) -> Option<Self> {
        let mut words = payload.split(' ');
        let kind = words.next()?;
        let mut number = || words.next()?.parse::<i64>().ok();
        match kind {
            "registry" => Some(Self::Registry),
            "log" => Some(Self::Log(CompanyId(number()?))),
            "cancelled" => Some(Self::Cancelled {
                node: number()?,
                webhook_id: WebhookId(number()?),
                delivery_id: DeliveryId(number()?),
            }),
            _ => None,
        }
    }
}

impl std::fmt::Display for Announcement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Registry => write!(f, "registry"),
            Self::Log(company_id) => write!(f, "log {company_id}"),
            Self::Cancelled {
                node,
                webhook_id,
                delivery_id,
            } => write!(f, "cancelled {node} {webhook_id} {delivery_id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_reads_back_as_it_was() {
        let cancelled = Announcement::Cancelled {
            node: 3,
            webhook_id: WebhookId(4),
            delivery_id: DeliveryId(5),
        };
        for announcement in [Announcement::Registry, Announcement::Log(CompanyId(1)), cancelled] {
            assert_eq!(Announcement::read(&announcement.to_string()), Some(announcement));
        }
        for other in ["", "log", "log x", "cancelled 1 2", "hello"] {
            assert_eq!(Announcement::read(other), None, "{other}");
        }
    }
}
