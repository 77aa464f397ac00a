//! `switchhook jwt`: signs, verifies and decodes tokens. Diagnoses are made in `switchhook-protocol`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use switchhook_protocol::{Diagnosis, MAX_TOKEN_BYTES, check_object, diagnose, sign};

use super::accepted_secrets::AcceptedSecrets;
use super::output::{self, Facts};
use super::{UsageError, diagnosis};

/// Sign, verify and decode tokens of signed events
#[derive(Debug, Subcommand)]
pub(super) enum Jwt {
    Sign(Sign),
    Verify(Verify),
    Decode(Decode),
}

/// Sign bytes as a delivery is signed: HS256 over exactly these bytes
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  printf '{\"call_id\":1,\"state\":\"hangup\"}' | switchhook jwt sign --secret S
  switchhook jwt sign event.json --secret S | curl -d @- http://127.0.0.1:3000/hook")]
pub(super) struct Sign {
    /// File with the event; - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,

    #[command(flatten)]
    secrets: AcceptedSecrets,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Verify the signature of a token, and explain why it is not valid
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook jwt verify eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.… --secret S
  switchhook jwt verify body.txt --secret S --secret OLD
  switchhook jwt verify body.txt --secret S --original event.json

Exit code 1 if a receiver with these secrets refuses it. --original distinguishes a changed body from a wrong secret.")]
pub(super) struct Verify {
    /// Token, or file with a request's body; - for standard input
    #[arg(default_value = "-")]
    token: PathBuf,

    #[command(flatten)]
    secrets: AcceptedSecrets,

    /// File with the event as the sender has it
    #[arg(long, value_name = "FILE")]
    original: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Decode a token without verifying it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  switchhook jwt decode body.txt --json")]
pub(super) struct Decode {
    /// Token, or file with a request's body; - for standard input
    #[arg(default_value = "-")]
    token: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Jwt {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Sign(command) => command.run(),
            Self::Verify(command) => command.run(),
            Self::Decode(command) => command.run(),
        }
    }
}

impl Sign {
    fn run(self) -> anyhow::Result<()> {
        let keys = self.secrets.keys();
        let [key] = keys[..] else {
            return Err(UsageError("a token is signed with one --secret".to_owned()).into());
        };
        self.secrets.warn();
        let body = read(&self.file)?;
        if let Err(error) = check_object(&body) {
            output::remark(format_args!(
                "signed all the same, but receivers refuse it: {error}"
            ));
        } else if body.ends_with(b"\n") {
            output::remark("the line feed at the end is signed too");
        }
        let token = sign(key, &body);
        if self.json {
            output::print_json(&json!({ "token": token }))
        } else {
            output::print_body(&token)
        }
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<()> {
        if self.secrets.is_empty() {
            return Err(UsageError(
                "give the webhook's --secret; `switchhook jwt decode` needs none".to_owned(),
            )
            .into());
        }
        let keys = self.secrets.keys();
        let original = self.original.as_deref().map(read).transpose()?;
        let diagnosed = diagnose(&read_token(&self.token)?, &keys, original.as_deref());
        if self.json {
            let found = TokenContent::of(&diagnosed, diagnosis::as_json(&diagnosed, keys.len()))?;
            output::print_json(&found)?;
        } else {
            let facts = diagnosis::add_facts(Facts::new(), &diagnosed, keys.len());
            with_content(facts, &diagnosed).print()?;
        }
        if let Err(error) = diagnosed.verdict {
            bail!("a receiver refuses this: {error}");
        }
        Ok(())
    }
}

impl Decode {
    fn run(self) -> anyhow::Result<()> {
        let none: [&[u8]; 0] = [];
        let diagnosed = diagnose(&read_token(&self.token)?, &none, None);
        if diagnosed.payload.is_none() {
            let Err(error) = diagnosed.verdict else {
                bail!("this is not a token");
            };
            return Err(anyhow::Error::new(error).context("this cannot be decoded"));
        }
        if self.json {
            return output::print_json(&TokenContent::of(&diagnosed, Map::new())?);
        }
        with_content(Facts::new(), &diagnosed).print()
    }
}

/// Contents of a token, and the diagnosis.
#[derive(Serialize)]
struct TokenContent {
    #[serde(flatten)]
    found: Map<String, Value>,
    header: Option<Box<RawValue>>,
    payload: Option<Box<RawValue>>,
}

impl TokenContent {
    fn of(diagnosed: &Diagnosis, found: Map<String, Value>) -> anyhow::Result<Self> {
        let raw = |part: &[u8]| diagnosis::raw(part);
        Ok(Self {
            found,
            header: diagnosed
                .header
                .as_deref()
                .map(str::as_bytes)
                .map(raw)
                .transpose()?,
            payload: diagnosed.payload.as_deref().map(raw).transpose()?,
        })
    }
}

fn with_content(facts: Facts, diagnosed: &Diagnosis) -> Facts {
    facts
        .fact_if("header", diagnosed.header.as_ref())
        .fact_if("payload", diagnosed.payload.as_deref().map(diagnosis::text))
}

/// Reads a token: the argument itself or a file.
fn read_token(token: &Path) -> anyhow::Result<Vec<u8>> {
    let text = token.as_os_str().as_encoded_bytes();
    let looks_like_one = text.trim_ascii().starts_with(b"ey") && text.contains(&b'.');
    if looks_like_one && !token.exists() {
        return Ok(text.to_vec());
    }
    if token.as_os_str() != "-" && !token.exists() {
        bail!(
            "{} is neither a token, which begins with `ey`, nor the name of a file",
            token.display()
        );
    }
    read(token)
}

/// Bytes of a file or of standard input, at most one more than a receiver accepts.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let limit = MAX_TOKEN_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|opened| opened.take(limit).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {}", file.display()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_a_token_nor_a_file_is_called_so() {
        let error = read_token(Path::new("a.b")).unwrap_err().to_string();
        assert!(
            error.contains("neither a token, which begins with `ey`"),
            "{error}"
        );
        assert_eq!(read_token(Path::new("eyJ.b")).unwrap(), b"eyJ.b");
    }
}
