//! Resources that one command creates in several steps, all of them or none.

use serde::Deserialize;
use serde_json::{Value, json};
use switchhook_domain::Kind;
use switchhook_domain::subscription::Filter;

use switchhook_client::{Answer, Client, ClientError, Request};
use switchhook_web::api::answers::IdText;

/// Created resources, first to last: the server, and the path to delete.
#[derive(Debug, Default)]
pub(super) struct Created(Vec<(Client, String)>);

/// Any resource, by its id. Dialpad's documentation says that ids are integers; in fact they are strings.
#[derive(Debug, Deserialize)]
pub(super) struct WithId {
    pub(super) id: IdText,
}

impl Created {
    /// Creates a resource; returns its id, and the answer.
    pub(super) async fn create(
        &mut self,
        client: &Client,
        path: &str,
        request: &Value,
    ) -> Result<(String, Answer), ClientError> {
        let answer = client.send(Request::post(path).json(request)).await?;
        let WithId { id } = answer.read()?;
        let id = id.to_string();
        self.0.push((client.clone(), format!("{path}/{id}")));
        Ok((id, answer))
    }

    /// Creates the subscriptions that together send every event of a kind to an endpoint.
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
            subscriptions.push(self.create(client, &path, &fields).await?);
        }
        Ok(subscriptions)
    }

    /// True if nothing was created.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes what was created, the last first, and goes on after an error; returns the first error.
    pub(super) async fn remove(&self) -> Result<(), ClientError> {
        let mut removed = Ok(());
        for (client, path) in self.0.iter().rev() {
            removed = removed.and(remove(client, path).await);
        }
        removed
    }

    /// Removes what was created before an error; returns the error, with what could not be removed.
    pub(super) async fn roll_back(&self, mut error: anyhow::Error) -> anyhow::Error {
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

/// Deletes a resource. One that does not exist counts as deleted.
pub(super) async fn remove(client: &Client, path: &str) -> Result<(), ClientError> {
    match client.send(Request::delete(path)).await {
        Ok(_) | Err(ClientError::Refused { status: 404, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Filters that together match every event of a kind.
fn everything(kind: Kind) -> Vec<Value> {
    let said = |filter: &Filter| {
        let mut members = filter.members();
        members.retain(|_, value| *value != json!(false) && *value != json!([]));
        Value::Object(members)
    };
    Filter::everything_of(kind).iter().map(said).collect()
}
