//! `/events/{token}`: listening at a websocket. The token in the address is the right to do so; no key is needed.
//!
//! The connection itself is `websocket/connection.rs` of the node.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::header::SEC_WEBSOCKET_VERSION;
use http::{HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use switchhook_store::LogPosition;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::SharedApi;
use super::query::{ParameterValue, Parameters, is_not, query};
use switchhook_ingress::auth::key_has_ended;
use switchhook_ingress::error::{ApiError, ErrorEnvelope};
use switchhook_node::feed;
use switchhook_node::visibility::require_unmasked;
use switchhook_node::websocket::connection::{self, LARGEST_MESSAGE, Session};
use switchhook_node::websocket::token::{self, InvalidToken};
use switchhook_protocol::headers::LABELLED;

query! {
    /// Frames of a websocket.
    ListenQuery {
        /// True if each frame says its position and the event's id.
        labelled: bool,
        /// Position to continue after; without it, only new events are sent.
        #[param(value_type = Option<String>)]
        after: LogPosition,
    }
}

impl ParameterValue for LogPosition {
    fn read(text: &str) -> Result<Self, String> {
        let position = text.parse().map(Self);
        position.map_err(|_| is_not(text, "the position of the last frame"))
    }
}

/// Opens a websocket that sends one text frame per matching event, from now on.
///
/// The frame is the event as a webhook would get it: its JSON, or a JWT if the websocket has a secret. Frames of the client
/// are ignored. The connection ends with the token's hour, or with the API key that asked for it.
///
/// Extensions: with `?labelled=true` each frame is an object `{"position", "event": {"id", "kind", "accepted_at",
/// "content_type", "body"}}`, the first one without an event; and `?after=POSITION` goes on after that position, so that
/// nothing is lost while a listener is away.
#[utoipa::path(
    get, path = "/events/{token}", tag = "websockets", operation_id = "websockets.listen",
    params(
        ("token" = String, Path, description = "Token of a `websocket_url`."),
        ListenQuery,
    ),
    responses(
        (status = 101, description = "The opened websocket."),
        (status = 401, description = "The token is unknown or has expired.", body = ErrorEnvelope),
        (status = 403, description = "The API key behind the token may not see the events unmasked.", body = ErrorEnvelope),
        (status = 426, description = "The websocket version is not 13.", body = ErrorEnvelope),
    ),
    security(()),
)]
pub(crate) async fn listen(
    State(api): State<SharedApi>,
    Path(token): Path<String>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let node = &api.node;
    let claimed = token::claimed_websocket(&token).ok_or_else(|| invalid(InvalidToken::Unknown))?;
    let websocket = node.registry.find_websocket(claimed).await?;
    let websocket = websocket.ok_or_else(|| invalid(InvalidToken::Unknown))?;
    let grant = token::check(&token, &websocket, node.clock.now()).map_err(invalid)?;
    let caller = node.leases.caller(grant.key_id).await?;
    let caller = caller.ok_or_else(key_has_ended)?;
    require_unmasked(caller, node)?;
    let ListenQuery { labelled, after } = ListenQuery::read(request.uri())?;
    let version = request.headers().get(SEC_WEBSOCKET_VERSION);
    if version.is_some_and(|version| version != "13") {
        return Err(ApiError::upgrade_required(
            "this address is a websocket of version 13: connect to it with that (Sec-WebSocket-Version)",
        ));
    }
    let mut response = create_response_with_body(&request, Body::empty).map_err(|_| {
        ApiError::invalid("this address is a websocket: connect to it as one, with GET and Upgrade")
    })?;
    let after = match after {
        Some(after) => after,
        None => feed::end(node, websocket.company_id).await?,
    };
    let session = Session {
        company_id: websocket.company_id,
        grant,
        caller,
        after,
        is_labelled: labelled == Some(true),
    };
    let node = Arc::clone(node);
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let config = WebSocketConfig::default()
                    .max_message_size(Some(LARGEST_MESSAGE))
                    .max_frame_size(Some(LARGEST_MESSAGE));
                let io = TokioIo::new(upgraded);
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
                connection::serve(node, socket, session).await;
            }
            Err(error) => tracing::debug!(%error, "a listener went before it could listen"),
        }
    });
    if session.is_labelled {
        let name = HeaderName::from_static(LABELLED);
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn invalid(error: InvalidToken) -> ApiError {
    ApiError::unauthorized("invalid", error.to_string())
}
