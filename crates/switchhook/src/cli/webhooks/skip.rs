//! `switchhook webhooks skip-to-now`.

use serde_json::json;
use switchhook_client::{Client, Request};
use switchhook_domain::id::WebhookId;
use switchhook_web::api::answers::SkippedAnswer;

use crate::cli::output;

/// Repeats the request until nothing waits: each skips a bounded number.
pub(super) async fn to_now(client: &Client, id: WebhookId, json: bool) -> anyhow::Result<()> {
    let mut skipped = 0;
    loop {
        let request = Request::post(format!("/v1/webhooks/{id}/skip-to-now"));
        let answer: SkippedAnswer = client.send(request).await?.read()?;
        skipped += answer.skipped;
        if !answer.has_more {
            break;
        }
    }
    if json {
        return output::print_json(&json!({ "skipped": skipped }));
    }
    output::print_data(match skipped {
        0 => "no delivery was waiting".to_owned(),
        1 => "1 delivery was skipped: it is cancelled, with a note that says so".to_owned(),
        many => format!("{many} deliveries were skipped: they are cancelled, with a note that says so"),
    })
}
