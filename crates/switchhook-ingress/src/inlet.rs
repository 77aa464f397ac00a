//! `POST /in/{token}`: accepting a source's events. The token in the address is the right to send; no key is needed.

use std::sync::Arc;

use axum::extract::Request;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use switchhook_http::server::read_body;
use switchhook_node::Node;
use switchhook_node::ingest::Accepted;
use switchhook_node::source::{LARGEST_REQUEST, LoadedSource, SourceCache, SourceError, SourceInput};
use switchhook_protocol::StandardHeaders;

use crate::error::ApiError;

/// Accepts an event from outside. A refused request is stored for inspection.
///
/// # Errors
/// If it is refused, or cannot be stored.
pub async fn take(
    node: &Arc<Node>,
    inlets: &SourceCache,
    token: &str,
    request: Request,
) -> Result<Accepted, ApiError> {
    let inlet = find(node, inlets, token).await?;
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let incoming = |content| SourceInput {
        content_type: header(CONTENT_TYPE.as_str()).map(str::to_owned),
        signature: StandardHeaders::read(header),
        content,
    };
    let content = match read_body(&parts.headers, body, LARGEST_REQUEST).await {
        Ok(content) => content,
        Err(trouble) => {
            let error = ApiError::unread(trouble, LARGEST_REQUEST);
            let (status, reason) = (error.status().as_u16(), error.message());
            let nothing = incoming(Bytes::new());
            inlet.keep_refusal(node, &nothing, status, reason).await;
            return Err(error);
        }
    };
    // A body may have come slowly, and the source be gone or changed since.
    let inlet = find(node, inlets, token).await?;
    match inlet.take(node, incoming(content)).await {
        Ok(accepted) => Ok(accepted),
        Err(SourceError::Refused { status, reason }) => Err(match status {
            401 => ApiError::unauthorized("invalid", reason),
            409 => ApiError::conflict(reason),
            413 => ApiError::too_large(reason),
            _ => ApiError::invalid(reason),
        }),
        Err(SourceError::NotKept(error)) => Err(error.into()),
    }
}

async fn find(node: &Node, inlets: &SourceCache, token: &str) -> Result<Arc<LoadedSource>, ApiError> {
    let inlet = inlets.find(node, token).await?;
    inlet.ok_or_else(|| {
        ApiError::not_found("there is no source with this token: `switchhook sources create` makes one")
    })
}
