//! Verbs for API keys, used by the dashboard. The text form of a key is `keys`; looking one up is `callers`.
//!
//! They are for admins only, and nobody creates a key that sees more than their own.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::clearance::Clearance;
use switchhook_domain::id::{CompanyId, KeyId};
use switchhook_domain::key::{ApiKey, Rights};
use switchhook_domain::scope::Scopes;
use switchhook_domain::secret::Secret;
use switchhook_store::{Page, PageRequest, StoreError};

use crate::caller::{Caller, uncleared};
use crate::refusal::{Refusal, require_room};
use crate::share::Limit;
use crate::{Node, keys};

/// Limit on the valid keys of a company that may be created here. Commands that work on the store directly have no
/// limit.
const MOST_KEYS: Limit = Limit::of(1_000);

/// Longest name of a key, in characters.
pub const LONGEST_NAME: usize = 200;

/// API key to create.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    pub name: String,
    /// True if it may use everything of its company.
    pub admin: bool,
    /// Rights of a key that is no admin's.
    pub rights: Rights,
    pub scopes: Scopes,
    /// After which time it stops working.
    pub expires_in: Option<Duration>,
}

/// A key that was just made, with its text, which is kept nowhere.
#[derive(Debug)]
pub struct NewKey {
    pub key: ApiKey,
    /// The key's text, which is shown once and stored nowhere.
    pub text: Secret,
}

/// The company's keys, oldest first, revoked ones included.
///
/// # Errors
/// If the caller is no admin.
pub async fn list(node: &Node, caller: Caller, page: PageRequest) -> Result<Page<ApiKey>, Refusal> {
    caller.require_admin("API keys")?;
    Ok(node.store.list_keys(Some(caller.company_id), page).await?)
}

/// Makes a key of the caller's company.
///
/// # Errors
/// If the caller is no admin, sees less than the key is to or ends before it, the name cannot be, or there are as many as may be.
pub async fn create(node: &Node, caller: Caller, request: KeyRequest) -> Result<NewKey, Refusal> {
    caller.require_admin("API keys")?;
    let name = request.name.trim();
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        return Err(Refusal::Invalid(format!(
            "name: write 1 to {LONGEST_NAME} characters that tell what the key is for"
        )));
    }
    let needed = Clearance {
        admin: request.admin,
        scopes: request.scopes,
    };
    let covered = caller.clearance().covers(needed);
    covered.map_err(|missing| uncleared("keys with these scopes", missing))?;
    let share = node.shares.of(caller.company_id);
    let _alone = share.change.lock().await;
    let now = node.clock.now();
    let expires_at = request.expires_in.map(|after| now.plus(after));
    check_end(node, caller, expires_at).await?;
    check_room(node, caller, now).await?;
    let text = keys::new_key();
    let key = ApiKey {
        id: KeyId(node.ids.next(now)),
        company_id: caller.company_id,
        name: name.to_owned(),
        hash: keys::hash(&text),
        admin: request.admin,
        rights: request.rights,
        scopes: request.scopes,
        created_at: now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    let key = node.store.create_key(key).await?;
    Ok(NewKey {
        key,
        text: Secret::new(text),
    })
}

/// The admin key with this text: the one that is there, or a new one. Only for the process that serves the store, which needs no
/// key to make one.
///
/// # Errors
/// If the store cannot be read or written.
pub async fn find_or_create_admin(
    node: &Node,
    company_id: CompanyId,
    name: &str,
    text: &str,
) -> Result<ApiKey, StoreError> {
    let (hash, now) = (keys::hash(text), node.clock.now());
    if let Some(known) = node.store.find_key(hash).await? {
        return Ok(known);
    }
    let id = KeyId(node.ids.next(now));
    let key = ApiKey::of_admin(id, company_id, name, hash, now);
    node.store.create_key(key).await
}

/// A key that ends must not live on in those that it makes.
async fn check_end(node: &Node, caller: Caller, expires_at: Option<Timestamp>) -> Result<(), Refusal> {
    let own = node.store.keys(vec![caller.key_id]).await?;
    let Some(end) = own.first().and_then(|own| own.expires_at) else {
        return Ok(());
    };
    if expires_at.is_some_and(|at| at <= end) {
        return Ok(());
    }
    Err(Refusal::Invalid(format!(
        "your key is valid until {end}, and one that it makes must not be valid for longer: have it expire before, or make \
         it with a key that lasts"
    )))
}

async fn check_room(node: &Node, caller: Caller, now: Timestamp) -> Result<(), Refusal> {
    let there = node.store.count_valid_keys(caller.company_id, now).await?;
    require_room(
        MOST_KEYS,
        there,
        "valid API keys",
        "at the server, `switchhook keys create` makes more",
    )
}

/// Revokes a key of the caller's company: every node refuses it within a second. A second time changes nothing.
///
/// # Errors
/// If the caller is no admin, there is no such key, or it is the one that the caller asks with.
pub async fn revoke(node: &Node, caller: Caller, id: KeyId) -> Result<ApiKey, Refusal> {
    caller.require_admin("API keys")?;
    let found = node.store.keys(vec![id]).await?;
    if !found.iter().any(|key| key.company_id == caller.company_id) {
        return Err(StoreError::NotFound("key").into());
    }
    if id == caller.key_id {
        return Err(Refusal::Conflict(
            "this is the key that you use: revoke it with another one, or at the server with `switchhook keys revoke`"
                .to_owned(),
        ));
    }
    Ok(node.store.revoke_key(id, node.clock.now()).await?)
}
