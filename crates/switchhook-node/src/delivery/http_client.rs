//! The real transport: HTTP/1.1 over TCP and TLS, on connections that are kept; HTTP/2 where nothing else is spoken.
//!
//! `resolver` looks hosts up, `connect` makes a connection to a checked address, which `dial` reaches directly or through a
//! proxy; `connection` is what it makes, and `exchange` sends one request over it. Here: which connection an
//! attempt gets and what happens to it afterwards.

mod connect;
pub mod connection;
pub mod dial;
mod echo;
mod exchange;
mod exchange_error;
pub mod failed_addresses;
mod pool;
mod proxy;
pub mod resolver;
mod tls;
pub mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, Method, Request};
use http_body_util::Full;
use switchhook_domain::attempt::{Answer, AttemptOutcome, FailureReason, Phases};
use switchhook_domain::clock::Clock;
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_protocol::{Timestamp, parse_http_date};
use tokio::time::Instant;

use self::connect::Connector;
use self::connection::Connection;
use self::exchange::{Timeouts, exchange, noted};
use self::exchange_error::ExchangeError;
use self::pool::Pool;
pub use self::resolver::{LateAddresses, ResolvedAddresses, Resolver, ResolverSettings, SystemResolver};
use self::tls::HttpVersion;
use self::token::Tokens;
use super::address_guard::AddressGuard;
use super::transport::{ConnectError, Post, PostResult, Transport};
use crate::destination::{Destination, TlsIdentity};
use switchhook_http::address::Address;
use switchhook_http::proxy::Outbound;

/// Time after which an idle connection is closed.
pub const IDLE_FOR: Duration = Duration::from_secs(20);

/// Carries POSTs over the network.
pub struct HttpTransport {
    connector: Connector,
    pool: Pool,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    defaults: DeliveryDefaults,
}

impl HttpTransport {
    /// A transport that sends where `guard` allows.
    ///
    /// # Errors
    /// If the machine's certificates or its name service cannot be used.
    pub fn new(
        guard: Arc<AddressGuard>,
        clock: Arc<dyn Clock>,
        defaults: DeliveryDefaults,
        outbound: &Outbound,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            connector: Connector::new(guard, outbound)?,
            pool: Pool::default(),
            tokens: Tokens::default(),
            clock,
            defaults,
        })
    }

    /// With another name service than the machine's.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.connector.resolver = resolver;
        self
    }

    /// Posts with a token, where one is wanted. One that was kept may have been revoked since: if the receiver does not take it,
    /// another is fetched and the same attempt goes on with that.
    async fn post_with_token(
        &self,
        post: &mut Post,
        phases: &mut Phases,
        start: Instant,
    ) -> Result<Answered, ExchangeError> {
        let Some(token) = self.token(&post.destination, start).await? else {
            return self.try_post(post, phases, start).await;
        };
        post.set_header(AUTHORIZATION, token.header.clone());
        let answered = self.try_post(post, phases, start).await?;
        if answered.answer.status != 401 {
            return Ok(answered);
        }
        self.forget_token(&post.destination, &token);
        if token.is_new {
            return Ok(answered);
        }
        match self.token(&post.destination, start).await {
            Ok(Some(other)) => {
                post.set_header(AUTHORIZATION, other.header);
                self.try_post(post, phases, start).await
            }
            _ => Ok(answered),
        }
    }

    async fn try_post(
        &self,
        post: &Post,
        phases: &mut Phases,
        start: Instant,
    ) -> Result<Answered, ExchangeError> {
        let timeouts = Timeouts {
            start,
            whole: post.destination.timeout(&self.defaults),
            head: post.destination.webhook.settings.head_timeout(&self.defaults),
        };
        let address = self.allowed_address(&post.destination)?;
        let identity = identity_of(&post.destination)?;
        if let Some(kept) = self.pool.take(&post.destination.connections) {
            match self.exchange_over(kept, address, post, phases, timeouts).await {
                // The receiver closed the kept connection just when we used it. Deliveries may repeat, so the same
                // attempt goes over a new connection rather than being lost to bad timing.
                Err(failure) if failure.nothing_came => {}
                answered => return answered,
            }
        }
        // In a box, as few attempts need the room: else each would carry along, from its first step, what a TLS handshake takes.
        Box::pin(self.post_afresh((address, identity), post, phases, timeouts)).await
    }

    /// Posts over a new connection.
    async fn post_afresh(
        &self,
        to: (&Address, Option<&TlsIdentity>),
        post: &Post,
        phases: &mut Phases,
        timeouts: Timeouts,
    ) -> Result<Answered, ExchangeError> {
        let address = to.0;
        let settings = &post.destination.webhook.settings;
        let connect_timeout = settings.connect_timeout(&self.defaults).min(timeouts.whole);
        let deadline = timeouts.deadline().min(Instant::now() + connect_timeout);
        let fresh = self
            .connector
            .connect(to, connect_timeout, deadline, phases)
            .await?;
        let may_be_http2 = fresh.may_be_http2();
        let failure = match self.exchange_over(fresh, address, post, phases, timeouts).await {
            Err(failure) if may_be_http2 && failure.is_no_http() => failure,
            answered => return answered,
        };
        // There are receivers that speak HTTP/2 alone and do not say so when they are asked for something else.
        self.connector.learn(address, HttpVersion::Http2);
        match self
            .connector
            .connect(to, connect_timeout, deadline, phases)
            .await
        {
            Ok(fresh) if fresh.is_http2() => self.exchange_over(fresh, address, post, phases, timeouts).await,
            _ => {
                self.connector.learn(address, HttpVersion::Http1);
                Err(failure)
            }
        }
    }

    /// Address of a destination, checked on every attempt because the guard may have become stricter since the
    /// webhook was created.
    fn allowed_address<'r>(&self, destination: &'r Destination) -> Result<&'r Address, ExchangeError> {
        let address = destination.address.as_ref();
        let address = address.map_err(|why| ExchangeError::new(FailureReason::BadRequest, why.clone()))?;
        self.connector.check_scheme(address)?;
        Ok(address)
    }

    async fn exchange_over(
        &self,
        mut connection: Connection,
        address: &Address,
        post: &Post,
        phases: &mut Phases,
        timeouts: Timeouts,
    ) -> Result<Answered, ExchangeError> {
        let mut retry_after = None;
        let on_head = |headers: &HeaderMap| {
            phases.first_byte = Some(timeouts.start.elapsed());
            retry_after = headers
                .get(RETRY_AFTER)
                .and_then(|value| self.wait_until(value.to_str().ok()?));
        };
        let request = connection.for_connection(request(post), address);
        let answered = exchange(&mut connection, request, timeouts, on_head).await;
        let answer = noted(answered, &connection)?;
        if answer.status == 407 && connection.is_to_proxy() {
            let words = "the proxy wants other credentials than it got (it answers 407)";
            return Err(ExchangeError::new(FailureReason::ConnectionLost, words));
        }
        if connection.is_reusable() {
            self.pool.put(&post.destination.connections, connection);
        }
        Ok(Answered { answer, retry_after })
    }

    /// Until when an answer asks us to wait: seconds or a date (RFC 9110 §10.2.3).
    fn wait_until(&self, retry_after: &str) -> Option<Timestamp> {
        match retry_after.trim().parse::<u32>() {
            Ok(seconds) => Some(self.clock.now().plus(Duration::from_secs(seconds.into()))),
            Err(_) => parse_http_date(retry_after.trim()),
        }
    }
}

/// Client certificate or extra authority of the webhook.
fn identity_of(destination: &Destination) -> Result<Option<&TlsIdentity>, ExchangeError> {
    let identity = destination.identity.as_ref().map(Option::as_ref);
    identity.map_err(|why| ExchangeError::new(FailureReason::Authentication, why.clone()))
}

/// An answer, and until when it asks us to wait.
struct Answered {
    answer: Answer,
    retry_after: Option<Timestamp>,
}

fn request(post: &Post) -> Request<Full<bytes::Bytes>> {
    let mut request = Request::new(Full::new(post.body.clone()));
    *request.method_mut() = Method::POST;
    *request.headers_mut() = post.headers();
    request
}

#[async_trait]
impl Transport for HttpTransport {
    async fn post(&self, mut post: Post) -> PostResult {
        let start = Instant::now();
        let mut phases = Phases::default();
        let tried = if token::is_wanted(&post.destination) {
            // In a box, as few attempts need the room.
            Box::pin(self.post_with_token(&mut post, &mut phases, start)).await
        } else {
            self.try_post(&post, &mut phases, start).await
        };
        phases.total = start.elapsed();
        let mut posted = match tried {
            Ok(Answered { answer, retry_after }) => {
                let outcome = AttemptOutcome::Answered {
                    status: answer.status,
                    retry_after,
                };
                PostResult {
                    outcome,
                    answer: Some(answer),
                    phases,
                }
            }
            Err(failure) => PostResult::unanswered(failure.reason, failure.detail, phases),
        };
        echo::mask_echo(&post, &mut posted);
        posted
    }

    async fn probe(&self, destination: &Destination) -> Result<Phases, ConnectError> {
        let mut phases = Phases::default();
        let connected = match self.allowed_address(destination) {
            Ok(address) => {
                let timeout = destination.webhook.settings.connect_timeout(&self.defaults);
                let deadline = Instant::now() + timeout;
                let identity = identity_of(destination);
                let connecting = async {
                    let to = (address, identity?);
                    self.connector.connect(to, timeout, deadline, &mut phases).await
                };
                match connecting.await {
                    Ok(mut connection) if address.is_tls => connection.objection().await.map_or(Ok(()), Err),
                    connected => connected.map(drop),
                }
            }
            Err(failure) => Err(failure),
        };
        connected.map(|()| phases).map_err(|failure| ConnectError {
            reason: failure.reason,
            tls: failure.tls,
            is_of_proxy: failure.is_of_proxy,
            detail: failure.detail,
        })
    }

    fn tidy_up(&self) {
        self.pool.drop_idle(Instant::now(), IDLE_FOR);
    }
}
