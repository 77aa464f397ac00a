//! A leg's state as an event: the contract's fields first, then those that real traffic has besides.

use switchhook_protocol::{CallState, Direction, TargetType, Timestamp};

use super::leg::{Leg, Recording};
use super::{Call, LegIndex, Outside};
use crate::company::Entity;
use crate::json::Json;
use crate::story::world::World;

/// Context from which fields are computed; after the event of that name a field stays.
#[derive(Clone, Copy)]
struct FieldContext<'a> {
    call: &'a Call,
    leg: &'a Leg,
    state: CallState,
    world: &'a World,
}

impl Call {
    pub(super) fn write(&self, index: LegIndex, state: CallState, json: &mut Json, world: &World) {
        let shown = FieldContext {
            call: self,
            leg: &self.legs[index],
            state,
            world,
        };
        shown.write_contract(json);
        json.observed(|json| {
            shown.write_times(json);
            shown.write_parties(json);
            shown.write_recordings(json);
            shown.write_outcome(json);
        });
    }
}

impl FieldContext<'_> {
    fn write_contract(&self, json: &mut Json) {
        let Self { leg, world, .. } = self;
        let entry = leg.entry.map(|entry| &self.call.legs[entry]);
        json.number("call_id", leg.call_id)
            .number_or("master_call_id", leg.master_call_id)
            .number_or("operator_call_id", leg.operator_call_id)
            .number_or("entry_point_call_id", entry.map(|entry| entry.call_id))
            .text("state", self.state.as_str())
            .text("direction", leg.direction.as_str())
            .object("target", |json| world.company.entity(leg.target).write(json))
            .object("contact", |json| match leg.outside {
                Outside::Contact(index) => world.company.contacts[index].write(json),
                Outside::User(index) => world.company.entity(index).write_as_contact(json),
            })
            .number_or("date_started", millis(leg.started_at))
            .number_or("date_connected", millis(leg.connected_at))
            .number_or("date_ended", millis(leg.ended_at))
            .contract(|json| _ = json.number_or("duration", leg.talked_ms().map(|ms| ms as i64)))
            .observed(|json| _ = json.thousandths_or("duration", self.length(leg.talked_ms())))
            .number("event_timestamp", world.now.as_millis());
    }

    fn write_times(&self, json: &mut Json) {
        let leg = self.leg;
        let talk_ms = leg
            .talked_ms()
            .zip(leg.held_ms())
            .map(|(talked, held)| talked.saturating_sub(held));
        // While a device rings, real traffic tells only when the first one began to.
        let rang_at = leg.rang_at.filter(|_| self.state != CallState::Ringing);
        json.number_or("date_rang", millis(rang_at))
            .number_or("date_first_rang", millis(leg.rang_at))
            .number_or("date_queued", millis(leg.queued_at))
            .thousandths_or("total_duration", self.length(leg.total_ms()))
            .thousandths_or("talk_time", self.length(talk_ms))
            .thousandths_or("hold_time", self.length(leg.held_ms()));
    }

    fn write_parties(&self, json: &mut Json) {
        let Self { leg, world, call, .. } = self;
        let company = &world.company;
        let target = company.entity(leg.target);
        let entry = leg.entry.map(|entry| company.entity(call.legs[entry].target));
        let is_internal = matches!(leg.outside, Outside::User(_));
        let external = match leg.outside {
            Outside::Contact(index) => &company.contacts[index].phone,
            Outside::User(index) => &company.entity(index).phone,
        };
        let group = entry
            .or(Some(target))
            .filter(|group| group.target_type != TargetType::User);
        let group_id = group.map(|group| format!("{}:{}", group.capitalised_type(), group.id));
        let is_outbound = leg.direction == Direction::Outbound;
        json.text("external_number", external)
            .text("internal_number", &target.phone)
            .text_or("selected_caller_id", is_outbound.then_some(target.phone.as_str()))
            .object_or("entry_point_target", entry, |json, entry| entry.write(json))
            .object_or("proxy_target", None::<&Entity>, |_, _| {})
            .object_or(
                "transferred_from",
                leg.transferred_from.map(|from| company.entity(from)),
                |json, from| from.write(json),
            )
            .text_or("group_id", group_id.as_deref())
            .text("target_availability_status", "open")
            .flag("is_transferred", leg.transferred_from.is_some())
            .flag("was_recorded", leg.was_recorded && leg.was_connected())
            .flag("is_internal", is_internal)
            .flag_or("callback_requested", leg.callback_requested.then_some(true))
            .texts("labels", [])
            .objects("routing_breadcrumbs", entry, |json, entry| {
                json.text("breadcrumb_type", "call_action")
                    .number_or("date", millis(leg.started_at))
                    .number("target_id", entry.id)
                    .text("target_name", &entry.name)
                    .text("target_type", entry.capitalised_type());
            });
    }

    fn write_recordings(&self, json: &mut Json) {
        let leg = self.leg;
        let ready: Vec<&Recording> = leg
            .recordings
            .iter()
            .filter(|recording| recording.sort != "voicemail" || leg.voicemail().is_some())
            .collect();
        let urls = |sort: &str| -> Vec<String> {
            let of_sort = ready.iter().filter(|recording| recording.sort == sort);
            of_sort.map(|recording| url(recording)).collect()
        };
        let (own, admin) = (urls("callrecording"), urls("admincallrecording"));
        let voicemail = leg.voicemail();
        json.objects("recording_details", &ready, |json, recording| {
            json.text("id", &recording.id.to_string())
                .text("url", &url(recording))
                .thousandths_or("duration", Some(recording.duration_ms * 1_000))
                .number("start_time", recording.started_at.as_millis())
                .text("recording_type", recording.sort);
        })
        .numbers("call_recording_ids", ready.iter().map(|recording| recording.id))
        .texts_if_any("recording_url", &own)
        .texts_if_any("admin_recording_urls", &admin)
        .text_or("voicemail_link", voicemail.map(url).as_deref())
        .number_or("voicemail_recording_id", voicemail.map(|recording| recording.id))
        .text_or(
            "transcription_text",
            (self.state == CallState::Transcription).then_some(self.call.topic.voicemail),
        );
    }

    fn write_outcome(&self, json: &mut Json) {
        use CallState as S;
        let Self { leg, call, state, .. } = self;
        let topic = call.topic;
        let at = |when: CallState| *state == when;
        let review = |audience: &str| {
            let has_ended = leg.ended_at.is_some();
            has_ended.then(|| format!("https://{audience}.larkfield.example/callreview/{}", leg.call_id))
        };
        let mos = leg.mos * u64::from(leg.ended_at.is_some() && leg.was_connected());
        json.number_or("csat_score", leg.csat.map(|score| score as i64))
            .thousandths_or("mos_score", (mos > 0).then_some(mos))
            .object("integrations", |_| {})
            .text_if_any("recap_summary", at(S::RecapSummary).then_some(topic.summary))
            .text_if_any("recap_outcome", at(S::RecapOutcome).then_some(topic.outcome))
            .texts_if_any("recap_purposes", shown_if(at(S::RecapPurposes), topic.purposes))
            .texts_if_any(
                "recap_action_items",
                shown_if(at(S::RecapActionItems), topic.action_items),
            )
            .text_if_any("dispositions", at(S::Dispositions).then_some(topic.disposition))
            .text_if_any("company_call_review_share_link", review("company").as_deref())
            .text_if_any("public_call_review_share_link", review("public").as_deref());
    }

    /// Milliseconds as real traffic has them: with a fraction, or a bare `0` if there were none before the leg ended.
    fn length(&self, millis: Option<u64>) -> Option<u64> {
        let fraction = self.leg.fraction;
        let millis = millis.or_else(|| self.leg.ended_at.map(|_| 0));
        millis.map(|ms| if ms == 0 { 0 } else { ms * 1_000 + fraction })
    }
}

const fn shown_if(holds: bool, texts: &'static [&'static str]) -> &'static [&'static str] {
    if holds { texts } else { &[] }
}

fn url(recording: &Recording) -> String {
    format!("https://media.larkfield.example/r/{}.mp3", recording.id)
}

fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}
