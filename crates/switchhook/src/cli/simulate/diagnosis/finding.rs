//! What can be wrong with a receiver: each finding has a name, a page in docs/diagnose, and what was seen of it.

use serde_json::{Value, json};

/// Where the pages are.
const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/diagnose");

/// Something wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    TooSlow,
    Redirects,
    WaitsForAHeader,
    CannotReadJwt,
    InventedNames,
    RefusesGenuineEvents,
    DoesNotVerify,
    RefusesMissingFields,
    RefusesNulls,
    RefusesUnknownFields,
    RefusesUnknownStates,
    RefusesFractions,
    RefusesLargeIds,
    RefusesOtherKinds,
    RefusesRepeats,
    CountsRepeatsTwice,
    HasNoEffect,
    FailsOnForgeries,
}

/// A finding, and what it was seen by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) finding: Finding,
    pub(super) says: String,
    pub(super) seen: Vec<String>,
}

impl Found {
    pub(super) fn as_json(&self) -> Value {
        json!({
            "finding": self.finding.slug(),
            "says": self.says,
            "seen": self.seen,
            "page": self.finding.page(),
        })
    }
}

impl Finding {
    #[cfg(test)]
    pub(super) const ALL: [Self; 18] = [
        Self::TooSlow,
        Self::Redirects,
        Self::WaitsForAHeader,
        Self::CannotReadJwt,
        Self::InventedNames,
        Self::RefusesGenuineEvents,
        Self::DoesNotVerify,
        Self::RefusesMissingFields,
        Self::RefusesNulls,
        Self::RefusesUnknownFields,
        Self::RefusesUnknownStates,
        Self::RefusesFractions,
        Self::RefusesLargeIds,
        Self::RefusesOtherKinds,
        Self::RefusesRepeats,
        Self::CountsRepeatsTwice,
        Self::HasNoEffect,
        Self::FailsOnForgeries,
    ];

    /// Its name, for programs and as the name of its page.
    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::TooSlow => "too-slow",
            Self::Redirects => "redirects",
            Self::WaitsForAHeader => "waits-for-a-header",
            Self::CannotReadJwt => "cannot-read-jwt",
            Self::InventedNames => "invented-names",
            Self::RefusesGenuineEvents => "refuses-genuine-events",
            Self::DoesNotVerify => "does-not-verify",
            Self::RefusesMissingFields => "refuses-missing-fields",
            Self::RefusesNulls => "refuses-nulls",
            Self::RefusesUnknownFields => "refuses-unknown-fields",
            Self::RefusesUnknownStates => "refuses-unknown-states",
            Self::RefusesFractions => "refuses-fractions",
            Self::RefusesLargeIds => "refuses-large-ids",
            Self::RefusesOtherKinds => "refuses-other-kinds",
            Self::RefusesRepeats => "refuses-repeats",
            Self::CountsRepeatsTwice => "counts-repeats-twice",
            Self::HasNoEffect => "has-no-effect",
            Self::FailsOnForgeries => "fails-on-forgeries",
        }
    }

    pub(super) fn page(self) -> String {
        format!("{PAGES}/{}.md", self.slug())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_finding_has_its_page_and_every_page_its_finding() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/diagnose");
        let index = std::fs::read_to_string(folder.join("README.md")).expect("there is an index");
        for finding in Finding::ALL {
            let page = format!("{}.md", finding.slug());
            let text = std::fs::read_to_string(folder.join(&page)).expect(&page);
            assert!(text.contains("## What to do"), "{page}");
            assert!(index.contains(&format!("({page})")), "the index has no {page}");
        }
        let pages = std::fs::read_dir(folder).expect("the folder is there").count();
        assert_eq!(pages, Finding::ALL.len() + 1);
    }
}
