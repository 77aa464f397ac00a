//! One leg of a call: a state machine that knows what may follow what, and what it has been through.

use switchhook_protocol::{CallState, Direction, Timestamp};

use super::{LegIndex, Outside};
use crate::company::EntityIndex;
use crate::dialect::Dialect;
use crate::rng::Rng;

/// A leg, as far as it has come.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) call_id: i64,
    pub(super) direction: Direction,
    pub(super) target: EntityIndex,
    pub(super) outside: Outside,
    /// By which leg the caller came in.
    pub(super) entry: Option<LegIndex>,
    pub(super) master_call_id: Option<i64>,
    pub(super) operator_call_id: Option<i64>,
    pub(super) transferred_from: Option<EntityIndex>,
    pub(super) was_recorded: bool,
    pub(super) callback_requested: bool,
    pub(super) started_at: Option<Timestamp>,
    pub(super) rang_at: Option<Timestamp>,
    pub(super) queued_at: Option<Timestamp>,
    pub(super) connected_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) recordings: Vec<Recording>,
    /// Since when somebody is on hold, and for how long somebody was.
    held_since: Option<Timestamp>,
    held_ms: u64,
    /// Fraction of a millisecond that real durations have, in thousandths.
    pub(super) fraction: u64,
    /// Scores, in thousandths and in points.
    pub(super) mos: u64,
    pub(super) csat: Option<u64>,
    last: Option<CallState>,
    /// States that it has reached.
    been: ReachedStates,
    /// True if the contract's states show where it came from.
    is_in_contract: bool,
}

/// A recording of the leg.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recording {
    pub(super) id: i64,
    pub(super) started_at: Timestamp,
    pub(super) duration_ms: u64,
    pub(super) sort: &'static str,
}

/// Relation of a new leg to the call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Link {
    None,
    Entry(LegIndex),
    Master(LegIndex),
    Supervision(LegIndex),
}

/// States that something later depends on.
#[derive(Clone, Copy, Debug, Default)]
struct ReachedStates {
    connected: bool,
    supervising: bool,
    voicemail: bool,
    uploaded: bool,
    transcribed: bool,
}

impl Leg {
    pub(super) fn new(rng: &mut Rng, direction: Direction, target: EntityIndex, outside: Outside) -> Self {
        Self {
            call_id: rng.id(),
            direction,
            target,
            outside,
            entry: None,
            master_call_id: None,
            operator_call_id: None,
            transferred_from: None,
            was_recorded: false,
            callback_requested: false,
            started_at: None,
            rang_at: None,
            queued_at: None,
            connected_at: None,
            ended_at: None,
            recordings: Vec::new(),
            held_since: None,
            held_ms: 0,
            fraction: rng.between(1..=999),
            mos: rng.between(380..=441) * 10,
            csat: None,
            last: None,
            been: ReachedStates::default(),
            is_in_contract: false,
        }
    }

    /// Comes to a state, now.
    ///
    /// # Panics
    /// If no leg comes from where it is to there: scripts are written by us.
    pub(super) fn enter(&mut self, state: CallState, now: Timestamp, rng: &mut Rng) {
        assert!(
            self.may_enter(state),
            "no leg goes from {:?} to {state}",
            self.last
        );
        self.started_at.get_or_insert(now);
        if state != CallState::Hold
            && let Some(since) = self.held_since.take()
        {
            self.held_ms += now.since(since).as_millis() as u64;
        }
        match state {
            CallState::Calling | CallState::Ringing | CallState::Preanswer => {
                self.is_in_contract = true;
                if state == CallState::Ringing {
                    self.rang_at.get_or_insert(now);
                }
            }
            CallState::Queued => _ = self.queued_at.get_or_insert(now),
            CallState::Connected => {
                self.connected_at.get_or_insert(now);
                self.been.connected = true;
            }
            CallState::Monitor | CallState::Barge | CallState::Eavesdrop => self.been.supervising = true,
            CallState::Takeover => {
                self.connected_at.get_or_insert(now);
                self.been.connected = true;
            }
            CallState::Hold => self.held_since = Some(now),
            CallState::Voicemail => {
                self.been.voicemail = true;
                self.record(now, 0, "voicemail", rng);
            }
            CallState::Hangup => self.end(now),
            CallState::Recording => self.keep_talk("callrecording", rng),
            CallState::AdminRecording => self.keep_talk("admincallrecording", rng),
            CallState::VoicemailUploaded => self.been.uploaded = true,
            CallState::CallTranscription => self.been.transcribed = true,
            CallState::Csat => self.csat = Some(rng.between(2..=5)),
            _ => {}
        }
        self.last = Some(state);
    }

    /// True if a dialect shows the leg at all: in the contract's states a supervisor's leg would end without having
    /// begun.
    pub(super) const fn is_told_in(&self, dialect: Dialect) -> bool {
        self.is_in_contract || matches!(dialect, Dialect::Observed)
    }

    /// Milliseconds with two parties talking, once it is over.
    pub(super) fn talked_ms(&self) -> Option<u64> {
        let ended_at = self.ended_at?;
        Some(
            self.connected_at
                .map_or(0, |since| ended_at.since(since).as_millis() as u64),
        )
    }

    /// Milliseconds from the first to the last, once it is over.
    pub(super) fn total_ms(&self) -> Option<u64> {
        Some(self.ended_at?.since(self.started_at?).as_millis() as u64)
    }

    /// Milliseconds on hold, once it is over.
    pub(super) fn held_ms(&self) -> Option<u64> {
        self.ended_at.map(|_| self.held_ms)
    }

    pub(super) const fn was_connected(&self) -> bool {
        self.been.connected
    }

    pub(super) fn voicemail(&self) -> Option<&Recording> {
        let is_there = self.been.uploaded;
        self.recordings
            .iter()
            .find(|recording| is_there && recording.sort == "voicemail")
    }

    /// True if the state may follow: first the way to a talk, then the talk, its end, and the work after it.
    fn may_enter(&self, state: CallState) -> bool {
        use CallState as S;
        let (last, been) = (self.last, self.been);
        let has_ended = self.ended_at.is_some();
        let is_on_the_way = matches!(last, Some(S::Calling | S::Ringing | S::Preanswer | S::Queued));
        let is_in_talk = been.connected && !has_ended;
        match state {
            S::Calling | S::Blocked => last.is_none(),
            S::Ringing | S::Preanswer => last.is_none() || is_on_the_way,
            S::Queued => matches!(last, Some(S::Ringing | S::Preanswer)),
            S::Monitor | S::Eavesdrop => last.is_none(),
            S::Barge => matches!(last, Some(S::Monitor | S::Eavesdrop)),
            S::Takeover => been.supervising && !been.connected && !has_ended,
            S::Connected => !has_ended && !been.voicemail && (is_on_the_way || is_in_talk),
            S::Hold | S::Parked | S::Merged => is_in_talk,
            S::Missed => is_on_the_way && !been.connected,
            S::Voicemail => (is_on_the_way || last == Some(S::Missed)) && !been.connected,
            S::Hangup => last.is_some() && !has_ended,
            S::VoicemailUploaded => has_ended && been.voicemail,
            S::Transcription => been.uploaded,
            S::Recording
            | S::AdminRecording
            | S::CallTranscription
            | S::Csat
            | S::Pcsat
            | S::Dispositions
            | S::Postcall
            | S::Admin => has_ended && been.connected,
            S::RecapSummary | S::RecapOutcome | S::RecapPurposes | S::RecapActionItems | S::AiPlaybook => {
                been.transcribed
            }
        }
    }

    fn end(&mut self, now: Timestamp) {
        self.ended_at = Some(now);
        for recording in &mut self.recordings {
            recording.duration_ms = now.since(recording.started_at).as_millis() as u64;
        }
    }

    fn keep_talk(&mut self, sort: &'static str, rng: &mut Rng) {
        if let (Some(since), Some(talked_ms)) = (self.connected_at, self.talked_ms()) {
            self.record(since, talked_ms, sort, rng);
        }
    }

    fn record(&mut self, started_at: Timestamp, duration_ms: u64, sort: &'static str, rng: &mut Rng) {
        self.recordings.push(Recording {
            id: rng.id(),
            started_at,
            duration_ms,
            sort,
        });
    }
}
