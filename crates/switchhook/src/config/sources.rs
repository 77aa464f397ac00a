//! Sources of a setting's value: flag, then environment, then file, then the built-in default.
//!
//! Every option is defined once, for clap. The file's values become clap's *defaults*, so the order of precedence is
//! clap's own. Before that every value of every source is tried alone, so that all mistakes are reported at once,
//! even those that a stronger source would have hidden.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use clap::builder::{Resettable, ValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::file::{self, FileSetting};

/// Settings that are not checked if another one, which they depend on, is wrong.
const DEPENDS_ON: [(&str, &str); 1] = [("lease", "profile")];

/// A command line, understood together with the environment and the configuration file.
#[derive(Debug)]
pub struct Parsed {
    pub matches: ArgMatches,
    pub file: Option<ConfigFile>,
}

/// A configuration file and what it sets.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    pub path: PathBuf,
    pub settings: Vec<FileSetting>,
}

/// Reason for which a command line was not understood.
#[derive(Debug)]
pub enum ParseError {
    /// Help was asked for, or clap itself found a mistake.
    Clap(Box<clap::Error>),
    /// Settings are wrong.
    Mistakes(Mistakes),
}

/// Mistakes in the settings, one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(
            f,
            "the configuration has {count} mistake{}",
            if count == 1 { "" } else { "s" }
        )?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

impl From<clap::Error> for ParseError {
    fn from(error: clap::Error) -> Self {
        Self::Clap(Box::new(error))
    }
}

/// Understands a command line. `settings` are the options that a configuration file may set; a subcommand reads the
/// file if it has an option `--config`. If some are wrong, and the subcommand has all of them, `together` says what is wrong
/// with the others.
///
/// # Errors
/// If anything is wrong, or help was asked for.
pub fn parse(
    command: Command,
    settings: &[Arg],
    combinations: &dyn Fn(&ArgMatches) -> Vec<String>,
    args: &[OsString],
) -> Result<Parsed, ParseError> {
    let words = with_any_words(command.clone())
        .try_get_matches_from(args)
        .map_err(|error| with_possible_values(command.clone(), args, error))?;
    let (path, words) = innermost(&words);
    let typed = RawArguments { words, settings };
    let file = typed.checked_file(combinations)?;
    let defaults = file.as_ref().map_or(&[][..], |file| &file.settings);
    let command = changed_along(command, &path, &|command| {
        with_defaults(typed.without_empty_env(command), defaults)
    });
    Ok(Parsed {
        matches: command.try_get_matches_from(args)?,
        file,
    })
}

/// Help of the command as it is: with options that take any word it would not list the possible values.
fn with_possible_values(command: Command, args: &[OsString], error: clap::Error) -> clap::Error {
    let is_help = error.kind() == ErrorKind::DisplayHelp;
    let real = command.try_get_matches_from(args).err().filter(|_| is_help);
    real.filter(|real| real.kind() == error.kind()).unwrap_or(error)
}

impl Parsed {
    /// Source of an option's value, in words.
    #[must_use]
    pub fn origin(&self, matches: &ArgMatches, option: &Arg) -> String {
        match matches.value_source(option.get_id().as_str()) {
            Some(ValueSource::CommandLine) => "flag".to_owned(),
            Some(ValueSource::EnvVariable) => env_name(option),
            _ => self.place_in_file(option).unwrap_or_else(|| "default".to_owned()),
        }
    }

    fn place_in_file(&self, option: &Arg) -> Option<String> {
        let file = self.file.as_ref()?;
        let setting = file
            .settings
            .iter()
            .find(|setting| Some(setting.key.as_str()) == option.get_long())?;
        Some(format!("{}:{}", file.path.display(), setting.line))
    }
}

impl ConfigFile {
    fn read(path: PathBuf) -> Result<Self, file::UnreadableFile> {
        let settings = file::read(&path)?;
        Ok(Self { path, settings })
    }

    fn mistakes(&self, settings: &[Arg]) -> Vec<String> {
        let mistake = |setting| mistake_of(setting, settings).map(|what| (setting, what));
        let report = |(setting, what): (&FileSetting, String)| {
            format!(
                "{}:{}: {}: {what}",
                self.path.display(),
                setting.line,
                setting.key
            )
        };
        self.settings.iter().filter_map(mistake).map(report).collect()
    }
}

fn mistake_of(setting: &FileSetting, settings: &[Arg]) -> Option<String> {
    let Some(option) = settings
        .iter()
        .find(|option| option.get_long() == Some(&setting.key))
    else {
        return Some(unknown(setting, settings));
    };
    match &setting.values {
        Ok(values) => error_of(option, values),
        Err(what) => Some(format!("this is {what}; write one value, or a list of values")),
    }
}

fn unknown(setting: &FileSetting, settings: &[Arg]) -> String {
    let names = settings.iter().filter_map(Arg::get_long);
    let nearest = names.map(|name| (edits(name, &setting.key), name)).min();
    match nearest {
        Some((edits, name)) if edits <= 3.min(name.len() / 2) => {
            format!("there is no such setting; did you mean `{name}`?")
        }
        _ if setting.values.is_err() => "settings stand at the top of the file, not in tables".to_owned(),
        _ => "there is no such setting; `switchhook serve --help` lists them".to_owned(),
    }
}

/// Words from the command line or the environment, not yet parsed.
struct RawArguments<'a> {
    words: &'a ArgMatches,
    settings: &'a [Arg],
}

impl RawArguments<'_> {
    fn words_of(&self, option: &Arg) -> Option<Vec<OsString>> {
        let words = self.words.try_get_raw(option.get_id().as_str()).ok()??;
        Some(words.map(OsStr::to_owned).collect())
    }

    fn source(&self, option: &Arg) -> Option<ValueSource> {
        self.words_of(option)?;
        self.words.value_source(option.get_id().as_str())
    }

    fn mistakes(&self) -> Vec<String> {
        let mistake = |option: &Arg| {
            let place = match self.source(option)? {
                ValueSource::CommandLine => format!("--{}", option.get_long()?),
                ValueSource::EnvVariable if !self.is_empty(option) => env_name(option),
                _ => return None,
            };
            Some(format!("{place}: {}", error_of(option, &self.words_of(option)?)?))
        };
        self.settings.iter().filter_map(mistake).collect()
    }

    /// The configuration file, if one is named, after everything was found to be right.
    fn checked_file(
        &self,
        combinations: &dyn Fn(&ArgMatches) -> Vec<String>,
    ) -> Result<Option<ConfigFile>, ParseError> {
        let Ok(words) = self.words.try_get_raw("config") else {
            return Ok(None);
        };
        let path = words
            .into_iter()
            .flatten()
            .next()
            .filter(|path| !path.is_empty())
            .map(PathBuf::from);
        let mut mistakes = self.mistakes();
        let file = match path.map(ConfigFile::read).transpose() {
            Ok(file) => file,
            Err(unreadable) => {
                mistakes.push(unreadable.to_string());
                None
            }
        };
        mistakes.extend(file.iter().flat_map(|file| file.mistakes(self.settings)));
        if mistakes.is_empty() {
            return Ok(file);
        }
        let from_file = file.as_ref().map_or(&[][..], |file| &file.settings);
        mistakes.extend(self.valid_settings(from_file).iter().flat_map(combinations));
        Err(ParseError::Mistakes(Mistakes(mistakes)))
    }

    /// The settings as they would be in force without those that are wrong, and those that are judged by them; `None` if the
    /// subcommand has not all of them.
    fn valid_settings(&self, file: &[FileSetting]) -> Option<ArgMatches> {
        let values_of = |option: &Arg| {
            let typed = self
                .source(option)
                .filter(|source| *source != ValueSource::DefaultValue);
            match typed {
                Some(_) if !self.is_empty(option) => self.words_of(option),
                _ => {
                    let mut settings = file.iter();
                    let setting = settings.find(|setting| option.get_long() == Some(&setting.key));
                    setting.and_then(|setting| setting.values.clone().ok())
                }
            }
        };
        let is_wrong = |name: &str| {
            let mut named = self
                .settings
                .iter()
                .filter(|option| option.get_long() == Some(name));
            named.any(|option| values_of(option).is_some_and(|values| error_of(option, &values).is_some()))
        };
        let mut words = Vec::new();
        for option in self.settings {
            self.words.try_get_raw(option.get_id().as_str()).ok()?;
            let Some(values) = values_of(option) else { continue };
            let name = option.get_long()?;
            let cannot_be_judged = DEPENDS_ON
                .iter()
                .any(|(judged, by)| *judged == name && is_wrong(by));
            if !cannot_be_judged && error_of(option, &values).is_none() {
                words.extend(as_typed(option, &values)?);
            }
        }
        let settings = self
            .settings
            .iter()
            .map(|option| option.clone().env(Resettable::Reset));
        let config = Arg::new("config")
            .long("config")
            .value_parser(clap::value_parser!(PathBuf));
        let command = Command::new("settings").no_binary_name(true);
        let command = command.args(settings).arg(config);
        command.try_get_matches_from(words).ok()
    }

    fn is_empty(&self, option: &Arg) -> bool {
        self.words_of(option)
            .is_some_and(|words| words.iter().all(|word| word.is_empty()))
    }

    /// An empty variable is how compose files and unit files write "not set".
    fn without_empty_env(&self, command: Command) -> Command {
        let is_empty_env =
            |option: &Arg| self.is_empty(option) && self.source(option) == Some(ValueSource::EnvVariable);
        command.mut_args(|option| {
            if is_empty_env(&option) {
                option.env(Resettable::Reset)
            } else {
                option
            }
        })
    }
}

fn env_name(option: &Arg) -> String {
    option
        .get_env()
        .map_or_else(|| "environment".to_owned(), |name| name.display().to_string())
}

/// Tries an option with these values and nothing else; answers what is wrong.
fn error_of(option: &Arg, values: &[OsString]) -> Option<String> {
    let words = as_typed(option, values)?;
    let alone = Command::new("settings")
        .no_binary_name(true)
        .arg(option.clone().env(Resettable::Reset));
    alone
        .try_get_matches_from(words)
        .err()
        .map(|error| in_one_line(&error))
}

/// The option with these values as on the command line.
fn as_typed(option: &Arg, values: &[OsString]) -> Option<Vec<OsString>> {
    let long = option.get_long()?;
    let word = |value| {
        let mut word = OsString::from(format!("--{long}="));
        word.push(value);
        word
    };
    Some(values.iter().map(word).collect())
}

/// Message of clap, without the parts that only make sense on a command line.
fn in_one_line(error: &clap::Error) -> String {
    if let Some(source) = std::error::Error::source(error) {
        return source.to_string();
    }
    let text = error.to_string();
    let message = text
        .split("\n\nUsage:")
        .next()
        .unwrap_or_default()
        .split("\n\nFor more")
        .next()
        .unwrap_or_default();
    let words: Vec<_> = message.trim_start_matches("error: ").split_whitespace().collect();
    words.join(" ")
}

/// The command with options that take any word, so that what was typed can be seen before it is judged.
fn with_any_words(command: Command) -> Command {
    command
        .mut_args(|option| match option.get_action() {
            ArgAction::Set | ArgAction::Append => option.value_parser(ValueParser::os_string()),
            // A switch that takes a word all the same: `--inspector=false`.
            ArgAction::SetTrue if option.get_num_args().is_some() => option
                .action(ArgAction::Set)
                .value_parser(ValueParser::os_string()),
            _ => option,
        })
        .mut_subcommands(with_any_words)
}

fn innermost(matches: &ArgMatches) -> (Vec<String>, &ArgMatches) {
    let (mut path, mut leaf) = (Vec::new(), matches);
    while let Some((name, next)) = leaf.subcommand() {
        path.push(name.to_owned());
        leaf = next;
    }
    (path, leaf)
}

/// Changes the command and the subcommands on the path: global options stand above the one that runs.
fn changed_along(command: Command, path: &[String], change: &dyn Fn(Command) -> Command) -> Command {
    let command = change(command);
    match path.split_first() {
        None => command,
        Some((name, rest)) => command.mut_subcommand(name, |next| changed_along(next, rest, change)),
    }
}

fn with_defaults(leaf: Command, settings: &[FileSetting]) -> Command {
    leaf.mut_args(|option| {
        let setting = settings
            .iter()
            .find(|setting| option.get_long() == Some(&setting.key));
        match setting.map(|setting| setting.values.clone()) {
            Some(Ok(values)) => option.default_values(values),
            _ => option,
        }
    })
}

/// Edit distance of two words: letters to change, add or drop.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, against) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *against);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_count_letters() {
        for (one, other, count) in [
            ("lease", "lease", 0),
            ("lease", "laese", 2),
            ("hook-allow", "hook_allow", 1),
            ("", "ab", 2),
        ] {
            assert_eq!(edits(one, other), count, "{one} {other}");
        }
    }
}
