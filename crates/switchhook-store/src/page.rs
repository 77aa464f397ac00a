//! Pages by key, never by offset: a page costs the same wherever it starts. One that looks for what is rare may have fewer
//! items than wished, or none, and still not be the last.

use crate::StoreError;

/// Page size for lists that are read to their end.
const AT_ONCE: u32 = 1_000;

/// Position and size of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// The last id of the page before; `None` for the first page.
    pub after: Option<i64>,
    /// Bound on the items.
    pub limit: u32,
}

impl PageRequest {
    /// The first `limit` items.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// Bounds on the refusals read at once with their bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalSlice {
    pub count: u32,
    /// No further ones once their bodies have so many bytes.
    pub bytes: usize,
}

/// Some items, and where the next ones start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Value of `after` for the next page; `None` on the last one.
    pub next: Option<i64>,
}

impl<T> Page<T> {
    /// Makes a page of what was read with a limit one larger than asked for.
    #[must_use]
    pub fn of(mut items: Vec<T>, limit: u32, id_of: impl Fn(&T) -> i64) -> Self {
        let limit = limit as usize;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = if has_more { items.last().map(id_of) } else { None };
        Self { items, next }
    }
}

/// Reads a list to its end, page by page.
///
/// # Errors
/// If a page cannot be read.
pub async fn all_pages<T, F>(read: impl Fn(PageRequest) -> F) -> Result<Vec<T>, StoreError>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    pages_after(None, read).await
}

/// Reads what comes after an id in a list.
///
/// # Errors
/// If a page cannot be read.
pub async fn pages_after<T, F>(
    after: Option<i64>,
    read: impl Fn(PageRequest) -> F,
) -> Result<Vec<T>, StoreError>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let mut all = Vec::new();
    let mut request = PageRequest {
        after,
        limit: AT_ONCE,
    };
    loop {
        let page = read(request).await?;
        all.extend(page.items);
        match page.next {
            Some(after) => request.after = Some(after),
            None => return Ok(all),
        }
    }
}
