//! E-mail, by the server that the operator names.

use std::time::Duration;

use anyhow::Context;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use switchhook_domain::notification::Channel;
use switchhook_http::proxy::Outbound;

use super::SendError;
use super::message::Message;
use super::{MailSettings, MailTls};

/// Time limit of each step of sending a mail.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// Time limit of sending a mail.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// True if the text is one mailbox: `ops@example.com`, or `Ops <ops@example.com>`.
#[must_use]
pub fn is_mailbox(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

impl Mailer {
    pub(super) fn new(settings: &MailSettings, outbound: &Outbound) -> anyhow::Result<Self> {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .timeout(Some(STEP_TIMEOUT))
            .tls(tls(settings, outbound)?)
            .port(settings.port.unwrap_or(settings.tls.usual_port()));
        if let Some((user, password)) = &settings.credentials {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            builder = builder.credentials(credentials);
        }
        Ok(Self {
            transport: builder.build(),
            from: settings
                .from
                .parse()
                .context("the sender of mails is no mailbox")?,
        })
    }

    /// Sends a message to the mailboxes of a channel, in one mail.
    pub(super) async fn send(&self, message: &Message, channel: &Channel) -> Result<(), SendError> {
        let mut mail = lettre::Message::builder().from(self.from.clone());
        for mailbox in channel.mailboxes() {
            let to = mailbox.parse::<Mailbox>();
            let to = to.map_err(|error| SendError::because(format!("a mailbox is none: {error}")))?;
            mail = mail.to(to);
        }
        let mail = mail
            .subject(message.subject())
            .header(ContentType::TEXT_PLAIN)
            .body(message.mail())
            .map_err(|error| SendError::because(format!("the mail cannot be made: {error}")))?;
        match tokio::time::timeout(TIMEOUT, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(SendError::because(format!(
                "the mail server did not take it: {}",
                causes(&error)
            ))),
            Err(_elapsed) => Err(SendError::because("the mail server did not take it in time")),
        }
    }
}

fn tls(settings: &MailSettings, outbound: &Outbound) -> anyhow::Result<Tls> {
    let parameters = || {
        let mut parameters = TlsParameters::builder(settings.host.clone());
        for root in &outbound.extra_roots {
            let root =
                Certificate::from_der(root.to_vec()).context("a certificate cannot be used for mail")?;
            parameters = parameters.add_root_certificate(root);
        }
        parameters.build().context("TLS cannot be used for mail")
    };
    Ok(match settings.tls {
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::Implicit => Tls::Wrapper(parameters()?),
        MailTls::Without => Tls::None,
    })
}

/// An error with what caused it, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
