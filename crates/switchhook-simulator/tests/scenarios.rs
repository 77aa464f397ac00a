//! Scenarios and their pages: each has one, and the page lists the events that the code produces.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use switchhook_protocol::Timestamp;
use switchhook_simulator::{Dialect, Scenario};

const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

fn pages() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenarios")
}

#[test]
fn every_scenario_has_a_page_and_every_page_a_scenario() {
    let names: BTreeSet<String> = Scenario::all()
        .map(|scenario| format!("{}.md", scenario.name()))
        .chain(["README.md".to_owned()])
        .collect();
    assert!(names.len() > 20);
    let pages: BTreeSet<String> = fs::read_dir(pages())
        .expect("the pages are there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    assert_eq!(names, pages);
}

#[test]
fn every_page_lists_the_events_that_the_scenario_has() {
    for scenario in Scenario::all() {
        let page = pages().join(format!("{}.md", scenario.name()));
        let page = fs::read_to_string(page).expect("every scenario has a page");
        let expected = format!("```text\n{}```\n", scenario.outline());
        assert!(
            page.contains(&expected),
            "docs/scenarios/{}.md must list:\n{expected}",
            scenario.name()
        );
        for section in ["# ", "## Events", "## A good receiver"] {
            assert!(page.contains(section), "{} has no {section}", scenario.name());
        }
        let title = format!("# {}\n\n{}\n", scenario.name(), scenario.summary());
        assert!(
            page.starts_with(&title),
            "{} begins with its summary:\n{title}",
            scenario.name()
        );
    }
}

#[test]
fn the_index_leads_to_every_page() {
    let index = fs::read_to_string(pages().join("README.md")).expect("there is an index");
    for scenario in Scenario::all() {
        let name = scenario.name();
        let line = format!("| [{name}]({name}.md) | {} |", scenario.summary());
        assert!(
            index.contains(&line),
            "docs/scenarios/README.md must have:\n{line}"
        );
    }
}

#[test]
fn the_seed_changes_who_calls_and_never_what_happens() {
    for scenario in Scenario::all() {
        for dialect in Dialect::ALL {
            let steps = |seed| -> Vec<_> {
                let events = scenario.play(seed, START, dialect);
                events.iter().map(|event| (event.at, event.step)).collect()
            };
            assert_eq!(steps(1), steps(2), "{}", scenario.name());
        }
    }
}

#[test]
fn another_seed_is_another_call() {
    let scenario = Scenario::find("ring-all-answered").expect("it is one of them");
    for dialect in Dialect::ALL {
        let bodies = |seed| -> Vec<_> {
            let events = scenario.play(seed, START, dialect);
            events.into_iter().map(|event| event.body).collect()
        };
        assert_eq!(bodies(1), bodies(1));
        assert_ne!(bodies(1), bodies(2));
    }
}

#[test]
fn names_are_unique_and_found_whatever_their_case() {
    let names: BTreeSet<&str> = Scenario::all().map(Scenario::name).collect();
    assert_eq!(names.len(), Scenario::all().count());
    assert!(Scenario::find("Inbound-Voicemail").is_some());
    assert!(Scenario::find("inbound-fax").is_none());
}
