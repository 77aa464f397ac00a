//! A webhook's secret: kept out of every log line, metric and error by its type.

use std::fmt;

use zeroize::Zeroize;

/// The fewest bytes that a secret should have: as many as HMAC-SHA-256 makes use of (RFC 7518 §3.2).
pub const SHORTEST_SECRET: usize = 32;

/// A secret. Prints as `***`; `expose` is the one way to its text, so that every use can be found.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret as its owner wrote it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Warning for people about a secret that is shorter than it should be.
    #[must_use]
    pub fn weakness(&self) -> Option<String> {
        let bytes = self.0.len();
        (bytes < SHORTEST_SECRET).then(|| {
            format!(
                "the secret has {bytes} bytes: whoever sees a signed event can try short ones out, and several JWT \
                 libraries refuse them; use {SHORTEST_SECRET} random bytes or more (--generate-secret makes them)"
            )
        })
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(***)");
    }

    #[test]
    fn a_short_secret_is_weak() {
        assert!(
            Secret::new("hunter2")
                .weakness()
                .is_some_and(|why| why.contains("7 bytes"))
        );
        assert_eq!(Secret::new("x".repeat(SHORTEST_SECRET)).weakness(), None);
    }
}
