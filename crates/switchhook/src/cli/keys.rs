//! `switchhook keys`: API keys, created and revoked in the store directly, also while a server uses it.
//!
//! The format of keys and their hash are in `keys.rs` of `switchhook-node`.

use std::sync::Arc;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::json;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::{CompanyId, KeyId, first_id_at};
use switchhook_domain::key::{ApiKey, Right, Rights};
use switchhook_domain::scope::{Scope, Scopes};
use switchhook_store::{Store, all_pages};

use super::output::{self, Table, time, time_or_dash};
use super::{block_on, guest, words};
use crate::config::StoreOptions;
use switchhook_node::amounts;
use switchhook_node::callers::REMEMBERED;
use switchhook_node::clock::SystemClock;
use switchhook_node::keys::{self, parse_life};
use switchhook_node::randomness::JitterSource;
use switchhook_web::api::answers::KeyAnswer;

/// Create, list and revoke API keys
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Create an API key and print it; it cannot be shown again, since only its hash is stored
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook keys create --name me --admin
  export SWITCHHOOK_API_KEY=$(switchhook keys create --name ci --rights ingest --expires 90d)
  switchhook keys create --name crm --scopes recordings_export,message_content_export:all

The key works at once, also on a server that is running. It and its subscriptions see the data that its scopes allow.")]
pub(super) struct Create {
    /// Name of the key
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    name: String,

    /// Company that the key belongs to [default: the default company]
    #[arg(long, value_name = "ID")]
    company: Option<CompanyId>,

    #[arg(
        long,
        help = explained("Data that the key and its subscriptions may see", Scope::ALL.map(|scope| (scope.as_str(), scope.shows()))),
        value_name = "SCOPES", default_value = "", hide_possible_values = true, value_parser = words::one_of::<Scopes>(Scope::ALL.map(Scope::as_str)))]
    scopes: Scopes,

    #[arg(
        long,
        help = explained("Rights of the key", Right::ALL.map(|right| (right.as_str(), right.allows()))),
        value_name = "RIGHTS",
        default_value_t = Rights::all(), hide_possible_values = true, value_parser = words::one_of::<Rights>(Right::ALL.map(Right::as_str)))]
    rights: Rights,

    /// Let the key use everything of its company, including agent status, contacts and (with change_log) change logs
    #[arg(long, conflicts_with = "rights")]
    admin: bool,

    #[arg(
        long,
        help = format!("Lifetime of the key, at most {}: 90d", amounts::time(*keys::LIFE.end())),
        value_name = "DURATION",
        value_parser = parse_life
    )]
    expires: Option<Duration>,

    #[command(flatten)]
    store: StoreOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// List API keys, oldest first; the keys themselves are not shown
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  switchhook keys list\n  switchhook keys list --store sqlite:/var/lib/switchhook/switchhook.db --json"
)]
pub(super) struct List {
    /// Only keys of this company
    #[arg(long, value_name = "ID")]
    company: Option<CompanyId>,

    #[command(flatten)]
    store: StoreOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A key to revoke.
#[derive(Debug, Args)]
#[command(
    about = format!("Revoke an API key; a running server refuses it within {}", amounts::time(REMEMBERED)),
    after_help = "Example:\n  switchhook keys revoke 7730318061039616"
)]
pub(super) struct Revoke {
    /// Id of the key, as `keys list` shows it
    id: KeyId,

    #[command(flatten)]
    store: StoreOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Keys {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let now = SystemClock.now();
        match self {
            Self::Create(create) => create.run(now),
            Self::List(list) => list.run(now),
            Self::Revoke(revoke) => revoke.run(now),
        }
    }
}

impl Create {
    fn run(self, now: Timestamp) -> anyhow::Result<()> {
        let text = keys::new_key();
        let key = self.key(&text, now);
        let created = on_store(&self.store, async |store| {
            Ok(store.create_key(key.clone()).await?)
        })?;
        if self.json {
            return output::print_json(&KeyAnswer {
                key: Some(text),
                ..created.into()
            });
        }
        output::remark(format_args!(
            "this is key {} of company {}; the key itself is not stored and will not be shown again",
            created.id, created.company_id
        ));
        output::print(text)
    }

    fn key(&self, text: &str, now: Timestamp) -> ApiKey {
        let key = admin_key(&self.name, text, now);
        ApiKey {
            company_id: self.company.unwrap_or(key.company_id),
            admin: self.admin,
            rights: self.rights,
            scopes: self.scopes,
            expires_at: self.expires.map(|after| now.plus(after)),
            ..key
        }
    }
}

impl List {
    fn run(self, now: Timestamp) -> anyhow::Result<()> {
        let keys = on_store(&self.store, async |store| {
            Ok(all_pages(|page| store.list_keys(self.company, page)).await?)
        })?;
        if self.json {
            let items: Vec<KeyAnswer> = keys.into_iter().map(KeyAnswer::from).collect();
            return output::print_json(&json!({ "items": items }));
        }
        let mut table = Table::new(&[
            "ID",
            "NAME",
            "COMPANY",
            "RIGHTS",
            "SCOPES",
            "CREATED",
            "EXPIRES",
            "LAST USED",
            "STATE",
        ])
        .truncating(&["NAME", "SCOPES"])
        .dropping(&["CREATED", "COMPANY", "EXPIRES", "LAST USED"]);
        for key in &keys {
            table.row(row(key, now));
        }
        table.print_or("there are no keys; `switchhook keys create --name NAME` creates one")
    }
}

impl Revoke {
    fn run(self, now: Timestamp) -> anyhow::Result<()> {
        let revoked = on_store(&self.store, async |store| {
            Ok(store.revoke_key(self.id, now).await?)
        })?;
        if self.json {
            return output::print_json(&KeyAnswer::from(revoked));
        }
        let since = time_or_dash(revoked.revoked_at);
        output::print(format_args!(
            "key {} ({}) is revoked since {since}",
            revoked.id, revoked.name
        ))
    }
}

/// Admin key of the default company.
pub(super) fn admin_key(name: &str, text: &str, now: Timestamp) -> ApiKey {
    // Other processes make ids too, and none of them knows of us: chance keeps them apart.
    let apart = i64::from(JitterSource::from_entropy().sample().0 >> 4);
    let id = KeyId(first_id_at(now) + apart);
    ApiKey::of_admin(id, keys::DEFAULT_COMPANY, name, keys::hash(text), now)
}

/// Runs `work` on the store as a guest, and closes it.
fn on_store<T>(
    options: &StoreOptions,
    work: impl AsyncFnOnce(Arc<dyn Store>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    block_on(async {
        let store = guest::open(&options.store, None)?;
        let done = work(Arc::clone(&store)).await;
        store.close().await;
        done
    })
}

/// Help text with the meaning of each word.
fn explained(what: &str, words: impl IntoIterator<Item = (&'static str, &'static str)>) -> String {
    let words = words
        .into_iter()
        .map(|(word, meaning)| format!("{word} ({meaning})"));
    format!(
        "{what}, separated by commas: {}",
        words.collect::<Vec<_>>().join(", ")
    )
}

fn row(key: &ApiKey, now: Timestamp) -> [String; 9] {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    [
        key.id.to_string(),
        key.name.clone(),
        key.company_id.to_string(),
        if key.admin {
            "admin".to_owned()
        } else {
            key.rights.to_string()
        },
        or_dash(key.scopes.to_string()),
        time(key.created_at),
        time_or_dash(key.expires_at),
        time_or_dash(key.last_used_at),
        key.state_at(now).to_string(),
    ]
}
