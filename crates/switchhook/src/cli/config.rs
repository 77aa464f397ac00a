//! `switchhook config`: checks the settings of `serve`, and shows where each comes from.

use clap::{Arg, ArgMatches, Args, Subcommand};
use serde_json::json;
use switchhook_domain::credential::shown_value;

use super::output::{self, Table};
use crate::config::sources::Parsed;
use crate::config::{ServeOptions, file_options};

/// Check the configuration
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    Check(Check),
}

/// Check the settings of `serve`: report every mistake, or show each setting and where it comes from
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook config check --config /etc/switchhook.toml
  SWITCHHOOK_LEASE=2m switchhook config check --json

Exit code 2 if there is a mistake.")]
pub(super) struct Check {
    #[command(flatten)]
    options: ServeOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Config {
    pub(super) fn run(self, parsed: &Parsed) -> anyhow::Result<()> {
        let Self::Check(check) = self;
        check.options.settings()?;
        let matches = parsed
            .matches
            .subcommand_matches("config")
            .and_then(|config| config.subcommand_matches("check"));
        let matches = matches.expect("this is the subcommand that runs");
        let effective: Vec<_> = file_options()
            .iter()
            .map(|option| EffectiveSetting::of(option, matches, parsed))
            .collect();
        if check.json {
            print_json(&effective)
        } else {
            print_table(&effective)
        }
    }
}

/// A setting in force, and its source.
struct EffectiveSetting {
    name: String,
    value: Option<String>,
    origin: String,
}

impl EffectiveSetting {
    fn of(option: &Arg, matches: &ArgMatches, parsed: &Parsed) -> Self {
        let name = option.get_long().unwrap_or_default().to_owned();
        let words = matches.get_raw(option.get_id().as_str());
        let value = words.map(|words| {
            words
                .map(|word| word.to_string_lossy())
                .collect::<Vec<_>>()
                .join(",")
        });
        let value = value.map(|value| {
            // Neither a file's name nor a switch is one.
            if name.ends_with("-file") || value == "true" || value == "false" {
                value
            } else {
                shown_value(&name, &value).into_owned()
            }
        });
        Self {
            name,
            value,
            origin: parsed.origin(matches, option),
        }
    }
}

fn print_table(effective: &[EffectiveSetting]) -> anyhow::Result<()> {
    let mut table = Table::new(&["SETTING", "VALUE", "FROM"]);
    for EffectiveSetting { name, value, origin } in effective {
        table.row([
            name.clone(),
            value.clone().unwrap_or_else(|| "-".to_owned()),
            origin.clone(),
        ]);
    }
    table.print_or("there are no settings")
}

fn print_json(effective: &[EffectiveSetting]) -> anyhow::Result<()> {
    let setting = |setting: &EffectiveSetting| {
        (
            setting.name.clone(),
            json!({ "value": setting.value, "from": setting.origin }),
        )
    };
    let settings: serde_json::Map<_, _> = effective.iter().map(setting).collect();
    output::print_json(&settings)
}
