//! Work that would hold up the threads that accept: reading, searching or laying out many bytes. It is done elsewhere, a
//! little of it at a time.

use std::panic::resume_unwind;

use tokio::sync::{Semaphore, SemaphorePermit};

/// From how many bytes on work is done elsewhere: about as much as takes a tenth of a millisecond.
const MANY_BYTES: usize = 32 * 1024;

/// Limits the blocking tasks that run at once. More would take the processors from the threads that accept events.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Does some work on so many bytes, without holding up the caller's thread for long.
pub async fn run<T, F>(bytes: usize, work: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    if bytes < MANY_BYTES {
        return work();
    }
    let permit = AT_ONCE.acquire().await.expect("it is never closed");
    elsewhere(permit, work).await
}

/// The permit goes with the work: a caller may be gone before it ends.
async fn elsewhere<T, F>(permit: SemaphorePermit<'static>, work: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let task = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    match task.await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime is being shut down, and the caller with it.
        Err(Err(_cancelled)) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn much_is_done_on_another_thread_and_little_right_here() {
        let here = thread::current().id();
        assert_eq!(run(1, || thread::current().id()).await, here);
        assert_ne!(run(MANY_BYTES, || thread::current().id()).await, here);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_keeps_its_place_until_it_ends() {
        static OWN: Semaphore = Semaphore::const_new(1);
        let (begun, is_begun) = tokio::sync::oneshot::channel();
        let (end, ended) = std::sync::mpsc::sync_channel::<()>(1);
        let permit = OWN.acquire().await.unwrap();
        let work = tokio::spawn(elsewhere(permit, move || {
            let _ = begun.send(());
            let _ = ended.recv();
        }));
        is_begun.await.unwrap();
        work.abort();
        assert!(work.await.unwrap_err().is_cancelled());
        assert!(OWN.try_acquire().is_err());
        drop(end);
        drop(OWN.acquire().await.unwrap());
    }
}
