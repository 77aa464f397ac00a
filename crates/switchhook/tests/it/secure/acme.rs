//! Certificates from an authority: Pebble, which is made for such tests, with names that lead to this machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use switchhook::server::Server;
use switchhook_node::settings::{AcmeSettings, Settings, TlsSettings};

use super::Visitor;
use crate::support::program::{Program, free_address};
use crate::support::tls::{Authority, pem};

const NAME: &str = "hooks.example.com";

/// An authority that looks for proofs at the address of a server of ours.
struct Pebble {
    directory: String,
    /// Root certificate to trust when connecting to it.
    root: PathBuf,
    _programs: [Program; 2],
}

impl Pebble {
    async fn start(folder: &Path, server: SocketAddr) -> Option<Self> {
        let (mut names, mut pebble) = (Program::find("pebble-challtestsrv")?, Program::find("pebble")?);
        let authority = Authority::new();
        let root = folder.join("root.pem");
        std::fs::write(&root, authority.pem()).expect("the folder is ours");
        let [certificate, key] = authority.for_names(&["localhost", "127.0.0.1"]).write(folder);
        let [listen, management, dns, dns_management] = [(); 4].map(|()| free_address());
        let config = json!({ "pebble": {
            "listenAddress": listen, "managementListenAddress": management,
            "certificate": certificate, "privateKey": key,
            "httpPort": 1, "tlsPort": server.port(), "ocspResponderURL": "", "externalAccountBindingRequired": false,
        }});
        let path = folder.join("pebble.json");
        std::fs::write(&path, config.to_string()).expect("the folder is ours");
        names
            .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
            .args([
                "-dns01",
                &dns.to_string(),
                "-management",
                &dns_management.to_string(),
            ]);
        let names = Program::start(&mut names, dns_management).await;
        pebble
            .args(["-config", &path.display().to_string()])
            .args(["-dnsserver", &dns.to_string()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0");
        let pebble = Program::start(&mut pebble, listen).await;
        Some(Self {
            directory: format!("https://localhost:{}/dir", listen.port()),
            root,
            _programs: [names, pebble],
        })
    }

    fn settings(&self, folder: &Path) -> TlsSettings {
        TlsSettings::Acme(AcmeSettings {
            names: vec![NAME.to_owned()],
            email: Some("operator@example.com".to_owned()),
            directory: self.directory.clone(),
            root: Some(self.root.clone()),
            folder: folder.join("acme"),
        })
    }
}

async fn serve(address: SocketAddr, tls: TlsSettings) -> Server {
    let settings = Settings {
        listen: address,
        store: "sqlite::memory:".to_owned(),
        tls,
        ..Settings::default()
    };
    Server::start(settings).await.expect("it starts")
}

fn kept(folder: &Path) -> Option<Value> {
    let text = std::fs::read(folder.join("acme/certificate.json")).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Waits for another certificate than `before`, and sees that it is the one that clients are shown.
async fn next_certificate(folder: &Path, before: Option<&Value>, server: SocketAddr) -> Value {
    for _ in 0..1_200 {
        let now = kept(folder);
        if let Some(now) = now.filter(|now| Some(now) != before) {
            let chain = now["chain"].as_str().expect("it is text");
            // Its own issuer comes behind it, and is all that is trusted here.
            let visitor = Visitor::trusting(&chain[chain.rfind("-----BEGIN").expect("PEM")..], NAME);
            if let Ok(answered) = visitor.get(server, b"h2", "/readyz").await {
                assert!(chain.starts_with(&pem("CERTIFICATE", &answered.certificate)[..200]));
                return now;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("there is no certificate within a minute");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_issued_used_kept_and_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let Some(pebble) = Pebble::start(folder.path(), address).await else {
        return;
    };
    let server = serve(address, pebble.settings(folder.path())).await;
    let issued = next_certificate(folder.path(), None, address).await;
    server.stop().await;

    // Started again it asks for none.
    let server = serve(address, pebble.settings(folder.path())).await;
    let again = next_certificate(folder.path(), None, address).await;
    assert_eq!(again, issued);
    server.stop().await;

    // One that is nearly over is shown until there is a new one.
    let mut old = issued.clone();
    let (chain, key) = nearly_over();
    old["chain"] = chain.into();
    old["key"] = key.into();
    std::fs::write(folder.path().join("acme/certificate.json"), old.to_string()).unwrap();
    let server = serve(address, pebble.settings(folder.path())).await;
    let renewed = next_certificate(folder.path(), Some(&old), address).await;
    assert_ne!(renewed["chain"], issued["chain"]);
    server.stop().await;
}

/// A certificate of which more than two thirds of the time are over.
fn nearly_over() -> (String, String) {
    let mut params = CertificateParams::new([NAME.to_owned()]).expect("it is a name");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2028, 1, 1);
    let key = KeyPair::generate().expect("keys can be made");
    let made = params.self_signed(&key).expect("a certificate can be made");
    (made.pem(), key.serialize_pem())
}
