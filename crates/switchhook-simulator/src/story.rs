//! Anything that goes on in the company: a state machine that does one thing, and says when it goes on.

pub(crate) mod agent_status;
pub(crate) mod call;
pub(crate) mod changelog;
pub(crate) mod contact;
pub(crate) mod day;
pub(crate) mod sms;
pub(crate) mod world;

use self::agent_status::{AgentDay, Session, Shift};
use self::call::Call;
use self::changelog::Change;
use self::contact::ContactStory;
use self::day::Arrivals;
use self::sms::Exchange;
use self::world::World;

/// Something that goes on.
#[derive(Clone, Debug)]
pub(crate) enum Story {
    /// New stories, for ever.
    Arrivals(Arrivals),
    Call(Box<Call>),
    Exchange(Exchange),
    AgentDay(AgentDay),
    Session(Session),
    Shift(Shift),
    Contact(ContactStory),
    Change(Change),
}

/// Time at which a story continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// So many milliseconds from now.
    After(u64),
    /// It has come to its end.
    Ended,
}

impl Story {
    /// Does what is to be done now.
    pub(crate) fn advance(&mut self, world: &mut World) -> Next {
        match self {
            Self::Arrivals(arrivals) => arrivals.advance(world),
            Self::Call(call) => call.advance(world),
            Self::Exchange(exchange) => exchange.advance(world),
            Self::AgentDay(day) => day.advance(world),
            Self::Session(session) => session.advance(world),
            Self::Shift(shift) => shift.advance(world),
            Self::Contact(story) => story.advance(world),
            Self::Change(change) => change.advance(world),
        }
    }
}

macro_rules! stories {
    ($($variant:ident($story:ty)),+) => {
        $(impl From<$story> for Story {
            fn from(story: $story) -> Self {
                Self::$variant(story.into())
            }
        })+
    };
}

stories!(
    Call(Call),
    Exchange(Exchange),
    Shift(Shift),
    Contact(ContactStory),
    Change(Change)
);
