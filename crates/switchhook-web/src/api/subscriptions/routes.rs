//! The five routes of one kind of subscription, made by a macro because they differ in their types only.
//!
//! Their code is in `subscriptions.rs`. Each kind's file calls the macro once.

/// `routes!(resource, request, answer, query parameters, path, path of one, tag)`.
macro_rules! subscription_routes {
    ($resource:ident, $request:ident, $answer:ident, [$($query:ident),*], $path:literal, $path_of_one:literal, $tag:literal) => {
        use axum::Json;
        use axum::extract::State;
        use http::Uri;
        use switchhook_ingress::error::ErrorEnvelope;
        use switchhook_domain::id::SubscriptionId;

        use crate::api::SharedApi;
        use crate::api::auth::{Reader, Writer};
        use crate::api::compat::Items;
        use crate::api::query::{PageQuery, Query};
        use crate::api::request::{JsonBody, PathId};

        #[utoipa::path(
            get, path = $path, tag = $tag,
            operation_id = concat!($tag, ".list"), summary = "Lists the company's subscriptions, oldest first.",
            params(PageQuery $(, $query)*),
            responses((status = 200, description = "A page of subscriptions.", body = Items<$answer>)),
        )]
        pub(crate) async fn list(
            State(api): State<SharedApi>,
            Reader(caller): Reader,
            Query(page): Query<PageQuery>,
            uri: Uri,
        ) -> Result<Json<Items<$answer>>, ApiError> {
            super::list::<$resource>(api, caller, page, &uri).await.map(Json)
        }

        #[utoipa::path(
            post, path = $path, tag = $tag,
            operation_id = concat!($tag, ".create"), summary = "Makes a subscription.",
            description = "The subscription shows of the events what the key that creates it may see.",
            request_body = $request,
            responses(
                (status = 200, description = "The subscription.", body = $answer),
                (status = 404, description = "The company has no such webhook or websocket.", body = ErrorEnvelope),
            ),
        )]
        pub(crate) async fn create(
            State(api): State<SharedApi>,
            Writer(caller): Writer,
            JsonBody(request): JsonBody<$request>,
        ) -> Result<Json<$answer>, ApiError> {
            super::create::<$resource>(api, caller, request).await.map(Json)
        }

        #[utoipa::path(
            get, path = $path_of_one, tag = $tag,
            operation_id = concat!($tag, ".get"), summary = "Shows a subscription.",
            params(("id" = IdText, Path, description = "The subscription's id.")),
            responses((status = 200, description = "The subscription.", body = $answer)),
        )]
        pub(crate) async fn get(
            State(api): State<SharedApi>,
            Reader(caller): Reader,
            PathId(id): PathId<SubscriptionId>,
        ) -> Result<Json<$answer>, ApiError> {
            super::get::<$resource>(api, caller, id).await.map(Json)
        }

        #[utoipa::path(
            patch, path = $path_of_one, tag = $tag,
            operation_id = concat!($tag, ".update"),
            summary = "Changes a subscription: what is not sent stays, null clears.",
            description = "A subscription keeps the scopes of the key that made it. Pointing it elsewhere, letting more through and enabling it take a key that may see what it sends; any key with `write` may disable or delete it.",
            params(("id" = IdText, Path, description = "The subscription's id.")),
            request_body = $request,
            responses((status = 200, description = "The subscription.", body = $answer)),
        )]
        pub(crate) async fn update(
            State(api): State<SharedApi>,
            Writer(caller): Writer,
            PathId(id): PathId<SubscriptionId>,
            JsonBody(request): JsonBody<$request>,
        ) -> Result<Json<$answer>, ApiError> {
            super::update::<$resource>(api, caller, id, request).await.map(Json)
        }

        #[utoipa::path(
            delete, path = $path_of_one, tag = $tag,
            operation_id = concat!($tag, ".delete"), summary = "Deletes a subscription and shows it.",
            params(("id" = IdText, Path, description = "The subscription's id.")),
            responses((status = 200, description = "The deleted subscription.", body = $answer)),
        )]
        pub(crate) async fn delete(
            State(api): State<SharedApi>,
            Writer(caller): Writer,
            PathId(id): PathId<SubscriptionId>,
        ) -> Result<Json<$answer>, ApiError> {
            super::delete::<$resource>(api, caller, id).await.map(Json)
        }
    };
}

pub(super) use subscription_routes;
