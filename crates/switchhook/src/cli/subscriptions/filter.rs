//! Options for the events of a subscription, and the API's fields of each kind.

use clap::Args;
use serde_json::{Value, json};
use switchhook_domain::Kind;
use switchhook_domain::subscription::Filter;
use switchhook_protocol::{CallStateFilter, ContactType, SmsDirection, TargetType};

use super::Fields;
use crate::cli::{UsageError, words};

/// Options of all kinds; each applies to some kinds.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which events")]
pub(super) struct FilterOptions {
    /// call: states of the calls, separated by commas; all for every state
    #[arg(long, value_name = "STATES", value_delimiter = ',', value_parser = words::one_of::<CallStateFilter>(CallStateFilter::ALL.map(CallStateFilter::as_str)))]
    call_states: Vec<CallStateFilter>,

    /// call: calls to groups only
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = words::yes_no())]
    group_calls_only: Option<bool>,

    /// sms: direction of the messages
    #[arg(long, value_parser = words::one_of::<SmsDirection>(SmsDirection::ALL.map(SmsDirection::as_str)))]
    direction: Option<SmsDirection>,

    /// sms: also updates of an outbound message's status
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = words::yes_no())]
    status: Option<bool>,

    /// sms: also messages between two users of the company
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = words::yes_no())]
    include_internal: Option<bool>,

    /// contact: type of the contacts [default: a subscription to each]
    #[arg(long, value_name = "TYPE", value_parser = words::one_of::<ContactType>(ContactType::ALL.map(ContactType::as_str)))]
    contact_type: Option<ContactType>,

    /// call, sms: type of the target
    #[arg(long, value_name = "TYPE", requires = "target_id", value_parser = words::one_of::<TargetType>(TargetType::ALL.map(TargetType::as_str)))]
    target_type: Option<TargetType>,

    /// call, sms: id of the target; only its events are sent
    #[arg(
        long,
        value_name = "ID",
        requires = "target_type",
        allow_negative_numbers = true, value_parser = words::whole_number::<i64>(i64::MIN..=i64::MAX))]
    target_id: Option<i64>,
}

impl FilterOptions {
    /// Fields of the given options, as the API takes them for a kind.
    pub(super) fn fields(&self, kind: Kind) -> Result<Fields, UsageError> {
        let states = (!self.call_states.is_empty()).then(|| json!(self.call_states));
        let all = [
            ("call_states", states),
            ("group_calls_only", self.group_calls_only.map(Value::from)),
            ("direction", self.direction.map(|direction| json!(direction))),
            ("status", self.status.map(Value::from)),
            ("include_internal", self.include_internal.map(Value::from)),
            (
                "contact_type",
                self.contact_type.map(|contact_type| json!(contact_type)),
            ),
            (
                "target_type",
                self.target_type.map(|target_type| json!(target_type)),
            ),
            ("target_id", self.target_id.map(|id| id.to_string().into())),
        ];
        let mut fields = Fields::new();
        for (name, value) in all {
            match value {
                Some(_) if !Filter::takes(kind, name) => return Err(wrong_kind(name, kind)),
                Some(value) => _ = fields.insert(name.to_owned(), value),
                None => {}
            }
        }
        Ok(fields)
    }
}

/// Required fields of the subscriptions that together match every event of a kind.
pub(super) fn required(kind: Kind) -> Vec<Fields> {
    let words = |filter: &Filter| {
        let mut members = filter.members();
        members.retain(|_, value| value.is_string());
        members
    };
    Filter::everything_of(kind).iter().map(words).collect()
}

fn wrong_kind(name: &str, kind: Kind) -> UsageError {
    let option = name.replace('_', "-");
    let kinds = Kind::ALL.into_iter().filter(|kind| Filter::takes(*kind, name));
    let kinds: Vec<_> = kinds.map(Kind::route).collect();
    UsageError(format!(
        "--{option} is for {} subscriptions, not for {kind}",
        kinds.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_of_another_kind_is_refused_by_name() {
        let options = FilterOptions {
            direction: Some(SmsDirection::All),
            ..FilterOptions::default()
        };
        assert!(options.fields(Kind::Sms).is_ok());
        let refused = options.fields(Kind::Call).unwrap_err().to_string();
        assert_eq!(refused, "--direction is for sms subscriptions, not for call");
    }
}
