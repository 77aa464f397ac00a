//! Values for the parameters of a statement.

use std::borrow::Cow;

use switchhook_domain::Timestamp;

/// A value for a `?`. NULL is a number or a text too: PostgreSQL wants to know which.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'v> {
    Number(Option<i64>),
    Real(Option<f64>),
    Text(Option<Cow<'v, str>>),
    Bytes(&'v [u8]),
    /// For `= ANY(?)`.
    Numbers(Cow<'v, [i64]>),
}

/// The values of a statement, first to last.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::sql::Value::from($value)),*]
    };
}
pub(crate) use values;

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl From<$type> for Value<'_> {
            fn from(number: $type) -> Self {
                Self::Number(Some(number.into()))
            }
        }

        impl From<Option<$type>> for Value<'_> {
            fn from(number: Option<$type>) -> Self {
                Self::Number(number.map(Into::into))
            }
        }
    )+};
}

numbers!(i64, u32, u16, bool);

macro_rules! texts {
    ($($type:ty),+) => {$(
        impl<'v> From<$type> for Value<'v> {
            fn from(text: $type) -> Self {
                Self::Text(Some(text.into()))
            }
        }

        impl<'v> From<Option<$type>> for Value<'v> {
            fn from(text: Option<$type>) -> Self {
                Self::Text(text.map(Into::into))
            }
        }
    )+};
}

texts!(&'v str, &'v String, String);

impl From<Timestamp> for Value<'_> {
    fn from(time: Timestamp) -> Self {
        time.as_millis().into()
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(time: Option<Timestamp>) -> Self {
        time.map(Timestamp::as_millis).into()
    }
}

impl From<Option<f64>> for Value<'_> {
    fn from(number: Option<f64>) -> Self {
        Self::Real(number)
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<i64>> for Value<'_> {
    fn from(numbers: Vec<i64>) -> Self {
        Self::Numbers(numbers.into())
    }
}

impl<'v> From<&'v [i64]> for Value<'v> {
    fn from(numbers: &'v [i64]) -> Self {
        Self::Numbers(numbers.into())
    }
}
