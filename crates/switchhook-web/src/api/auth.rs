//! Callers with a right: a handler that takes a `Writer` is not called by one who may only look.

use axum::extract::FromRequestParts;
use http::request::Parts;
use switchhook_domain::key::Right;
use switchhook_ingress::auth::authenticate;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::request_log::LoggedCompany;
pub(super) use switchhook_node::caller::Caller;

use super::SharedApi;

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident may $right:ident,)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name(pub(crate) Caller);

        impl FromRequestParts<SharedApi> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, ApiError> {
                let known = parts.extensions.get::<Caller>().copied();
                let caller = match known {
                    Some(caller) => caller,
                    None => authenticate(&api.node, &parts.headers, &parts.uri).await?,
                };
                LoggedCompany::note(&parts.extensions, caller.company_id);
                Ok(Self(caller.require(Right::$right)?))
            }
        }
    )+};
}

callers! {
    /// A caller who may look.
    Reader may Read,
    /// A caller who may change webhooks, subscriptions and deliveries.
    Writer may Write,
    /// A caller who may send events in.
    Ingester may Ingest,
}
