//! Refusals, judged again: after the secret or the kind of their source was corrected, or by a newer version.

use switchhook_domain::id::RefusalId;
use switchhook_domain::source::{Refusal, Source};
use switchhook_store::{RefusalSlice, StoreError};

use super::LoadedSource;
use crate::Node;
use crate::ingest::{self, Rejected, Submission};

/// Refusals read and committed at a time.
const SLICE: RefusalSlice = RefusalSlice {
    count: 200,
    bytes: 4 << 20,
};

/// Result of judging refusals again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetriedRefusals {
    /// Number of refusals that became events.
    pub taken: u64,
    /// Number of refusals whose event had come again meanwhile.
    pub duplicates: u64,
    /// Number of refusals that stay.
    pub still_refused: u64,
}

/// Judges all refusals of a source again, oldest first. What is taken is an event as of now, and no refusal any more.
///
/// # Errors
/// If the store does not do it now. What was taken until then is taken; the rest can be judged again.
pub async fn retry(node: &Node, source: Source) -> Result<RetriedRefusals, StoreError> {
    let source_id = source.id;
    let inlet = LoadedSource::new(source, node.clock.now());
    let (mut sum, mut after) = (RetriedRefusals::default(), None);
    loop {
        let refusals = node.store.read_refusals(source_id, after, SLICE).await?;
        let Some(last) = refusals.last() else {
            return Ok(sum);
        };
        after = Some(last.id);
        let settled = take(&inlet, node, refusals, &mut sum).await?;
        node.store.forget_refusals(source_id, settled).await?;
    }
}

/// Takes what can be taken; answers which are no refusals any more.
async fn take(
    inlet: &LoadedSource,
    node: &Node,
    refusals: Vec<Refusal>,
    sum: &mut RetriedRefusals,
) -> Result<Vec<RefusalId>, StoreError> {
    let count = refusals.len() as u64;
    let (mut ids, mut submissions) = (Vec::new(), Vec::new());
    for refusal in refusals {
        // Of some only the head was kept: they were too large, or an older version refused them.
        let is_whole = refusal.body.len() == refusal.body_bytes as usize;
        if let Some(submission) = is_whole.then(|| judge_again(inlet, node, &refusal)).flatten() {
            ids.push(refusal.id);
            submissions.push(submission);
        }
    }
    let outcomes = ingest::accept_many_from_source(node, submissions).await?;
    let mut settled = Vec::with_capacity(ids.len());
    for (id, outcome) in ids.into_iter().zip(outcomes) {
        match outcome {
            Ok(accepted) if accepted.is_duplicate => sum.duplicates += 1,
            Ok(_) => sum.taken += 1,
            Err(Rejected::NotKept(error)) => return Err(error),
            Err(_) => continue,
        }
        settled.push(id);
    }
    sum.still_refused += count - settled.len() as u64;
    Ok(settled)
}

/// As of when it came: what was signed then was recent then.
fn judge_again(inlet: &LoadedSource, node: &Node, refusal: &Refusal) -> Option<Submission> {
    let signature = refusal.signature.as_ref();
    inlet
        .judge(node, &refusal.body, signature, refusal.refused_at)
        .ok()
}
