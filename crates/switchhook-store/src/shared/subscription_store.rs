//! Store of subscriptions and their versions.

use async_trait::async_trait;
use switchhook_domain::id::{CompanyId, EventId, SubscriptionId};
use switchhook_domain::subscription::{Revision, Subscription, SubscriptionChange, SubscriptionVersion};
use switchhook_domain::{Kind, Timestamp};

use super::{explain, subscriptions, versions};
use crate::error::StoreError;
use crate::explain::Explained;
use crate::page::{Page, PageRequest};
use crate::registry::{SubscriptionFilter, SubscriptionLimits, SubscriptionRef};
use crate::row::subscription::read;
use crate::sql::{Driver, Tasks};

/// Subscriptions, and what they were.
#[async_trait]
pub trait SubscriptionStore: Send + Sync {
    /// Keeps a subscription; `Conflict` if the company has one with the same endpoint and filter, `NotFound` if the
    /// webhook or websocket is not the company's, `LimitReached` if there are limits and they are.
    async fn create_subscription(
        &self,
        subscription: Subscription,
        limits: Option<SubscriptionLimits>,
    ) -> Result<Subscription, StoreError>;
    /// One subscription of the company and kind.
    async fn subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
    ) -> Result<Subscription, StoreError>;
    /// The company's subscriptions, oldest first.
    async fn list_subscriptions(
        &self,
        company_id: CompanyId,
        filter: SubscriptionFilter,
        page: PageRequest,
    ) -> Result<Page<Subscription>, StoreError>;
    /// Changes a subscription; errors as for creating one, and `Invalid` if the change makes no sense.
    async fn update_subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
        change: SubscriptionChange,
        now: Timestamp,
    ) -> Result<Subscription, StoreError>;
    /// Deletes a subscription and answers what it was.
    async fn delete_subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Subscription, StoreError>;
    /// The subscriptions of every company, by id.
    async fn scan_subscriptions(&self, page: PageRequest) -> Result<Page<Subscription>, StoreError>;
    /// The revision of the last change of any subscription; 0 before the first.
    async fn last_revision(&self) -> Result<Revision, StoreError>;
    /// Versions of subscriptions, of one company or of all, after the revision `after` of the page. The last page
    /// reaches up to now.
    async fn subscription_changes(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<SubscriptionVersion>, StoreError>;
    /// An event, where it went, and each of the company's subscriptions (or `only` one of them) as it stood when the
    /// event was matched, by the subscriptions' ids.
    async fn explain_subscriptions(
        &self,
        company_id: CompanyId,
        event_id: EventId,
        only: Option<SubscriptionId>,
        page: PageRequest,
    ) -> Result<Explained, StoreError>;
}

#[async_trait]
impl<D: Driver> SubscriptionStore for D {
    async fn create_subscription(
        &self,
        subscription: Subscription,
        limits: Option<SubscriptionLimits>,
    ) -> Result<Subscription, StoreError> {
        self.register((subscription, limits), |sql, (subscription, limits)| {
            Box::pin(subscriptions::create(sql, subscription, *limits))
        })
        .await
    }

    async fn subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
    ) -> Result<Subscription, StoreError> {
        let subject = SubscriptionRef { company_id, kind, id };
        self.read(subject, |sql, &subject| {
            Box::pin(subscriptions::find(sql, subject))
        })
        .await
    }

    async fn list_subscriptions(
        &self,
        company_id: CompanyId,
        filter: SubscriptionFilter,
        page: PageRequest,
    ) -> Result<Page<Subscription>, StoreError> {
        let given = (company_id, filter, page);
        self.read(given, |sql, &(company_id, filter, page)| {
            let listing = subscriptions::listing(Some(company_id), filter).oldest_first(page);
            Box::pin(listing.page(sql, read, |subscription| subscription.id.0))
        })
        .await
    }

    async fn update_subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
        change: SubscriptionChange,
        now: Timestamp,
    ) -> Result<Subscription, StoreError> {
        let subject = SubscriptionRef { company_id, kind, id };
        self.register((subject, change, now), |sql, (subject, change, now)| {
            Box::pin(subscriptions::update(sql, *subject, change, *now))
        })
        .await
    }

    async fn delete_subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Subscription, StoreError> {
        let subject = SubscriptionRef { company_id, kind, id };
        self.register((subject, now), |sql, &(subject, now)| {
            Box::pin(subscriptions::delete(sql, subject, now))
        })
        .await
    }

    async fn scan_subscriptions(&self, page: PageRequest) -> Result<Page<Subscription>, StoreError> {
        self.read(page, |sql, &page| {
            let listing = subscriptions::listing(None, SubscriptionFilter::default()).oldest_first(page);
            Box::pin(listing.page(sql, read, |subscription| subscription.id.0))
        })
        .await
    }

    async fn last_revision(&self) -> Result<Revision, StoreError> {
        self.read((), |sql, ()| Box::pin(versions::last_revision(sql)))
            .await
    }

    async fn subscription_changes(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<SubscriptionVersion>, StoreError> {
        self.read((company_id, page), |sql, &(company_id, page)| {
            Box::pin(versions::changes(sql, company_id, page))
        })
        .await
    }

    async fn explain_subscriptions(
        &self,
        company_id: CompanyId,
        event_id: EventId,
        only: Option<SubscriptionId>,
        page: PageRequest,
    ) -> Result<Explained, StoreError> {
        let given = (company_id, event_id, only, page);
        self.read_moment(given, |sql, &(company_id, event_id, only, page)| {
            Box::pin(explain::explain(sql, company_id, event_id, only, page))
        })
        .await
    }
}
