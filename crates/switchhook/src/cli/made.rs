//! What one command makes at servers in several steps: all of it stays, or nothing of it.

use serde::Deserialize;
use serde_json::{Value, json};
use switchhook_domain::Kind;
use switchhook_domain::subscription::Filter;

use switchhook_client::{Answer, Client, ClientError, Request};
use switchhook_web::api::answers::IdText;

/// What was made so far, first to last: where, and the path that removes it.
#[derive(Debug, Default)]
pub(super) struct Made(Vec<(Client, String)>);

/// Whatever it is, by its id. Dialpad's documentation says that ids are integers; in fact they are strings.
#[derive(Debug, Deserialize)]
pub(super) struct Identified {
    pub(super) id: IdText,
}

impl Made {
    /// Makes something; answers its id, and it.
    pub(super) async fn make(
        &mut self,
        client: &Client,
        path: &str,
        request: &Value,
    ) -> Result<(String, Answer), ClientError> {
        let answer = client.send(Request::post(path).json(request)).await?;
        let Identified { id } = answer.read()?;
        let id = id.to_string();
        self.0.push((client.clone(), format!("{path}/{id}")));
        Ok((id, answer))
    }

    /// Makes the subscriptions that together bring every event of a kind to an endpoint.
    pub(super) async fn subscribe(
        &mut self,
        client: &Client,
        endpoint_id: &str,
        kind: Kind,
    ) -> Result<Vec<(String, Answer)>, ClientError> {
        let mut subscriptions = Vec::new();
        for mut fields in everything(kind) {
            fields["endpoint_id"] = endpoint_id.into();
            let path = format!("/api/v2/subscriptions/{}", kind.route());
            subscriptions.push(self.make(client, &path, &fields).await?);
        }
        Ok(subscriptions)
    }

    /// Whether nothing was made.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes what was made, the last first, and goes on if something cannot be removed; answers the first such error.
    pub(super) async fn remove(&self) -> Result<(), ClientError> {
        let mut removed = Ok(());
        for (client, path) in self.0.iter().rev() {
            removed = removed.and(remove(client, path).await);
        }
        removed
    }

    /// Removes what was made because of an error; answers that, and what is left over.
    pub(super) async fn take_back(&self, mut error: anyhow::Error) -> anyhow::Error {
        for (client, path) in self.0.iter().rev() {
            if let Err(another) = remove(client, path).await {
                error = error.context(format!(
                    "{path} is left over and could not be removed ({another})"
                ));
            }
        }
        error
    }
}

/// Removes one thing. What is gone is removed.
pub(super) async fn remove(client: &Client, path: &str) -> Result<(), ClientError> {
    match client.send(Request::delete(path)).await {
        Ok(_) | Err(ClientError::Refused { status: 404, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The filters that together let every event of a kind through.
fn everything(kind: Kind) -> Vec<Value> {
    let said = |filter: &Filter| {
        let mut members = filter.members();
        members.retain(|_, value| *value != json!(false) && *value != json!([]));
        Value::Object(members)
    };
    Filter::everything_of(kind).iter().map(said).collect()
}
