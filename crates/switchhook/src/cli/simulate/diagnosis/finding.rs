//! Findings about a receiver: each has a name, a page in docs/diagnose, and evidence.

use serde_json::{Value, json};

/// URL of the pages.
const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/diagnose");

/// A mistake of receivers.
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

/// A finding with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FindingReport {
    pub(super) finding: Finding,
    pub(super) says: String,
    pub(super) seen: Vec<String>,
}

impl FindingReport {
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

    /// Name for programs, and of the page.
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
