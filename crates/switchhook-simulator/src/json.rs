//! Writes the JSON of an event, keys in the order of writing, so that a seed gives the same bytes in every build
//! (what order a JSON map keeps depends on features that any crate of a build can switch on). What a value looks like
//! when there is none is the dialect's: left out, or `null`, `{}` and `[]`.

use std::fmt::Write;

use crate::dialect::Dialect;

/// A JSON object under construction.
#[derive(Debug)]
pub(crate) struct Json {
    text: String,
    dialect: Dialect,
}

impl Json {
    /// The object that `write` writes.
    pub(crate) fn object_of(dialect: Dialect, write: impl FnOnce(&mut Self)) -> String {
        let mut json = Self {
            text: String::with_capacity(dialect.usual_length()),
            dialect,
        };
        json.braced('{', '}', write);
        json.text
    }

    /// Writes what only real traffic has.
    pub(crate) fn observed(&mut self, write: impl FnOnce(&mut Self)) -> &mut Self {
        if self.dialect == Dialect::Observed {
            write(self);
        }
        self
    }

    /// Writes what only the published contract has.
    pub(crate) fn contract(&mut self, write: impl FnOnce(&mut Self)) -> &mut Self {
        if self.dialect == Dialect::Asyncapi {
            write(self);
        }
        self
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        self.quoted(value);
        self
    }

    pub(crate) fn text_or(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(key, value),
            None => self.nothing(key, "null"),
        }
    }

    pub(crate) fn number(&mut self, key: &str, value: i64) -> &mut Self {
        self.key(key);
        self.bare(value);
        self
    }

    pub(crate) fn number_or(&mut self, key: &str, value: Option<i64>) -> &mut Self {
        match value {
            Some(value) => self.number(key, value),
            None => self.nothing(key, "null"),
        }
    }

    /// A number that is given in thousandths and written as its shortest decimal fraction: `8951.03`, `8630.0`.
    pub(crate) fn thousandths_or(&mut self, key: &str, value: Option<u64>) -> &mut Self {
        let Some(value) = value else {
            return self.nothing(key, "null");
        };
        self.key(key);
        if value == 0 {
            self.text.push('0');
            return self;
        }
        let (whole, mut fraction, mut digits) = (value / 1_000, value % 1_000, 3);
        while digits > 1 && fraction % 10 == 0 {
            fraction /= 10;
            digits -= 1;
        }
        write!(self.text, "{whole}.{fraction:0digits$}").expect("a string takes everything");
        self
    }

    pub(crate) fn flag(&mut self, key: &str, value: bool) -> &mut Self {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
        self
    }

    pub(crate) fn flag_or(&mut self, key: &str, value: Option<bool>) -> &mut Self {
        match value {
            Some(value) => self.flag(key, value),
            None => self.nothing(key, "null"),
        }
    }

    pub(crate) fn null(&mut self, key: &str) -> &mut Self {
        self.key(key);
        self.text.push_str("null");
        self
    }

    pub(crate) fn object(&mut self, key: &str, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.key(key);
        self.braced('{', '}', write);
        self
    }

    /// The object, if there is something to write it from.
    pub(crate) fn object_or<T>(
        &mut self,
        key: &str,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T),
    ) -> &mut Self {
        match value {
            Some(value) => self.object(key, |json| write(json, value)),
            None => self.nothing(key, "{}"),
        }
    }

    pub(crate) fn texts<'a>(&mut self, key: &str, values: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.list(key, values, Self::quoted)
    }

    pub(crate) fn numbers(&mut self, key: &str, values: impl IntoIterator<Item = i64>) -> &mut Self {
        self.list(key, values, Self::bare)
    }

    pub(crate) fn objects<T>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Self, T),
    ) -> &mut Self {
        self.list(key, values, |json, value| {
            json.braced('{', '}', |json| write(json, value));
        })
    }

    /// The text, if there is one; not even real traffic has the key before.
    pub(crate) fn text_if_any(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    /// The list, if it has something in it; not even real traffic has the key before.
    pub(crate) fn texts_if_any<T: AsRef<str>>(&mut self, key: &str, values: &[T]) -> &mut Self {
        if values.is_empty() {
            return self;
        }
        self.texts(key, values.iter().map(AsRef::as_ref))
    }

    fn list<T>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Self, T),
    ) -> &mut Self {
        self.key(key);
        self.braced('[', ']', |json| {
            for value in values {
                json.comma();
                write(json, value);
            }
        });
        self
    }

    /// A key without a value: left out by the contract, there in real traffic.
    fn nothing(&mut self, key: &str, observed: &str) -> &mut Self {
        if self.dialect == Dialect::Observed {
            self.key(key);
            self.text.push_str(observed);
        }
        self
    }

    fn key(&mut self, key: &str) {
        self.comma();
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    fn comma(&mut self) {
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
    }

    fn braced(&mut self, open: char, close: char, write: impl FnOnce(&mut Self)) {
        self.text.push(open);
        write(self);
        self.text.push(close);
    }

    fn bare(&mut self, value: i64) {
        write!(self.text, "{value}").expect("a string takes everything");
    }

    fn quoted(&mut self, value: &str) {
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if value.bytes().all(is_plain) {
            self.text.push('"');
            self.text.push_str(value);
            self.text.push('"');
        } else {
            self.text.push_str(&serde_json::Value::from(value).to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dialect: Dialect, expected: &str) {
        let written = Json::object_of(dialect, |json| {
            json.text("b", "\"\n")
                .object("a", |json| {
                    json.flag("z", true).number_or("y", None);
                })
                .object_or("o", None::<()>, |_, ()| {})
                .texts("c", ["x", ""])
                .numbers("d", [2, 1])
                .observed(|json| _ = json.thousandths_or("f", Some(8_951_030)))
                .contract(|json| _ = json.number("f", 8_951));
        });
        assert_eq!(written, expected);
    }

    #[test]
    fn what_is_not_there_is_left_out_or_written_as_nothing() {
        check(
            Dialect::Asyncapi,
            r#"{"b":"\"\n","a":{"z":true},"c":["x",""],"d":[2,1],"f":8951}"#,
        );
        check(
            Dialect::Observed,
            r#"{"b":"\"\n","a":{"z":true,"y":null},"o":{},"c":["x",""],"d":[2,1],"f":8951.03}"#,
        );
    }

    #[test]
    fn fractions_are_as_short_as_they_can_be() {
        for (thousandths, expected) in [
            (8_630_000, "8630.0"),
            (0, "0"),
            (1, "0.001"),
            (12_340, "12.34"),
            (5_500, "5.5"),
        ] {
            let written = Json::object_of(Dialect::Observed, |json| {
                json.thousandths_or("x", Some(thousandths));
            });
            assert_eq!(written, format!(r#"{{"x":{expected}}}"#));
        }
    }
}
