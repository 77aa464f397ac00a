//! Format of a notification for each type of channel.

use serde_json::{Value, json};
use switchhook_domain::Timestamp;
use switchhook_domain::id::CompanyId;
use switchhook_domain::notification::{ChannelType, Notification};

/// The longest text that Discord takes, in characters.
const LONGEST_DISCORD: usize = 2_000;

/// A notification to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id; empty for what is not kept.
    pub id: String,
    /// Kind of the notification, or `test`.
    pub kind: &'static str,
    /// Time of what happened.
    pub at: Timestamp,
    pub company_id: Option<CompanyId>,
    /// Text for people.
    pub text: String,
    /// Data for programs.
    pub data: Value,
}

impl Message {
    #[must_use]
    pub fn of(notification: &Notification) -> Self {
        let mut data = notification.payload.data();
        data["count"] = notification.count.into();
        Self {
            id: notification.id.to_string(),
            kind: notification.payload.kind().as_str(),
            at: notification.at,
            company_id: notification.company_id,
            text: notification.text(),
            data,
        }
    }

    /// Message that tests a channel.
    #[must_use]
    pub fn test(id: String, company_id: CompanyId, at: Timestamp) -> Self {
        Self {
            id,
            kind: "test",
            at,
            company_id: Some(company_id),
            text: "This is a test of Switchhook's notifications: the channel works.".to_owned(),
            data: json!({}),
        }
    }

    /// JSON with all fields.
    #[must_use]
    pub fn whole(&self) -> Value {
        json!({
            "id": self.id,
            "kind": self.kind,
            "at": self.at,
            "company_id": self.company_id.map(|id| id.to_string()),
            "text": self.text,
            "data": self.data,
        })
    }

    /// The body of a POST to a channel of this type.
    pub(super) fn body(&self, channel_type: ChannelType) -> Value {
        let text = format!("[Switchhook] {}", self.text);
        match channel_type {
            ChannelType::Slack => json!({"text": escaped(&text)}),
            ChannelType::Discord => json!({
                "content": text.chars().take(LONGEST_DISCORD).collect::<String>(),
                // A name in the text mentions nobody.
                "allowed_mentions": {"parse": []},
            }),
            ChannelType::Teams => card(&text),
            ChannelType::Webhook | ChannelType::Email => self.whole(),
        }
    }

    /// The subject of a mail.
    pub(super) fn subject(&self) -> String {
        format!("Switchhook: {}", self.kind)
    }

    /// The text of a mail.
    pub(super) fn mail(&self) -> String {
        let data = serde_json::to_string_pretty(&self.data).expect("it has no keys but texts");
        let Self {
            text, kind, id, at, ..
        } = self;
        format!("{text}\n\nkind: {kind}\nat: {at}\nid: {id}\n{data}\n")
    }
}

/// Text in which Slack sees no links, channels or people.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// An Adaptive Card in a message, which is what workflows of Teams take.
fn card(text: &str) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [{"type": "TextBlock", "text": text, "wrap": true}],
            },
        }],
    })
}

#[cfg(test)]
mod tests {
    use switchhook_domain::id::{NotificationId, WebhookId};
    use switchhook_domain::notification::{NotificationPayload, WebhookInfo};

    use super::*;

    fn message() -> Message {
        let at = Timestamp::from_millis(1_790_000_000_000);
        Message::of(&Notification {
            id: NotificationId(7),
            company_id: Some(CompanyId(1)),
            at,
            count: 2,
            payload: NotificationPayload::WebhookDisabled(WebhookInfo::new(
                WebhookId(5),
                "https://e.com/<!channel>&a",
            )),
            due_at: at,
            handed_out_at: None,
        })
    }

    #[test]
    fn a_webhook_gets_everything_with_ids_as_text() {
        let body = message().body(ChannelType::Webhook);
        assert_eq!(body["id"], "7");
        assert_eq!(body["kind"], "webhook.disabled");
        assert_eq!(body["at"], 1_790_000_000_000_i64);
        assert_eq!(body["company_id"], "1");
        assert_eq!(
            body["data"],
            json!({"webhook_id": "5", "hook_url": "https://e.com/<!channel>&a", "count": 2})
        );
    }

    #[test]
    fn chats_get_text_that_mentions_nobody() {
        let slack = message().body(ChannelType::Slack);
        let text = slack["text"].as_str().unwrap_or_default();
        assert!(
            text.contains("&lt;!channel&gt;&amp;a") && !text.contains('<'),
            "{text}"
        );
        let discord = message().body(ChannelType::Discord);
        assert_eq!(discord["allowed_mentions"], json!({"parse": []}));
        let long = Message {
            text: "x".repeat(5_000),
            ..message()
        };
        let content = long.body(ChannelType::Discord)["content"].as_str().map(str::len);
        assert_eq!(content, Some(LONGEST_DISCORD));
        let teams = message().body(ChannelType::Teams);
        let block = &teams["attachments"][0]["content"]["body"][0];
        assert!(
            block["text"]
                .as_str()
                .is_some_and(|text| text.contains("was disabled"))
        );
    }
}
