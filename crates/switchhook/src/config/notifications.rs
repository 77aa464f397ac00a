//! Options for notifications: the operator's command, the mail server, and the time after which a source is silent.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::file::read_text;
use super::sources::Mistakes;
use crate::words;
use switchhook_domain::secret::Secret;
use switchhook_node::duration::parse_duration;
use switchhook_node::notification::{MailSettings, MailTls, NotificationSettings, is_mailbox};

/// Options for notifications.
#[derive(Clone, Debug, Default, Args)]
pub struct NotificationOptions {
    /// Program to run for each notification, with its arguments; it reads JSON from standard input, and no shell is used
    #[arg(long, env = "SWITCHHOOK_NOTIFY_EXEC", hide_env_values = true, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new())]
    pub notify_exec: Option<String>,

    /// Mail server (SMTP) for notifications by e-mail
    #[arg(
        long,
        env = "SWITCHHOOK_NOTIFY_EMAIL_HOST",
        hide_env_values = true,
        value_name = "HOST",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub notify_email_host: Option<String>,

    #[arg(
        long,
        help = format!(
            "Port of the mail server [default: {}]",
            MailTls::ALL.map(|tls| format!("{} with {tls}", tls.usual_port())).join(", ")
        ),
        env = "SWITCHHOOK_NOTIFY_EMAIL_PORT",
        hide_env_values = true,
        value_name = "PORT",
        value_parser = words::whole_number::<u16>(1..=u16::MAX)
    )]
    pub notify_email_port: Option<u16>,

    /// TLS to the mail server: starttls, implicit, or none (for a server on this machine)
    #[arg(
        long,
        env = "SWITCHHOOK_NOTIFY_EMAIL_TLS",
        hide_env_values = true,
        value_name = "TLS",
        default_value_t,
        hide_possible_values = true,
        value_parser = words::one_of::<MailTls>(MailTls::ALL.map(MailTls::as_str))
    )]
    pub notify_email_tls: MailTls,

    /// User name at the mail server
    #[arg(
        long,
        env = "SWITCHHOOK_NOTIFY_EMAIL_USER",
        hide_env_values = true,
        value_name = "NAME"
    )]
    pub notify_email_user: Option<String>,

    /// Password at the mail server; better in the environment or in a file than on the command line
    #[arg(
        long,
        env = "SWITCHHOOK_NOTIFY_EMAIL_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    pub notify_email_password: Option<String>,

    /// File whose first line is the password at the mail server
    #[arg(
        long,
        env = "SWITCHHOOK_NOTIFY_EMAIL_PASSWORD_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub notify_email_password_file: Option<PathBuf>,

    /// Sender of notifications by e-mail: switchhook@example.com, or Switchhook <switchhook@example.com>
    #[arg(long, env = "SWITCHHOOK_NOTIFY_EMAIL_FROM", hide_env_values = true, value_name = "MAILBOX", value_parser = parse_mailbox)]
    pub notify_email_from: Option<String>,

    /// Time without an event after which a source counts as silent [default: never]
    #[arg(long, env = "SWITCHHOOK_NOTIFY_SOURCE_SILENT", hide_env_values = true, value_name = "DURATION", value_parser = parse_silence)]
    pub notify_source_silent: Option<Duration>,
}

/// Sources are checked once a minute.
const SHORTEST_SILENCE: Duration = Duration::from_secs(60);

impl NotificationOptions {
    /// Settings from the options.
    ///
    /// # Errors
    /// If they contradict each other, or the file with the password cannot be read.
    pub fn settings(&self) -> Result<NotificationSettings, Mistakes> {
        let words = self.notify_exec.iter().flat_map(|words| words.split_whitespace());
        Ok(NotificationSettings {
            command: words.map(str::to_owned).collect(),
            mail: self.mail().map_err(Mistakes)?,
            source_silent: self.notify_source_silent,
        })
    }

    fn mail(&self) -> Result<Option<MailSettings>, Vec<String>> {
        let (mailboxes, credentials) = match (self.mailboxes(), self.credentials()) {
            (Ok(mailboxes), Ok(credentials)) => (mailboxes, credentials),
            (mailboxes, credentials) => {
                let mistakes = [mailboxes.err(), credentials.err()];
                return Err(mistakes.into_iter().flatten().collect());
            }
        };
        Ok(mailboxes.map(|(host, from)| MailSettings {
            host,
            port: self.notify_email_port,
            tls: self.notify_email_tls,
            credentials,
            from,
        }))
    }

    /// Mail server and sender, if mail is sent.
    fn mailboxes(&self) -> Result<Option<(String, String)>, String> {
        let has_credentials = self.notify_email_user.is_some()
            || self.notify_email_password.is_some()
            || self.notify_email_password_file.is_some();
        match (&self.notify_email_host, &self.notify_email_from) {
            (Some(host), Some(from)) => Ok(Some((host.clone(), from.clone()))),
            (Some(_), None) => {
                Err("notify-email-from is required with notify-email-host: whom mails are from".to_owned())
            }
            (None, None) if !has_credentials => Ok(None),
            (None, _) => Err("notify-email-host is required to send e-mail: the mail server".to_owned()),
        }
    }

    /// User name and password at the mail server.
    fn credentials(&self) -> Result<Option<(String, Secret)>, String> {
        let credentials = match (&self.notify_email_user, self.password()?) {
            (Some(user), Some(password)) => (user.clone(), password),
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return Err(
                    "notify-email-password or notify-email-password-file is required with notify-email-user"
                        .to_owned(),
                );
            }
            (None, Some(_)) => {
                return Err("notify-email-user is required with a password for the mail server".to_owned());
            }
        };
        match self.notify_email_tls {
            MailTls::Without => Err(
                "notify-email-tls: a password is not sent in the clear; use starttls or implicit".to_owned(),
            ),
            _ => Ok(Some(credentials)),
        }
    }

    fn password(&self) -> Result<Option<Secret>, String> {
        match (&self.notify_email_password, &self.notify_email_password_file) {
            (Some(_), Some(_)) => Err(
                "notify-email-password and notify-email-password-file are both set: use one of them"
                    .to_owned(),
            ),
            (Some(password), None) => Ok(Some(Secret::new(password))),
            (None, Some(path)) => {
                let place = format!("notify-email-password-file: {}", path.display());
                let text = read_text(path).map_err(|error| format!("{place} cannot be read: {error}"))?;
                match text.lines().next().filter(|line| !line.is_empty()) {
                    Some(password) => Ok(Some(Secret::new(password))),
                    None => Err(format!(
                        "{place} is empty: write the password into its first line"
                    )),
                }
            }
            (None, None) => Ok(None),
        }
    }
}

fn parse_mailbox(text: &str) -> Result<String, String> {
    if is_mailbox(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is not a mailbox; write it as switchhook@example.com"
    ))
}

fn parse_silence(text: &str) -> Result<Duration, String> {
    let silence = parse_duration(text).map_err(|error| error.to_string())?;
    if silence < SHORTEST_SILENCE {
        return Err("sources are looked at once a minute: write 1m or more, such as 24h".to_owned());
    }
    Ok(silence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> NotificationOptions {
        NotificationOptions {
            notify_email_host: Some("mail.example.com".to_owned()),
            notify_email_from: Some("switchhook@example.com".to_owned()),
            ..NotificationOptions::default()
        }
    }

    #[track_caller]
    fn check(options: &NotificationOptions, mistake: Option<&str>) {
        let messages = options.settings().err().map(|mistakes| mistakes.0.join("; "));
        match (messages, mistake) {
            (None, None) => {}
            (Some(messages), Some(mistake)) => {
                assert!(
                    messages.contains(mistake) && !messages.contains("hunter2"),
                    "{messages}"
                );
            }
            (messages, _) => panic!("{messages:?}, not {mistake:?}"),
        }
    }

    #[test]
    fn options_for_mail_go_together() {
        check(&NotificationOptions::default(), None);
        check(&mail(), None);
        let without_from = NotificationOptions {
            notify_email_from: None,
            ..mail()
        };
        check(&without_from, Some("notify-email-from is required"));
        let without_host = NotificationOptions {
            notify_email_host: None,
            ..mail()
        };
        check(&without_host, Some("notify-email-host is required"));
        let user = NotificationOptions {
            notify_email_user: Some("me".to_owned()),
            ..mail()
        };
        check(&user, Some("notify-email-password"));
        let with_password = NotificationOptions {
            notify_email_password: Some("hunter2".to_owned()),
            ..user
        };
        check(&with_password, None);
        let in_the_clear = NotificationOptions {
            notify_email_tls: MailTls::Without,
            ..with_password.clone()
        };
        check(&in_the_clear, Some("not sent in the clear"));
        let twice = NotificationOptions {
            notify_email_password_file: Some("/etc/password".into()),
            ..with_password
        };
        check(&twice, Some("are both set"));
    }

    #[test]
    fn a_command_is_a_program_and_its_arguments() {
        let options = NotificationOptions {
            notify_exec: Some("/usr/local/bin/page  --team ops".to_owned()),
            ..NotificationOptions::default()
        };
        let settings = options.settings().unwrap();
        assert_eq!(settings.command, ["/usr/local/bin/page", "--team", "ops"]);
    }
}
