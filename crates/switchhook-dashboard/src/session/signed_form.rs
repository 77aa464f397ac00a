//! Forms that were filled in: read within bounds, from pages of ours only.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use switchhook_http::address::has_nul;
use switchhook_http::server::{BodyReadError, read_body};
use tokio::time::Instant;

use super::Viewer;
use super::site::check_site;
use crate::SharedState;
use crate::form::Form;
use crate::page::PageError;

/// A form that was filled in on a page of ours, by whom.
#[derive(Debug)]
pub(crate) struct SignedForm(pub(crate) Viewer, pub(crate) Form);

/// Time after which a slowly sent form has its session checked again.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// Bound on the size of a form, in bytes.
const LARGEST_FORM: usize = 64 * 1_024;

impl FromRequest<SharedState> for SignedForm {
    type Rejection = Response;

    async fn from_request(request: Request, dashboard: &SharedState) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        check_site(&parts.headers).map_err(IntoResponse::into_response)?;
        let mut viewer = Viewer::of(&parts, dashboard).await?;
        let began = Instant::now();
        let form = read_form(&parts.headers, body)
            .await
            .map_err(IntoResponse::into_response)?;
        if began.elapsed() > FRESH_FOR {
            viewer = Viewer::of(&parts, dashboard).await?;
        }
        let sent = form.text("csrf").unwrap_or_default();
        if verify_slices_are_equal(sent.as_bytes(), viewer.csrf.as_bytes()).is_err() {
            let message = "This form is older than your session: go back, load the page again and repeat it.";
            return Err(PageError::new(StatusCode::FORBIDDEN, message).into_response());
        }
        Ok(Self(viewer, form))
    }
}

pub(super) async fn read_form(headers: &HeaderMap, body: Body) -> Result<Form, PageError> {
    let bytes = read_body(headers, body, LARGEST_FORM).await.map_err(|error| {
        let (status, message) = match error {
            BodyReadError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The form is too large."),
            BodyReadError::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "The form came too slowly: send it again.",
            ),
            BodyReadError::NoRoom => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The server reads too many requests: try again in a moment.",
            ),
            BodyReadError::Broken | BodyReadError::UnknownCoding | BodyReadError::BrokenCoding => (
                StatusCode::BAD_REQUEST,
                "The form did not arrive whole: send it again.",
            ),
        };
        PageError::new(status, message)
    })?;
    if has_nul(&String::from_utf8_lossy(&bytes)) {
        let message = "A field has the character NUL in it: leave it out.";
        return Err(PageError::new(StatusCode::BAD_REQUEST, message));
    }
    Ok(Form::read(&bytes))
}
