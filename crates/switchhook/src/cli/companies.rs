//! `switchhook companies`: settings of companies, changed in the store directly, also while a server uses it.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use switchhook_domain::company::{Company, CompanyChange};
use switchhook_domain::id::CompanyId;
use switchhook_store::{Store, all_pages};

use super::output::{self, Table, time};
use super::{UsageError, block_on, guest};
use crate::config::StoreOptions;
use crate::words;

/// List companies and change how long their events are kept
#[derive(Debug, Subcommand)]
pub(super) enum Companies {
    List(List),
    Update(Update),
}

/// List companies, oldest first
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  switchhook companies list --store sqlite:/var/lib/switchhook/switchhook.db"
)]
pub(super) struct List {
    #[command(flatten)]
    store: StoreOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Change a company; options that are not given change nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook companies update 1 --drop-payloads
  switchhook companies update 1 --drop-payloads=false --name \"Acme\"

Dropped payloads cannot be restored: such events cannot be sent again.")]
pub(super) struct Update {
    /// Id of the company
    id: CompanyId,

    /// Drop payloads once they are delivered; the record of the deliveries stays
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = words::yes_no())]
    drop_payloads: Option<bool>,

    /// Name of the company
    #[arg(long)]
    name: Option<String>,

    #[command(flatten)]
    store: StoreOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Companies {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(command) => command.run(),
            Self::Update(command) => command.run(),
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        let store = open(&self.store)?;
        let companies = block_on(async {
            let companies = all_pages(|page| store.list_companies(page)).await;
            store.close().await;
            Ok(companies?)
        })?;
        if self.json {
            let items: Vec<_> = companies.iter().map(to_json).collect();
            return output::print_json(&json!({ "items": items }));
        }
        let mut table = Table::new(&["ID", "NAME", "PAYLOADS", "CREATED"])
            .truncating(&["NAME"])
            .dropping(&["CREATED"]);
        for company in companies {
            let created = time(company.created_at);
            let payloads = payloads(&company).to_owned();
            table.row([company.id.to_string(), company.name, payloads, created]);
        }
        table.print_or("there are no companies; `switchhook keys create` creates one")
    }
}

impl Update {
    fn run(self) -> anyhow::Result<()> {
        if self.drop_payloads.is_none() && self.name.is_none() {
            return Err(UsageError("nothing to change: give an option; --help lists them".to_owned()).into());
        }
        let change = CompanyChange {
            name: self.name,
            drop_payloads: self.drop_payloads,
        };
        let store = open(&self.store)?;
        let company = block_on(async {
            let company = store.update_company(self.id, change).await;
            store.close().await;
            Ok(company?)
        })?;
        if self.json {
            return output::print_json(&to_json(&company));
        }
        output::print(format_args!(
            "company {} ({}): {}",
            company.id,
            company.name,
            payloads(&company)
        ))
    }
}

fn open(options: &StoreOptions) -> anyhow::Result<Arc<dyn Store>> {
    guest::open(&options.store, None)
}

const fn payloads(company: &Company) -> &'static str {
    if company.drop_payloads {
        "dropped once delivered"
    } else {
        "kept"
    }
}

fn to_json(company: &Company) -> Value {
    json!({
        "id": company.id.to_string(),
        "name": company.name,
        "drop_payloads": company.drop_payloads,
        "created_at": company.created_at,
    })
}
