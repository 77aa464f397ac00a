//! Consumers: readers of the feed whose places the server keeps. What one has acknowledged it never gets again, on any node
//! and after any restart, unless somebody puts it back.

use switchhook_domain::Timestamp;
use switchhook_domain::id::first_id_at;
use switchhook_domain::key::Right;
use switchhook_store::{Consumer, ConsumerMove, LogPosition};

use super::{FeedPage, FeedRequest, Start, open, place_of};
use crate::Node;
use crate::caller::Caller;
use crate::refusal::Refusal;

/// The most consumers of a company.
pub const MOST_CONSUMERS: u32 = 1_000;

pub const LONGEST_NAME: usize = 64;

/// Makes a consumer that begins there, unless there is one by that name: that stays where it is. Answers it, and whether it was
/// made.
///
/// # Errors
/// If the caller may not, the name cannot be, or the company has as many as it may have.
pub async fn put(node: &Node, caller: Caller, name: &str, start: Start) -> Result<(Consumer, bool), Refusal> {
    caller.require(Right::Write)?;
    check_name(name)?;
    let company_id = caller.company_id;
    open(node, company_id).await?;
    let position = place_of(node, company_id, start).await?;
    check_place(node, caller, position).await?;
    let now = node.clock.now();
    let consumer = Consumer {
        company_id,
        name: name.to_owned(),
        position,
        created_at: now,
        updated_at: now,
    };
    Ok(node.store.create_consumer(consumer, MOST_CONSUMERS).await?)
}

/// The company's consumers, by name.
///
/// # Errors
/// If the caller may not.
pub async fn list(node: &Node, caller: Caller) -> Result<Vec<Consumer>, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.list_consumers(caller.company_id).await?)
}

/// One of them.
///
/// # Errors
/// If the caller may not, or there is none by that name.
pub async fn get(node: &Node, caller: Caller, name: &str) -> Result<Consumer, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.consumer(caller.company_id, name.to_owned()).await?)
}

/// Reads the feed from where a consumer is. It stays there until somebody acknowledges.
///
/// # Errors
/// As [`super::read`]; if there is no such consumer.
pub async fn read(
    node: &Node,
    caller: Caller,
    name: &str,
    request: FeedRequest,
) -> Result<FeedPage, Refusal> {
    let consumer = get(node, caller, name).await?;
    let start = Start::After(consumer.position);
    super::read(node, caller, FeedRequest { start, ..request }).await
}

/// Acknowledges everything up to a place. What was acknowledged before stays so.
///
/// # Errors
/// If the caller may not, the place is beyond the end of the log, or there is no such consumer.
pub async fn acknowledge(
    node: &Node,
    caller: Caller,
    name: &str,
    position: LogPosition,
) -> Result<Consumer, Refusal> {
    caller.require(Right::Write)?;
    check_place(node, caller, position).await?;
    let (company_id, now) = (caller.company_id, node.clock.now());
    Ok(node
        .store
        .move_consumer(
            company_id,
            name.to_owned(),
            ConsumerMove::Acknowledged(position),
            now,
        )
        .await?)
}

/// Puts a consumer anywhere, back too.
///
/// # Errors
/// As [`acknowledge`].
pub async fn seek(node: &Node, caller: Caller, name: &str, start: Start) -> Result<Consumer, Refusal> {
    caller.require(Right::Write)?;
    let company_id = caller.company_id;
    let position = place_of(node, company_id, start).await?;
    check_place(node, caller, position).await?;
    let now = node.clock.now();
    Ok(node
        .store
        .move_consumer(company_id, name.to_owned(), ConsumerMove::Seeked(position), now)
        .await?)
}

/// Forgets a consumer.
///
/// # Errors
/// If the caller may not, or there is none by that name.
pub async fn delete(node: &Node, caller: Caller, name: &str) -> Result<Consumer, Refusal> {
    caller.require(Right::Write)?;
    Ok(node
        .store
        .delete_consumer(caller.company_id, name.to_owned())
        .await?)
}

/// Position from which everything accepted since `at` follows. A few earlier events may be included.
#[must_use]
pub fn place_at(at: Timestamp) -> Start {
    Start::After(LogPosition((first_id_at(at) - 1).max(0)))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
        return Err(Refusal::Invalid(format!(
            "name: a consumer's name has 1 to {LONGEST_NAME} letters, digits, `.`, `_` and `-`"
        )));
    }
    Ok(())
}

/// Refuses positions beyond the end, which would skip events to come.
async fn check_place(node: &Node, caller: Caller, position: LogPosition) -> Result<(), Refusal> {
    let end = super::end(node, caller.company_id).await?;
    let now = LogPosition(first_id_at(node.clock.now()));
    if position > end.max(now) || position.0 < 0 {
        return Err(Refusal::Conflict(
            "cursor: it is beyond the end of the feed: send one that the feed answered".to_owned(),
        ));
    }
    Ok(())
}
