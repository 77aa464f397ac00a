//! Reading bodies: within a bound, and kindly to clients that send too much. For how long a client is waited for is decided
//! by `connection.rs`.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::coding::Coding;
use super::exchange::BodyStreamError;

/// Bytes of a too large body that are read and thrown away, so that its sender gets to read the answer.
pub const MOST_DRAINED: usize = 16 * 1024 * 1024;

/// Time limit for that.
pub const LONGEST_DRAIN: Duration = Duration::from_secs(5);

/// A body of more bytes is large.
pub const LARGE: usize = 64 * 1024;

/// KiB of large bodies in memory, until their events are stored or handed over. Further senders wait.
static ROOM: Semaphore = Semaphore::const_new(ROOM_KIB);
pub const ROOM_KIB: usize = 64 * 1024;

/// Reason for which a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyReadError {
    /// It is larger than asked for.
    TooLarge,
    /// It came too slowly.
    TooSlow,
    /// There are too many others that are not complete.
    NoRoom,
    /// It ended in the middle, or was no HTTP.
    Broken,
    /// It is packed in a way that is not known here.
    UnknownCoding,
    /// It is not packed as its headers say.
    BrokenCoding,
}

/// Reads a body of at most `limit` bytes, unpacked ones too; without a copy if it came in one piece.
///
/// One that is too large is read on for a while, so that a client that sends first and listens afterwards can read why.
pub async fn read_body(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, BodyReadError> {
    match Coding::of(headers) {
        Ok(Coding::None) => read_as_it_comes(headers, body, limit).await,
        Ok(coding) => {
            let packed = read_as_it_comes(headers, body, limit).await?;
            let room = room(limit).await;
            Ok(held(coding.unpack(packed, limit)?, room))
        }
        Err(trouble) => {
            if !headers.contains_key(EXPECT) {
                drain(body).await;
            }
            Err(trouble)
        }
    }
}

/// True if the headers say that the body is compressed.
pub fn is_packed(headers: &HeaderMap) -> bool {
    Coding::of(headers) != Ok(Coding::None)
}

async fn read_as_it_comes(headers: &HeaderMap, mut body: Body, limit: usize) -> Result<Bytes, BodyReadError> {
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        // Who asks before sending needs no rest read.
        if !headers.contains_key(EXPECT) {
            drain(body).await;
        }
        return Err(BodyReadError::TooLarge);
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
    let announced = usize::try_from(announced).unwrap_or(limit);
    let most = body.size_hint().upper().map_or(limit, |_| announced);
    let room = room(most).await;
    let mut whole = BytesMut::with_capacity(announced.max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while whole.len() <= limit {
        match next_piece(&mut body).await? {
            Some(piece) => whole.extend_from_slice(&piece),
            None => return Ok(held(whole.freeze(), room)),
        }
    }
    drain(body).await;
    Err(BodyReadError::TooLarge)
}

/// Room for a body of so many bytes, if it is large.
async fn room(bytes: usize) -> Option<SemaphorePermit<'static>> {
    if bytes <= LARGE {
        return None;
    }
    let kib = u32::try_from((bytes / 1024).min(ROOM_KIB)).expect("it is no more than there is");
    Some(ROOM.acquire_many(kib).await.expect("it is never closed"))
}

/// The same bytes, which give their room back when nobody has them any more.
fn held(bytes: Bytes, room: Option<SemaphorePermit<'static>>) -> Bytes {
    struct BufferedBytes(
        Bytes,
        #[expect(dead_code, reason = "it is there to be dropped")] SemaphorePermit<'static>,
    );
    impl AsRef<[u8]> for BufferedBytes {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    match room {
        Some(room) => Bytes::from_owner(BufferedBytes(bytes, room)),
        None => bytes,
    }
}

fn within(bytes: Bytes, limit: usize) -> Result<Bytes, BodyReadError> {
    if bytes.len() > limit {
        Err(BodyReadError::TooLarge)
    } else {
        Ok(bytes)
    }
}

/// The next piece of a body; `None` at its end.
pub async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, BodyReadError> {
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

fn trouble(error: &axum::Error) -> BodyReadError {
    match error.source().and_then(<dyn Error>::downcast_ref) {
        Some(BodyStreamError::TooSlow) => BodyReadError::TooSlow,
        Some(BodyStreamError::NoRoom) => BodyReadError::NoRoom,
        Some(BodyStreamError::Broken(_)) | None => BodyReadError::Broken,
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

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, stream};

    use super::*;

    /// A body in two pieces, whose length is not announced.
    fn body(size: usize) -> Body {
        let pieces = [vec![b' '; size / 2], vec![b' '; size - size / 2]];
        let pieces = pieces.map(|piece| Ok::<_, std::convert::Infallible>(Bytes::from(piece)));
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn large_bodies_wait_while_too_many_are_in_memory_and_small_ones_do_not() {
        const MIB: usize = 1 << 20;
        let read = |size| async move {
            let read = read_body(&HeaderMap::new(), body(size), 2 * MIB).await;
            read.unwrap()
        };
        let mut held = Vec::new();
        while let Some(body) = read(MIB).now_or_never() {
            held.push(body);
        }
        // Each counts as what it may be.
        assert_eq!(held.len(), ROOM_KIB / 2048);
        let small = Body::from(vec![b' '; LARGE]);
        assert!(
            read_body(&HeaderMap::new(), small, 2 * MIB)
                .now_or_never()
                .is_some()
        );
        let progress = held.pop().map(|body| body.slice(..1));
        assert!(read(MIB).now_or_never().is_none(), "somebody still has it");
        drop(progress);
        assert!(read(MIB).now_or_never().is_some());
    }
}
