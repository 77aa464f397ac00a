//! The loop: one task that owns every lane and decides what starts when. It waits for nothing but news.
//!
//! News are: deliveries handed over by the store, attempts that ended, answers of the store, commands, and time. After
//! each piece of news it starts what may start, claims what is due and sends off what has gathered for the store.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{FailureReason, OutcomeClass, Phases, Sign};
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::WebhookId;
use switchhook_domain::order::OrderKey;
use switchhook_domain::retry::Profile;
use switchhook_store::{
    ClaimAnswer, ClaimRequest, ClaimedDelivery, FinishedAttempt, HandOver, HandedOver, PendingWebhook,
    StoreError, SuspensionRecord,
};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{error, info};

use super::backlog::Cancelled;
use super::outbox::{Outbox, Stored};
use super::share::Share;
use super::{Command, EngineParts, PART, Shared};
use crate::delivery::lane::Lane;
use crate::delivery::memory::{Hold, Want};
use crate::delivery::send::{Judgement, copy_size, prepare};
use crate::delivery::transport::Posted;
use crate::destination::Destination;
use crate::live::AttemptOf;

/// How often the loop looks around without news: clocks jump, hints get lost.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// How soon those look again who wait for room in memory.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(20);

/// The loop's state.
pub(super) struct Dispatcher {
    pub(super) parts: EngineParts,
    pub(super) shared: Arc<Shared>,
    pub(super) runtime: Handle,
    pub(super) lanes: HashMap<WebhookId, Scheduled>,
    /// The lanes that the store is to be asked for, by when.
    pub(super) agenda: BTreeSet<(Timestamp, WebhookId)>,
    /// The lanes that can start something, each once, in turn.
    pub(super) turns: VecDeque<WebhookId>,
    /// Whether a lane waits for room to make what its receiver gets.
    is_crowded: bool,
    /// The lanes to which something happened since they were last looked at.
    touched: Vec<WebhookId>,
    pub(super) in_flight: u32,
    pub(super) handed_over: u32,
    pub(super) outbox: Outbox,
    pub(super) news: mpsc::Sender<News>,
    pub(super) received: Option<mpsc::Receiver<News>>,
    pub(super) stored: mpsc::Sender<Stored>,
    pub(super) stored_received: Option<mpsc::Receiver<Stored>>,
    pub(super) survey_after: Option<WebhookId>,
    pub(super) next_survey: Instant,
    pub(super) next_look: Instant,
    /// Wished for in claims that are not answered yet.
    pub(super) wished: u32,
    pub(super) claims_under_way: usize,
    pub(super) share: Share,
    pub(super) next_hearing: Instant,
    pub(super) stopping: Option<Stopping>,
}

/// A lane, and where it stands in the loop's lists.
pub(super) struct Scheduled {
    pub(super) lane: Lane,
    pub(super) on_agenda: Option<Timestamp>,
    pub(super) in_turn: bool,
    pub(super) is_cancelling: bool,
}

pub(super) struct Stopping {
    until: Instant,
    done: oneshot::Sender<()>,
}

/// There is no room in memory now.
struct NoRoom;

/// What the loop's own tasks report.
pub(super) enum News {
    Ended(Box<Ended>),
    Claimed {
        wishes: Vec<ClaimRequest>,
        /// The room for what they were granted.
        _holds: Vec<Hold>,
        answer: Result<Vec<ClaimAnswer>, StoreError>,
    },
    Surveyed(Result<Vec<PendingWebhook>, StoreError>),
    Cancelled {
        webhook_id: WebhookId,
        answer: Result<Cancelled, StoreError>,
    },
    MadeDue {
        webhook_id: WebhookId,
        answer: Result<usize, StoreError>,
    },
    Suspended(Result<Vec<SuspensionRecord>, StoreError>),
}

/// An attempt that ended.
pub(super) struct Ended {
    finished: FinishedAttempt,
    of: AttemptOf,
    order_key: Option<OrderKey>,
    class: OutcomeClass,
    max_in_flight: u32,
    profile: Profile,
}

impl Dispatcher {
    pub(super) fn new(parts: EngineParts, shared: Arc<Shared>, runtime: Handle) -> Self {
        // Every attempt under way has a place, so that none waits to report; claims and surveys are a handful.
        let (news, received) = mpsc::channel(parts.max_in_flight as usize + 64);
        let (stored, stored_received) = mpsc::channel(8);
        Self {
            parts,
            shared,
            runtime,
            lanes: HashMap::new(),
            agenda: BTreeSet::new(),
            turns: VecDeque::new(),
            is_crowded: false,
            touched: Vec::new(),
            in_flight: 0,
            handed_over: 0,
            outbox: Outbox::default(),
            news,
            received: Some(received),
            stored,
            stored_received: Some(stored_received),
            survey_after: None,
            next_survey: Instant::now(),
            next_look: Instant::now(),
            wished: 0,
            claims_under_way: 0,
            share: Share::default(),
            next_hearing: Instant::now(),
            stopping: None,
        }
    }

    /// Does `work` for the engine, which waits to hear of it: without it the engine could not go on.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.parts.vitals.spawn(PART, &self.runtime, work);
    }

    pub(super) async fn run(
        mut self,
        mut hand_over: mpsc::UnboundedReceiver<HandOver>,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) {
        let mut news = self.received.take().expect("run is called once");
        let mut stored = self.stored_received.take().expect("run is called once");
        while !self.has_stopped() {
            self.do_what_is_next();
            let wake = self.next_wake();
            tokio::select! {
                // In a fixed order, so that a history in virtual time can be lived again; commands are the fewest, and
                // of the others everything is taken below.
                biased;
                Some(command) = commands.recv() => self.obey(command),
                Some(handed) = hand_over.recv() => self.take_hand_over(handed),
                Some(answer) = stored.recv() => self.take_stored(answer),
                Some(first) = news.recv() => self.take_news(first),
                () = tokio::time::sleep_until(wake) => {}
            }
            // News come in bunches: taking all of a bunch before acting on it makes larger batches.
            while let Ok(handed) = hand_over.try_recv() {
                self.take_hand_over(handed);
            }
            while let Ok(answer) = stored.try_recv() {
                self.take_stored(answer);
            }
            while let Ok(next) = news.try_recv() {
                self.take_news(next);
            }
            if Instant::now() >= self.next_look {
                self.look_around();
            }
        }
        if let Some(stopping) = self.stopping.take() {
            let _ = stopping.done.send(());
        }
    }

    fn do_what_is_next(&mut self) {
        self.see_to_touched();
        if self.is_at_work() {
            self.claim_what_is_due();
            self.start_attempts();
            self.survey();
        }
        self.outbox.flush(&self.parts, &self.runtime, &self.stored);
    }

    /// News come in bunches, and often many of one lane: what follows for a lane is worked out once for a bunch.
    fn touch(&mut self, id: WebhookId) {
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
    }

    fn see_to_touched(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        for id in touched.drain(..) {
            self.give_turn(id);
            self.forget_if_idle(id);
        }
        self.touched = touched;
    }

    /// Whether it starts, claims and surveys at all: not while it stops or what comes of attempts cannot be stored.
    fn is_at_work(&self) -> bool {
        self.stopping.is_none() && self.outbox.failure().is_none()
    }

    fn next_wake(&self) -> Instant {
        // What is not done now must not wake the loop: it would be due for ever.
        if !self.is_at_work() {
            return self.next_look;
        }
        let mut regular = self.next_look.min(self.next_survey);
        if self.is_crowded {
            regular = regular.min(Instant::now() + LOOK_FOR_ROOM);
        }
        let now = self.parts.clock.now();
        let due = self.agenda.first();
        due.map_or(regular, |(due_at, _)| {
            regular.min(Instant::now() + due_at.since(now))
        })
    }

    // --- starting -------------------------------------------------------------------------------------------------

    fn start_attempts(&mut self) {
        let mut crowded = Vec::new();
        while self.in_flight < self.parts.max_in_flight && !self.outbox.is_full() {
            let Some(id) = self.turns.pop_front() else { break };
            let Some(entry) = self.lanes.get_mut(&id) else {
                continue;
            };
            entry.in_turn = false;
            let now = self.parts.clock.now();
            let destination = self.parts.registry.destination(id);
            let Ok(hold) = self.room_for_copy(id, destination.as_deref(), now) else {
                self.lanes.entry(id).and_modify(|entry| entry.in_turn = true);
                crowded.push(id);
                continue;
            };
            if let Some(claimed) = self.lane(id).start(now) {
                self.in_flight += 1;
                self.start_or_give_back(id, destination, claimed, hold, now);
            }
            self.give_turn(id);
        }
        self.is_crowded = !crowded.is_empty();
        self.turns.extend(crowded);
    }

    /// The room for what is made of a lane's next delivery for its receiver, if anything is.
    fn room_for_copy(
        &self,
        id: WebhookId,
        destination: Option<&Destination>,
        now: Timestamp,
    ) -> Result<Option<Hold>, NoRoom> {
        let (Some(destination), Some(entry)) = (destination, self.lanes.get(&id)) else {
            return Ok(None);
        };
        let next = entry.lane.next().filter(|_| entry.lane.can_start(now));
        let size = next.map_or(0, |next| copy_size(next, destination));
        if size == 0 {
            return Ok(None);
        }
        let memory = &self.shared.memory;
        let want = if entry.lane.is_attempting() {
            Want::Copy
        } else {
            Want::FirstCopy
        };
        memory.try_hold(size, want).map(Some).ok_or(NoRoom)
    }

    fn start_or_give_back(
        &mut self,
        id: WebhookId,
        destination: Option<Arc<Destination>>,
        claimed: Box<ClaimedDelivery>,
        hold: Option<Hold>,
        now: Timestamp,
    ) {
        match destination {
            Some(destination)
                if destination.webhook.paused_at.is_none()
                    && self.lease_suffices(&claimed, &destination, now) =>
            {
                let rate = self.rate_of(&destination);
                self.lane(id).attempted(now, rate);
                self.attempt(claimed, destination, hold, now);
            }
            _ => {
                self.in_flight -= 1;
                let back = self.lane(id).not_attempted(&claimed);
                self.outbox.release(back);
            }
        }
    }

    fn lease_suffices(&self, claimed: &ClaimedDelivery, destination: &Destination, now: Timestamp) -> bool {
        let left = claimed.delivery.state.at().since(now);
        self.parts
            .lease
            .suffices(left, destination.timeout(&self.parts.defaults))
    }

    /// How many attempts this node may start in a second, if the webhook says so.
    pub(super) fn rate_of(&self, destination: &Destination) -> Option<f64> {
        let rate = destination.webhook.settings.rate?;
        Some(self.share.of_rate(rate))
    }

    fn attempt(
        &self,
        claimed: Box<ClaimedDelivery>,
        destination: Arc<Destination>,
        hold: Option<Hold>,
        started_at: Timestamp,
    ) {
        let transport = Arc::clone(&self.parts.transport);
        let clock = Arc::clone(&self.parts.clock);
        let dice = Arc::clone(&self.parts.dice);
        let defaults = self.parts.defaults;
        let share = self.share;
        let news = self.news.clone();
        self.parts.telemetry.attempt_started();
        self.spawn(async move {
            let post = async { transport.post(prepare(&claimed, &destination, hold)).await };
            let posted = AssertUnwindSafe(post)
                .catch_unwind()
                .await
                .unwrap_or_else(|_panic| {
                    Posted::unanswered(
                        FailureReason::BadRequest,
                        "the attempt failed inside the server",
                        Phases::default(),
                    )
                });
            let class = posted.outcome.class();
            let judgement = Judgement {
                defaults: &defaults,
                started_at,
                now: clock.now(),
                jitter: dice.roll(),
            };
            let ended = Ended {
                of: AttemptOf {
                    company_id: claimed.delivery.company_id,
                    event_id: claimed.delivery.event_id,
                    kind: claimed.delivery.kind,
                    created_at: claimed.delivery.created_at,
                },
                finished: judgement.of(&claimed, &destination, posted),
                order_key: claimed.delivery.order_key.clone(),
                class,
                max_in_flight: share.of_cap(destination.webhook.settings.max_in_flight(&defaults)),
                profile: destination.webhook.settings.profile(&defaults),
            };
            // Before the engine hears of it, so that it finds the room.
            drop(claimed);
            // An error means that the engine has stopped; the claim's lease will end by itself.
            let _ = news.send(News::Ended(Box::new(ended))).await;
        });
    }

    // --- news -----------------------------------------------------------------------------------------------------

    fn take_news(&mut self, news: News) {
        match news {
            News::Ended(ended) => self.take_ended(*ended),
            News::Claimed { wishes, answer, .. } => self.take_claim(&wishes, answer),
            News::Surveyed(answer) => self.take_survey(answer),
            News::Cancelled { webhook_id, answer } => self.take_cancelled(webhook_id, &answer),
            News::MadeDue { webhook_id, answer } => self.take_made_due(webhook_id, &answer),
            News::Suspended(answer) => self.take_suspensions(answer),
        }
    }

    fn take_ended(&mut self, ended: Ended) {
        let finished = ended.finished;
        let id = finished.webhook_id;
        let now = finished.attempt.finished_at;
        self.in_flight -= 1;
        self.parts
            .telemetry
            .attempt_ended(ended.class, finished.attempt.phases.total);
        self.parts.telemetry.live().attempted(ended.of, &finished);
        if matches!(finished.state, DeliveryState::Exhausted { .. }) {
            self.parts.telemetry.exhausted();
        }
        if let Some(entry) = self.lanes.get_mut(&id) {
            let blocks = !finished.state.is_final() && finished.blocks_until > now;
            let mut back = entry.lane.ended(ended.order_key.as_ref(), blocks);
            match ended.class.consequences().cap {
                Sign::Good => entry.lane.went_well(ended.max_in_flight),
                Sign::Bad => {
                    entry.lane.went_badly();
                    back.extend(entry.lane.give_back_surplus());
                }
                Sign::Neither => {}
            }
            self.outbox.release(back);
        }
        self.outbox.finish(finished);
        if ended.profile == Profile::Durable {
            let (transition, breaker) = self.lane(id).note(ended.class, now);
            self.take_transition(id, transition, breaker, now);
        }
        self.touch(id);
    }

    fn take_hand_over(&mut self, handed: HandOver) {
        for item in handed {
            match item {
                HandedOver::Claimed(claimed) => self.take_claimed(claimed),
                HandedOver::Doubtful(claimed) => self.take_doubtful(&claimed),
                HandedOver::Due { webhook_id, due_at } => {
                    self.lane(webhook_id).due_in_store(due_at);
                    self.reschedule(webhook_id);
                }
                HandedOver::Cancelled {
                    webhook_id,
                    delivery_id,
                } => {
                    let back = self.lane(webhook_id).cancelled(delivery_id);
                    self.outbox.release(back);
                    self.give_turn(webhook_id);
                }
                HandedOver::Settled {
                    webhook_id,
                    delivery_id,
                    attempt_number,
                } => {
                    let was_here = self.lane(webhook_id).settled(delivery_id, attempt_number);
                    self.handed_over -= u32::from(was_here);
                    self.touch(webhook_id);
                }
            }
        }
        self.publish();
    }

    fn take_claimed(&mut self, mut claimed: Box<ClaimedDelivery>) {
        let id = claimed.delivery.webhook_id;
        if claimed.was_read {
            let body = std::mem::take(&mut claimed.body);
            claimed.body = self.shared.memory.keep_read(claimed.delivery.event_id, body);
        }
        let lane = self.lane(id);
        let before = lane.handed_over();
        let back = lane.take(claimed);
        let taken = lane.handed_over() - before;
        self.handed_over += taken;
        self.outbox.release(back);
        if self.stopping.is_some() {
            let back = self.lane(id).give_back_all();
            self.outbox.release(back);
        }
        self.touch(id);
    }

    fn take_doubtful(&mut self, claimed: &ClaimedDelivery) {
        let lane = self.lane(claimed.delivery.webhook_id);
        let before = lane.handed_over();
        let back = lane.take_doubtful(claimed);
        let taken = lane.handed_over() - before;
        self.handed_over += taken;
        self.outbox.release([back]);
    }

    fn take_stored(&mut self, answer: Stored) {
        let was_failing = self.outbox.failure().is_some();
        let late = self.outbox.stored(answer);
        self.parts.telemetry.late_answers(late);
        let failure = self.outbox.failure().map(str::to_owned);
        match (&failure, was_failing) {
            (Some(why), false) => error!(%why, "sending stops: what came of attempts cannot be stored"),
            (None, true) => info!("sending goes on: the store takes answers again"),
            _ => {}
        }
        *self.shared.stalled.lock() = failure;
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Nudge(id) => self.take_nudge(id),
            Command::Stop { grace, done } => {
                self.shared.is_running.store(false, Ordering::Relaxed);
                self.stopping = Some(Stopping {
                    until: Instant::now() + grace,
                    done,
                });
                let mut ids: Vec<_> = self.lanes.keys().copied().collect();
                ids.sort_unstable();
                for id in ids {
                    let back = self.lane(id).give_back_all();
                    self.outbox.release(back);
                }
            }
        }
    }

    fn take_nudge(&mut self, id: WebhookId) {
        let now = self.parts.clock.now();
        let is_paused = self
            .parts
            .registry
            .destination(id)
            .is_none_or(|destination| destination.webhook.paused_at.is_some());
        let lane = self.lane(id);
        lane.due_in_store(now);
        if is_paused {
            let back = lane.give_back_all();
            self.outbox.release(back);
        }
        self.reschedule(id);
    }

    fn look_around(&mut self) {
        self.next_look = Instant::now() + LOOK_AROUND;
        self.publish();
        self.parts.transport.tidy_up();
        self.share_anew();
        self.hear_of_holds();
        let now = self.parts.clock.now();
        let in_store = self.agenda.first().map(|(due_at, _)| *due_at);
        let in_memory = self
            .turns
            .iter()
            .filter_map(|id| self.lanes.get(id)?.lane.oldest_ready())
            .min();
        let oldest = [in_store, in_memory].into_iter().flatten().min();
        self.parts
            .telemetry
            .oldest_due(oldest.map_or(Duration::ZERO, |due_at| now.since(due_at)));
    }

    fn publish(&self) {
        self.shared.handed_over.store(self.handed_over, Ordering::Relaxed);
        let bytes = self.shared.memory.held();
        self.parts.telemetry.handed_over(self.handed_over, bytes);
    }

    fn has_stopped(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| {
            let has_settled = self.in_flight == 0 && self.outbox.is_empty();
            has_settled || Instant::now() >= stopping.until
        })
    }
}
