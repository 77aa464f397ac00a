//! The websocket of `listen`: an existing one, or one that is created with its subscriptions and removed at the end.

use anyhow::Context;
use serde_json::json;
use switchhook_domain::Kind;
use switchhook_domain::id::WebsocketId;
use switchhook_domain::secret::Secret;
use url::{Host, Url};

use super::websocket_gone;
use crate::cli::created::Created;
use crate::cli::output;
use switchhook_client::{Client, ClientError, Request};
use switchhook_web::api::answers::WebsocketAnswer;

pub(super) struct SubscribedWebsocket<'a> {
    client: &'a Client,
    id: String,
    /// Resources to remove at the end.
    created: Created,
}

impl<'a> SubscribedWebsocket<'a> {
    pub(super) async fn existing(client: &'a Client, id: WebsocketId) -> anyhow::Result<Self> {
        let websocket = Self {
            client,
            id: id.to_string(),
            created: Created::default(),
        };
        websocket.websocket().await?;
        Ok(websocket)
    }

    /// Creates a websocket with a subscription to each kind, or nothing.
    pub(super) async fn create(
        client: &'a Client,
        kinds: &[Kind],
        secret: Option<&Secret>,
    ) -> anyhow::Result<Self> {
        let request = secret.map_or_else(|| json!({}), |secret| json!({ "secret": secret.expose() }));
        let mut created = Created::default();
        let (id, _) = created.create(client, "/api/v2/websockets", &request).await?;
        let mut websocket = Self { client, id, created };
        if let Err(error) = websocket.subscribe(kinds).await {
            // The first failure is the one to tell.
            let _ = websocket.remove().await;
            return Err(error);
        }
        Ok(websocket)
    }

    async fn subscribe(&mut self, kinds: &[Kind]) -> anyhow::Result<()> {
        let wanted = if kinds.is_empty() { &Kind::ALL } else { kinds };
        let mut subscribed = 0;
        for &kind in wanted {
            match self.created.subscribe(self.client, &self.id, kind).await {
                Ok(_) => subscribed += 1,
                Err(ClientError::Refused { status: 403, message }) if kinds.is_empty() => {
                    output::remark(format_args!("without {kind}: {message}"));
                }
                Err(error) => return Err(error).with_context(|| format!("cannot listen for {kind} events")),
            }
        }
        anyhow::ensure!(subscribed > 0, "this key may not see any kind of events");
        Ok(())
    }

    async fn websocket(&self) -> anyhow::Result<WebsocketAnswer> {
        let request = Request::get(&format!("/api/v2/websockets/{}", self.id), &[]);
        match self.client.send(request).await {
            Ok(answer) => Ok(answer.read()?),
            Err(ClientError::Refused { status: 404, .. }) => Err(websocket_gone(&self.id)),
            Err(error) => Err(error.into()),
        }
    }

    /// Fresh URL to connect to, after a position if there is one.
    pub(super) async fn url(&self, server: &Url, after: Option<&str>) -> anyhow::Result<Url> {
        let url = self.websocket().await?.websocket_url;
        let url =
            url.context("this key may not see all events of the websocket, so it cannot connect to it")?;
        let url = url.parse().context("the server's websocket_url is no URL")?;
        let mut url = reachable(url, server);
        let mut query = url.query_pairs_mut();
        query.append_pair("labelled", "true");
        if let Some(after) = after {
            query.append_pair("after", after);
        }
        drop(query);
        Ok(url)
    }

    /// Id of an existing websocket, which is not removed at the end.
    pub(super) fn kept_id(&self) -> Option<&str> {
        self.created.is_empty().then_some(self.id.as_str())
    }

    /// Removes what was created, the last first.
    pub(super) async fn remove(&self) -> Result<(), ClientError> {
        self.created.remove().await
    }
}

/// URL of the websocket with the host of `--url` if the server, without a public URL, names a loopback address.
fn reachable(mut url: Url, server: &Url) -> Url {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    if is_loopback {
        // `ws` and `http` are of the same sort, so none of these is refused.
        let _ = url.set_scheme(if server.scheme() == "https" { "wss" } else { "ws" });
        let _ = url.set_host(server.host_str());
        let _ = url.set_port(server.port());
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, server: &str, expected: &str) {
        let reachable = reachable(url.parse().unwrap(), &server.parse().unwrap());
        assert_eq!(reachable.as_str(), expected);
    }

    #[test]
    fn a_url_of_loopback_is_the_servers() {
        let local = "ws://127.0.0.1:8400/events/a.b.c";
        check(local, "http://127.0.0.1:9000", "ws://127.0.0.1:9000/events/a.b.c");
        check(local, "https://example.com", "wss://example.com/events/a.b.c");
        let public = "wss://sockets.example.com/events/a.b.c";
        check(public, "https://example.com", public);
    }
}
