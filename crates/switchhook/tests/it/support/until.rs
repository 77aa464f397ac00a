//! Waiting for something to happen, instead of for time to pass.

use std::time::Duration;

/// How often something is looked at that is to happen, and how often before it is given up.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(25);
pub(crate) const LOOKS: u32 = 2_400;

/// Asks until the answer is as wanted.
pub(crate) async fn until<F>(what: &str, ask: impl Fn() -> F)
where
    F: Future<Output = bool>,
{
    for _ in 0..LOOKS {
        if ask().await {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("{what} does not happen");
}
