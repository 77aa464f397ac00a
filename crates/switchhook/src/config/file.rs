//! The configuration file: a flat TOML table whose keys are the long names of options. Only its form is read here;
//! what a key means is told by the option of that name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use switchhook_store::permission::{FileAccess, denied};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A setting of the file, not yet understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSetting {
    /// Long name of an option, not yet checked.
    pub key: String,
    /// Values as they are written on the command line, or a description of what is not a value.
    pub values: Result<Vec<OsString>, &'static str>,
    /// The line of the key, from 1.
    pub line: usize,
}

/// A file that cannot even be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableFile {
    /// The file does not exist, or must not be read.
    #[error("{}: {reason}", path.display())]
    Io { path: PathBuf, reason: std::io::Error },
    #[error("{}:{line}: this is not TOML: {reason}", path.display())]
    Syntax {
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// Message of the parser.
        reason: String,
    },
}

/// Reads the settings of a file, in its order.
///
/// # Errors
/// If the file cannot be read or is no TOML.
pub fn read(path: &Path) -> Result<Vec<FileSetting>, UnreadableFile> {
    let text = read_text(path).map_err(|reason| UnreadableFile::Io {
        path: path.into(),
        reason,
    })?;
    parse(&text).map_err(|(line, reason)| UnreadableFile::Syntax {
        path: path.into(),
        line,
        reason,
    })
}

/// Reads a file that the settings name; the error says whose it is if it is somebody else's.
pub(super) fn read_text(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path).map_err(|error| match denied(path, FileAccess::Read) {
        Some(why) => std::io::Error::new(error.kind(), why),
        None => error,
    })
}

fn parse(text: &str) -> Result<Vec<FileSetting>, (usize, String)> {
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        (line_at(text, offset), error.message().to_owned())
    })?;
    let mut settings: Vec<_> = table
        .get_ref()
        .iter()
        .map(|(key, value)| setting(text, key, value.get_ref()))
        .collect();
    settings.sort_by_key(|setting| setting.line);
    Ok(settings)
}

fn setting(text: &str, key: &Spanned<std::borrow::Cow<'_, str>>, value: &DeValue<'_>) -> FileSetting {
    let values = match value {
        DeValue::Array(items) => items.iter().map(|item| word(item.get_ref())).collect(),
        value => word(value).map(|word| vec![word]),
    };
    FileSetting {
        key: key.get_ref().to_string(),
        values,
        line: line_at(text, key.span().start),
    }
}

fn word(value: &DeValue<'_>) -> Result<OsString, &'static str> {
    match value {
        DeValue::String(text) => Ok(text.as_ref().into()),
        DeValue::Integer(number) => Ok(number.to_string().into()),
        DeValue::Float(number) => Ok(number.to_string().into()),
        DeValue::Boolean(flag) => Ok(flag.to_string().into()),
        DeValue::Datetime(_) => Err("a date"),
        DeValue::Array(_) => Err("a list within a list"),
        DeValue::Table(_) => Err("a table"),
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_what_one_would_type() {
        let text = "listen = \"0.0.0.0:8400\"\n\nmax-in-flight = 1_000\nhook-allow = [\"10.0.0.0/8\", \"::1/128\"]\nhook-allow-http = true\n";
        let settings = parse(text).unwrap();
        let read: Vec<_> = settings
            .iter()
            .map(|s| {
                (
                    s.line,
                    s.key.as_str(),
                    s.values.clone().unwrap().join(OsString::from("|").as_os_str()),
                )
            })
            .collect();
        let expected = [
            (1, "listen", "0.0.0.0:8400"),
            (3, "max-in-flight", "1000"),
            (4, "hook-allow", "10.0.0.0/8|::1/128"),
            (5, "hook-allow-http", "true"),
        ];
        assert_eq!(
            read,
            expected.map(|(line, key, value)| (line, key, OsString::from(value)))
        );
    }

    #[test]
    fn a_table_is_no_value_and_a_broken_file_names_its_line() {
        assert_eq!(parse("[serve]\nlisten = 1").unwrap()[0].values, Err("a table"));
        assert_eq!(parse("a = 1\nb = = 2\n").unwrap_err().0, 2);
    }
}
