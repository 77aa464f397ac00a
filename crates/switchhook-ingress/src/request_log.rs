//! Counts and log lines of requests: method, route, status, time, company, and the client's address where the server knows it. No path, query, header or body: they hold tokens, keys, numbers and texts.

use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, Method, StatusCode};
use switchhook_domain::id::CompanyId;
use switchhook_http::server::Client;
use switchhook_node::telemetry::Telemetry;
use tokio::time::Instant;
use tracing::Level;

/// Log target of requests: `--log-level info,requests=info`.
pub const LOG_TARGET: &str = "requests";

/// Route of requests that no route takes.
const NOWHERE: &str = "none";

/// Company of a request, as soon as it is known; only while requests are logged.
#[derive(Debug, Clone, Default)]
pub struct LoggedCompany(Arc<OnceLock<CompanyId>>);

impl LoggedCompany {
    /// Notes the company of a request.
    pub fn note(extensions: &Extensions, company_id: CompanyId) {
        if let Some(company) = extensions.get::<Self>() {
            let _ = company.0.set(company_id);
        }
    }
}

/// A request that is being answered.
pub struct LoggedRequest {
    began: Instant,
    method: Method,
    company: Option<LoggedCompany>,
    client: Option<Client>,
}

impl LoggedRequest {
    /// Begins with a request.
    pub fn begin(method: &Method, extensions: &mut Extensions) -> Self {
        let is_logged = tracing::enabled!(target: LOG_TARGET, Level::INFO);
        let company = is_logged.then(LoggedCompany::default);
        if let Some(company) = &company {
            extensions.insert(company.clone());
        }
        Self {
            began: Instant::now(),
            method: method.clone(),
            company,
            client: extensions.get().copied(),
        }
    }

    /// Ends with the head of its answer.
    pub fn end(self, telemetry: &Telemetry, route: &str, status: StatusCode) {
        telemetry.answered(route, &self.method, status);
        let Some(company) = self.company else { return };
        let ms = self.began.elapsed().as_secs_f64() * 1_000.0;
        let company = company.0.get().map(|id| id.0);
        let client = self.client.map(|client| tracing::field::display(client.address));
        tracing::info!(
            target: LOG_TARGET,
            method = self.method.as_str(),
            route,
            status = status.as_u16(),
            ms = (ms * 10.0).round() / 10.0,
            company,
            client,
            "request"
        );
    }
}

/// Middleware of every route.
pub async fn observe(State(telemetry): State<Telemetry>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let observed = LoggedRequest::begin(&method, request.extensions_mut());
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NOWHERE, MatchedPath::as_str);
    observed.end(&telemetry, route, response.status());
    response
}
