//! Forms as browsers send them: names and values, empty ones absent.

use url::form_urlencoded;

/// A form that was filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(bytes);
        Self(
            pairs
                // Browsers end every line of a text with both.
                .map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n")))
                .collect(),
        )
    }

    /// A field's value, if it is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(key, _)| key == name);
        field
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Every value of a field.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let fields = self
            .0
            .iter()
            .filter(|(key, value)| key == name && !value.is_empty());
        fields.map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn is_ticked(&self, name: &str) -> bool {
        self.text(name).is_some()
    }
}
