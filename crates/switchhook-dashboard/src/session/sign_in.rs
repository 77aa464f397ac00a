//! Signing in and out.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderValue, Uri};
use switchhook_node::keys;

use super::filled::{Filled, read_form};
use super::site::check_site;
use super::{COOKIE_NAME, Session, to_sign_in, token};
use crate::page::{Said, Trouble, comes_securely, go, show, show_again};
use crate::{Desk, SharedDesk, assets};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    version: String,
    next: String,
    said: Option<&'static str>,
    trouble: Option<String>,
}

impl SignIn {
    fn page(next: String) -> Self {
        Self {
            version: assets::version(),
            next,
            said: None,
            trouble: None,
        }
    }
}

/// Asks for a key.
pub(crate) async fn ask(State(desk): State<SharedDesk>, uri: Uri) -> Response {
    if desk.node.settings.dashboard.open_with.is_some() {
        return Redirect::to("/dashboard/").into_response();
    }
    let pairs = || url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let value = |name: &str| {
        pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    show(&SignIn {
        said: value("said").and_then(|word| Said::of(&word)),
        ..SignIn::page(own_page(value("next").as_deref()))
    })
}

/// Signs in with a key.
pub(crate) async fn sign_in(State(desk): State<SharedDesk>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(trouble) = check_site(&parts.headers) {
        return trouble.into_response();
    }
    let form = match read_form(&parts.headers, body).await {
        Ok(form) => form,
        Err(trouble) => return trouble.into_response(),
    };
    let next = own_page(form.text("next"));
    let shown = form.text("key").unwrap_or_default().trim();
    let key_hash = keys::hash(shown);
    match desk.node.callers.find(key_hash).await {
        Ok(_) => {
            let now = desk.node.clock.now();
            let key = match desk.node.store.find_key(key_hash).await {
                Ok(Some(key)) => key,
                Ok(None) => return to_sign_in(&parts.uri),
                Err(error) => return Trouble::from(error).into_response(),
            };
            let token = token::seal(&key, shown, now);
            desk.sessions.begin(Session::of(&token, &key, now, now));
            let mut response = Redirect::to(&next).into_response();
            response
                .headers_mut()
                .insert(SET_COOKIE, set_cookie(&desk, &parts, &token));
            response
        }
        Err(nobody) => show_again(&SignIn {
            trouble: Some(Trouble::from(nobody).message),
            ..SignIn::page(next)
        }),
    }
}

/// Signs out, everywhere and for good.
pub(crate) async fn sign_out(
    State(desk): State<SharedDesk>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    if let Some(session) = visitor.session {
        let now = desk.node.clock.now();
        desk.node.store.end_session(session, now).await?;
        desk.sessions.forget(session);
    }
    let mut response = go("/dashboard/sign-in", Said::SignedOut);
    let gone = HeaderValue::from_static(
        "switchhook_session=; Path=/dashboard; Max-Age=0; HttpOnly; SameSite=Strict",
    );
    response.headers_mut().insert(SET_COOKIE, gone);
    Ok(response)
}

fn set_cookie(desk: &Desk, parts: &Parts, token: &str) -> HeaderValue {
    let public_url = desk.node.settings.public_url.as_deref();
    let is_public = public_url.is_some_and(|url| url.starts_with("https://"));
    let secure = match is_public || comes_securely(&parts.extensions) {
        true => "; Secure",
        false => "",
    };
    let cookie = format!("{COOKIE_NAME}={token}; Path=/dashboard; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(cookie).expect("a token is plain text")
}

/// Where to go after signing in: a page of ours, whatever the address says.
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
