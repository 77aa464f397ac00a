//! Verbs for sources. Receiving their events is `source`.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::clearance::Clearance;
use switchhook_domain::id::{CompanyId, SourceId};
use switchhook_domain::key::Right;
use switchhook_domain::source::{self, RecentRefusals, Source, SourceChange};
use switchhook_protocol::hex;
use switchhook_store::{Page, PageRequest, StoreError};

use crate::caller::{Caller, uncleared};
use crate::refusal::{Refusal, not_null, of_events, require_room};
use crate::source::retry::{RetriedRefusals, retry};
use crate::webhooks::{overlap_of, secret_of};
use crate::{Node, keys};

/// The longest name of a source, in characters.
pub const LONGEST_NAME: usize = 200;

/// Age at which a refusal no longer counts.
pub const LATELY: Duration = Duration::from_secs(24 * 60 * 60);

/// Bound on the refusals counted per source.
pub const MOST_COUNTED: u32 = 100;

/// A source to make or to change. Outer `None` was not said and leaves what is there; `Some(None)` clears.
#[derive(Debug, Default)]
pub struct SourceRequest {
    /// Display name.
    pub name: Option<Option<String>>,
    /// Kind of its events, if all are of one kind.
    pub kind: Option<Option<Kind>>,
    /// Secret with which the sender signs.
    pub secret: Option<Option<String>>,
    /// Time for which the previous secret stays valid: `24h`.
    pub overlap: Option<String>,
}

/// A source that was just made.
#[derive(Debug)]
pub struct CreatedSource {
    pub source: Source,
    /// URL with the token. Only the token's hash is stored, so it is shown this once.
    pub url: String,
}

/// Lists the company's sources, oldest first.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn list(node: &Node, caller: Caller, page: PageRequest) -> Result<Page<Source>, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.list_sources(caller.company_id, page).await?)
}

/// Shows a source.
///
/// # Errors
/// If the caller may not, or there is no such source.
pub async fn get(node: &Node, caller: Caller, id: SourceId) -> Result<Source, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.source(caller.company_id, id).await?)
}

/// Lists the requests that a source refused, newest first.
///
/// # Errors
/// If the caller may not, or there is no such source.
pub async fn list_refusals(
    node: &Node,
    caller: Caller,
    id: SourceId,
    page: PageRequest,
) -> Result<Page<source::Refusal>, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.list_refusals(caller.company_id, id, page).await?)
}

/// Lists the company's sources that refused something [`LATELY`].
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn refusing(node: &Node, caller: Caller) -> Result<Vec<RecentRefusals>, Refusal> {
    caller.require(Right::Read)?;
    Ok(refusing_of(node, caller.company_id).await?)
}

/// Sources of a company that refused something [`LATELY`], for the node itself.
pub(crate) async fn refusing_of(
    node: &Node,
    company_id: CompanyId,
) -> Result<Vec<RecentRefusals>, StoreError> {
    let since = node.clock.now().minus(LATELY);
    node.store.refusing_sources(company_id, since, MOST_COUNTED).await
}

/// Fingerprint of a source's token, by which its address is recognized: a few digits of the token's hash.
#[must_use]
pub fn fingerprint(token_hash: &[u8; 32]) -> String {
    hex(&token_hash[..8])
}

/// Makes a source: an address to give to a webhook of a real account.
///
/// # Errors
/// If the caller may not, the request lacks a name or says what cannot be, or the company has as many as it may have.
pub async fn create(node: &Node, caller: Caller, request: SourceRequest) -> Result<CreatedSource, Refusal> {
    caller.require(Right::Write)?;
    let name = request.name.flatten();
    let name =
        name.ok_or_else(|| Refusal::Required("name is required: what to call the source".to_owned()))?;
    check_name(&name)?;
    let secret = secret_of(request.secret.flatten())?;
    // There is no old secret yet; a length of time that is none is a mistake all the same.
    overlap_of(request.overlap.as_deref())?;
    let kind = request.kind.flatten().map(of_events).transpose()?;
    let company_id = caller.company_id;
    let share = node.shares.of(company_id);
    let _alone = share.change.lock().await;
    check_room(node, caller).await?;
    let (token, now) = (keys::new_secret(), node.clock.now());
    let source = Source {
        id: SourceId(node.ids.next(now)),
        company_id,
        name,
        kind,
        token_hash: keys::hash(&token),
        secret,
        old_secrets: Vec::new(),
        created_at: now,
        updated_at: now,
    };
    let source = node.store.create_source(source).await?;
    let url = format!("{}/in/{token}", node.settings.reachable_at());
    Ok(CreatedSource { source, url })
}

/// Changes a source: what the request does not say stays. A secret that is replaced still counts for the overlap.
///
/// # Errors
/// If the caller may not, or may not see everything and changes the kind; if the request says what cannot be; if there is
/// no such source.
pub async fn update(
    node: &Node,
    caller: Caller,
    id: SourceId,
    request: SourceRequest,
) -> Result<Source, Refusal> {
    caller.require(Right::Write)?;
    let name = not_null("name", request.name)?;
    name.as_deref().map_or(Ok(()), check_name)?;
    let secret = request.secret.map(secret_of).transpose()?;
    let overlap = overlap_of(request.overlap.as_deref())?;
    let kind = request.kind.map(|kind| kind.map(of_events).transpose());
    let kind = kind.transpose()?;
    if let Some(kind) = kind {
        require_clearance_for_kind(node, caller, id, kind).await?;
    }
    let now = node.clock.now();
    let change = SourceChange {
        name,
        kind,
        // No secret at all takes plain JSON: a signed event would not be asked for its old one.
        old_secret_until: matches!(secret, Some(Some(_))).then(|| now.plus(overlap)),
        secret,
    };
    let store = &node.store;
    Ok(store.update_source(caller.company_id, id, change, now).await?)
}

/// Deletes a source and answers what it was. The events that came in by it stay, what it refused goes.
///
/// # Errors
/// If the caller may not, or there is no such source.
pub async fn delete(node: &Node, caller: Caller, id: SourceId) -> Result<Source, Refusal> {
    caller.require(Right::Write)?;
    Ok(node.store.delete_source(caller.company_id, id).await?)
}

/// Judges what a source did not take again, oldest first.
///
/// # Errors
/// If the caller may not, there is no such source, or the store does not do it now.
pub async fn retry_refusals(node: &Node, caller: Caller, id: SourceId) -> Result<RetriedRefusals, Refusal> {
    caller.require(Right::Write)?;
    let source = node.store.source(caller.company_id, id).await?;
    Ok(retry(node, source).await?)
}

/// Refuses a change of the kind by callers who may not see all kinds, because the kind decides who sees the source's
/// events.
async fn require_clearance_for_kind(
    node: &Node,
    caller: Caller,
    id: SourceId,
    kind: Option<Kind>,
) -> Result<(), Refusal> {
    let source = node.store.source(caller.company_id, id).await?;
    if source.kind == kind {
        return Ok(());
    }
    let covered = caller.clearance().covers(Clearance::FULL);
    Ok(covered.map_err(|missing| uncleared(format_args!("changes of the kind of source {id}"), missing))?)
}

async fn check_room(node: &Node, caller: Caller) -> Result<(), Refusal> {
    let limit = node.shares.limits().sources;
    if limit.is_off() {
        return Ok(());
    }
    let there = node.store.count_sources(caller.company_id).await?;
    require_room(limit, there, "sources", "--limit-sources")
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if (1..=LONGEST_NAME).contains(&name.chars().count()) {
        return Ok(());
    }
    Err(Refusal::Invalid(format!(
        "name: write 1 to {LONGEST_NAME} characters, such as \"our account\""
    )))
}
