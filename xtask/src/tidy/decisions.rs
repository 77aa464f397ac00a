//! Pages of `docs/decisions`: their names, their numbers and what each must tell.

use super::Finding;
use super::tree::SourceFile;

const HEADINGS: [&str; 3] = ["Context", "Choice", "What we gave up"];

pub(super) fn are_complete(pages: &[&SourceFile]) -> Vec<Finding> {
    pages
        .iter()
        .flat_map(|page| {
            name(page)
                .into_iter()
                .chain(headings(page))
                .chain(twin(page, pages))
        })
        .collect()
}

fn name(page: &SourceFile) -> Option<Finding> {
    number(page)
        .is_none()
        .then(|| Finding::in_file(page, "is not called like `0001-what-we-chose.md`"))
}

fn headings(page: &SourceFile) -> impl Iterator<Item = Finding> {
    let missing = HEADINGS.iter().filter(|heading| {
        let mut titles = page.text.lines().filter(|line| line.starts_with('#'));
        !titles.any(|line| line.trim_start_matches('#').trim() == **heading)
    });
    missing.map(|heading| Finding::in_file(page, format!("has no heading `{heading}`")))
}

fn twin(page: &SourceFile, pages: &[&SourceFile]) -> Option<Finding> {
    let number = number(page)?;
    let mut earlier = pages.iter().take_while(|other| other.path != page.path);
    let twin = earlier.find(|other| self::number(other) == Some(number))?;
    Some(Finding::in_file(page, format!("has the number of {}", twin.path)))
}

/// The four digits that a page's name begins with.
fn number(page: &SourceFile) -> Option<&str> {
    let (number, _) = page.path.rsplit('/').next()?.split_once('-')?;
    (number.len() == 4 && number.bytes().all(|digit| digit.is_ascii_digit())).then_some(number)
}
