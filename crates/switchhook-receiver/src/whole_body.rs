//! The body of a request of the crate `http`, as a whole and no larger than is looked at.

use std::error::Error;

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{MAX_BODY_BYTES, Refusal};

/// Reads a body to its end, but no more than [`MAX_BODY_BYTES`].
///
/// # Errors
/// If it is larger or breaks off. For how long to wait is up to the server.
pub async fn whole_body<B>(body: B) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge {
            bytes: MAX_BODY_BYTES + 1,
        }),
        Err(_) => Err(Refusal::BrokenOff),
    }
}
