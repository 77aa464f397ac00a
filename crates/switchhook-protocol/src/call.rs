//! Call events: the states a leg goes through, what one can filter by, and the view of a payload.
//! One real call is several legs with a `call_id` each; four ids together tell which legs belong together.
//! The published contract lists 20 payload states, real traffic has more: an unknown state stays text.

use crate::common::{Direction, Event};
use crate::party::Contact;
use crate::reading::view;
use crate::target::Target;
use crate::text::Text;
use crate::timestamp::Timestamp;
use crate::value::{Id, Json, Milliseconds, Word};
use crate::{spelled, spelled_enum};

spelled_enum! {
    /// A state of a call that an event can report. Payloads may hold others; see [`CallEvent::state`].
    pub enum CallState: "call state" {
        Admin = "admin",
        AdminRecording = "admin_recording",
        AiPlaybook = "ai_playbook",
        Barge = "barge",
        Blocked = "blocked",
        CallTranscription = "call_transcription",
        Calling = "calling",
        Connected = "connected",
        Csat = "csat",
        Dispositions = "dispositions",
        Eavesdrop = "eavesdrop",
        Hangup = "hangup",
        Hold = "hold",
        Merged = "merged",
        Missed = "missed",
        Monitor = "monitor",
        Parked = "parked",
        Pcsat = "pcsat",
        Postcall = "postcall",
        Preanswer = "preanswer",
        Queued = "queued",
        RecapActionItems = "recap_action_items",
        RecapOutcome = "recap_outcome",
        RecapPurposes = "recap_purposes",
        RecapSummary = "recap_summary",
        Recording = "recording",
        Ringing = "ringing",
        Takeover = "takeover",
        Transcription = "transcription",
        Voicemail = "voicemail",
        VoicemailUploaded = "voicemail_uploaded",
    }
}

impl CallState {
    /// True if the published AsyncAPI contract lists this state for payloads; it lists 20 of them.
    #[must_use]
    pub const fn is_in_contract(self) -> bool {
        !matches!(
            self,
            Self::Admin
                | Self::AdminRecording
                | Self::Barge
                | Self::Blocked
                | Self::Csat
                | Self::Eavesdrop
                | Self::Monitor
                | Self::Pcsat
                | Self::Postcall
                | Self::Queued
                | Self::Takeover
        )
    }
}

/// State that a call subscription can ask for: `all`, which no payload has, or one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallStateFilter {
    /// Every state, known or not.
    All,
    /// This state only.
    State(CallState),
}

impl CallStateFilter {
    /// Every value, `all` first.
    pub const ALL: [Self; CallState::ALL.len() + 1] = {
        let mut filters = [Self::All; CallState::ALL.len() + 1];
        let mut index = 0;
        while index < CallState::ALL.len() {
            filters[index + 1] = Self::State(CallState::ALL[index]);
            index += 1;
        }
        filters
    };

    /// The spelling on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::State(state) => state.as_str(),
        }
    }
}

spelled!(CallStateFilter: "call state");

view! {
    /// A state change of one leg of a call.
    ///
    /// Fields marked "observed" are in real traffic and not in the published contract.
    pub struct CallEvent<'a> {
        /// The leg.
        call_id: Option<Id<'a>>,
        /// The leg this one was transferred from, or a conference's first.
        master_call_id: Option<Id<'a>>,
        /// On an entry leg, once answered: the leg of the operator who answered.
        operator_call_id: Option<Id<'a>>,
        /// On an operator's leg: the leg by which the caller came in.
        entry_point_call_id: Option<Id<'a>>,
        /// State of the leg.
        state: Option<Word<'a, CallState>>,
        /// Direction of the call.
        direction: Option<Word<'a, Direction>>,
        /// The Dialpad side of the leg.
        target: Option<Target<'a>>,
        /// The other side.
        contact: Option<Contact<'a>>,
        /// Entry point of the call, on legs to an operator (observed).
        entry_point_target: Option<Target<'a>>,
        /// On whose behalf the target acts (observed).
        proxy_target: Option<Target<'a>>,
        /// Start of the leg.
        date_started: Option<Timestamp>,
        /// Time from which two parties talked; absent if nobody answered, whatever the state.
        date_connected: Option<Timestamp>,
        /// End of the leg.
        date_ended: Option<Timestamp>,
        /// Time at which a device rang (observed).
        date_rang: Option<Timestamp>,
        /// Time at which the first device rang (observed).
        date_first_rang: Option<Timestamp>,
        /// Time at which the caller entered a queue (observed).
        date_queued: Option<Timestamp>,
        /// Time at which the event was made.
        event_timestamp: Option<Timestamp>,
        /// Time connected.
        duration: Option<Milliseconds>,
        /// Time from start to end (observed).
        total_duration: Option<Milliseconds>,
        /// Time spent talking (observed).
        talk_time: Option<Milliseconds>,
        /// Time spent on hold (observed).
        hold_time: Option<Milliseconds>,
        /// The outside party's number (observed).
        external_number: Option<Text<'a>>,
        /// The company's number (observed).
        internal_number: Option<Text<'a>>,
        /// The caller id chosen for an outbound call (observed).
        selected_caller_id: Option<Text<'a>>,
        /// `CallCenter:<id>` and the like (observed).
        group_id: Option<Text<'a>>,
        /// Availability of the target when the call came (observed).
        target_availability_status: Option<Text<'a>>,
        /// Person or entity that transferred the call (observed; form not fixed).
        transferred_from: Option<Json<'a>>,
        /// True if the call was transferred (observed).
        is_transferred: Option<bool>,
        /// True if it was recorded (observed).
        was_recorded: Option<bool>,
        /// True if both sides belong to the company (observed).
        is_internal: Option<bool>,
        /// True if the caller asked to be called back (observed).
        callback_requested: Option<bool>,
        /// Labels (observed).
        labels: Vec<Text<'a>>,
        /// The way through menus and queues (observed; form not fixed).
        routing_breadcrumbs: Option<Json<'a>>,
        /// The recordings made so far (observed).
        recording_details: Vec<RecordingDetail<'a>>,
        /// Ids of the recordings (observed).
        call_recording_ids: Vec<Id<'a>>,
        /// Their addresses; needs the scope `recordings_export` (observed).
        recording_url: Vec<Text<'a>>,
        /// Addresses of recordings an administrator turned on; needs the scope (observed).
        admin_recording_urls: Vec<Text<'a>>,
        /// Pages to share recordings; needs the scope (observed).
        call_recording_share_links: Vec<Text<'a>>,
        /// Pages to share an administrator's recordings; needs the scope (observed).
        admin_call_recording_share_links: Vec<Text<'a>>,
        /// Address of the voicemail's sound; needs the scope (observed).
        voicemail_link: Option<Text<'a>>,
        /// Its id; needs the scope (observed).
        voicemail_recording_id: Option<Id<'a>>,
        /// Transcript of the voicemail (observed).
        transcription_text: Option<Text<'a>>,
        /// A page about the call for people of the company (observed).
        company_call_review_share_link: Option<Text<'a>>,
        /// A page about the call for everyone (observed).
        public_call_review_share_link: Option<Text<'a>>,
        /// The caller's satisfaction (observed; number or text).
        csat_score: Option<Json<'a>>,
        /// The sound's quality, 1 to 5 (observed).
        mos_score: Option<f64>,
        /// Data that the API's caller attached to the call (observed; form not fixed).
        custom_data: Option<Json<'a>>,
        /// Records of connected programs (observed; form not fixed).
        integrations: Option<Json<'a>>,
        /// The call in short (observed).
        recap_summary: Option<Text<'a>>,
        /// Outcome of the call (observed; form not fixed).
        recap_outcome: Option<Json<'a>>,
        /// Purposes of the call (observed; form not fixed).
        recap_purposes: Option<Json<'a>>,
        /// Follow-up tasks (observed; form not fixed).
        recap_action_items: Option<Json<'a>>,
        /// The agent's wrap-up (observed; form not fixed).
        dispositions: Option<Json<'a>>,
    }
}

view! {
    /// One recording of a call (observed).
    pub struct RecordingDetail<'a> {
        id: Option<Id<'a>>,
        /// URL of the recording; needs the scope `recordings_export`.
        url: Option<Text<'a>>,
        /// Its length.
        duration: Option<Milliseconds>,
        start_time: Option<Timestamp>,
        /// `admincallrecording`, `callrecording` or `voicemail`.
        recording_type: Option<Text<'a>>,
    }
}

impl<'a> CallEvent<'a> {
    /// The ids that link this leg to the others of its call: itself, master, operator's and entry leg.
    ///
    /// No single one of them links all legs; the union over the events does. An id may come twice.
    pub fn leg_ids(&self) -> impl Iterator<Item = &Id<'a>> {
        [
            &self.call_id,
            &self.master_call_id,
            &self.operator_call_id,
            &self.entry_point_call_id,
        ]
        .into_iter()
        .flatten()
    }
}

impl<'a> Event<'a> for CallEvent<'a> {
    fn target(&self) -> Option<&Target<'a>> {
        self.target.as_ref()
    }

    fn contact(&self) -> Option<&Contact<'a>> {
        self.contact.as_ref()
    }

    fn event_timestamp(&self) -> Option<Timestamp> {
        self.event_timestamp
    }

    fn subject_id(&self) -> Option<&Id<'a>> {
        self.call_id.as_ref()
    }

    fn what_happened(&self) -> Option<&str> {
        self.state.as_ref().map(Word::as_str)
    }

    fn direction(&self) -> Option<&Word<'a, Direction>> {
        self.direction.as_ref()
    }

    fn natural_key(&self) -> Option<[String; 3]> {
        let state = self.what_happened().unwrap_or_default();
        let at = self.event_timestamp?.as_millis();
        Some([
            self.call_id.as_ref()?.to_string(),
            state.to_owned(),
            at.to_string(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_32_filter_values_and_31_states_of_which_20_are_in_the_contract() {
        assert_eq!(CallStateFilter::ALL.len(), 32);
        assert_eq!(CallState::ALL.len(), 31);
        let in_contract = CallState::ALL.iter().filter(|state| state.is_in_contract());
        assert_eq!(in_contract.count(), 20);
        assert!(CallState::ALL.is_sorted_by_key(|state| state.as_str()));
    }

    #[test]
    fn all_is_a_filter_and_no_state() {
        assert_eq!("all".parse(), Ok(CallStateFilter::All));
        assert!("all".parse::<CallState>().is_err());
        assert_eq!("hangup".parse(), Ok(CallStateFilter::State(CallState::Hangup)));
    }

    #[test]
    fn every_filter_reads_back_what_it_writes() {
        for filter in CallStateFilter::ALL {
            assert_eq!(filter.to_string().parse(), Ok(filter));
        }
    }
}
