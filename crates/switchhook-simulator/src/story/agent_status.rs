//! Agents: what they do, told whenever it changes. Calls occupy them (`call`); here are their breaks, their days and
//! their sessions with the power dialler.

use std::collections::VecDeque;

use switchhook_protocol::Kind;

use crate::calendar::{self, Rhythm};
use crate::company::Duty;
use crate::story::call::plots;
use crate::story::world::World;
use crate::story::{Next, Story};

/// Reasons for which agents are away in the middle of a day.
const REASONS: [&str; 5] = [
    "Lunch",
    "Training",
    "Back in ten minutes",
    "Team meeting",
    "Coffee",
];

const OFF_DUTY: &str = "Off duty";

const HOUR_MS: u64 = 3_600_000;

/// Changes an agent's duty and tells so; nothing if it is that already.
pub(crate) fn change(world: &mut World, agent: usize, duty: Duty) {
    if world.company.agents[agent].duty != duty {
        world.company.agents[agent].duty = duty;
        tell(world, agent);
    }
}

/// Tells what an agent does.
pub(crate) fn tell(world: &mut World, index: usize) {
    let agent = &world.company.agents[index];
    let (duty, subject) = (agent.duty, world.company.entity(agent.entity).id);
    world.tell(Kind::AgentStatus, subject, duty.as_str(), |json, world| {
        let agent = &world.company.agents[index];
        let is_available = duty == Duty::Available;
        let reason = match duty {
            Duty::Unavailable(reason) => Some(reason),
            _ => None,
        };
        json.contract(|json| {
            json.flag("availability_status", is_available)
                .text("on_duty_status", duty.as_str());
        })
        .observed(|json| {
            let availability = if is_available { "available" } else { "unavailable" };
            json.text("availability_status", availability)
                .text("on_duty_status", &duty.as_str().to_ascii_lowercase());
        })
        .text_or("on_duty_status_reason", reason)
        .contract(|json| _ = json.numbers("call_center_ids", agent.center_ids.iter().copied()))
        .observed(|json| {
            let ids: Vec<String> = agent.center_ids.iter().map(i64::to_string).collect();
            json.texts("call_center_ids", ids.iter().map(String::as_str));
        })
        .flag("powerdialer_mode", agent.powerdialer.is_some())
        .text_or(
            "powerdialer_session",
            agent.powerdialer.map(|id| id.to_string()).as_deref(),
        )
        .object("target", |json| world.company.entity(agent.entity).write(json))
        .number("date", world.now.as_millis())
        .number("event_timestamp", world.now.as_millis());
    });
}

/// The days of one agent.
#[derive(Clone, Debug)]
pub(crate) struct AgentDay {
    agent: usize,
    rhythm: Rhythm,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Not looked at yet.
    Before,
    AtWork,
    OnBreak,
    AtHome,
}

impl AgentDay {
    pub(crate) const fn of(agent: usize, rhythm: Rhythm) -> Self {
        Self {
            agent,
            rhythm,
            phase: Phase::Before,
        }
    }

    /// Somebody who takes a break right now.
    pub(crate) const fn with_a_break(agent: usize, rhythm: Rhythm) -> Self {
        Self {
            agent,
            rhythm,
            phase: Phase::AtWork,
        }
    }

    pub(crate) fn advance(&mut self, world: &mut World) -> Next {
        let now = world.now;
        let is_work_time = match self.rhythm {
            Rhythm::Steady => true,
            Rhythm::Workweek => {
                calendar::is_workday(now) && (8..18).contains(&(calendar::of_day(now) / HOUR_MS as i64))
            }
        };
        // Nobody leaves in the middle of a call.
        let duty = world.company.agents[self.agent].duty;
        if matches!(duty, Duty::Occupied | Duty::Wrapup | Duty::Busy)
            || world.company.agents[self.agent].is_rung
        {
            return Next::After(world.rng.between(5_000..=20_000));
        }
        match self.phase {
            Phase::Before => {
                // Whoever is at work or at home when the simulation starts has been there before.
                let (phase, duty) = if is_work_time {
                    (Phase::AtWork, Duty::Available)
                } else {
                    (Phase::AtHome, Duty::Unavailable(OFF_DUTY))
                };
                self.phase = phase;
                world.company.agents[self.agent].duty = duty;
                self.until_next(world)
            }
            Phase::AtHome | Phase::OnBreak if is_work_time => {
                self.phase = Phase::AtWork;
                change(world, self.agent, Duty::Available);
                self.until_next(world)
            }
            Phase::AtWork if is_work_time => {
                self.phase = Phase::OnBreak;
                let reason = *world.rng.pick(&REASONS);
                change(world, self.agent, Duty::Unavailable(reason));
                self.until_next(world)
            }
            _ => {
                self.phase = Phase::AtHome;
                change(world, self.agent, Duty::Unavailable(OFF_DUTY));
                self.until_next(world)
            }
        }
    }

    /// Length of the phase.
    fn until_next(&self, world: &mut World) -> Next {
        let rng = &mut world.rng;
        Next::After(match self.phase {
            Phase::Before => 0,
            Phase::AtWork => rng.between(HOUR_MS / 2..=HOUR_MS * 5 / 2),
            Phase::OnBreak => rng.between(5 * 60_000..=35 * 60_000),
            Phase::AtHome => calendar::until_hour(world.now, 8) + rng.between(0..=HOUR_MS / 2),
        })
    }
}

/// A power dialler's session: an agent calls one number after the other.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    agent: usize,
    calls_left: u64,
    has_begun: bool,
}

impl Session {
    /// A session of somebody who is free.
    pub(crate) fn any(world: &mut World) -> Self {
        let agent = world.rng.between(0..=world.company.agents.len() as u64 - 1) as usize;
        Self {
            agent,
            calls_left: world.rng.between(3..=8),
            has_begun: false,
        }
    }

    pub(crate) fn advance(&mut self, world: &mut World) -> Next {
        let state = &world.company.agents[self.agent];
        let (is_free, is_dialling) = (state.duty == Duty::Available, state.powerdialer.is_some());
        if !self.has_begun {
            if !is_free || state.is_rung || is_dialling {
                return Next::Ended;
            }
            self.has_begun = true;
            world.company.agents[self.agent].powerdialer = Some(world.rng.id());
            tell(world, self.agent);
        } else if !is_free {
            // Still in the last call, or wrapping it up.
            return Next::After(2_000);
        } else if self.calls_left == 0 {
            world.company.agents[self.agent].powerdialer = None;
            tell(world, self.agent);
            return Next::Ended;
        }
        self.calls_left = self.calls_left.saturating_sub(1);
        let call = plots::powerdialed(world, self.agent);
        world.begun.push(Story::Call(Box::new(call)));
        Next::After(world.rng.between(4_000..=9_000))
    }
}

/// Script of one agent in a scenario: each step some milliseconds after the one before.
#[derive(Clone, Debug)]
pub(crate) struct Shift {
    agent: usize,
    steps: VecDeque<(u64, Step)>,
}

/// A step of a shift.
#[derive(Clone, Copy, Debug)]
enum Step {
    Duty(Duty),
    Powerdialer(Option<i64>),
}

impl Shift {
    pub(crate) const fn of(agent: usize) -> Self {
        Self {
            agent,
            steps: VecDeque::new(),
        }
    }

    pub(crate) fn after(&mut self, millis: u64, duty: Duty) -> &mut Self {
        self.steps.push_back((millis, Step::Duty(duty)));
        self
    }

    /// The power dialler's session with that id begins, or ends.
    pub(crate) fn powerdialer(&mut self, millis: u64, session: Option<i64>) -> &mut Self {
        self.steps.push_back((millis, Step::Powerdialer(session)));
        self
    }

    pub(crate) fn advance(&mut self, world: &mut World) -> Next {
        match self.steps.pop_front() {
            Some((_, Step::Duty(duty))) => {
                world.company.agents[self.agent].duty = duty;
                tell(world, self.agent);
            }
            Some((_, Step::Powerdialer(session))) => {
                world.company.agents[self.agent].powerdialer = session;
                tell(world, self.agent);
            }
            None => {}
        }
        match self.steps.front() {
            Some((after, _)) => Next::After(*after),
            None => Next::Ended,
        }
    }
}
