//! Signing in and out.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderValue, Uri};
use switchhook_node::{keys, sessions};

use super::signed_form::{SignedForm, read_form};
use super::site::check_site;
use super::{COOKIE_NAME, Session, to_sign_in, token};
use crate::page::{Flash, PageError, comes_securely, go, show, show_again};
use crate::{DashboardState, SharedState, assets};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    version: String,
    next: String,
    flash: Option<&'static str>,
    error: Option<String>,
}

impl SignIn {
    fn page(next: String) -> Self {
        Self {
            version: assets::version(),
            next,
            flash: None,
            error: None,
        }
    }
}

/// Asks for a key.
pub(crate) async fn ask(State(dashboard): State<SharedState>, uri: Uri) -> Response {
    if dashboard.node.settings.dashboard.open_with.is_some() {
        return Redirect::to("/dashboard/").into_response();
    }
    let pairs = || url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let value = |name: &str| {
        pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    show(&SignIn {
        flash: value("flash").and_then(|word| Flash::of(&word)),
        ..SignIn::page(own_page(value("next").as_deref()))
    })
}

/// Signs in with a key.
pub(crate) async fn sign_in(State(dashboard): State<SharedState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(error) = check_site(&parts.headers) {
        return error.into_response();
    }
    let form = match read_form(&parts.headers, body).await {
        Ok(form) => form,
        Err(error) => return error.into_response(),
    };
    let next = own_page(form.text("next"));
    let shown = form.text("key").unwrap_or_default().trim();
    let key_hash = keys::hash(shown);
    match dashboard.node.callers.find(key_hash).await {
        Ok(caller) => {
            let now = dashboard.node.clock.now();
            let key = match sessions::key(&dashboard.node, caller.key_id).await {
                Ok(Some(key)) => key,
                Ok(None) => return to_sign_in(&parts.uri),
                Err(error) => return PageError::from(error).into_response(),
            };
            let token = token::seal(&key, shown, now);
            dashboard.sessions.begin(Session::of(&token, &key, now, now));
            let mut response = Redirect::to(&next).into_response();
            response
                .headers_mut()
                .insert(SET_COOKIE, set_cookie(&dashboard, &parts, &token));
            response
        }
        Err(nobody) => show_again(&SignIn {
            error: Some(PageError::from(nobody).message),
            ..SignIn::page(next)
        }),
    }
}

/// Signs out, everywhere and for good.
pub(crate) async fn sign_out(
    State(dashboard): State<SharedState>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    if let Some(session) = viewer.session {
        sessions::end(&dashboard.node, session).await?;
        dashboard.sessions.forget(session);
    }
    let mut response = go("/dashboard/sign-in", Flash::SignedOut);
    let gone = HeaderValue::from_static(
        "switchhook_session=; Path=/dashboard; Max-Age=0; HttpOnly; SameSite=Strict",
    );
    response.headers_mut().insert(SET_COOKIE, gone);
    Ok(response)
}

fn set_cookie(dashboard: &DashboardState, parts: &Parts, token: &str) -> HeaderValue {
    let public_url = dashboard.node.settings.public_url.as_deref();
    let is_public = public_url.is_some_and(|url| url.starts_with("https://"));
    let secure = match is_public || comes_securely(&parts.extensions) {
        true => "; Secure",
        false => "",
    };
    let cookie = format!("{COOKIE_NAME}={token}; Path=/dashboard; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(cookie).expect("a token is plain text")
}

/// Destination after signing in: always a page of ours, so that a link cannot lead to another site.
fn own_page(next: Option<&str>) -> String {
    let next = next.filter(|next| next.starts_with("/dashboard/") && !next.contains(['\\', '\r', '\n']));
    next.unwrap_or("/dashboard/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_never_leads_to_another_site() {
        assert_eq!(
            own_page(Some("/dashboard/events?kind=call")),
            "/dashboard/events?kind=call"
        );
        for other in ["//evil.example", "https://evil.example", "/dashboard/\\evil", ""] {
            assert_eq!(own_page(Some(other)), "/dashboard/", "{other}");
        }
    }
}
