//! The two ways to write the same event: as the published contract has it, and as real traffic looks.
//!
//! The dialect decides how an event is written and whether a state is told at all, never what happens: the same seed
//! gives the same life in both.

use std::fmt;
use std::str::FromStr;

use switchhook_protocol::CallState;

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// As real payloads look: most keys are always there, with `null`, `{}` or `[]` where there is nothing; durations are
    /// milliseconds with a fraction; contacts are small objects, whose ids are numbers for local ones; a contact centre
    /// is a `call_center`; messages have numbers as people write them; many more fields; agents' statuses are words in
    /// lower case with ids as strings; and calls have 30 states.
    #[default]
    Observed,
    /// Valid against the schemas of the published AsyncAPI contract, field for field: nothing is null, nothing is
    /// added, and calls have the 20 states that it lists.
    Asyncapi,
}

impl Dialect {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::Observed, Self::Asyncapi];

    /// Its name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asyncapi => "asyncapi",
            Self::Observed => "observed",
        }
    }

    /// Whether calls in this dialect can have that state.
    #[must_use]
    pub const fn has_state(self, state: CallState) -> bool {
        match self {
            Self::Asyncapi => state.is_in_contract(),
            Self::Observed => true,
        }
    }

    /// How many bytes most events stay below.
    pub(crate) const fn usual_length(self) -> usize {
        match self {
            Self::Asyncapi => 640,
            Self::Observed => 2_560,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Reads the name, whatever its case.
///
/// ```
/// use switchhook_simulator::Dialect;
///
/// assert_eq!("observed".parse(), Ok(Dialect::Observed));
/// assert!("french".parse::<Dialect>().unwrap_err().to_string().contains("asyncapi"));
/// ```
impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(word: &str) -> Result<Self, UnknownDialect> {
        let known = Self::ALL
            .into_iter()
            .find(|dialect| dialect.as_str().eq_ignore_ascii_case(word));
        known.ok_or(UnknownDialect)
    }
}

/// A word that names no dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownDialect;

impl fmt::Display for UnknownDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dialect is observed or asyncapi")
    }
}

impl std::error::Error for UnknownDialect {}
