//! A whole server for people to look at, with keys for them.

use std::net::SocketAddr;
use std::sync::Arc;

use switchhook::server::Server;
use switchhook_dashboard::router;
use switchhook_domain::id::{CompanyId, KeyId};
use switchhook_domain::key::{ApiKey, Right};
use switchhook_node::keys;
use switchhook_node::mask::Mask;
use switchhook_node::settings::{DashboardSettings, Settings};
use tempfile::TempDir;

use crate::support::browser::Browser;
use crate::support::http::Caller;

/// Company that owns everything.
pub(super) const COMPANY: CompanyId = CompanyId(1);

/// Everything may be done with it.
pub(super) const ADMIN: &str = "shk_admin";

/// Key that may only read.
pub(super) const LOOKER: &str = "shk_looker";

/// A server with an inspector and a simulator.
pub(super) struct Fixture {
    pub(super) server: Server,
    router: axum::Router,
    _folder: TempDir,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        Self::with(DashboardSettings::default()).await
    }

    pub(super) async fn with(dashboard: DashboardSettings) -> Self {
        Self::of(Settings {
            dashboard,
            ..Settings::default()
        })
        .await
    }

    /// One that leaves that out of what it shows.
    pub(super) async fn masking(mask: Mask) -> Self {
        Self::of(Settings {
            mask,
            ..Settings::default()
        })
        .await
    }

    /// One that also posts to receivers on this machine.
    pub(super) async fn posting_here() -> Self {
        Self::of(Settings {
            hook_allow: vec!["127.0.0.0/8".parse().expect("it is a network")],
            hook_allow_http: true,
            ..Settings::default()
        })
        .await
    }

    async fn of(settings: Settings) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a store");
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            store: format!("sqlite:{}", folder.path().join("switchhook.db").display()),
            dashboard: DashboardSettings {
                inspector: true,
                simulator: true,
                ..settings.dashboard
            },
            ..settings
        };
        let server = Server::start(settings).await.expect("loopback has a free port");
        let fixture = Self {
            router: router(Arc::clone(&server.node)),
            server,
            _folder: folder,
        };
        fixture.add_key(ADMIN, |key| ApiKey { admin: true, ..key }).await;
        fixture
            .add_key(LOOKER, |key| ApiKey {
                rights: [Right::Read].into_iter().collect(),
                ..key
            })
            .await;
        fixture
    }

    /// Makes a key that may do what keys may and see everything that needs no admin, changed by `change`.
    pub(super) async fn add_key(&self, text: &str, change: impl FnOnce(ApiKey) -> ApiKey) -> KeyId {
        let node = &self.server.node;
        let now = node.clock.now();
        let id = KeyId(node.ids.next(now));
        let key = ApiKey {
            admin: false,
            ..ApiKey::of_admin(id, COMPANY, text, keys::hash(text), now)
        };
        let key = node.store.create_key(change(key)).await;
        key.expect("the key is new").id
    }

    /// The same server without a connection. Its sessions are its own.
    pub(super) fn router(&self) -> axum::Router {
        self.router.clone()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    pub(super) fn caller(&self) -> Caller {
        Caller::new(self.server.address, ADMIN)
    }

    /// Signs in by the form, as everybody does.
    pub(super) async fn sign_in(&self, browser: &Browser, key: &str) {
        browser.open(&self.url("/dashboard/")).await;
        browser.fill("#key", key).await;
        browser.click("button", "Sign in").await;
        browser
            .wait_for("signing in", "return location.pathname === '/dashboard/'")
            .await;
    }

    /// A webhook to the inspector that gets every call.
    pub(super) async fn inspected(&self, name: &str) -> String {
        let caller = self.caller();
        let body = format!(
            r#"{{"hook_url":"inspector://{name}","secret":"{}"}}"#,
            "s".repeat(40)
        );
        let webhook = caller.ask("POST", "/api/v2/webhooks", &body).await;
        let id = webhook["id"].as_str().expect("a webhook has an id").to_owned();
        let body = format!(r#"{{"endpoint_id":"{id}"}}"#);
        caller.ask("POST", "/api/v2/subscriptions/call", &body).await;
        id
    }
}
