//! What `docs/delivery.md` says.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::attempt::{ANSWER_HEAD, OutcomeClass};
use switchhook_node::amounts::{count, time};
use switchhook_node::settings::Settings;

use super::{Page, bytes, in_words, millis, seconds, short, word};

#[test]
fn when_attempts_are_repeated() {
    use switchhook_domain::retry::Profile;
    use switchhook_domain::retry::durable::{JITTER_PERCENT, LONGEST_AGE, LONGEST_RETRY_AFTER, SCHEDULE};

    let page = page!("docs/delivery.md");
    page.says("the first {} of the answer", &[&bytes(ANSWER_HEAD)]);
    page.says("`{}` (default)", &[&Settings::default().delivery.profile]);

    let schedule = SCHEDULE.map(|after| short(Duration::from_secs(after)));
    page.says(
        "after {}, then every {} for {}, ±{} %",
        &[
            &schedule.join(", "),
            &schedule[schedule.len() - 1],
            &time(LONGEST_AGE),
            &JITTER_PERCENT,
        ],
    );
    page.says("failure, ±{} %, instead of", &[&JITTER_PERCENT]);
    page.says("They do not count towards the {}", &[&in_words(LONGEST_AGE)]);
    page.says(
        "is paused, does not count towards the {}",
        &[&in_words(LONGEST_AGE)],
    );

    let [call, sms] = [Kind::Call, Kind::Sms].map(|kind| delays_of_dialpad(kind, OutcomeClass::Failed));
    let call: Vec<_> = call.iter().map(|delay| delay.as_secs().to_string()).collect();
    for other in [Kind::AgentStatus, Kind::Contact, Kind::Changelog] {
        let others = delays_of_dialpad(other, OutcomeClass::Failed);
        page.says(
            "| call after {} s; sms after {} to {}, {} times; others after {} to {} |",
            &[
                &call.join(", "),
                &short(sms[0]),
                &short(sms[sms.len() - 1]),
                &word(sms.len() as u64),
                &others[0].as_secs_f64(),
                &seconds(others[others.len() - 1]),
            ],
        );
    }
    page.says("no answer, twice and at once", &[]);
    assert_eq!(
        delays_of_dialpad(Kind::Call, OutcomeClass::Unanswered),
        [Duration::ZERO; 2]
    );
    page.says(
        "| `Retry-After` | honoured up to {} | ignored |",
        &[&short(LONGEST_RETRY_AFTER)],
    );
    page.says(
        "| timeout of an attempt | {} | {} |",
        &[
            &seconds(Profile::Durable.timeout()),
            &seconds(Profile::Dialpad.timeout()),
        ],
    );
}

/// The delays after the first, second, … attempt that ends so.
fn delays_of_dialpad(kind: Kind, class: OutcomeClass) -> Vec<Duration> {
    use switchhook_domain::retry::{Failures, Jitter, Profile, RetryContext, RetryPolicy};

    let policy = RetryPolicy {
        profile: Profile::Dialpad,
        kind,
        schedule: &[],
    };
    let delay = |nth| {
        let failures = Failures {
            answered: nth,
            unanswered: nth,
        };
        let context = RetryContext {
            failures,
            ..RetryContext::default()
        };
        policy.delay_after(class, context, Jitter::NONE)
    };
    (1..).map_while(delay).collect()
}

#[test]
fn when_a_receiver_counts_as_failing() {
    use switchhook_domain::breaker::{FIRST_PROBE, LONGEST_PROBE, OPENS_AFTER};
    use switchhook_domain::outage::{FAILURES, LASTING, SILENT};
    use switchhook_domain::webhook::CONNECT_TIMEOUT;
    use switchhook_node::delivery::http_client::token::MARGIN;
    use switchhook_node::health::{MOST_COUNTED, MOST_COUNTED_OF_EACH};
    use switchhook_store::outage::MOST_KEPT;

    let page = page!("docs/delivery.md");
    let defaults = Settings::default().delivery;
    page.says("attempts at once ({})", &[&defaults.max_in_flight]);
    page.says(
        "time until the connection stands ({})",
        &[&seconds(CONNECT_TIMEOUT)],
    );
    page.says("kept until {} before it expires", &[&seconds(MARGIN)]);
    page.says(
        "at least {}, over {}; on a single node also one that no attempt has followed for {} |",
        &[&word(FAILURES.into()), &seconds(LASTING), &seconds(SILENT)],
    );
    page.says("{} attempts in succession failed", &[&word(OPENS_AFTER.into())]);
    page.says(
        "counted up to {}, in lists up to {}",
        &[&count(MOST_COUNTED.into()), &count(MOST_COUNTED_OF_EACH.into())],
    );
    page.says(
        "Outages are kept in the store, up to {} for each webhook",
        &[&count(MOST_KEPT.into())],
    );
    page.says(
        "after {} at first, then after twice as long each time, up to {}",
        &[&seconds(FIRST_PROBE), &time(LONGEST_PROBE)],
    );
}

#[test]
fn how_connections_are_made() {
    use switchhook_node::delivery::http_client::IDLE_FOR;
    use switchhook_node::delivery::http_client::connection::MAX_HEAD;
    use switchhook_node::delivery::http_client::dial::{HEAD_START, HEAD_START_THROUGH_PROXY};
    use switchhook_node::delivery::http_client::failed_addresses::{ADDRESSES_TRIED, REMEMBERED_FOR};
    use switchhook_node::delivery::http_client::resolver::{
        BELIEVED_FOR, DISBELIEVED_FOR, LOOK_EVERY, RESOLUTION_DELAY,
    };

    let page = page!("docs/delivery.md");
    page.says(
        "the next address is tried {} later ({} through a proxy)",
        &[&millis(HEAD_START), &seconds(HEAD_START_THROUGH_PROXY)],
    );
    page.says("come last for {}", &[&in_words(REMEMBERED_FOR)]);
    page.says("At most {} addresses are tried", &[&word(ADDRESSES_TRIED as u64)]);
    page.says(
        "The connection begins {} after the first answer",
        &[&millis(RESOLUTION_DELAY)],
    );
    page.says(
        "cached for their lifetime, at most {} ({} if the name does not exist)",
        &[&time(BELIEVED_FOR), &seconds(DISBELIEVED_FOR)],
    );
    page.says("take effect within {}", &[&in_words(LOOK_EVERY)]);
    page.says(
        "An idle connection is kept for {}, and a connection for at most `--hook-connection-age` ({})",
        &[
            &seconds(IDLE_FOR),
            &seconds(Settings::default().outbound.connection_age),
        ],
    );
    page.says("100 of them or more than {}", &[&bytes(MAX_HEAD)]);
    page.says(
        "read up to {} of head and {} of body",
        &[&bytes(MAX_HEAD), &bytes(ANSWER_HEAD)],
    );
}
