//! Reading queries: parameters whose mistakes name them, and which page of a list is meant.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use switchhook_domain::id::id_of;
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::duration::parse_duration;
use switchhook_protocol::quoted;
use switchhook_store::PageRequest;
use utoipa::IntoParams;

use super::compat::{LARGEST_PAGE, capped_limit};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::query::parameter;

/// Query string of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// The query of a URI.
    pub(crate) fn of(uri: &'a Uri) -> Self {
        Self(uri.query().unwrap_or_default())
    }

    /// Value of a parameter.
    pub(crate) fn text(self, name: &str) -> Option<Cow<'a, str>> {
        parameter(self.0, name)
    }

    /// A parameter's value as something else.
    pub(crate) fn get<T: FromStr>(self, name: &str, expected: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_| ApiError::invalid(format!("{name}: `{}` is not {expected}", quoted(&text))))
    }

    /// A parameter's value as an id.
    pub(crate) fn id<T: FromStr>(self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let wrong = |error| ApiError::invalid(format!("{name}: {error}"));
        id_of(&text).map(Some).map_err(wrong)
    }

    /// A parameter's value as one of some words; the error knows them.
    pub(crate) fn word<T>(self, name: &str) -> Result<Option<T>, ApiError>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error| ApiError::invalid(format!("{name}: {error}")))
    }

    /// The parameter `kind`, of events that are kept.
    pub(crate) fn kind(self) -> Result<Option<Kind>, ApiError> {
        let kind = self.text("kind").map(|text| Kind::of_kept(&text));
        kind.transpose()
            .map_err(|error| ApiError::invalid(format!("kind: {error}")))
    }

    /// A parameter's value as a length of time.
    pub(crate) fn length(self, name: &str) -> Result<Option<Duration>, ApiError> {
        let text = self.text(name);
        let length = text.map(|text| parse_duration(&text)).transpose();
        length.map_err(|error| ApiError::invalid(format!("{name}: {error}")))
    }

    /// A parameter's value as an instant. A `+` that was not escaped has become a space.
    pub(crate) fn instant(self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let instant = text.replace(' ', "+").parse();
        instant
            .map(Some)
            .map_err(|error| ApiError::invalid(format!("{name}: {error}")))
    }
}

/// The largest page of a list under `/v1`.
pub const LARGEST_PAGE_OF_OURS: u32 = 200;

/// Which page of a list.
#[derive(Debug, Clone, Copy, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Maximum number of items: {largest-page} unless told otherwise; at most {largest-page} in `/api/v2`, {largest-page-of-ours} in `/v1`.
    limit: Option<u32>,
    /// The `cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<i64>,
}

impl PageQuery {
    /// Reads it from a query.
    pub(crate) fn read(query: Query<'_>) -> Result<Self, ApiError> {
        // However large a number is, it is one.
        let is_huge = |text: &str| text.len() > 9 && text.bytes().all(|byte| byte.is_ascii_digit());
        let limit: Option<u32> = match query.text("limit") {
            Some(text) if is_huge(&text) => Some(u32::MAX),
            _ => query.get("limit", "a number of items")?,
        };
        if limit == Some(0) {
            return Err(ApiError::invalid("limit: a page has at least one item"));
        }
        let cursor = query.text("cursor").map(|text| {
            let wrong = |_| {
                let text = quoted(&text);
                ApiError::invalid(format!(
                    "cursor: `{text}` is not a cursor: send what the page before gave, or nothing"
                ))
            };
            id_of(&text).map_err(wrong)
        });
        let cursor = cursor.transpose()?;
        Ok(Self { limit, cursor })
    }

    /// The page of a list under `/api/v2`.
    pub(crate) fn compatible(self) -> PageRequest {
        let limit = capped_limit(self.limit.unwrap_or(LARGEST_PAGE));
        PageRequest {
            after: self.cursor,
            limit,
        }
    }

    /// The page of a list under `/v1`.
    pub(crate) fn ours(self) -> Result<PageRequest, ApiError> {
        let limit = self.limit.unwrap_or(LARGEST_PAGE);
        if limit > LARGEST_PAGE_OF_OURS {
            return Err(ApiError::invalid(format!(
                "limit: at most {LARGEST_PAGE_OF_OURS} items a page; follow `cursor` for more"
            )));
        }
        Ok(PageRequest {
            after: self.cursor,
            limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_parameter_is_absent_and_an_unescaped_plus_is_read() {
        let uri: Uri = "/x?cursor=&since=2026-11-21T10:30:00+01:00&limit=7"
            .parse()
            .unwrap();
        let query = Query::of(&uri);
        assert_eq!(query.text("cursor"), None);
        assert_eq!(
            query.instant("since").unwrap(),
            Some(Timestamp::from_millis(1_795_253_400_000))
        );
        assert_eq!(query.get("limit", "a number").unwrap(), Some(7_u32));
    }
}
