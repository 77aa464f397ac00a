//! The loop: one task that owns the queues of all webhooks and decides what starts when. It waits for nothing but news.
//!
//! News are: deliveries handed over by the store, reports of tasks, commands, and time. Each goes to the part that it
//! concerns: [`Schedule`] (what is due when), [`Claiming`] (what this node has of the store's deliveries), [`PendingScan`],
//! [`Breakers`], [`Urgent`], [`Nodes`] (which share of the work is this one's), [`Outbox`] (results on their way to the store). After each
//! bunch of news the loop claims what is due, starts what may start and sends off what has gathered for the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::WebhookId;
use switchhook_domain::outage::LastFailure;
use switchhook_domain::retry::Profile;
use switchhook_store::{ClaimedDelivery, HandOver, HandedOver, Release};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{error, info};

use super::breakers::Breakers;
use super::claiming::Claiming;
use super::nodes::Nodes;
use super::outbox::{Outbox, Stored};
use super::pending_scan::PendingScan;
use super::pressure::{OnTheWay, Threads};
use super::schedule::Schedule;
use super::tasks::{TaskResult, Tasks};
use super::urgent::Urgent;
use super::{Command, EngineParts, Shared};
use crate::delivery::attempt::{EndedAttempt, attempt};
use crate::delivery::queue::{AttemptEnd, NoRoom, StartedDelivery, WebhookQueue};
use crate::destination::{Destination, OptOut};

/// Longest sleep of the loop, since clocks jump and hints get lost.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// Pause before queues that wait for memory try again.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(20);

/// Time during which a closed breaker is announced to other nodes.
const CLOSED_IS_READ_FOR: Duration = Duration::from_secs(60);

/// The engine's main loop and its state.
pub(super) struct Dispatcher {
    schedule: Schedule,
    claiming: Claiming,
    pending_scan: PendingScan,
    breakers: Breakers,
    nodes: Nodes,
    outbox: Outbox,
    urgent: Urgent,
    tasks: Tasks,
    parts: Arc<EngineParts>,
    shared: Arc<Shared>,
    /// Number of attempts in flight.
    in_flight: u32,
    /// The threads that send, where those are their own.
    threads: Option<Threads>,
    /// True while a queue waits for memory to build a body.
    is_crowded: bool,
    next_look: Instant,
    stopping: Option<Stopping>,
}

struct Stopping {
    until: Instant,
    done: oneshot::Sender<()>,
}

impl Dispatcher {
    pub(super) fn new(
        parts: Arc<EngineParts>,
        shared: Arc<Shared>,
        runtime: Handle,
    ) -> (Self, mpsc::Receiver<TaskResult>) {
        let threads = Threads::of(&runtime);
        let (tasks, reports) = Tasks::new(Arc::clone(&parts), runtime);
        let dispatcher = Self {
            schedule: Schedule::new(&parts, Arc::clone(&shared.memory)),
            claiming: Claiming::new(Arc::clone(&parts)),
            pending_scan: PendingScan::new(),
            breakers: Breakers::new(Arc::clone(&parts)),
            nodes: Nodes::new(),
            outbox: Outbox::default(),
            urgent: Urgent::default(),
            tasks,
            parts,
            shared,
            in_flight: 0,
            threads,
            is_crowded: false,
            next_look: Instant::now(),
            stopping: None,
        };
        (dispatcher, reports)
    }

    pub(super) async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut hand_over: mpsc::UnboundedReceiver<HandOver>,
        mut reports: mpsc::Receiver<TaskResult>,
    ) {
        while !self.has_stopped() {
            self.carry_on();
            let wake = self.next_wake();
            tokio::select! {
                // In a fixed order, so that a history in virtual time can be lived again; commands are the fewest, and
                // of the others everything is taken below.
                biased;
                Some(command) = commands.recv() => self.execute(command),
                Some(handed) = hand_over.recv() => self.take_hand_over(handed),
                Some(report) = reports.recv() => self.take_report(report),
                () = tokio::time::sleep_until(wake) => {}
            }
            // News come in bunches: taking all of a bunch before acting on it makes larger batches.
            while let Ok(handed) = hand_over.try_recv() {
                self.take_hand_over(handed);
            }
            while let Ok(report) = reports.try_recv() {
                self.take_report(report);
            }
            if Instant::now() >= self.next_look {
                self.refresh_shares();
            }
        }
        if let Some(stopping) = self.stopping.take() {
            let _ = stopping.done.send(());
        }
    }

    // --- News, and where they go ----------------------------------------------------------------------------------

    fn take_hand_over(&mut self, handed: HandOver) {
        for item in handed {
            match item {
                HandedOver::Claimed(claimed) => self.take_claimed(claimed),
                HandedOver::Doubtful(claimed) => {
                    let id = claimed.delivery.webhook_id;
                    self.add_claim(id, |queue| Some(queue.take_doubtful(&claimed)));
                }
                HandedOver::Due { webhook_id, due_at } => {
                    self.schedule.queue(webhook_id).backlog().due(due_at);
                    self.schedule.reschedule(webhook_id);
                }
                HandedOver::Cancelled {
                    webhook_id,
                    delivery_id,
                } => {
                    let back = self.schedule.queue(webhook_id).cancelled(delivery_id);
                    self.outbox.release(back);
                    self.schedule.make_runnable(webhook_id);
                }
                HandedOver::Settled {
                    webhook_id,
                    delivery_id,
                    attempt_number,
                } => {
                    let queue = self.schedule.queue(webhook_id);
                    if queue.settled(delivery_id, attempt_number) {
                        self.claiming.settled();
                    }
                    self.schedule.touch(webhook_id);
                }
            }
        }
    }

    fn take_report(&mut self, report: TaskResult) {
        let (schedule, outbox) = (&mut self.schedule, &mut self.outbox);
        match report {
            TaskResult::Ended(ended) => self.take_ended(*ended),
            TaskResult::Stored(answer) => self.take_stored(answer),
            TaskResult::Claimed { requests, answer } => self.claiming.answered(&requests, answer, schedule),
            TaskResult::Cancelled { webhook_id, answer } => {
                self.claiming.cancelled(webhook_id, answer, schedule);
            }
            TaskResult::PendingScanned(page) => self.pending_scan.take(page, schedule),
            TaskResult::ClaimedNow { id, answer } => self.urgent.answered(id, answer),
            TaskResult::BreakersRead(answer) => self.breakers.take_others(answer, schedule, outbox),
        }
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Nudge(id) => {
                let destination = self.parts.registry.destination(id);
                let is_sent_to = destination.is_some_and(|destination| !destination.webhook.is_paused());
                let queue = self.schedule.queue(id);
                queue.backlog().due(self.parts.clock.now());
                if !is_sent_to {
                    self.outbox.release(queue.give_back_all());
                }
                self.schedule.reschedule(id);
            }
            Command::Retry(id) => self.breakers.try_now(id, &mut self.schedule, &self.tasks),
            Command::ResetBreaker(id) => {
                self.breakers.close(id, &self.tasks);
                self.breakers.try_now(id, &mut self.schedule, &self.tasks);
            }
            Command::Send(webhook_id, delivery_id) => {
                self.urgent
                    .claim(webhook_id, delivery_id, &self.parts, &self.tasks);
            }
            Command::Stop { grace, done } => {
                self.shared.is_running.store(false, Ordering::Relaxed);
                let until = Instant::now() + grace;
                self.stopping = Some(Stopping { until, done });
                for id in self.schedule.ids() {
                    self.outbox.release(self.schedule.queue(id).give_back_all());
                }
            }
        }
    }

    fn refresh_shares(&mut self) {
        self.next_look = Instant::now() + LOOK_AROUND;
        let (parts, now) = (&self.parts, self.parts.clock.now());
        parts.transport.tidy_up();
        if let Some(share) = self.nodes.set_count(parts.store.nodes()) {
            info!(
                nodes = self.nodes.count(),
                "the work is shared by so many nodes now"
            );
            self.schedule.set_share(share);
        }
        parts.telemetry.nodes(self.nodes.count());
        let is_alone = self.nodes.count() == 1;
        self.breakers.settle_outage(is_alone, now, &mut self.outbox);
        if self.nodes.should_read_breakers() {
            self.tasks.read_breakers(now.minus(CLOSED_IS_READ_FOR));
        }
        let oldest = self.schedule.oldest_due();
        let age = oldest.map_or(Duration::ZERO, |due_at| now.since(due_at));
        parts.telemetry.oldest_due(age);
    }

    // --- What follows after each bunch of news --------------------------------------------------------------------

    fn carry_on(&mut self) {
        self.schedule.update_touched();
        if self.is_at_work() {
            let (schedule, outbox) = (&mut self.schedule, &mut self.outbox);
            self.claiming.claim_what_is_due(schedule, outbox, &self.tasks);
            self.start_attempts();
            self.pending_scan.go_on(&self.tasks);
        }
        let delay = self.outbox.delay();
        if let Some(batch) = self.outbox.next_finished() {
            self.tasks.finish(batch, delay);
        }
        if let Some(batch) = self.outbox.next_released() {
            self.tasks.release(batch, delay);
        }
        if let Some(batch) = self.outbox.next_outages() {
            self.tasks.write_outages(batch, delay);
        }
        self.publish();
    }

    /// True if new work may start: not while stopping, nor while results cannot be stored.
    fn is_at_work(&self) -> bool {
        self.stopping.is_none() && self.outbox.failure().is_none()
    }

    fn has_stopped(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| {
            let has_settled = self.in_flight == 0 && self.outbox.is_empty();
            has_settled || Instant::now() >= stopping.until
        })
    }

    fn next_wake(&self) -> Instant {
        // What is not done now must not wake the loop: it would be due for ever.
        if !self.is_at_work() {
            return self.next_look;
        }
        let mut wake = self.next_look.min(self.pending_scan.next_at());
        if self.is_crowded {
            wake = wake.min(Instant::now() + LOOK_FOR_ROOM);
        }
        if let Some((due_at, _)) = self.schedule.first_due() {
            wake = wake.min(Instant::now() + due_at.since(self.parts.clock.now()));
        }
        wake
    }

    fn publish(&mut self) {
        let busy = self
            .threads
            .as_mut()
            .and_then(|threads| threads.are_busy(self.in_flight));
        if let Some(is_short) = busy {
            self.shared.pressure.set_short(is_short);
        }
        let claimed = self.claiming.claimed();
        self.shared.pressure.set_on_the_way(OnTheWay {
            in_memory: claimed,
            // A claim is settled a moment before its batch counts as stored.
            unsent: claimed.saturating_sub(self.outbox.unstored()),
        });
        let bytes = self.shared.memory.in_use();
        self.parts.telemetry.handed_over(claimed, bytes);
    }

    // --- A delivery: taken, attempted, stored ---------------------------------------------------------------------

    fn take_claimed(&mut self, mut claimed: Box<ClaimedDelivery>) {
        let id = claimed.delivery.webhook_id;
        if claimed.was_read {
            let body = std::mem::take(&mut claimed.body);
            claimed.body = self.shared.memory.keep_read(claimed.delivery.event_id, body);
        }
        let delivery_id = claimed.delivery.id;
        self.add_claim(id, |queue| queue.take(claimed));
        if self.urgent.take(delivery_id) {
            self.schedule.queue(id).make_urgent(delivery_id);
        }
        if self.stopping.is_some() {
            self.outbox.release(self.schedule.queue(id).give_back_all());
        }
        self.schedule.touch(id);
    }

    /// Has a queue take a claim in, which counts from now on.
    fn add_claim(&mut self, id: WebhookId, take: impl FnOnce(&mut WebhookQueue) -> Option<Release>) {
        let queue = self.schedule.queue(id);
        let before = queue.claimed();
        self.outbox.release(take(queue));
        self.claiming.add(queue.claimed() - before);
    }

    fn start_attempts(&mut self) {
        let mut crowded = Vec::new();
        while self.in_flight < self.parts.max_in_flight && !self.outbox.is_full() {
            let Some(id) = self.schedule.next_runnable() else {
                break;
            };
            let now = self.parts.clock.now();
            let destination = self.parts.registry.destination(id);
            match self.schedule.queue(id).start(destination.as_deref(), now) {
                Ok(Some(started)) => self.attempt_or_give_back(id, started, destination, now),
                Ok(None) => {}
                Err(NoRoom) => {
                    crowded.push(id);
                    continue;
                }
            }
            self.schedule.make_runnable(id);
        }
        self.is_crowded = !crowded.is_empty();
        self.schedule.keep_runnable(crowded);
    }

    fn attempt_or_give_back(
        &mut self,
        id: WebhookId,
        StartedDelivery { claimed, room }: StartedDelivery,
        destination: Option<Arc<Destination>>,
        now: Timestamp,
    ) {
        let lease_left = claimed.delivery.state.at().since(now);
        let may_send = |destination: &Arc<Destination>| {
            let timeout = destination.timeout(&self.parts.defaults);
            destination.may_be_sent_to(now) && self.parts.lease.suffices(lease_left, timeout)
        };
        let Some(destination) = destination.filter(may_send) else {
            let back = self.schedule.queue(id).not_attempted(&claimed);
            self.outbox.release(back);
            return;
        };
        let rate = self.schedule.rate_of(&destination);
        self.schedule.queue(id).attempted(now, rate);
        self.in_flight += 1;
        self.parts.telemetry.attempt_started();
        let parts = Arc::clone(&self.parts);
        self.tasks
            .attempt(attempt(claimed, destination, room, now, parts));
    }

    fn take_ended(&mut self, ended: EndedAttempt) {
        let (id, now) = (ended.finished.webhook_id, ended.finished.attempt.finished_at);
        let EndedAttempt {
            finished,
            destination,
            class,
            opt_out,
            ..
        } = ended;
        self.in_flight -= 1;
        let telemetry = &self.parts.telemetry;
        telemetry.attempt_ended(id, class, finished.attempt.phases.total);
        self.parts.live.attempted(ended.of, &finished);
        self.parts.history.attempted(ended.of, &finished);
        if matches!(finished.state, DeliveryState::Exhausted { .. }) {
            telemetry.exhausted();
        }
        let end = AttemptEnd {
            order_key: ended.order_key.as_ref(),
            is_blocking: !finished.state.is_final() && finished.blocks_until > now,
            class,
            max_in_flight: self.schedule.cap_of(&destination),
        };
        if let Some(queue) = self.schedule.existing_queue(id) {
            self.outbox.release(queue.ended(&end));
        }
        let profile = destination.webhook.settings.profile(&self.parts.defaults);
        let has_breaker = profile == Profile::Durable;
        let last = LastFailure::of(finished.delivery_id, &finished.attempt);
        let (noted, breaker) = self.schedule.queue(id).note(class, last, has_breaker, now);
        self.outbox
            .note_outage(id, noted.outage, finished.attempt.finished_at);
        self.outbox.finish(finished);
        if opt_out == Some(OptOut::Webhook) && !destination.webhook.is_paused() {
            self.tasks.disable_as_asked(&destination.webhook, now);
        }
        let (schedule, outbox) = (&mut self.schedule, &mut self.outbox);
        self.breakers.follow(
            id,
            (noted.transition, breaker),
            now,
            schedule,
            outbox,
            &self.tasks,
        );
        self.schedule.touch(id);
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
}
