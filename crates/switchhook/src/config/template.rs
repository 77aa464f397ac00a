//! Initial configuration file: every setting with its help and its default, and some set.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use clap::Arg;

use super::file_options;

/// Width of comments.
const WIDTH: usize = 110;

/// Values set in a new file.
#[derive(Debug)]
pub struct InitialValues<'a> {
    pub listen: SocketAddr,
    pub store: &'a str,
    pub public_url: Option<&'a str>,
    pub encryption_key_file: &'a Path,
}

impl InitialValues<'_> {
    fn value(&self, name: &str) -> Option<String> {
        match name {
            "listen" => Some(self.listen.to_string()),
            "store" => Some(self.store.to_owned()),
            "public-url" => self.public_url.map(str::to_owned),
            "encryption-key-file" => Some(self.encryption_key_file.display().to_string()),
            _ => None,
        }
    }
}

/// Contents of the file.
#[must_use]
pub fn render(values: &InitialValues<'_>) -> String {
    let mut file = "\
# Settings of `switchhook serve`. A line that begins with # and a name is a default: remove the # to change it.
# A flag (--lease 2m) or a variable (SWITCHHOOK_LEASE=2m) counts more than this file.
# `switchhook config check --config FILE` reports every mistake at once, and shows where each value comes from.
"
    .to_owned();
    for option in file_options() {
        let Some(name) = option.get_long() else { continue };
        // Writing to a text cannot fail.
        let _ = write!(file, "\n{}{}\n", comment(&option), setting(name, &option, values));
    }
    file
}

fn setting(name: &str, option: &Arg, values: &InitialValues<'_>) -> String {
    if let Some(value) = values.value(name) {
        return format!("{name} = {}", quoted(&value));
    }
    let defaults = option.get_default_values();
    match defaults.first().and_then(|default| default.to_str()) {
        Some(default) => format!("#{name} = {}", literal(default)),
        None => format!("#{name} = {}", example(option)),
    }
}

/// Placeholder for a value without a default.
fn example(option: &Arg) -> String {
    let names = option.get_value_names().unwrap_or_default();
    let name = quoted(names.first().map_or("VALUE", |name| name.as_str()));
    if option.get_value_delimiter().is_some() {
        format!("[{name}]")
    } else {
        name
    }
}

fn comment(option: &Arg) -> String {
    let help = option.get_help().map(ToString::to_string).unwrap_or_default();
    let mut lines = vec![String::new()];
    for word in help.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].len() + word.len() >= WIDTH {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines.iter().map(|line| format!("# {line}\n")).collect()
}

/// A number or a truth value as it is, everything else as a text.
fn literal(value: &str) -> String {
    if value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok() {
        value.to_owned()
    } else {
        quoted(value)
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered() -> String {
        render(&InitialValues {
            listen: "0.0.0.0:8400".parse().unwrap(),
            store: "sqlite:/var/lib/it's \"here\"/switchhook.db",
            public_url: None,
            encryption_key_file: Path::new("/etc/switchhook.key"),
        })
    }

    #[test]
    fn what_was_chosen_is_set_and_nothing_else() {
        let file: toml::Table = rendered().parse().unwrap();
        assert_eq!(file["listen"].as_str(), Some("0.0.0.0:8400"));
        assert_eq!(
            file["store"].as_str(),
            Some("sqlite:/var/lib/it's \"here\"/switchhook.db")
        );
        assert_eq!(file["encryption-key-file"].as_str(), Some("/etc/switchhook.key"));
        assert_eq!(file.len(), 3, "{file:?}");
    }

    #[test]
    fn every_setting_is_there_and_its_default_is_one_that_it_takes() {
        let file = rendered();
        for option in file_options() {
            let name = option.get_long().unwrap();
            let line = file
                .lines()
                .find(|line| line.trim_start_matches('#').starts_with(&format!("{name} = ")));
            let line = line.unwrap_or_else(|| panic!("{name} is not there"));
            let set: toml::Table = line.trim_start_matches('#').parse().unwrap();
            let value = &set[name];
            let Some(default) = option.get_default_values().first() else {
                continue;
            };
            let text = match value.as_str() {
                Some(text) => text.to_owned(),
                None => value.to_string(),
            };
            if line.starts_with('#') {
                assert_eq!(text, default.to_str().unwrap(), "{name}");
            }
        }
        assert!(file.lines().all(|line| line.len() <= WIDTH + 40));
    }
}
