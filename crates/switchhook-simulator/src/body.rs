//! Writes the JSON of an event, keys in the order of writing, so that a seed gives the same bytes in every build
//! (what order a JSON map keeps depends on features that any crate of a build can switch on).

use serde_json::Value;

/// A JSON object under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.raw(key, &quoted(value))
    }

    pub(crate) fn number(self, key: &str, value: i64) -> Self {
        self.raw(key, &value.to_string())
    }

    /// Leaves the key out if there is no value, as the published schemas want it.
    pub(crate) fn number_if(self, key: &str, value: Option<i64>) -> Self {
        match value {
            Some(value) => self.number(key, value),
            None => self,
        }
    }

    pub(crate) fn flag(self, key: &str, value: bool) -> Self {
        self.raw(key, if value { "true" } else { "false" })
    }

    pub(crate) fn texts(self, key: &str, values: &[&str]) -> Self {
        let items: Vec<_> = values.iter().map(|value| quoted(value)).collect();
        self.raw(key, &format!("[{}]", items.join(",")))
    }

    pub(crate) fn numbers(self, key: &str, values: &[i64]) -> Self {
        let items: Vec<_> = values.iter().map(i64::to_string).collect();
        self.raw(key, &format!("[{}]", items.join(",")))
    }

    pub(crate) fn object(self, key: &str, value: Self) -> Self {
        self.raw(key, &value.finish())
    }

    pub(crate) fn finish(self) -> String {
        format!("{{{}}}", self.0)
    }

    fn raw(mut self, key: &str, json: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&quoted(key));
        self.0.push(':');
        self.0.push_str(json);
        self
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_texts_are_escaped() {
        let inner = Object::new().flag("z", true).number_if("a", None);
        let outer = Object::new()
            .text("b", "\"\n")
            .object("a", inner)
            .texts("c", &["x", "y"])
            .numbers("d", &[2, 1]);
        assert_eq!(
            outer.finish(),
            r#"{"b":"\"\n","a":{"z":true},"c":["x","y"],"d":[2,1]}"#
        );
    }
}
