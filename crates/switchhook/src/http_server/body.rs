//! Reading bodies: within a bound, and kindly to clients that send too much. For how long a client is waited for is decided
//! by `connection.rs`.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::exchange::BodyError;

/// How much of a body that is too large is read and thrown away, so that its sender gets to read the answer.
const MOST_DRAINED: usize = 16 * 1024 * 1024;

/// How long that may take.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyTrouble {
    /// It is larger than asked for.
    TooLarge,
    /// It came too slowly.
    TooSlow,
    /// There are too many others that are not complete.
    NoRoom,
    /// It ended in the middle, or was no HTTP.
    Broken,
}

/// Reads a body of at most `limit` bytes; without a copy if it came in one piece.
///
/// One that is too large is read on for a while, so that a client that sends first and listens afterwards can read why.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
) -> Result<Bytes, BodyTrouble> {
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        // Who asks before sending needs no rest read.
        if !headers.contains_key(EXPECT) {
            drain(body).await;
        }
        return Err(BodyTrouble::TooLarge);
    }
    let Some(first) = next_piece(&mut body).await? else {
        return Ok(Bytes::new());
    };
    let Some(second) = (if body.is_end_stream() {
        None
    } else {
        next_piece(&mut body).await?
    }) else {
        return within(first, limit);
    };
    let mut whole = BytesMut::with_capacity(
        usize::try_from(announced)
            .unwrap_or(limit)
            .max(first.len() + second.len()),
    );
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while whole.len() <= limit {
        match next_piece(&mut body).await? {
            Some(piece) => whole.extend_from_slice(&piece),
            None => return Ok(whole.freeze()),
        }
    }
    drain(body).await;
    Err(BodyTrouble::TooLarge)
}

fn within(bytes: Bytes, limit: usize) -> Result<Bytes, BodyTrouble> {
    if bytes.len() > limit {
        Err(BodyTrouble::TooLarge)
    } else {
        Ok(bytes)
    }
}

/// The next piece of a body; `None` at its end.
pub(crate) async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, BodyTrouble> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(error)) => return Err(trouble(&error)),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn trouble(error: &axum::Error) -> BodyTrouble {
    match error.source().and_then(<dyn Error>::downcast_ref) {
        Some(BodyError::TooSlow) => BodyTrouble::TooSlow,
        Some(BodyError::NoRoom) => BodyTrouble::NoRoom,
        Some(BodyError::Broken(_)) | None => BodyTrouble::Broken,
    }
}

async fn drain(mut body: Body) {
    let reading = async {
        let mut drained = 0;
        while let Ok(Some(piece)) = next_piece(&mut body).await {
            drained += piece.len();
            if drained > MOST_DRAINED {
                break;
            }
        }
    };
    // Out of time is as good as drained: the connection is closed in either case.
    let _ = timeout(LONGEST_DRAIN, reading).await;
}
