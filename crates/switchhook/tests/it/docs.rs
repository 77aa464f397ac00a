//! The limits, times and defaults that the pages for people speak of are those that hold: each sentence is made from the constant.

macro_rules! page {
    ($path:literal) => {
        Page {
            name: $path,
            words: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $path))
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        }
    };
}

mod delivery;
mod operating;

use std::fmt::Display;
use std::time::Duration;

use clap::Command;
use switchhook_node::amounts::{count, size, time};
use switchhook_node::settings::Settings;

/// A page, its words with single spaces between them: where lines break does not matter.
struct Page {
    name: &'static str,
    words: String,
}

impl Page {
    /// The page has this sentence, with the values in place of each `{}`.
    #[track_caller]
    fn says(&self, sentence: &str, values: &[&dyn Display]) {
        let parts: Vec<_> = sentence.split("{}").collect();
        assert_eq!(
            parts.len(),
            values.len() + 1,
            "a value for each place: {sentence}"
        );
        let mut text = parts[0].to_owned();
        for (value, part) in values.iter().zip(&parts[1..]) {
            text += &format!("{value}{part}");
        }
        let is_said = self.words.match_indices(&text).any(|(at, _)| {
            let (before, after) = (&self.words[..at], &self.words[at + text.len()..]);
            is_apart(before, after)
        });
        assert!(is_said, "{} does not say: {text}", self.name);
    }
}

/// What stands between them is no part of a longer number or word: `1,000` is not said by `11,000`, nor `1` by `1,000`.
fn is_apart(before: &str, after: &str) -> bool {
    let begins = !before.ends_with(|letter: char| letter.is_alphanumeric() || ",.".contains(letter));
    let mut after = after.chars();
    let ends = match after.next() {
        Some(',' | '.') => !after.next().is_some_and(|letter| letter.is_ascii_digit()),
        next => !next.is_some_and(char::is_alphanumeric),
    };
    begins && ends
}

fn bytes(number: usize) -> String {
    size(number as u64)
}

/// `15 s`
fn seconds(length: Duration) -> String {
    format!("{} s", length.as_secs_f64())
}

/// `250 ms`
fn millis(length: Duration) -> String {
    format!("{} ms", length.as_millis())
}

/// `2 min`
fn short(length: Duration) -> String {
    let text = time(length);
    let (number, unit) = text.split_once(' ').expect("a number and its unit");
    match unit.trim_end_matches('s') {
        "hour" => format!("{number} h"),
        "minute" => format!("{number} min"),
        _ => seconds(length),
    }
}

/// `two`
fn word(number: u64) -> String {
    const WORDS: [&str; 13] = [
        "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    let word = usize::try_from(number).ok().and_then(|number| WORDS.get(number));
    word.map_or_else(|| count(number), ToString::to_string)
}

/// `five minutes`, `an hour`
fn in_words(length: Duration) -> String {
    let text = time(length);
    let (number, unit) = text.split_once(' ').expect("a number and its unit");
    match (number, unit) {
        ("1", "hour") => "an hour".to_owned(),
        ("1", _) => format!("a {unit}"),
        (number, _) => match number.parse() {
            Ok(number) => format!("{} {unit}", word(number)),
            Err(_) => text,
        },
    }
}

/// What a command does without the option.
#[track_caller]
fn default_of(command: &[&str], option: &str) -> String {
    let all = switchhook::cli::command();
    let command = command.iter().fold(&all, |command: &Command, name| {
        command.find_subcommand(name).expect("there is this command")
    });
    let option = command
        .get_arguments()
        .find(|other| other.get_long() == Some(option));
    let defaults = option.expect("it has this option").get_default_values();
    defaults[0].to_str().expect("a text").to_owned()
}

#[test]
fn architecture_says_for_how_long_order_blocks() {
    page!("docs/ARCHITECTURE.md").says(
        "for at most {} after its acceptance",
        &[&time(switchhook_domain::order::LONGEST_BLOCK)],
    );
}

#[test]
fn connecting_says_what_sources_listeners_and_feeds_bear() {
    use switchhook_domain::source::RefusalBounds;
    use switchhook_node::feed::{EARLIER_EVENTS, LONGEST_WAIT};
    use switchhook_node::listeners::MOST_CONNECTIONS;
    use switchhook_node::source::LARGEST_REQUEST;
    use switchhook_node::websocket::connection::{LARGEST_MESSAGE, LONGEST_SEND, LONGEST_SILENCE};
    use switchhook_node::websocket::token::LASTS;

    let page = page!("docs/connecting.md");
    page.says(
        "are, at most {} ago",
        &[&in_words(switchhook_protocol::STANDARD_TOLERANCE)],
    );
    let refusals = RefusalBounds::DEFAULT;
    page.says(
        "for {} and up to the newest {} of each",
        &[&time(refusals.age), &size(refusals.bytes)],
    );
    page.says(
        "larger than {} MB,",
        &[&format!("{:.1}", LARGEST_REQUEST as f64 / 1e6)],
    );
    let (first, longest) = switchhook::cli::listen::RETRY_DELAYS;
    page.says(
        "connects again after {}, then after twice as long each time, up to {}",
        &[&millis(first), &seconds(longest)],
    );
    page.says("1009 after more than {}", &[&bytes(LARGEST_MESSAGE)]);
    page.says(
        "A URL and a connection made with it last for {}",
        &[&in_words(LASTS)],
    );
    page.says(
        "takes nothing for {} or does not answer a ping for {}",
        &[&seconds(LONGEST_SEND), &seconds(LONGEST_SILENCE)],
    );
    page.says(
        "A node serves up to {} connections",
        &[&count(MOST_CONNECTIONS as u64)],
    );
    page.says("`wait` (up to {})", &[&seconds(LONGEST_WAIT)]);
    page.says(
        "the last {} events are in it then",
        &[&count(EARLIER_EVENTS.into())],
    );
}

#[test]
fn filters_says_how_large_one_may_be() {
    use switchhook_domain::filter::{MOST_BYTES, MOST_CLAUSES, MOST_DEPTH};
    use switchhook_node::events::MOST_TRIED;

    let page = page!("docs/filters.md");
    page.says("on the last {} events; changes nothing", &[&MOST_TRIED]);
    page.says("which of the last {} events", &[&MOST_TRIED]);
    page.says(
        "at most {}, {} conditions and {} levels",
        &[&bytes(MOST_BYTES), &MOST_CLAUSES, &MOST_DEPTH],
    );
}

#[test]
fn installing_says_what_it_takes() {
    let rust = format!(
        "with Rust {} or newer and a C compiler",
        env!("CARGO_PKG_RUST_VERSION")
    );
    let install = page!("docs/install.md");
    install.says(&rust, &[]);
    install.says(
        "shorter than `--idle-timeout` ({})",
        &[&seconds(Settings::default().connections.idle)],
    );
    let readme = page!("README.md");
    readme.says(&rust, &[]);
    let timeout = switchhook_node::duration::parse_duration(&default_of(&["dev"], "timeout"));
    readme.says(
        "with 1 if it accepts none for {}",
        &[&time(timeout.expect("a length of time"))],
    );
}

#[test]
fn notifications_says_what_is_told_and_when() {
    use switchhook_domain::notification::NotificationKind::{
        self, KeyExpiring, SourceRefusing, SourceSilent, WebhookDisabled,
    };
    use switchhook_domain::notification::{
        MOST_ATTEMPTS, MOST_CHANNELS, MOST_RECIPIENTS, WRONG_FOR, delay_after,
    };
    use switchhook_node::notification::watch::{EXPIRES_WITHIN, NOTIFIED_AFTER};
    use switchhook_node::notification::{MailTls, command};
    use switchhook_node::retention::NOTIFICATIONS_LAST;

    let page = page!("docs/notifications.md");
    page.says("an API key expires within {}", &[&time(EXPIRES_WITHIN)]);
    page.says(
        "a delivery has been due for more than {}, not counting",
        &[&time(NOTIFIED_AFTER)],
    );

    let exceptions = [KeyExpiring, SourceRefusing, SourceSilent, WebhookDisabled];
    let rule = NotificationKind::ALL
        .into_iter()
        .filter(|kind| !exceptions.contains(kind));
    for kind in rule {
        page.says(
            "for a quiet time: {}, for `{}` {}, for `{}` none",
            &[
                &time(kind.quiet_time().expect("it is said again")),
                &SourceRefusing,
                &in_words(SourceRefusing.quiet_time().expect("it is said again")),
                &WebhookDisabled,
            ],
        );
    }
    assert_eq!(WebhookDisabled.quiet_time(), Some(Duration::ZERO));
    page.says("`{}` and `{}` are sent once", &[&SourceSilent, &KeyExpiring]);
    assert_eq!(
        (SourceSilent.quiet_time(), KeyExpiring.quiet_time()),
        (None, None)
    );
    page.says("its quiet time ends after {}", &[&time(WRONG_FOR)]);

    page.says("A company can have {} channels", &[&MOST_CHANNELS]);
    page.says("or up to {}", &[&MOST_RECIPIENTS]);
    let delays: Vec<_> = (1..).map_while(delay_after).collect();
    page.says(
        "tried again after {}, then after twice as long each time, up to {}, {} times in about three and a half \
         hours",
        &[
            &time(delays[0]),
            &in_words(delays[delays.len() - 1]),
            &MOST_ATTEMPTS,
        ],
    );
    let in_all: Duration = delays.iter().sum();
    assert!(in_all.abs_diff(Duration::from_secs(7 * 30 * 60)) < Duration::from_secs(15 * 60));
    page.says("shows for {} what was told", &[&time(NOTIFICATIONS_LAST)]);

    for (tls, place) in [
        (MailTls::StartTls, "by STARTTLS"),
        (MailTls::Implicit, "from the start"),
        (MailTls::Without, "on the same machine"),
    ] {
        page.says("{} (port {})", &[&place, &tls.usual_port()]);
    }
    page.says("is killed after {}", &[&time(command::TIMEOUT)]);
}

#[test]
fn receiving_says_what_receivers_bear_and_remember() {
    use switchhook_protocol::{MAX_TOKEN_BYTES, RepeatKey, STANDARD_TOLERANCE};
    use switchhook_receiver::{Bounds, Handlers, Journal, Labels, Likeness};

    let page = page!("docs/receiving.md");
    page.says("identical bytes within {}", &[&in_words(RepeatKey::BRIEF)]);
    page.says("and at most {} seconds apart", &[&Likeness::WITHIN.as_secs()]);
    page.says("| larger than {} | 413 |", &[&bytes(MAX_TOKEN_BYTES)]);
    page.says(
        "takes longer than {} (`Handlers::patience`)",
        &[&in_words(Handlers::PATIENCE)],
    );
    let vectors = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../packages/vectors.json"
    ));
    let vectors: serde_json::Value = serde_json::from_str(vectors).expect("they are JSON");
    let vectors = vectors["vectors"].as_array().expect("there are some");
    page.says("has {} requests", &[&vectors.len()]);
    page.says("refuses requests older than {}", &[&in_words(STANDARD_TOLERANCE)]);
    let Bounds { events, age } = Bounds::default();
    page.says(
        "reads the last {} and remembers the last {} events of the last {}",
        &[&size(Journal::READ_BACK), &count(events as u64), &in_words(age)],
    );
    page.says("at most {}, the first", &[&Labels::MAX_ID_BYTES]);
    page.says(
        "`--exec-timeout` ({})",
        &[&spaced(&default_of(&["receive"], "exec-timeout"))],
    );
    page.says(
        "`--exec-at-once` ({})",
        &[&default_of(&["receive"], "exec-at-once")],
    );
}

/// `10 s` of an option's `10s`.
fn spaced(length: &str) -> String {
    seconds(switchhook_node::duration::parse_duration(length).expect("a length of time"))
}

#[test]
fn scaling_says_how_many_connections_a_node_has() {
    let most = switchhook_store::postgres::MOST_CONNECTIONS;
    page!("docs/scaling.md").says("a node has at most {}", &[&word(most as u64)]);
}

#[test]
fn simulating_says_what_faults_do() {
    use switchhook_protocol::CallState;
    use switchhook_simulator::Fault;

    let page = page!("docs/simulate.md");
    page.says(
        "comes again within {} s, with the same bytes",
        &[&(Fault::DUPLICATE_WITHIN_MS / 1_000)],
    );
    let (shortest, longest) = Fault::DELAY_MS.into_inner();
    page.says(
        "comes {} to {} s late",
        &[&(shortest / 1_000), &(longest / 1_000)],
    );
    page.says(
        "nothing comes for {} s, then everything at once",
        &[&(Fault::BURST_MS / 1_000)],
    );
    let states = CallState::ALL.into_iter().filter(|state| state.is_in_contract());
    page.says("calls have its {} states", &[&states.count()]);
    page.says(
        "within `--within` ({})",
        &[&spaced(&default_of(&["simulate"], "within"))],
    );
    let in_flight = default_of(&["simulate"], "in-flight").parse();
    page.says(
        "Up to {} requests are open at once (`--in-flight`)",
        &[&word(in_flight.expect("a number"))],
    );
    page.says(
        "A receiver has {} to answer (`--timeout`)",
        &[&spaced(&default_of(&["simulate"], "timeout"))],
    );
}

#[test]
fn templates_says_what_bounds_them() {
    use switchhook_domain::template::header::LONGEST_VALUE;
    use switchhook_domain::template::{LARGEST_OUTPUT, LONGEST_TEMPLATE, Template};
    use switchhook_domain::webhook::MOST_EVENT_HEADERS;
    use switchhook_node::templates::{LONGEST, MOST_MEMORY, REST};

    let page = page!("docs/templates.md");
    let least = Template::most_made_of(0);
    page.says(
        "a template has at most {}, makes at most {} and twice the event's size (up to {})",
        &[&bytes(LONGEST_TEMPLATE), &bytes(least), &bytes(LARGEST_OUTPUT)],
    );
    assert_eq!(Template::most_made_of(1_000), least + 2 * 1_000);
    page.says(
        "takes longer than {}, or more than {} of address space",
        &[&in_words(LONGEST), &size(MOST_MEMORY)],
    );
    page.says("not filled in for the next {}", &[&seconds(REST)]);
    page.says("up to {}) makes headers", &[&word(MOST_EVENT_HEADERS as u64)]);
    page.says("of up to {}; characters", &[&bytes(LONGEST_VALUE)]);
}
