//! What waits in the store: claiming what is due, noticing what nobody told us, cancelling what has nowhere to go.

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::id::WebhookId;
use switchhook_store::{Claim, ClaimAnswer, ClaimRequest, Expired, PendingWebhook, StoreError};
use tokio::time::Instant;
use tracing::warn;

use super::ALWAYS_TAKEN;
use super::dispatch::{Dispatcher, News};
use crate::delivery::memory::{Hold, Want};
use crate::ingest::LARGEST_EVENT;

/// How often the store is asked which webhooks have something pending.
const SURVEY_EVERY: Duration = Duration::from_secs(10);

/// How many webhooks one answer to that question names.
const SURVEY_PAGE: u32 = 1_000;

/// How many webhooks one claim serves.
const WISHES: usize = 64;

/// How many deliveries of a deleted webhook one commit cancels.
const CANCEL_SLICE: u32 = 1_000;

/// How many claims are under way at once.
const CLAIMS: usize = 4;

/// How long a lane waits when the node is full.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How long after a claim that failed the next one is made.
const CLAIM_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What came of cancelling the deliveries of a webhook that this node does not know.
pub(super) enum Cancelled {
    /// So many were.
    Some(usize),
    /// None: the webhook is there, and was only not known here yet. Another node made it a moment ago.
    NotGone,
}

impl Dispatcher {
    pub(super) fn claim_what_is_due(&mut self) {
        while self.claims_under_way < CLAIMS {
            let now = self.parts.clock.now();
            let (wishes, holds) = self.wishes(now);
            if wishes.is_empty() {
                return;
            }
            self.claims_under_way += 1;
            self.claim(wishes, holds, now);
        }
    }

    /// What is due and can be taken, for one claim, and the room for it.
    fn wishes(&mut self, now: Timestamp) -> (Vec<ClaimRequest>, Vec<Hold>) {
        let (mut wishes, mut holds) = (Vec::new(), Vec::new());
        while wishes.len() < WISHES {
            let Some((_, id)) = self.agenda.first().copied().filter(|(due_at, _)| *due_at <= now) else {
                break;
            };
            let Some(destination) = self.parts.registry.destination(id) else {
                self.cancel_slice(id, now);
                continue;
            };
            if self
                .lane(id)
                .next_claim_at()
                .is_none_or(|claim_at| claim_at > now)
            {
                // Not the store's turn: what is ready may start now.
                self.give_turn(id);
                self.reschedule(id);
                continue;
            }
            if self.lane(id).has_overdue(now) {
                self.let_go_of_overdue(id, now);
                continue;
            }
            let rate = self.rate_of(&destination);
            let time = self
                .parts
                .lease
                .time_to_start(destination.timeout(&self.parts.defaults));
            self.lane(id).keep_to(rate, time);
            let free = self
                .parts
                .max_handed_over
                .saturating_sub(self.handed_over + self.wished);
            let lane = self.lane(id);
            let always = ALWAYS_TAKEN.saturating_sub(lane.handed_over());
            let limit = lane.room().min(free.max(always));
            match self.room_for_claim(id).filter(|_| limit > 0) {
                None => self.lane(id).postpone(now.plus(ASK_AGAIN_AFTER)),
                Some((bytes, hold)) => {
                    self.lane(id).claim_began();
                    self.wished += limit;
                    holds.push(hold);
                    wishes.push(ClaimRequest {
                        webhook_id: id,
                        limit,
                        bytes,
                    });
                }
            }
            self.reschedule(id);
        }
        (wishes, holds)
    }

    /// After how many bytes a claim of a lane's deliveries is to stop, and the room for what that may come to.
    fn room_for_claim(&mut self, id: WebhookId) -> Option<(usize, Hold)> {
        let memory = Arc::clone(&self.shared.memory);
        let lane = self.lane(id);
        let want = Want::event(lane.bytes(), LARGEST_EVENT);
        let bytes = lane.bytes_room().min(memory.room(want) / WISHES).max(1);
        // The last event of a claim begins below the bytes and may end beyond them.
        [bytes, 1].into_iter().find_map(|bytes| {
            let hold = memory.try_hold(bytes - 1 + LARGEST_EVENT, want)?;
            Some((bytes, hold))
        })
    }

    /// What has a lease that is over is settled before the store is asked for more: it would open a second claim of it.
    fn let_go_of_overdue(&mut self, id: WebhookId, now: Timestamp) {
        let lane = self.lane(id);
        let back = lane.give_back_all();
        lane.postpone(now.plus(ASK_AGAIN_AFTER));
        self.outbox.release(back);
        self.reschedule(id);
    }

    fn claim(&self, wishes: Vec<ClaimRequest>, holds: Vec<Hold>, now: Timestamp) {
        let (store, news) = (Arc::clone(&self.parts.store), self.news.clone());
        let claim = Claim {
            requests: wishes.clone(),
            now,
            until: now.plus(self.parts.lease.0),
            expired: match self.parts.clock.agreement().may_judge_leases(self.parts.lease) {
                true => Expired::Claim,
                false => Expired::Leave,
            },
        };
        self.spawn(async move {
            let answer = store.claim_due_deliveries(claim).await;
            if answer.is_err() {
                tokio::time::sleep(CLAIM_AGAIN_AFTER).await;
            }
            // What was claimed is in the stream by now, and is counted when it is taken from there.
            let _ = news
                .send(News::Claimed {
                    wishes,
                    _holds: holds,
                    answer,
                })
                .await;
        });
    }

    pub(super) fn take_claim(
        &mut self,
        wishes: &[ClaimRequest],
        answer: Result<Vec<ClaimAnswer>, StoreError>,
    ) {
        match answer {
            Ok(answers) => {
                let now = self.parts.clock.now();
                for answer in answers {
                    self.lane(answer.webhook_id)
                        .claim_ended(answer.claimed, answer.next_due_at, now);
                }
            }
            Err(error) => {
                warn!(%error, "due deliveries could not be claimed");
                for wish in wishes {
                    self.lane(wish.webhook_id).claim_failed();
                }
            }
        }
        self.claims_under_way -= 1;
        for wish in wishes {
            self.wished -= wish.limit;
            self.reschedule(wish.webhook_id);
            self.forget_if_idle(wish.webhook_id);
        }
    }

    /// Asks the store, a page at a time, for webhooks with something pending: a net under lost hints, and the way a
    /// node learns at start what waits.
    pub(super) fn survey(&mut self) {
        if Instant::now() < self.next_survey {
            return;
        }
        self.next_survey = Instant::now() + SURVEY_EVERY;
        let (store, news, after) = (
            Arc::clone(&self.parts.store),
            self.news.clone(),
            self.survey_after,
        );
        self.spawn(async move {
            let answer = store.pending_webhooks(after, SURVEY_PAGE).await;
            let _ = news.send(News::Surveyed(answer)).await;
        });
    }

    pub(super) fn take_survey(&mut self, answer: Result<Vec<PendingWebhook>, StoreError>) {
        let pending = match answer {
            Ok(pending) => pending,
            Err(error) => {
                warn!(%error, "the store could not be asked what is pending");
                return;
            }
        };
        let is_last_page = pending.len() < SURVEY_PAGE as usize;
        self.survey_after = pending
            .last()
            .map(|webhook| webhook.webhook_id)
            .filter(|_| !is_last_page);
        if !is_last_page {
            self.next_survey = Instant::now();
        }
        for webhook in pending {
            self.lane(webhook.webhook_id).due_in_store(webhook.first_due_at);
            self.reschedule(webhook.webhook_id);
        }
    }

    pub(super) fn cancel_slice(&mut self, id: WebhookId, now: Timestamp) {
        let entry = self.entry(id);
        entry.is_cancelling = true;
        let back = entry.lane.give_back_all();
        self.outbox.release(back);
        self.reschedule(id);
        let (store, registry) = (Arc::clone(&self.parts.store), Arc::clone(&self.parts.registry));
        let news = self.news.clone();
        self.spawn(async move {
            let answer = match registry.learn_of(id).await {
                Ok(true) => Ok(Cancelled::NotGone),
                Ok(false) => store
                    .cancel_deliveries_of(id, now, CANCEL_SLICE)
                    .await
                    .map(Cancelled::Some),
                Err(error) => Err(error),
            };
            let _ = news
                .send(News::Cancelled {
                    webhook_id: id,
                    answer,
                })
                .await;
        });
    }

    pub(super) fn take_cancelled(&mut self, id: WebhookId, answer: &Result<Cancelled, StoreError>) {
        let now = self.parts.clock.now();
        let entry = self.entry(id);
        entry.is_cancelling = false;
        // What was cancelled counts as what a claim brings: there may be more at once.
        let (brought, next) = match answer {
            Ok(Cancelled::Some(0)) => (0, None),
            Ok(_) => (1, Some(now)),
            Err(error) => {
                warn!(%error, webhook_id = %id, "the deliveries of a deleted webhook could not be cancelled");
                (0, Some(now.plus(CLAIM_AGAIN_AFTER)))
            }
        };
        entry.lane.claim_ended(brought, next, now);
        self.reschedule(id);
        self.forget_if_idle(id);
    }
}
