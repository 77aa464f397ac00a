//! Measures how long the pages of the dashboard take on a large store:
//! `cargo build --release && cargo trial page_times FOLDER [EVENTS]`.
//!
//! If FOLDER has no store yet, it makes one and fills it with a simulated company's events, each delivered to one webhook,
//! refused at the first attempt and accepted at the second. The store is hard to search: one webhook got only the first
//! events, another has given up on a hundred thousand, and three kinds came only at the very beginning.
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http_body_util::{BodyExt, Full};
use switchhook_domain::attempt::{Answer, Attempt, AttemptOutcome, AttemptRequest, HeaderRecord, Phases};
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::event::EventFacts;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, IdSequence, SubscriptionId, WebhookId};
use switchhook_domain::redaction::Hidden;
use switchhook_domain::retry::Failures;
use switchhook_domain::scope::Scopes;
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::{CallFilter, CallStateSet, Endpoint, Filter, Revision, Subscription};
use switchhook_domain::webhook::Webhook;
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::Payload;
use switchhook_simulator::{Dialect, Rate, Simulation};
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{
    Claim, ClaimRequest, ClaimedDelivery, DeliveryFilter, EventFilter, EventStore, FinishedAttempt, HandOver,
    HandedOver, NewDelivery, NewEvent, PageRequest, Store, StoreOptions, SubscriptionStore, WebhookStore,
};
use tokio::sync::mpsc;
use trials::server::{Http, Server, http, new_key};

const COMPANY: CompanyId = CompanyId(1);

/// Most go here, one in ten is given up.
const BUSY: WebhookId = WebhookId(11);
/// Only the first few go here.
const RARE: WebhookId = WebhookId(12);

/// Number of events kept at a time.
const AT_ONCE: usize = 500;

/// Number of events of every kind; after them there are only calls and messages.
const EARLY: usize = 1_000;

/// Number of requests for each page.
const TIMES: usize = 9;

/// Monday, 23 November 2026, eight o'clock.
const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let folder = words
        .next()
        .context("say in which folder the store is, or should be")?;
    let count = words.next().map_or(Ok(1_000_000), |word| word.parse())?;
    let file = Path::new(&folder).join("page_times.db");
    if !file.exists() {
        std::fs::create_dir_all(&folder)?;
        fill(&file, count).await?;
    }
    let url = format!("sqlite:{}", file.display());
    let key = new_key(&url)?;
    let ids = Ids::newest(&file).await?;
    let server = Server::start(&url, &key, Path::new(&folder).join("log"), &["--inspector"]).await?;
    let reader = Reader::sign_in(&server, &key).await?;
    time_pages(&reader, &ids).await
}

/// A store being filled.
struct Filling {
    store: Arc<SqliteStore>,
    claimed: mpsc::UnboundedReceiver<HandOver>,
    ids: IdSequence,
}

async fn fill(file: &Path, count: usize) -> Result<()> {
    let store = SqliteStore::open(file, StoreOptions::owner(START))?;
    let claimed = store.take_hand_over().context("the stream was taken")?;
    let mut filling = Filling {
        store,
        claimed,
        ids: IdSequence::after(1_000),
    };
    filling.register().await?;
    let begun = now();
    // A million in three days: several times what a company of ten thousand has.
    let simulation = Simulation::builder(1, START)
        .dialect(Dialect::Observed)
        .rate(Rate::per_second(4))
        .build();
    let mut batch = Vec::with_capacity(AT_ONCE);
    let mut kept = 0;
    for event in simulation {
        let is_early = kept + batch.len() < EARLY;
        if is_early || matches!(event.kind, Kind::Call | Kind::Sms) {
            let webhook_id = if kept == 0 && batch.len() < 5 { RARE } else { BUSY };
            batch.push(filling.event(event.kind, event.body, event.at, webhook_id));
        }
        if batch.len() == AT_ONCE || kept + batch.len() == count {
            kept += batch.len();
            filling.keep(std::mem::take(&mut batch)).await?;
            if kept % 100_000 == 0 {
                println!("{kept} events after {:.0} s", begun.elapsed().as_secs_f64());
            }
        }
        if kept == count {
            break;
        }
    }
    filling.store.close().await;
    Ok(())
}

impl Filling {
    async fn register(&self) -> Result<()> {
        for (id, name) in [(BUSY, "busy"), (RARE, "rare")] {
            let webhook = Webhook::new(id, COMPANY, format!("inspector://{name}"), START)
                .with_secret(Some(Secret::new("a secret that is long enough".repeat(2))));
            self.store.create_webhook(webhook).await?;
            let subscription = Subscription {
                id: SubscriptionId(id.0 + 100),
                company_id: COMPANY,
                endpoint: Some(Endpoint::Webhook(id)),
                enabled: true,
                filter: Filter::Call(CallFilter {
                    call_states: CallStateSet::default(),
                    group_calls_only: false,
                    target: None,
                }),
                payload_filter: None,
                scopes: Scopes::ALL,
                created_at: START,
                updated_at: START,
            };
            self.store.create_subscription(subscription, None).await?;
        }
        Ok(())
    }

    fn event(&self, kind: Kind, body: String, at: Timestamp, webhook_id: WebhookId) -> NewEvent {
        let id = self.ids.reserve(at, 2).first;
        let order_key = Payload::read(kind, body.as_bytes())
            .ok()
            .and_then(|payload| EventFacts::of(&payload).order_key);
        NewEvent {
            id: EventId(id),
            company_id: COMPANY,
            kind,
            body: Bytes::from(body),
            accepted_at: at,
            order_key,
            warnings: Vec::new(),
            idempotency: None,
            deliveries: vec![NewDelivery {
                id: DeliveryId(id + 1),
                webhook_id,
                subscription_ids: vec![SubscriptionId(webhook_id.0 + 100)],
                hidden: Hidden::NOTHING,
                // A simulated hour goes by in a moment: nothing has to wait.
                is_ordered: false,
                claim_until: Some(at.plus(Duration::from_secs(30))),
            }],
            revision: Revision(2),
            concealable: Hidden::EVERYTHING,
            is_logged: false,
        }
    }

    /// Keeps events, and makes both attempts of each of their deliveries.
    async fn keep(&mut self, events: Vec<NewEvent>) -> Result<()> {
        let count = events.len();
        let last = events.last().map_or(START, |event| event.accepted_at);
        self.store.record_events(events).await?;
        let first = self.claimed(count).await?;
        let failed = first.iter().map(|claimed| attempted(claimed, 503)).collect();
        ensure!(self.store.finish_attempts(failed).await? == 0);
        let again_at = last.plus(Duration::from_secs(60));
        let request = |webhook_id| ClaimRequest {
            webhook_id,
            limit: u32::try_from(count).unwrap_or(u32::MAX),
            bytes: usize::MAX,
            only: None,
        };
        let claim = Claim {
            requests: vec![request(RARE), request(BUSY)],
            now: again_at,
            until: again_at.plus(Duration::from_secs(30)),
            expired: switchhook_store::ExpiredLeases::Claim,
        };
        self.store.claim_due_deliveries(claim).await?;
        let second = self.claimed(count).await?;
        let status = |place| if place % 10 == 0 { 410 } else { 200 };
        let ended = second.iter().enumerate();
        let ended = ended.map(|(place, claimed)| attempted(claimed, status(place)));
        ensure!(self.store.finish_attempts(ended.collect()).await? == 0);
        Ok(())
    }

    async fn claimed(&mut self, count: usize) -> Result<Vec<ClaimedDelivery>> {
        let mut claimed = Vec::with_capacity(count);
        while claimed.len() < count {
            let handed_over = self.claimed.recv().await.context("the store is closed")?;
            for item in handed_over {
                if let HandedOver::Claimed(delivery) = item {
                    claimed.push(*delivery);
                }
            }
        }
        Ok(claimed)
    }
}

/// An attempt that ended with this answer, and where that takes its delivery.
fn attempted(claimed: &ClaimedDelivery, status: u16) -> FinishedAttempt {
    let delivery = &claimed.delivery;
    let began = delivery
        .created_at
        .plus(Duration::from_secs(match delivery.attempt_number {
            1 => 0,
            _ => 60,
        }));
    let total = Duration::from_micros(4_321);
    let at = began.plus(total);
    let failures = u32::from(delivery.attempt_number > 1 || status != 200);
    let text = |text: &'static str| Cow::Borrowed(text);
    FinishedAttempt {
        delivery_id: delivery.id,
        webhook_id: delivery.webhook_id,
        attempt: Attempt {
            number: delivery.attempt_number,
            started_at: began,
            finished_at: at,
            outcome: AttemptOutcome::Answered {
                status,
                retry_after: None,
            },
            request: Some(AttemptRequest {
                url: "https://example.com/hooks/dialpad".into(),
                headers: HeaderRecord::of([
                    ("content-type", text("application/jwt")),
                    ("content-length", text("1337")),
                    ("user-agent", text("switchhook")),
                ]),
            }),
            answer: Some(Answer {
                status,
                headers: HeaderRecord::of([("content-length", text("2")), ("server", text("example"))]),
                body_head: b"ok".to_vec(),
                is_truncated: false,
                note: None,
            }),
            phases: Phases {
                total,
                ..Phases::default()
            },
        },
        state: match status {
            200 => DeliveryState::Delivered { at },
            410 => DeliveryState::Exhausted { at },
            _ => DeliveryState::Pending { due_at: at },
        },
        failures: Failures {
            answered: failures,
            ..Failures::default()
        },
        blocks_until: at,
        suspended: Duration::ZERO,
    }
}

/// What the pages of single things are asked for.
struct Ids {
    event: EventId,
    old_event: EventId,
    delivery: DeliveryId,
    /// Half of the events are older.
    middle: Timestamp,
}

impl Ids {
    async fn newest(file: &Path) -> Result<Self> {
        let store = SqliteStore::open(file, StoreOptions::owner(START))?;
        let newest = PageRequest::first(1);
        let event = store.list_events(COMPANY, EventFilter::default(), newest).await?;
        let event = event.items.first().context("the store is empty")?;
        let delivery = store
            .list_deliveries(COMPANY, DeliveryFilter::default(), newest)
            .await?;
        let delivery = delivery.items.first().context("nothing was delivered")?;
        let middle = Timestamp::from_millis(i64::midpoint(START.as_millis(), event.accepted_at.as_millis()));
        let middle_page = PageRequest {
            after: Some(switchhook_domain::id::first_id_at(middle)),
            limit: 1,
        };
        let old_event = store
            .list_events(COMPANY, EventFilter::default(), middle_page)
            .await?;
        let ids = Self {
            event: event.id,
            old_event: old_event.items.first().context("the middle is empty")?.id,
            delivery: delivery.id,
            middle,
        };
        store.close().await;
        Ok(ids)
    }
}

/// A person at the dashboard.
struct Reader<'a> {
    server: &'a Server,
    http: Http,
    cookie: String,
}

impl<'a> Reader<'a> {
    async fn sign_in(server: &'a Server, key: &str) -> Result<Self> {
        let http = http();
        let request = server
            .request("POST", "/dashboard/sign-in")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(format!("key={key}")))?;
        let response = http.request(request).await?;
        let cookie = response.headers().get(SET_COOKIE).context("the key is refused")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { server, http, cookie })
    }

    /// Time that a page takes, until its last byte is there.
    async fn time(&self, path: &str) -> Result<Duration> {
        let request = self.server.request("GET", path);
        let request = request.header(COOKIE, &self.cookie).body(Full::default())?;
        let begun = now();
        let response = self.http.request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let took = begun.elapsed();
        ensure!(
            status == StatusCode::OK,
            "{path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        Ok(took)
    }
}

async fn time_pages(reader: &Reader<'_>, ids: &Ids) -> Result<()> {
    let Ids {
        event,
        old_event,
        delivery,
        middle,
    } = ids;
    let middle_text = middle.to_string();
    let middle_text = &middle_text[..19];
    let paths = [
        "".to_owned(),
        "webhooks".to_owned(),
        format!("webhooks/{BUSY}"),
        format!("webhooks/{RARE}"),
        format!("webhooks/{BUSY}/delete"),
        "webhooks/new".to_owned(),
        "subscriptions".to_owned(),
        "subscriptions/new?kind=call".to_owned(),
        "events".to_owned(),
        "events?kind=call".to_owned(),
        "events?kind=contact".to_owned(),
        "events?state=hangup".to_owned(),
        "events?state=takeover".to_owned(),
        "events?call=1234567890".to_owned(),
        "events?number=%2B19995550199".to_owned(),
        "events?text=swordfish".to_owned(),
        format!("events?since={middle_text}"),
        format!("events?until={middle_text}"),
        format!("events?kind=contact&text=swordfish&until={middle_text}"),
        format!("events/{event}"),
        format!("events/{old_event}"),
        "deliveries".to_owned(),
        format!("deliveries?webhook={BUSY}"),
        format!("deliveries?webhook={RARE}"),
        "deliveries?state=pending".to_owned(),
        "deliveries?state=delivered".to_owned(),
        "deliveries?state=exhausted".to_owned(),
        "deliveries?state=cancelled".to_owned(),
        format!("deliveries?state=exhausted&webhook={RARE}"),
        "deliveries?kind=contact".to_owned(),
        "deliveries?outcome=accepted".to_owned(),
        "deliveries?outcome=unanswered".to_owned(),
        format!("deliveries?outcome=unanswered&webhook={BUSY}&state=exhausted"),
        format!("deliveries?since={middle_text}"),
        format!("deliveries?until={middle_text}"),
        format!("deliveries/{delivery}"),
        "replays".to_owned(),
        "replays/new".to_owned(),
        "inspector".to_owned(),
        "inspector/busy".to_owned(),
    ];
    println!("{:>9} {:>9} {:>9}  page", "first", "median", "worst");
    for path in paths {
        let path = format!("/dashboard/{path}");
        let mut times = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            times.push(reader.time(&path).await?);
        }
        let first = times[0];
        times.sort_unstable();
        let shown = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0);
        println!(
            "{:>9} {:>9} {:>9}  {path}",
            shown(first),
            shown(times[TIMES / 2]),
            shown(times[TIMES - 1]),
        );
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs the time")]
fn now() -> Instant {
    Instant::now()
}
