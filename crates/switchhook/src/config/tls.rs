//! Options for TLS of client connections: a certificate from files, or from an authority (ACME).

use std::path::PathBuf;

use clap::Args;
use switchhook_node::settings::{AcmeSettings, TlsSettings};
use url::Url;

use super::sources::Mistakes;
use crate::tls::read_certificate;

/// Directory of the authority that most certificates come from.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Options for TLS of client connections.
#[derive(Clone, Debug, Args)]
pub struct TlsOptions {
    /// Certificate chain (PEM) for HTTPS; read again when the file changes, and on SIGHUP
    #[arg(
        long,
        env = "SWITCHHOOK_TLS_CERT",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub tls_cert: Option<PathBuf>,

    /// Private key (PEM) of --tls-cert
    #[arg(long, env = "SWITCHHOOK_TLS_KEY", hide_env_values = true, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Domain names to get and renew a certificate for by ACME (TLS-ALPN-01, on port 443), separated by commas
    #[arg(long, env = "SWITCHHOOK_ACME_DOMAIN", hide_env_values = true, value_name = "NAME", value_delimiter = ',', value_parser = parse_name)]
    pub acme_domain: Vec<String>,

    /// E-mail address for messages of the certificate authority
    #[arg(
        long,
        env = "SWITCHHOOK_ACME_EMAIL",
        hide_env_values = true,
        value_name = "ADDRESS"
    )]
    pub acme_email: Option<String>,

    /// ACME directory of the certificate authority
    #[arg(long, env = "SWITCHHOOK_ACME_DIRECTORY", hide_env_values = true, value_name = "URL", default_value = LETS_ENCRYPT, value_parser = parse_directory)]
    pub acme_directory: String,

    /// Extra root certificate (PEM) to trust when connecting to the certificate authority
    #[arg(long, env = "SWITCHHOOK_ACME_CA", hide_env_values = true, value_name = "FILE")]
    pub acme_ca: Option<PathBuf>,

    /// Folder for the account at the certificate authority and the certificate
    #[arg(
        long,
        env = "SWITCHHOOK_ACME_FOLDER",
        hide_env_values = true,
        value_name = "FOLDER",
        default_value = "acme"
    )]
    pub acme_folder: PathBuf,
}

impl TlsOptions {
    /// Settings from the options.
    ///
    /// # Errors
    /// If they contradict each other, or the files hold no certificate.
    pub fn settings(&self) -> Result<TlsSettings, Mistakes> {
        let mistake = |what: String| Err(Mistakes(vec![what]));
        match (&self.tls_cert, &self.tls_key) {
            (None, None) if self.acme_domain.is_empty() => Ok(TlsSettings::Off),
            (None, None) => Ok(TlsSettings::Acme(self.acme())),
            (Some(_), Some(_)) if !self.acme_domain.is_empty() => mistake(
                "tls-cert and acme-domain are both set: a certificate comes from files or from an authority"
                    .to_owned(),
            ),
            (Some(certificate), Some(key)) => match read_certificate(certificate, key) {
                Ok(_) => Ok(TlsSettings::Files {
                    certificate: certificate.clone(),
                    key: key.clone(),
                }),
                Err(error) => mistake(format!("tls-cert: {error:#}")),
            },
            (Some(_), None) => mistake("tls-cert is set without tls-key: set both".to_owned()),
            (None, Some(_)) => mistake("tls-key is set without tls-cert: set both".to_owned()),
        }
    }

    fn acme(&self) -> AcmeSettings {
        AcmeSettings {
            names: self.acme_domain.clone(),
            email: self.acme_email.clone(),
            directory: self.acme_directory.clone(),
            root: self.acme_ca.clone(),
            folder: self.acme_folder.clone(),
        }
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    if name.len() <= 253 && !is_address && name.split('.').all(is_label) {
        return Ok(name);
    }
    Err(format!(
        "`{text}` is not a name that a certificate can be had for; write it as hooks.example.com, without a * or a port"
    ))
}

fn parse_directory(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "https" => Ok(text.to_owned()),
        _ => Err(format!(
            "`{text}` is not the directory of a certificate authority; write it as {LETS_ENCRYPT}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_an_authority_can_look_up() {
        assert_eq!(
            parse_name("Hooks.Example.com."),
            Ok("hooks.example.com".to_owned())
        );
        for wrong in [
            "*.example.com",
            "https://example.com",
            "example.com:443",
            "192.0.2.1",
            "",
            "a..b",
        ] {
            assert!(parse_name(wrong).is_err(), "{wrong}");
        }
    }
}
