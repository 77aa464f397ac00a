//! Filters against an implementation of their own in Python: generated filters and events, the same verdicts.

use std::io::Write;
use std::process::{Command, Stdio};

use switchhook_domain::filter::PayloadFilter;
use switchhook_protocol::JsonNode;

/// Number of pairs of filter and event.
const PAIRS: usize = 10_000;

/// Random source: the same on every run, so that failures repeat.
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % count
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn list(&mut self, most: usize, mut element: impl FnMut(&mut Self) -> String) -> Vec<String> {
        (0..=self.below(most)).map(|_| element(self)).collect()
    }
}

const NAMES: [&str; 6] = ["a", "b", "state", "contact", "ünï", "\\u0061"];

const TEXTS: [&str; 9] = [
    "\"\"",
    "\"a\"",
    "\"ab\"",
    "\"abc\"",
    "\"b\"",
    "\"1\"",
    "\"\\u00e9\"",
    "\"é\"",
    "\"😀 z\"",
];

const NUMBERS: [&str; 18] = [
    "0",
    "-0",
    "1",
    "1.0",
    "10e-1",
    "2",
    "-1",
    "1.5",
    "1e400",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775806",
    "123456789012345678901234567890",
    "123456789012345678901234567891",
    "0.1",
    "0.10000000000000000000001",
    "-1e-7",
];

fn scalar(chance: &mut Chance) -> String {
    match chance.below(6) {
        0 => "null".to_owned(),
        1 => chance.one_of(&["true", "false"]).to_owned(),
        2 | 3 => chance.one_of(&NUMBERS).to_owned(),
        _ => chance.one_of(&TEXTS).to_owned(),
    }
}

fn value(chance: &mut Chance, depth: usize) -> String {
    match chance.below(if depth == 0 { 4 } else { 7 }) {
        4 | 5 => object(chance, depth - 1),
        6 if chance.below(8) == 0 => "[]".to_owned(),
        6 => format!(
            "[{}]",
            chance.list(3, |chance| value(chance, depth - 1)).join(" , ")
        ),
        _ => scalar(chance),
    }
}

fn object(chance: &mut Chance, depth: usize) -> String {
    if chance.below(12) == 0 {
        return "{}".to_owned();
    }
    let member = |chance: &mut Chance| format!("\"{}\" : {}", chance.one_of(&NAMES), value(chance, depth));
    format!("{{{}}}", chance.list(4, member).join(", "))
}

fn condition(chance: &mut Chance, depth: usize) -> String {
    match chance.below(if depth == 0 { 5 } else { 9 }) {
        0 | 1 => scalar(chance),
        2..=4 => format!("{{{}}}", operator(chance, 0)),
        5 => format!(
            "[{}]",
            chance.list(3, |chance| condition(chance, depth - 1)).join(",")
        ),
        _ => members(chance, depth - 1),
    }
}

fn members(chance: &mut Chance, depth: usize) -> String {
    let member = |chance: &mut Chance| match chance.below(5) {
        0 => operator(chance, depth),
        _ => format!("\"{}\":{}", chance.one_of(&NAMES), condition(chance, depth)),
    };
    format!("{{{}}}", chance.list(2, member).join(","))
}

/// Most events are not what a filter asks for by chance, so some ask for the opposite.
fn filter(chance: &mut Chance) -> String {
    match chance.below(3) {
        0 => format!("{{\"$not\":{}}}", members(chance, 3)),
        _ => members(chance, 3),
    }
}

fn operator(chance: &mut Chance, depth: usize) -> String {
    let conditions = |chance: &mut Chance| {
        let all = chance.list(2, |chance| condition(chance, depth.saturating_sub(1)));
        format!("[{}]", all.join(","))
    };
    match chance.below(9) {
        0 => format!("\"{}\":{}", chance.one_of(&["$eq", "$neq"]), value(chance, 1)),
        1 | 2 => {
            let bound = [&NUMBERS[..], &TEXTS[..]][chance.below(2)];
            format!(
                "\"{}\":{}",
                chance.one_of(&["$gt", "$gte", "$lt", "$lte"]),
                chance.one_of(bound)
            )
        }
        3 => {
            let values = chance.list(3, |chance| value(chance, 1));
            format!("\"{}\":[{}]", chance.one_of(&["$in", "$nin"]), values.join(","))
        }
        4 => {
            let name = chance.one_of(&["$startsWith", "$endsWith"]);
            match chance.below(2) {
                0 => format!("\"{name}\":{}", chance.one_of(&TEXTS)),
                _ => format!(
                    "\"{name}\":[{}]",
                    chance
                        .list(2, |chance| chance.one_of(&TEXTS).to_owned())
                        .join(",")
                ),
            }
        }
        5 => format!("\"$contains\":{}", scalar(chance)),
        6 => format!("\"$exist\":{}", chance.one_of(&["true", "false"])),
        7 => format!("\"{}\":{}", chance.one_of(&["$or", "$and"]), conditions(chance)),
        _ => format!("\"$not\":{}", condition(chance, depth.saturating_sub(1))),
    }
}

#[test]
fn filters_judge_as_an_implementation_of_their_own_does() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: there is no `python3` here");
        return;
    }
    let mut chance = Chance(25);
    let pairs: Vec<_> = (0..PAIRS)
        .map(|_| (filter(&mut chance), object(&mut chance, 3)))
        .collect();
    let lines: String = pairs
        .iter()
        .map(|pair| serde_json::to_string(pair).expect("texts can be written") + "\n")
        .collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/filter_judge.py");
    let mut child = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 was there a moment ago");
    let mut stdin = child.stdin.take().expect("it is piped");
    // It answers while it reads, more than a pipe holds.
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer
        .join()
        .expect("nothing panics there")
        .expect("it reads all");
    assert!(output.status.success());
    let theirs = String::from_utf8(output.stdout).expect("it answers in words");
    let theirs: Vec<_> = theirs.lines().collect();
    assert_eq!(theirs.len(), PAIRS);
    let mut let_through = 0;
    for ((filter, event), theirs) in pairs.iter().zip(theirs) {
        let parsed = PayloadFilter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        let node = JsonNode::of(event);
        let ours = parsed.lets_through(&node);
        assert_eq!(ours.to_string(), theirs, "{filter} and {event}");
        assert_eq!(parsed.why_not(&node).is_none(), ours, "{filter} and {event}");
        let again = PayloadFilter::parse(parsed.as_json()).expect("what is kept can be read");
        assert_eq!(again.as_json(), parsed.as_json());
        assert_eq!(again.lets_through(&node), ours, "{filter} and {event}");
        let_through += usize::from(ours);
    }
    assert!(
        (PAIRS / 5..PAIRS * 4 / 5).contains(&let_through),
        "{let_through} of them say little"
    );
}
