//! The two ways to write the same event: as the published contract has it, and as real traffic looks.
//!
//! The dialect decides how an event is written and whether a state is told at all, never what happens: the same seed
//! gives the same life in both.

use switchhook_protocol::{CallState, spelled_enum};

spelled_enum! {
    /// Form in which events are written.
    ///
    /// ```
    /// use switchhook_simulator::Dialect;
    ///
    /// assert_eq!("observed".parse(), Ok(Dialect::Observed));
    /// assert!("french".parse::<Dialect>().unwrap_err().to_string().contains("asyncapi"));
    /// ```
    #[derive(Default)]
    pub enum Dialect: "dialect" {
        /// As real payloads look: most keys are always there, with `null`, `{}` or `[]` where there is nothing; durations are
        /// milliseconds with a fraction; contacts are small objects, whose ids are numbers for local ones; a contact centre
        /// is a `call_center`; messages have numbers as people write them; many more fields; agents' statuses are words in
        /// lower case with ids as strings; and calls have 30 states.
        #[default]
        Observed = "observed",
        /// Valid against the schemas of the published AsyncAPI contract, field for field: nothing is null, nothing is
        /// added, and calls have the 20 states that it lists.
        Asyncapi = "asyncapi",
    }
}

impl Dialect {
    /// True if calls in this dialect can have that state.
    #[must_use]
    pub const fn has_state(self, state: CallState) -> bool {
        match self {
            Self::Asyncapi => state.is_in_contract(),
            Self::Observed => true,
        }
    }

    /// Length in bytes that most events stay below.
    pub(crate) const fn usual_length(self) -> usize {
        match self {
            Self::Asyncapi => 640,
            Self::Observed => 2_560,
        }
    }
}
