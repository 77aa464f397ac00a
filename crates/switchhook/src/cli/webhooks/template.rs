//! Templates: a list of the ready ones, and a preview of one with an event.

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};
use switchhook_client::{Client, Request};
use switchhook_domain::Kind;
use switchhook_domain::id::{EventId, WebhookId};
use switchhook_domain::template::READY;
use switchhook_web::api::answers::PreviewAnswer;

use super::settings;
use crate::cli::output::{self, Table};
use crate::cli::words;

/// Preview the body that a template makes from an event; nothing is sent or changed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook webhooks preview 7730318061039616
  switchhook webhooks preview 7730318061039616 --template slack-missed-call
  switchhook webhooks preview 7730318061039616 --template @missed.j2 --event 7730318061039620")]
pub(super) struct Preview {
    /// Id of the webhook
    id: WebhookId,

    /// Template: name of a ready one, @FILE or text [default: the webhook's own]
    #[arg(long, hide_possible_values = true, value_parser = settings::template())]
    template: Option<String>,

    /// Content type of the result [default: the webhook's own]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// Event to use [default: the last one]
    #[arg(long, value_name = "ID", conflicts_with = "kind")]
    event: Option<EventId>,

    /// Use the last event of this kind
    #[arg(long, value_parser = words::kinds())]
    kind: Option<Kind>,
}

impl Preview {
    pub(super) async fn run(self, client: &Client, json: bool) -> anyhow::Result<()> {
        let members = [
            ("template", self.template.map(Value::from)),
            ("content_type", self.content_type.map(Value::from)),
            ("event_id", self.event.map(|id| id.to_string().into())),
            ("kind", self.kind.map(|kind| kind.to_string().into())),
        ];
        let members = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let body = Value::Object(members.collect::<Map<_, _>>());
        let path = format!("/v1/webhooks/{}/preview", self.id);
        let answer = client.send(Request::post(path).json(&body)).await?;
        if json {
            return output::print_data(answer.text()?);
        }
        let made: PreviewAnswer = answer.read()?;
        let of = match &made.event_id {
            Some(id) => format!("{} event {id}", made.kind),
            None => format!("a sample of a {} event: there is none yet", made.kind),
        };
        match (made.body, made.error) {
            (Some(body), _) => {
                output::remark(format_args!("{}, rendered with {of}:", made.content_type));
                output::print_data(body)
            }
            (None, error) => anyhow::bail!(
                "the template cannot be rendered with {of}: {}",
                error.unwrap_or_default()
            ),
        }
    }
}

/// A ready template in JSON.
#[derive(Serialize)]
struct Ready {
    name: &'static str,
    help: &'static str,
    text: &'static str,
}

pub(super) fn list(as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let all: Vec<_> = READY
            .iter()
            .map(|ready| {
                json!(Ready {
                    name: ready.name,
                    help: ready.help,
                    text: ready.text
                })
            })
            .collect();
        return output::print_data(Value::from(all).to_string());
    }
    let mut table = Table::new(&["NAME", "MAKES"]);
    for ready in READY {
        table.row([ready.name.to_owned(), ready.help.to_owned()]);
    }
    table.print_or("there are none")
}
