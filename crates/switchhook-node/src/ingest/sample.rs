//! One small event of each kind, to see whether a webhook gets anything at all.
//!
//! Ids and numbers are invented: the numbers are from the range that is reserved for fiction.

use switchhook_domain::{Kind, Timestamp};

/// A sample event of that kind, as if it had happened at `now`; `None` of [`Kind::Unknown`].
#[must_use]
pub fn body(kind: Kind, now: Timestamp) -> Option<String> {
    let now = now.as_millis();
    let target = r#"{"id":5000000000000001,"type":"user","name":"Sample User","email":"sample@example.com","phone":"+12025550100"}"#;
    let body = match kind {
        Kind::Call => format!(
            r#"{{"call_id":{now},"state":"hangup","direction":"inbound","target":{target},"contact":{{"id":"sample","type":"local","name":"Sample Contact","phone":"+12025550101"}},"date_started":{},"date_connected":{},"date_ended":{now},"duration":42000,"event_timestamp":{now}}}"#,
            now - 45_000,
            now - 42_000,
        ),
        Kind::Sms => format!(
            r#"{{"id":{now},"created_date":{now},"direction":"inbound","target":{target},"contact":{{"id":"sample","type":"local","name":"Sample Contact"}},"from_number":"+12025550101","to_number":["+12025550100"],"mms":false,"text":"This is a sample message.","message_status":"pending","event_timestamp":{now}}}"#
        ),
        Kind::AgentStatus => format!(
            r#"{{"availability_status":true,"on_duty_status":"Available","on_duty_status_reason":"","call_center_ids":[5000000000000002],"target":{target},"date":{now},"event_timestamp":{now}}}"#
        ),
        Kind::Contact => {
            r#"{"event":"Updated","contact":{"id":"sample","type":"shared","first_name":"Sample","last_name":"Contact","display_name":"Sample Contact","phones":["+12025550101"],"primary_phone":"+12025550101","emails":["contact@example.com"],"primary_email":"contact@example.com"}}"#
                .to_owned()
        }
        Kind::Changelog => format!(
            r#"{{"date":{now},"action":"updated_ivr","note":"This is a sample change.","additional_data":{{}},"target":{{"id":5000000000000003,"type":"office","name":"Sample Office"}},"changed_by":{{"id":5000000000000001,"name":"Sample User","type":"user"}}}}"#
        ),
        Kind::Unknown => return None,
    };
    Some(body)
}

#[cfg(test)]
mod tests {
    use switchhook_protocol::{Outline, recognize_kind};

    use super::*;
    use crate::validation::Validator;

    #[test]
    fn samples_are_events_of_their_kind_without_a_deviation() {
        let validator = Validator::new();
        for kind in Kind::ALL {
            let body = body(kind, Timestamp::from_millis(1_790_000_000_000)).unwrap();
            assert_eq!(recognize_kind(body.as_bytes()), Some(kind), "{body}");
            let event = Outline::read(body.as_bytes()).unwrap();
            assert_eq!(validator.check(kind, &event), [], "{body}");
        }
    }
}
