//! Reading queries: parameters whose mistakes name them, and which page of a list is meant.

use std::time::Duration;

use axum::extract::FromRequestParts;
use http::Uri;
use http::request::Parts;
use switchhook_domain::attempt::Failure;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{EventId, ReplayId, SubscriptionId, WebhookId, id_of};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::duration::parse_duration;
use switchhook_protocol::{TargetType, quoted};
use switchhook_store::PageRequest;

use super::compat::{LARGEST_PAGE, capped_limit};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::query::parameter;

/// Parameters of a request, read from its query.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: Parameters, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        T::read(&parts.uri).map(Self)
    }
}

/// Parameters that are read together. `query!` implements it, for the struct that the OpenAPI document describes.
pub(crate) trait Parameters: Sized {
    /// Reads them from an address.
    fn read(uri: &Uri) -> Result<Self, ApiError>;
}

/// Defines the parameters of an operation: they are described in the document, and read, by the same names.
macro_rules! query {
    ($(#[$($meta:tt)*])* $name:ident { $($(#[$($about:tt)*])* $parameter:ident: $type:ident,)+ }) => {
        $(#[$($meta)*])*
        #[derive(Debug, utoipa::IntoParams)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            $($(#[$($about)*])* $parameter: Option<$type>,)+
        }

        impl $crate::api::query::Parameters for $name {
            fn read(uri: &http::Uri) -> Result<Self, switchhook_ingress::error::ApiError> {
                Ok(Self { $($parameter: $crate::api::query::value(uri, stringify!($parameter))?,)+ })
            }
        }
    };
}

pub(crate) use query;

/// Value of a parameter.
pub(crate) trait ParameterValue: Sized {
    /// Reads it from its text. The error says what is wrong with the text; the parameter is named before it.
    fn read(text: &str) -> Result<Self, String>;
}

/// Reads a parameter from an address. An empty one is absent.
pub(crate) fn value<T: ParameterValue>(uri: &Uri, name: &str) -> Result<Option<T>, ApiError> {
    let text = parameter(uri.query().unwrap_or_default(), name);
    let value = text.map(|text| T::read(&text)).transpose();
    value.map_err(|wrong| ApiError::invalid(format!("{name}: {wrong}")))
}

macro_rules! values {
    ($($read:path: $($type:ty),+;)+) => {$($(
        impl ParameterValue for $type {
            fn read(text: &str) -> Result<Self, String> {
                let value: Result<Self, _> = $read(text);
                value.map_err(|wrong| wrong.to_string())
            }
        }
    )+)+};
}

values! {
    id_of: i64, EventId, ReplayId, SubscriptionId, WebhookId;
    str::parse: Failure, StateName, String, TargetType;
    Kind::of_kept: Kind;
    instant: Timestamp;
    parse_duration: Duration;
    whole_number: u64;
    truth: bool;
}

/// Reads an instant. A `+` that was not escaped has become a space.
fn instant(text: &str) -> Result<Timestamp, <Timestamp as std::str::FromStr>::Err> {
    text.replace(' ', "+").parse()
}

fn whole_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| is_not(text, "a whole number"))
}

fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| is_not(text, "true or false"))
}

/// Error for a text that is not what is expected.
pub(crate) fn is_not(text: &str, expected: &str) -> String {
    format!("`{}` is not {expected}", quoted(text))
}

/// The largest page of a list under `/v1`.
pub const LARGEST_PAGE_OF_OURS: u32 = 200;

query! {
    /// Page of a list.
    PageQuery {
        /// Maximum number of items: the default is {largest-page}; at most {largest-page} in `/api/v2`, {largest-page-of-ours} in `/v1`.
        #[param(value_type = Option<u32>)]
        limit: PageLimit,
        /// The `cursor` of the page before.
        #[param(value_type = Option<String>)]
        cursor: Cursor,
    }
}

/// Number of items on a page.
#[derive(Debug, Clone, Copy)]
struct PageLimit(u32);

impl ParameterValue for PageLimit {
    fn read(text: &str) -> Result<Self, String> {
        // However large a number is, it is one.
        let is_huge = text.len() > 9 && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(0) => Err("a page has at least one item".to_owned()),
            Ok(limit) => Ok(Self(limit)),
            Err(_) if is_huge => Ok(Self(u32::MAX)),
            Err(_) => Err(is_not(text, "a number of items")),
        }
    }
}

/// Place in a list.
#[derive(Debug, Clone, Copy)]
struct Cursor(i64);

impl ParameterValue for Cursor {
    fn read(text: &str) -> Result<Self, String> {
        let cursor = id_of(text).map(Self);
        cursor.map_err(|_| is_not(text, "a cursor: send what the page before gave, or nothing"))
    }
}

impl PageQuery {
    /// True if the query says how many items are wanted.
    pub(crate) const fn has_limit(&self) -> bool {
        self.limit.is_some()
    }

    fn limit(&self) -> u32 {
        self.limit.map_or(LARGEST_PAGE, |limit| limit.0)
    }

    fn page(&self, limit: u32) -> PageRequest {
        PageRequest {
            after: self.cursor.map(|cursor| cursor.0),
            limit,
        }
    }

    /// The page of a list under `/api/v2`.
    pub(crate) fn compatible(&self) -> PageRequest {
        self.page(capped_limit(self.limit()))
    }

    /// The page of a list under `/v1`.
    pub(crate) fn ours(&self) -> Result<PageRequest, ApiError> {
        let limit = self.limit();
        if limit > LARGEST_PAGE_OF_OURS {
            return Err(ApiError::invalid(format!(
                "limit: at most {LARGEST_PAGE_OF_OURS} items a page; follow `cursor` for more"
            )));
        }
        Ok(self.page(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: ParameterValue>(query: &str, name: &str) -> Result<Option<T>, String> {
        let uri = format!("/x?{query}").parse().unwrap();
        value(&uri, name).map_err(|error: ApiError| error.message().to_owned())
    }

    #[test]
    fn an_empty_parameter_is_absent_and_an_unescaped_plus_is_read() {
        let query = "cursor=&since=2026-11-21T10:30:00+01:00&limit=7";
        assert_eq!(read::<String>(query, "cursor"), Ok(None));
        let since = Timestamp::from_millis(1_795_253_400_000);
        assert_eq!(read(query, "since"), Ok(Some(since)));
        assert_eq!(read(query, "limit"), Ok(Some(7_u64)));
    }

    #[test]
    fn a_value_that_cannot_be_read_is_named_with_its_parameter() {
        #[track_caller]
        fn check<T: ParameterValue + std::fmt::Debug>(query: &str, message: &str) {
            let name = query.split('=').next().unwrap();
            assert_eq!(read::<T>(query, name).unwrap_err(), message);
        }
        check::<WebhookId>(
            "webhook_id=x",
            "webhook_id: `x` is not an id: ids are whole numbers",
        );
        check::<u64>("wait=1.5", "wait: `1.5` is not a whole number");
        check::<bool>("failed=yes", "failed: `yes` is not true or false");
        check::<PageLimit>("limit=-1", "limit: `-1` is not a number of items");
        check::<PageLimit>("limit=0", "limit: a page has at least one item");
        check::<PageLimit>("limit=00000000000", "limit: a page has at least one item");
        check::<Cursor>(
            "cursor=next",
            "cursor: `next` is not a cursor: send what the page before gave, or nothing",
        );
    }

    #[test]
    fn a_limit_of_any_length_is_a_number() {
        let limit: Option<PageLimit> = read("limit=99999999999999999999", "limit").unwrap();
        assert_eq!(limit.unwrap().0, u32::MAX);
    }
}
