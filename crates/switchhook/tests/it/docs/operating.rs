//! What `docs/operating.md` says.

use std::time::Duration;

use switchhook_domain::attempt::ANSWER_HEAD;
use switchhook_node::amounts::{count, size, time};
use switchhook_node::settings::Settings;

use super::{Page, bytes, in_words, millis, seconds, short, word};

#[test]
fn how_long_keys_and_sessions_last_and_what_the_dashboard_shows() {
    use switchhook_dashboard::chart::MUCH;
    use switchhook_dashboard::history::SPANS;
    use switchhook_dashboard::live_updates::MOST_PAGES;
    use switchhook_dashboard::{search, session};
    use switchhook_node::callers::REMEMBERED;
    use switchhook_node::callers::uses::KEPT_EVERY;
    use switchhook_node::inspector::{MOST_BYTES, MOST_REQUESTS};
    use switchhook_node::lease::{LONGEST_UNCERTAIN, LOOK_EVERY};
    use switchhook_node::live::MOST_BEHIND;
    use switchhook_node::webhooks::OVERLAP;
    use switchhook_store::ENDED_SESSIONS_KEPT;
    use switchhook_store::session::MOST_ENDED;
    use switchhook_web::api::stream::MOST_STREAMS;

    let page = page!("docs/operating.md");
    page.says("to within {}.", &[&in_words(KEPT_EVERY)]);
    // What is left of the last second is for the check itself.
    let noticed = (REMEMBERED + LOOK_EVERY).as_secs() + 1;
    page.says(
        "stops working within {} on every node",
        &[&in_words(Duration::from_secs(noticed))],
    );
    page.says(
        "cannot reach its store for {} also",
        &[&in_words(LONGEST_UNCERTAIN)],
    );
    page.says("`--overlap` ({})", &[&short(OVERLAP)]);

    page.says("It ends after {} without use", &[&time(session::IDLE_FOR)]);
    page.says(
        "accepts a session for {} from its beginning",
        &[&time(session::IDLE_FOR)],
    );
    page.says(
        "A key's last {} sign-outs of {} are stored",
        &[&count(MOST_ENDED.into()), &time(ENDED_SESSIONS_KEPT)],
    );
    page.says(
        "keeps the last {} ({}) of each name",
        &[&MOST_REQUESTS, &bytes(MOST_BYTES)],
    );
    let [(.., shortest), .., (.., longest)] = SPANS;
    page.says(
        "Charts show {} to {}",
        &[
            &time(Duration::from_secs(shortest)),
            &time(Duration::from_secs(longest)),
        ],
    );
    page.says("more than {} times as high as 95 %", &[&word(MUCH as u64)]);
    page.says(
        "A search of payloads reads up to {} events",
        &[&count(search::MOST_LOOKED_AT as u64)],
    );
    let limits = Settings::default().company_limits;
    page.says(
        "more than {} messages behind gets a `missed`",
        &[&count(MOST_BEHIND as u64)],
    );
    page.says(
        "Up to {} readers are served at once, {} of one company",
        &[&MOST_STREAMS, &limits.streams],
    );
    page.says(
        "A node serves {} streams, {} pages and {} listeners",
        &[
            &MOST_STREAMS,
            &MOST_PAGES,
            &count(switchhook_node::listeners::MOST_CONNECTIONS as u64),
        ],
    );
}

#[test]
fn what_a_company_may_take() {
    use switchhook_node::share::{ACCEPTING_KIB, Busy, CompanyLimits, LONGEST_WAIT, MOST_EXAMINATIONS};
    use switchhook_store::MOST_PASSED;
    use switchhook_web::api::stream::ASK_AGAIN_SECONDS;

    let page = page!("docs/operating.md");
    let CompanyLimits {
        webhooks,
        subscriptions,
        websockets,
        sources,
        streams,
        reads,
    } = Settings::default().company_limits;
    for (option, limit) in [
        ("webhooks", webhooks),
        ("subscriptions", subscriptions),
        ("websockets", websockets),
        ("sources", sources),
        ("streams", streams),
        ("reads", reads),
    ] {
        page.says("| `--limit-{}` | {} |", &[&option, &limit]);
    }
    page.says("`429`, `Retry-After: {}` |", &[&ASK_AGAIN_SECONDS]);
    page.says(
        "waits up to {}, then `429`, `Retry-After: {}` |",
        &[
            &seconds(LONGEST_WAIT),
            &Busy::Reading(reads).retry_after_seconds(),
        ],
    );
    page.says(
        "one request of a company at a time, and for {} in all",
        &[&word(MOST_EXAMINATIONS as u64)],
    );
    page.says(
        "Up to {} of a company's events",
        &[&size(u64::from(ACCEPTING_KIB) << 10)],
    );
    page.says(
        "reads some {} rows for a page",
        &[&count(MOST_PASSED.unsigned_abs())],
    );
}

#[test]
fn what_clients_may_take() {
    use switchhook_http::server::body::{LONGEST_DRAIN, MOST_DRAINED};
    use switchhook_http::server::connections::capacity::YOUNG_MS;
    use switchhook_http::server::connections::counts::SAY_EVERY;
    use switchhook_http::server::limits::SPARE;
    use switchhook_http::server::{BUFFER, ConnectionLimits, MOST_BY_DEFAULT};

    let page = page!("docs/operating.md");
    let ConnectionLimits {
        max: _,
        head,
        idle,
        patience,
        hurry,
        rate,
        bodies,
    } = Settings::default().connections;
    page.says("sends no complete head | {} |", &[&seconds(head)]);
    page.says("`--idle-timeout`, {};", &[&seconds(idle)]);
    page.says(
        "at less than {} a second, or stops | {} behind that rate",
        &[&size(rate.into()), &seconds(patience)],
    );
    page.says("a head of more than {} or 100 headers", &[&bytes(BUFFER)]);
    page.says(
        "up to {} of it were read for at most {} |",
        &[&bytes(MOST_DRAINED), &seconds(LONGEST_DRAIN)],
    );
    page.says("at least half of it and at most {}", &[&count(MOST_BY_DEFAULT)]);
    page.says(
        "connected less than {} ago is not replaced",
        &[&millis(Duration::from_millis(YOUNG_MS))],
    );
    page.says("it accepts {} more", &[&SPARE]);
    page.says("The log says so at most every {}", &[&seconds(SAY_EVERY)]);
    page.says(
        "Incomplete bodies may take {} together; when half of that is used, clients may be only {} behind",
        &[&bytes(bodies), &seconds(hurry)],
    );
    page.says(
        "(for up to `--grace`, {}; a client may be {} behind)",
        &[&seconds(Settings::default().grace), &seconds(hurry)],
    );
    page.says(
        "within `--grace` and {}",
        &[&in_words(switchhook::server::STOPPING)],
    );
}

#[test]
fn what_the_store_keeps() {
    use switchhook_domain::history::MINUTES_KEPT;
    use switchhook_domain::id::SLOTS;
    use switchhook_domain::lease::Lease;
    use switchhook_domain::phone_number::MANY;
    use switchhook_node::duration::show_duration;
    use switchhook_node::gauges;
    use switchhook_node::ingest_progress;
    use switchhook_node::retention::{DISTRUST, LOOK_AGAIN_EVERY, SWEEP_EVERY, YOUNG};
    use switchhook_node::storage::RESERVE_BYTES;
    use switchhook_store::COMMIT_EVERY;
    use switchhook_store::postgres::committer::MOST_ROWS;
    use switchhook_store::postgres::connection::MAX_AGE;
    use switchhook_store::postgres::{CONNECTIONS, MOST_CONNECTIONS, listener};
    use switchhook_store::sqlite::store::LOOK_FOR_LOSS_AFTER;

    let page = page!("docs/operating.md");
    let Settings { retention, lease, .. } = Settings::default();
    let option = |age: Option<Duration>| age.map(show_duration).expect("it ends");
    page.says("`--retention {}` is the default", &[&option(retention.age)]);
    page.says(
        "by the minute for {} and by the hour for `--retention-history {}`",
        &[&time(MINUTES_KEPT), &option(retention.history)],
    );
    page.says("nothing is removed by age for {}", &[&in_words(DISTRUST)]);
    page.says(
        "within {}, or within {} if it took longer than {}",
        &[&in_words(SWEEP_EVERY), &in_words(LOOK_AGAIN_EVERY), &time(YOUNG)],
    );
    page.says("fewer than {} digits", &[&word(MANY as u64)]);
    page.says("{} of reserved space", &[&size(RESERVE_BYTES)]);

    // What is left of the last second is for what it brings into the database.
    let noticed = COMMIT_EVERY * LOOK_FOR_LOSS_AFTER;
    page.says(
        "and stops within {} with exit code 1",
        &[&in_words(Duration::from_secs(noticed.as_secs() + 1))],
    );

    page.says("off by more than a quarter of `--lease`", &[]);
    assert_eq!(Lease(lease).tolerance() * 4, lease);
    page.says("up to {} nodes", &[&SLOTS]);
    page.says(
        "takes effect on all within about {}",
        &[&in_words(listener::LOOK_EVERY)],
    );
    page.says("(`--lease`, {})", &[&seconds(lease)]);
    page.says("A connection lasts for at most {}", &[&time(MAX_AGE)]);
    page.says(
        "A node has {} connections, whatever its load, and for a moment up to {} more",
        &[
            &word(CONNECTIONS as u64),
            &word((MOST_CONNECTIONS - CONNECTIONS) as u64),
        ],
    );
    page.says(
        "must have room for {} for each node (PgBouncer: `default_pool_size = {}` for three nodes",
        &[&MOST_CONNECTIONS, &(3 * MOST_CONNECTIONS)],
    );
    page.says(
        "the order queues of the calls in it, up to {}",
        &[&count(MOST_ROWS.into())],
    );
    page.says("none was kept for {}", &[&in_words(ingest_progress::PATIENCE)]);
    page.says(
        "counted up to {} a webhook of `due` and of `later`, and about {} in all",
        &[&count(gauges::MOST_OF_WEBHOOK.into()), &count(gauges::MOST)],
    );
    page.says(
        "are measured every {}, sizes every minute",
        &[&seconds(gauges::MEASURE_EVERY)],
    );
    assert_eq!(in_words(gauges::SIZE_EVERY), "a minute");
}

#[test]
fn what_memory_a_server_needs() {
    use switchhook_http::server::body::{LARGE, ROOM_KIB};
    use switchhook_node::deliveries::search::LONGEST;
    use switchhook_node::delivery::engine::outbox;
    use switchhook_node::delivery::engine::pressure::{BUSY, LONGEST_WAIT, MOST_IN_MEMORY, MOST_UNSENT};
    use switchhook_node::delivery::http_client::connection::MAX_HEAD;
    use switchhook_node::ingest::{LARGEST_EVENT, batch};
    use switchhook_node::replay::runner::MOST_UNTRIED;
    use switchhook_store::commit::QUEUE_UNITS;

    let page = page!("docs/operating.md");
    let Settings {
        delivery,
        max_handed_over,
        max_handed_over_bytes,
        ..
    } = Settings::default();
    page.says(
        "limited twice: to {}, and to `--max-handed-over-bytes` ({})",
        &[&count(max_handed_over.into()), &size(max_handed_over_bytes)],
    );
    page.says("the usual {} attempts in flight", &[&delivery.max_in_flight]);
    page.says(
        "up to {} for requests that wait for the store's writer",
        &[&size(u64::from(QUEUE_UNITS) << 10)],
    );
    page.says(
        "{} for large events (over {}) that are arriving",
        &[&bytes(ROOM_KIB << 10), &bytes(LARGE)],
    );
    page.says(
        "{} for each batch (NDJSON) that is arriving",
        &[&bytes(batch::MOST_BYTES + LARGEST_EVENT)],
    );
    page.says(
        "{} for receivers' answers that are not stored yet",
        &[&bytes(outbox::MOST_BYTES)],
    );
    page.says(
        "up to {} for each attempt in flight",
        &[&bytes(MAX_HEAD + ANSWER_HEAD)],
    );
    page.says(
        "busy for {} tenths of the time, and {} deliveries have not been sent or {} are in memory",
        &[
            &word((BUSY * 10.0) as u64),
            &count(MOST_UNSENT.into()),
            &count(MOST_IN_MEMORY.into()),
        ],
    );
    page.says(
        "until deliveries have ended, for {} at most",
        &[&in_words(LONGEST_WAIT)],
    );
    page.says("A page that takes longer than {} ends", &[&millis(LONGEST)]);
    page.says(
        "never puts more than {} deliveries into the store",
        &[&MOST_UNTRIED],
    );
}
