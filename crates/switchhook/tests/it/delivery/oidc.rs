//! Tokens of a server that is not ours: `oidc-provider` of npm gives them, and says whether what comes with one has it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use switchhook_domain::attempt::FailureReason;
use switchhook_domain::webhook::{Authentication, WebhookSettings};
use switchhook_node::delivery::transport::Transport;

use super::authentication::{to, transport, with};
use super::network::{check_status, check_unanswered};
use crate::support::program::{skip, variable};
use crate::support::rig::START;

/// Says where it listens. What comes to `/hook` is taken with a token that it gave.
const PROVIDER: &str = r#"
const { createServer } = require("node:http");
(async () => {
  const { Provider } = await import(require.resolve("oidc-provider"));
  const server = createServer().listen(0, "127.0.0.1");
  server.once("listening", () => {
    const issuer = `http://127.0.0.1:${server.address().port}`;
    const provider = new Provider(issuer, {
      clients: [{ client_id: "us & them", client_secret: "p+w/%:", grant_types: ["client_credentials"],
                  redirect_uris: [], response_types: [] }],
      features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
      scopes: ["hooks.write"],
    });
    const answer = provider.callback();
    server.on("request", async (request, response) => {
      if (request.url !== "/hook") return answer(request, response);
      const [, token] = /^Bearer (.+)$/.exec(request.headers.authorization ?? "") ?? [];
      const known = token && await provider.ClientCredentials.find(token);
      response.writeHead(known?.isValid && known.scope === "hooks.write" ? 200 : 401).end();
    });
    console.log(issuer);
  });
})();
"#;

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(packages: &str) -> (Running, String) {
    let mut child = Command::new("node")
        .env("NODE_PATH", packages)
        .args(["-e", PROVIDER])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("node starts");
    let said = child.stdout.take().expect("it is piped");
    let running = Running(child);
    let mut issuer = String::new();
    let read = BufReader::new(said).read_line(&mut issuer);
    assert!(read.is_ok_and(|bytes| bytes > 0), "it says where it listens");
    (running, issuer.trim().to_owned())
}

fn oauth2(issuer: &str, client_secret: &str) -> WebhookSettings {
    with(Authentication::Oauth2 {
        token_url: format!("{issuer}/token"),
        client_id: "us & them".to_owned(),
        client_secret: client_secret.to_owned(),
        scope: Some("hooks.write".to_owned()),
    })
}

#[tokio::test]
async fn a_server_that_is_not_ours_gives_tokens_and_takes_them() {
    let Some(packages) = variable("SWITCHHOOK_TEST_NODE_PATH") else {
        skip("SWITCHHOOK_TEST_NODE_PATH names no packages with oidc-provider: scripts/check --install");
        return;
    };
    let (_running, issuer) = start(&packages);
    let transport = transport(&Arc::new(AtomicI64::new(START.as_millis())));
    let url = format!("{issuer}/hook");
    for _ in 0..2 {
        check_status(&transport.post(to(1, &url, oauth2(&issuer, "p+w/%:"))).await, 200);
    }
    let refused = transport.post(to(2, &url, oauth2(&issuer, "another"))).await;
    check_unanswered(&refused, FailureReason::Authentication, "invalid_client");
    let nobody = transport.post(to(3, &url, WebhookSettings::default())).await;
    check_status(&nobody, 401);
}
