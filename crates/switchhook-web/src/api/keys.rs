//! `/v1/keys`: the API keys of a company, for its admins. `switchhook keys` works on the store itself.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::id::KeyId;
use switchhook_domain::key::{ApiKey, Rights};
use switchhook_domain::scope::Scopes;
use switchhook_node::api_keys::{self, NewKey};
use switchhook_node::keys::parse_life;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::Items;
use super::query::{PageQuery, Query};
use super::request::{Field, JsonBody, PathId};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct KeyRequest {
    /// Purpose of the key.
    #[serde(default)]
    #[schema(value_type = String, example = "crm")]
    name: Field<String>,
    /// Lets it use everything of the company.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    admin: Field<bool>,
    /// Rights of a key that is no admin's: `read`, `write` and `ingest`, separated by commas. All of them by default.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "read,write")]
    rights: Field<Rights>,
    /// Scopes, separated by commas: `change_log`, `recordings_export`, `message_content_export`,
    /// `message_content_export:all`. None by default, and none that your key lacks.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "recordings_export")]
    scopes: Field<Scopes>,
    /// After which time it stops working, at most {longest-key-life}; null or absent: never. It ends no later than your key.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "90d")]
    expires_in: Field<String>,
}

/// An API key. Only its hash is kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyAnswer {
    pub id: IdText,
    pub company_id: IdText,
    pub name: String,
    /// The key itself; only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub key: Option<String>,
    /// True if it may use everything of the company.
    pub admin: bool,
    /// Rights of a key that is no admin's.
    #[schema(value_type = String, example = "read,write,ingest")]
    pub rights: Rights,
    /// Scopes of the key.
    #[schema(value_type = String, example = "recordings_export")]
    pub scopes: Scopes,
    /// Time of creation, in unix milliseconds.
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
    /// Time of expiry; null: never.
    #[schema(value_type = Option<i64>, required)]
    pub expires_at: Option<Timestamp>,
    /// Time of revocation; null: it is not revoked.
    #[schema(value_type = Option<i64>, required)]
    pub revoked_at: Option<Timestamp>,
    /// Time of last use, to within five minutes; null: never.
    #[schema(value_type = Option<i64>, required)]
    pub last_used_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyAnswer {
    fn from(key: ApiKey) -> Self {
        Self {
            id: IdText(key.id.0),
            company_id: IdText(key.company_id.0),
            name: key.name,
            key: None,
            admin: key.admin,
            rights: key.rights,
            scopes: key.scopes,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
        }
    }
}

/// Lists the company's API keys, oldest first, revoked ones included; never the keys themselves. Needs an admin's key.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys", operation_id = "keys.list",
    params(PageQuery),
    responses((status = 200, description = "A page of keys.", body = Items<KeyAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Items<KeyAnswer>>, ApiError> {
    let page = query.ours()?;
    let page = api_keys::list(&api.node, caller, page).await?;
    Ok(Json(Items {
        items: page.items.into_iter().map(KeyAnswer::from).collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Makes an API key, which is shown this once and works at once. Needs an admin's key, and makes none that sees more or lasts longer.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys", operation_id = "keys.create",
    request_body = KeyRequest,
    responses((status = 200, description = "The key.", body = KeyAnswer)),
)]
pub(crate) async fn create(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<KeyRequest>,
) -> Result<Json<KeyAnswer>, ApiError> {
    let name = request.name.given();
    let name = name.ok_or_else(|| ApiError::required("name is required: what the key is for"))?;
    let expires_in = request.expires_in.given();
    let expires_in = expires_in.as_deref().map(parse_life).transpose();
    let admin = request.admin.given().unwrap_or_default();
    let rights = request.rights.given().filter(|_| !admin);
    let request = api_keys::KeyRequest {
        name,
        admin,
        rights: rights.unwrap_or_else(Rights::all),
        scopes: request.scopes.given().unwrap_or_default(),
        expires_in: expires_in.map_err(|error| ApiError::invalid(format!("expires_in: {error}")))?,
    };
    let NewKey { key, text } = api_keys::create(&api.node, caller, request).await?;
    Ok(Json(KeyAnswer {
        key: Some(text.expose().to_owned()),
        ..KeyAnswer::from(key)
    }))
}

/// Revokes an API key: every node refuses it within {revoked-keys-last}. A second time changes nothing. Needs an admin's key, which cannot
/// revoke itself.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "keys", operation_id = "keys.revoke",
    params(("id" = IdText, Path, description = "The key's id.")),
    responses((status = 200, description = "The key.", body = KeyAnswer)),
)]
pub(crate) async fn revoke(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<KeyId>,
) -> Result<Json<KeyAnswer>, ApiError> {
    let key = api_keys::revoke(&api.node, caller, id).await?;
    Ok(Json(KeyAnswer::from(key)))
}
