//! Ids and texts of requests and answers: the oddities of Dialpad's API in how they are written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use switchhook_domain::id::id_of;
use switchhook_protocol::quoted;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

/// Ids are **strings in answers**, although the documented type is an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(as = Id, value_type = String, example = "7730318061039616")]
pub struct IdText(pub i64);

impl fmt::Display for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for IdText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(itoa::Buffer::new().format(self.0))
    }
}

impl<'de> Deserialize<'de> for IdText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let LooseId(id) = LooseId::deserialize(deserializer)?;
        Ok(Self(id))
    }
}

/// Ids in requests are **integers or strings of digits**.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LooseId(pub i64);

impl utoipa::PartialSchema for LooseId {
    fn schema() -> RefOr<Schema> {
        let forms = SchemaType::from_iter([Type::String, Type::Integer]);
        let description = "An id in a request: a string of digits, or an integer.";
        ObjectBuilder::new()
            .schema_type(forms)
            .description(Some(description))
            .into()
    }
}

impl ToSchema for LooseId {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("IdInRequest")
    }
}

impl<'de> Deserialize<'de> for LooseId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Loose;
        impl Visitor<'_> for Loose {
            type Value = LooseId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: an integer, or a string of digits")
            }

            fn visit_i64<E: Error>(self, id: i64) -> Result<LooseId, E> {
                if id < 0 {
                    return Err(E::invalid_value(Unexpected::Signed(id), &self));
                }
                Ok(LooseId(id))
            }

            fn visit_u64<E: Error>(self, id: u64) -> Result<LooseId, E> {
                let id = i64::try_from(id);
                id.map(LooseId).map_err(|_| E::custom("an id is less than 2^63"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<LooseId, E> {
                let id = id_of(text).map(LooseId);
                id.map_err(|_| E::invalid_value(Unexpected::Str(&quoted(text)), &self))
            }
        }
        deserializer.deserialize_any(Loose)
    }
}

/// **An empty query value means that the parameter is absent.**
pub fn absent_if_empty(value: Cow<'_, str>) -> Option<Cow<'_, str>> {
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_integers_and_as_strings_and_written_as_strings() {
        for json in ["1001", "\"1001\""] {
            assert_eq!(
                serde_json::from_str::<LooseId>(json).unwrap(),
                LooseId(1001),
                "{json}"
            );
        }
        for json in [
            "\"\"",
            "\"abc\"",
            "1.5",
            "true",
            "[]",
            "9223372036854775808",
            "-1",
            "\"-1\"",
            "\"+1\"",
        ] {
            assert!(serde_json::from_str::<LooseId>(json).is_err(), "{json}");
        }
        assert_eq!(serde_json::to_string(&IdText(1001)).unwrap(), "\"1001\"");
    }
}
