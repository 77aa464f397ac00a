//! Ready templates: what chats take, by name.

use std::fmt::Write as _;

/// A template that need not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyTemplate {
    pub name: &'static str,
    /// Description, in a few words.
    pub help: &'static str,
    pub text: &'static str,
}

macro_rules! ready {
    ($($name:literal: $help:literal;)+) => {
        /// All of them, by name. What they make is JSON.
        pub const READY: &[ReadyTemplate] = &[
            $(ReadyTemplate { name: $name, help: $help, text: include_str!(concat!("ready/", $name, ".j2")) },)+
        ];
    };
}

ready! {
    "discord-call": "any event of a call, for a Discord webhook";
    "discord-message": "a text message, for a Discord webhook";
    "discord-missed-call": "a missed call, for a Discord webhook";
    "slack-call": "any event of a call, for a Slack incoming webhook";
    "slack-message": "a text message, for a Slack incoming webhook";
    "slack-missed-call": "a missed call, for a Slack incoming webhook";
    "teams-call": "any event of a call, as a card for a workflow of Teams";
    "teams-message": "a text message, as a card for a workflow of Teams";
    "teams-missed-call": "a missed call, as a card for a workflow of Teams";
}

pub(super) fn find(name: &str) -> Option<&'static ReadyTemplate> {
    READY.iter().find(|ready| ready.name == name)
}

pub(super) fn names() -> String {
    READY.iter().fold(String::new(), |mut names, ready| {
        let comma = if names.is_empty() { "" } else { ", " };
        let _ = write!(names, "{comma}{}", ready.name);
        names
    })
}
