//! A member of a request that may be left out, and may be null.

use serde::{Deserialize, Deserializer};

/// A member of a request: absent means "leave as it is", null means "clear".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Field<T> {
    /// Absent from the request.
    #[default]
    Absent,
    /// Given as null.
    Null,
    /// Given with a value.
    Given(T),
}

impl<T> Field<T> {
    /// The value, if there is one.
    pub(crate) fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// Change of an optional value; `None` leaves it.
    pub(crate) fn change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Given(value) => Some(Some(value)),
        }
    }

    /// Change of a value with a default; `None` leaves it.
    pub(crate) fn change_or(self, default: T) -> Option<T> {
        self.change().map(|value| value.unwrap_or(default))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::deserialize(deserializer)?;
        Ok(value.map_or(Self::Null, Self::Given))
    }
}
