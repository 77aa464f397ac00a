//! The loop's lists: which lane is in turn, and when the store is asked for the next.

use std::sync::Arc;

use switchhook_domain::id::WebhookId;

use super::dispatch::{Dispatcher, Scheduled};
use crate::delivery::lane::Lane;

impl Dispatcher {
    pub(super) fn entry(&mut self, id: WebhookId) -> &mut Scheduled {
        let (registry, defaults) = (&self.parts.registry, &self.parts.defaults);
        let share = self.share;
        let memory = &self.shared.memory;
        self.lanes.entry(id).or_insert_with(|| {
            let destination = registry.destination(id);
            let load = destination
                .as_ref()
                .map(|destination| destination.load())
                .unwrap_or_default();
            let max = destination.map_or(1, |destination| {
                share.of_cap(destination.webhook.settings.max_in_flight(defaults))
            });
            Scheduled {
                lane: Lane::new(load, max, Arc::clone(memory)),
                on_agenda: None,
                in_turn: false,
                is_cancelling: false,
            }
        })
    }

    pub(super) fn lane(&mut self, id: WebhookId) -> &mut Lane {
        &mut self.entry(id).lane
    }

    /// Puts a lane in turn, if it can start something and is not there yet.
    pub(super) fn give_turn(&mut self, id: WebhookId) {
        let now = self.parts.clock.now();
        let Some(entry) = self.lanes.get_mut(&id).filter(|entry| !entry.in_turn) else {
            return;
        };
        if entry.lane.can_start(now) {
            entry.in_turn = true;
            self.turns.push_back(id);
        } else {
            // Its rate or its breaker may want it to wait.
            self.reschedule(id);
        }
    }

    /// Puts a lane on the agenda at the right time, or takes it off.
    pub(super) fn reschedule(&mut self, id: WebhookId) {
        let now = self.parts.clock.now();
        let is_paused = self
            .parts
            .registry
            .destination(id)
            .is_some_and(|destination| destination.webhook.paused_at.is_some());
        let Some(entry) = self.lanes.get_mut(&id) else {
            return;
        };
        let wanted = if is_paused || entry.is_cancelling {
            None
        } else {
            entry.lane.next_step_at(now)
        };
        if entry.on_agenda == wanted {
            return;
        }
        if let Some(at) = entry.on_agenda {
            self.agenda.remove(&(at, id));
        }
        if let Some(at) = wanted {
            self.agenda.insert((at, id));
        }
        entry.on_agenda = wanted;
    }

    pub(super) fn forget_if_idle(&mut self, id: WebhookId) {
        if self
            .lanes
            .get(&id)
            .is_some_and(|entry| entry.lane.is_idle() && !entry.in_turn && !entry.is_cancelling)
        {
            self.lanes.remove(&id);
        }
    }
}
