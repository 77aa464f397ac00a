//! Store of notifications and channels.

use async_trait::async_trait;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{ChannelId, CompanyId};
use switchhook_domain::notification::{Channel, ChannelChange, Notice};

use super::{channels, notices, notifications};
use crate::error::StoreError;
use crate::notification::{ClaimedNotification, FinishedNotification, NotificationClaim, NotificationRecord};
use crate::page::{Page, PageRequest};
use crate::row::channel::read;
use crate::sql::{Driver, Tasks};

/// Notifications, and the channels that they go to.
#[async_trait]
pub trait NotificationStore: Send + Sync {
    /// Writes down something that people are to be told of, unless it counts with what is still to be said or takes it back.
    /// What the store itself changes is written down in the commit of the change.
    async fn add_notice(&self, notice: Notice) -> Result<(), StoreError>;
    /// The company's notifications, newest first, and what became of each. Those of the operator are the first company's.
    async fn list_notifications(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<NotificationRecord>, StoreError>;
    /// True if [`Self::claim_notifications`] would find any.
    async fn are_notifications_due(&self, claim: NotificationClaim) -> Result<bool, StoreError>;
    /// Hands out what is to be said by now, to the channels that want it, and claims what is due to some recipients: nobody else
    /// gets that until the claim ends.
    async fn claim_notifications(
        &self,
        claim: NotificationClaim,
    ) -> Result<Vec<ClaimedNotification>, StoreError>;
    /// Keeps what came of sending a notification.
    async fn finish_notification(&self, finished: FinishedNotification) -> Result<(), StoreError>;
    /// Removes the oldest notifications of before `before`, `most` at a time; answers how many.
    async fn forget_old_notifications(&self, before: Timestamp, most: u32) -> Result<u32, StoreError>;
    async fn create_channel(&self, channel: Channel) -> Result<Channel, StoreError>;
    /// One channel of the company.
    async fn channel(&self, company_id: CompanyId, id: ChannelId) -> Result<Channel, StoreError>;
    /// The company's channels, oldest first.
    async fn list_channels(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Channel>, StoreError>;
    async fn update_channel(
        &self,
        company_id: CompanyId,
        id: ChannelId,
        change: ChannelChange,
        now: Timestamp,
    ) -> Result<Channel, StoreError>;
    /// Deletes a channel and answers what it was. What was to be sent there is not.
    async fn delete_channel(&self, company_id: CompanyId, id: ChannelId) -> Result<Channel, StoreError>;
}

#[async_trait]
impl<D: Driver> NotificationStore for D {
    async fn add_notice(&self, notice: Notice) -> Result<(), StoreError> {
        self.keep(notice, |sql, notice| Box::pin(notices::add(sql, notice)))
            .await
    }

    async fn list_notifications(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<NotificationRecord>, StoreError> {
        self.read((company_id, page), |sql, &(company_id, page)| {
            Box::pin(notifications::list(sql, company_id, page))
        })
        .await
    }

    async fn are_notifications_due(&self, claim: NotificationClaim) -> Result<bool, StoreError> {
        // Twice a second, so that nothing is committed for it: what is still to be committed is found the next time.
        self.look_up(claim, |sql, claim| Box::pin(notifications::are_due(sql, claim)))
            .await
    }

    async fn claim_notifications(
        &self,
        claim: NotificationClaim,
    ) -> Result<Vec<ClaimedNotification>, StoreError> {
        self.keep((claim, self.sealing()), |sql, (claim, sealing)| {
            Box::pin(notifications::claim(sql, claim, sealing))
        })
        .await
    }

    async fn finish_notification(&self, finished: FinishedNotification) -> Result<(), StoreError> {
        self.keep(finished, |sql, finished| {
            Box::pin(notifications::finish(sql, finished))
        })
        .await
    }

    async fn forget_old_notifications(&self, before: Timestamp, most: u32) -> Result<u32, StoreError> {
        self.keep((before, most), |sql, &(before, most)| {
            Box::pin(notifications::forget_old(sql, before, most))
        })
        .await
    }

    async fn create_channel(&self, channel: Channel) -> Result<Channel, StoreError> {
        self.keep((channel, self.sealing()), |sql, (channel, sealing)| {
            Box::pin(channels::create(sql, channel, sealing))
        })
        .await
    }

    async fn channel(&self, company_id: CompanyId, id: ChannelId) -> Result<Channel, StoreError> {
        let given = (company_id, id, self.sealing());
        self.read(given, |sql, (company_id, id, sealing)| {
            Box::pin(channels::find(sql, channels::FIND, *company_id, *id, sealing))
        })
        .await
    }

    async fn list_channels(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Channel>, StoreError> {
        let given = (company_id, page, self.sealing());
        self.read(given, |sql, (company_id, page, sealing)| {
            let listing = channels::listing(*company_id).oldest_first(*page);
            Box::pin(listing.page(sql, |row| read(row, sealing), |channel| channel.id.0))
        })
        .await
    }

    async fn update_channel(
        &self,
        company_id: CompanyId,
        id: ChannelId,
        change: ChannelChange,
        now: Timestamp,
    ) -> Result<Channel, StoreError> {
        let given = (company_id, id, change, now, self.sealing());
        self.keep(given, |sql, (company_id, id, change, now, sealing)| {
            Box::pin(channels::update(sql, *company_id, *id, change, *now, sealing))
        })
        .await
    }

    async fn delete_channel(&self, company_id: CompanyId, id: ChannelId) -> Result<Channel, StoreError> {
        let given = (company_id, id, self.sealing());
        self.keep(given, |sql, (company_id, id, sealing)| {
            Box::pin(channels::delete(sql, *company_id, *id, sealing))
        })
        .await
    }
}
