//! Websockets: where somebody may listen.

use async_trait::async_trait;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, WebsocketId};
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::websocket::Websocket;

use super::{log, subscriptions};
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::secret;
use crate::row::websocket::{read, websocket_columns};
use crate::sealing::Sealing;
use crate::sql::{Driver, Listing, Sql, SqlTransaction, Tasks, first, values};
use crate::websocket::{LogBounds, LogEntry, LogPosition};

/// Websockets, and the log that they show.
#[async_trait]
pub trait WebsocketStore: Send + Sync {
    async fn create_websocket(&self, websocket: Websocket) -> Result<Websocket, StoreError>;
    /// One websocket of the company.
    async fn websocket(&self, company_id: CompanyId, id: WebsocketId) -> Result<Websocket, StoreError>;
    /// The websockets of the company, or of all, oldest first.
    async fn list_websockets(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<Websocket>, StoreError>;
    /// Gives a websocket another secret, or none any more.
    async fn update_websocket(
        &self,
        company_id: CompanyId,
        id: WebsocketId,
        secret: Option<Secret>,
        now: Timestamp,
    ) -> Result<Websocket, StoreError>;
    /// Deletes a websocket and answers what it was. Its subscriptions stay, without an endpoint.
    async fn delete_websocket(
        &self,
        company_id: CompanyId,
        id: WebsocketId,
        now: Timestamp,
    ) -> Result<Websocket, StoreError>;
    /// End of the company's log: later events are not accepted yet.
    async fn log_end(&self, company_id: CompanyId) -> Result<LogPosition, StoreError>;
    /// The next events of the company's log after a place. No event is ever found before one that was found earlier.
    async fn read_log(
        &self,
        company_id: CompanyId,
        after: LogPosition,
        bounds: LogBounds,
    ) -> Result<Vec<LogEntry>, StoreError>;
}

#[async_trait]
impl<D: Driver> WebsocketStore for D {
    async fn create_websocket(&self, websocket: Websocket) -> Result<Websocket, StoreError> {
        self.register((websocket, self.sealing()), |sql, (websocket, sealing)| {
            Box::pin(create(sql, websocket, sealing))
        })
        .await
    }

    async fn websocket(&self, company_id: CompanyId, id: WebsocketId) -> Result<Websocket, StoreError> {
        let given = (company_id, id, self.sealing());
        self.read(given, |sql, (company_id, id, sealing)| {
            Box::pin(find(sql, *company_id, *id, sealing))
        })
        .await
    }

    async fn list_websockets(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<Websocket>, StoreError> {
        let given = (company_id, page, self.sealing());
        self.read(given, |sql, (company_id, page, sealing)| {
            let listing = listing(*company_id).oldest_first(*page);
            Box::pin(listing.page(sql, |row| read(row, sealing), |websocket| websocket.id.0))
        })
        .await
    }

    async fn update_websocket(
        &self,
        company_id: CompanyId,
        id: WebsocketId,
        secret: Option<Secret>,
        now: Timestamp,
    ) -> Result<Websocket, StoreError> {
        let given = (company_id, id, secret, now, self.sealing());
        self.register(given, |sql, (company_id, id, secret, now, sealing)| {
            Box::pin(update(sql, *company_id, *id, secret.clone(), *now, sealing))
        })
        .await
    }

    async fn delete_websocket(
        &self,
        company_id: CompanyId,
        id: WebsocketId,
        now: Timestamp,
    ) -> Result<Websocket, StoreError> {
        let given = (company_id, id, now, self.sealing());
        self.register(given, |sql, (company_id, id, now, sealing)| {
            Box::pin(delete(sql, *company_id, *id, *now, sealing))
        })
        .await
    }

    async fn log_end(&self, company_id: CompanyId) -> Result<LogPosition, StoreError> {
        self.read(company_id, |sql, &company_id| Box::pin(log::end(sql, company_id)))
            .await
    }

    async fn read_log(
        &self,
        company_id: CompanyId,
        after: LogPosition,
        bounds: LogBounds,
    ) -> Result<Vec<LogEntry>, StoreError> {
        self.read(
            (company_id, after, bounds),
            |sql, &(company_id, after, bounds)| Box::pin(log::read(sql, company_id, after, bounds)),
        )
        .await
    }
}

async fn create(
    sql: &mut dyn SqlTransaction,
    websocket: &Websocket,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let id = websocket.id;
    let insert = concat!(
        "INSERT INTO websockets (",
        websocket_columns!(),
        ") VALUES (?, ?, ?, ?, ?, ?)"
    );
    let values = values![
        id.0,
        websocket.company_id.0,
        secret::kept(id, websocket.secret.as_ref(), sealing),
        sealing.keep(id, &websocket.token_key),
        websocket.created_at,
        websocket.updated_at,
    ];
    sql.execute(insert, values).await?;
    sql.registry_changed(websocket.company_id).await?;
    Ok(websocket.clone())
}

async fn update(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    id: WebsocketId,
    secret: Option<Secret>,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let before = find(sql, company_id, id, sealing).await?;
    let websocket = before.with_secret(secret, now);
    let update = "UPDATE websockets SET secret = ?, updated_at = ? WHERE id = ?";
    let secret = secret::kept(id, websocket.secret.as_ref(), sealing);
    sql.execute(update, values![secret, now, id.0]).await?;
    sql.registry_changed(company_id).await?;
    Ok(websocket)
}

async fn delete(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    id: WebsocketId,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let websocket = find(sql, company_id, id, sealing).await?;
    sql.execute("DELETE FROM websockets WHERE id = ?", values![id.0])
        .await?;
    subscriptions::orphan(sql, Endpoint::Websocket(id), now).await?;
    sql.registry_changed(company_id).await?;
    Ok(websocket)
}

pub(super) async fn exists(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    id: WebsocketId,
) -> Result<bool, StoreError> {
    let select = "SELECT 1 FROM websockets WHERE id = ? AND company_id = ?";
    let found = first(sql, select, values![id.0, company_id.0], |_| Ok(())).await?;
    Ok(found.is_some())
}

async fn find(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    id: WebsocketId,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let select = concat!(
        "SELECT ",
        websocket_columns!(),
        " FROM websockets WHERE id = ? AND company_id = ?"
    );
    let found = first(sql, select, values![id.0, company_id.0], |row| read(row, sealing)).await?;
    found.ok_or(StoreError::NotFound("websocket"))
}

pub(crate) fn listing(company_id: Option<CompanyId>) -> Listing {
    Listing::new(websocket_columns!(), "FROM websockets WHERE true")
        .along("company_id", company_id.map(|id| id.0))
}
