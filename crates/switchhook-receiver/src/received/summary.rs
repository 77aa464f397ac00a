//! An event in a few words: which thing it is about and what became of it, and nothing personal.

use std::fmt::Display;

use switchhook_protocol::Payload;

pub(super) fn of(payload: &Payload<'_>) -> String {
    match payload {
        Payload::Call(call) => format!(
            "{} {} call {}",
            or_unknown(call.state.as_ref()),
            or_unknown(call.direction.as_ref()),
            or_unknown(call.call_id.as_ref()),
        ),
        Payload::Sms(sms) => format!(
            "{} {} message {}",
            or_unknown(sms.message_status.as_ref()),
            or_unknown(sms.direction.as_ref()),
            or_unknown(sms.id.as_ref()),
        ),
        Payload::AgentStatus(agent) => format!("agent is {}", or_unknown(agent.on_duty_status.as_ref())),
        Payload::Contact(contact) => format!("contact {}", or_unknown(contact.event.as_ref())),
        Payload::Changelog(change) => or_unknown(change.action.as_ref()),
        Payload::Unknown => "of no known kind".to_owned(),
    }
}

fn or_unknown(value: Option<&impl Display>) -> String {
    value.map_or_else(|| "?".to_owned(), ToString::to_string)
}
