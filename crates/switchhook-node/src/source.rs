//! Events from outside: what a real account posts to a source's address, from its bytes to a kept event.
//!
//! Checks, tells the kind and knows repeats; from there on it is an event like any other (`ingest.rs`). Its sender will not
//! send it again, so what is authentic is kept whatever its shape, and what is not taken is kept as it came, for whoever
//! wants to know why or corrects the secret (`source/retry.rs`). The address is the API's (`api/inlet.rs`).

pub mod retry;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLock;
use switchhook_domain::id::RefusalId;
use switchhook_domain::source::{Refusal, RefusalBounds, Source};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::{RepeatKey, StandardError, StandardHeaders, StandardKey, hex, recognize_kind};
use switchhook_receiver::Receiver;
use switchhook_store::StoreError;

use crate::Node;
use crate::ingest::{self, Accepted, IdempotencyKey, KEY_LASTS, LARGEST_EVENT, Rejected, Submission};
use crate::keys;

/// The largest request: a signed event is a third larger than its bytes, and has a header.
pub const LARGEST_REQUEST: usize = LARGEST_EVENT / 3 * 4 + 4 * 1024;

/// Time for which a source found in the store is reused.
const REMEMBERED: Duration = Duration::from_secs(1);

/// Bound on the sources in memory.
const MOST_REMEMBERED: usize = 1_024;

/// A source, ready to check what comes.
#[derive(Debug)]
pub struct LoadedSource {
    source: Source,
    receiver: Receiver,
    /// The same secrets, for what is signed beside its body.
    standard: Vec<StandardKey>,
    read_at: Timestamp,
}

/// The sources that were found lately.
#[derive(Debug, Default)]
pub struct SourceCache(RwLock<HashMap<[u8; 32], Arc<LoadedSource>>>);

/// A request to a source.
#[derive(Debug)]
pub struct SourceInput {
    /// Content type, as the sender says.
    pub content_type: Option<String>,
    /// Signature beside the body, or the reason for which the headers are incomplete.
    pub signature: Result<Option<StandardHeaders>, StandardError>,
    pub content: Bytes,
}

/// Reason for which a request is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is wrong, and is kept for inspection.
    #[error("{reason}")]
    Refused {
        /// The HTTP status that says so.
        status: u16,
        reason: String,
    },
    /// It could not be kept. Its sender should try again.
    #[error("{0}")]
    NotKept(Rejected),
}

impl SourceCache {
    /// The source with this token.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn find(&self, node: &Node, token: &str) -> Result<Option<Arc<LoadedSource>>, StoreError> {
        let (hash, now) = (keys::hash(token), node.clock.now());
        let remembered = self.0.read().get(&hash).cloned();
        if let Some(inlet) = remembered.filter(|inlet| inlet.is_fresh(now)) {
            return Ok(Some(inlet));
        }
        let Some(source) = node.store.find_source(hash).await? else {
            self.0.write().remove(&hash);
            return Ok(None);
        };
        let inlet = Arc::new(LoadedSource::new(source, now));
        let mut all = self.0.write();
        if all.len() >= MOST_REMEMBERED {
            all.clear();
        }
        all.insert(hash, Arc::clone(&inlet));
        Ok(Some(inlet))
    }
}

impl LoadedSource {
    fn new(source: Source, now: Timestamp) -> Self {
        let mut secrets = source.valid_secrets(now).map(|secret| secret.expose().as_bytes());
        let mut builder = Receiver::builder();
        if let Some(current) = secrets.next() {
            builder = builder.secret(current);
        }
        for old in secrets {
            builder = builder.also_accept(old);
        }
        let receiver = builder
            .accept_any_json()
            .build()
            .expect("an empty secret is none");
        let secrets = source.valid_secrets(now);
        let standard = secrets.map(|secret| StandardKey::new(secret.expose())).collect();
        Self {
            source,
            receiver,
            standard,
            read_at: now,
        }
    }

    /// A clock that was put back makes everything old.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.read_at <= now && now.since(self.read_at) < REMEMBERED
    }

    /// Takes a request: when this answers `Ok`, its event is kept.
    ///
    /// # Errors
    /// Says why not.
    pub async fn take(&self, node: &Node, incoming: SourceInput) -> Result<Accepted, SourceError> {
        let taken = self.try_to_take(node, &incoming).await;
        if let Err(SourceError::Refused { status, reason }) = &taken {
            self.keep_refusal(node, &incoming, *status, reason).await;
        }
        taken
    }

    async fn try_to_take(&self, node: &Node, incoming: &SourceInput) -> Result<Accepted, SourceError> {
        let signature = match &incoming.signature {
            Err(error) if self.may_be_signed_beside(&incoming.content) => {
                return Err(self.not_genuine(node, error));
            }
            signature => signature.as_ref().ok().and_then(Option::as_ref),
        };
        let submission = self.judge(node, &incoming.content, signature, node.clock.now())?;
        let accepted = ingest::accept_from_source(node, submission).await;
        if accepted.is_ok() {
            node.notifications
                .last_events
                .note(self.source.id, node.clock.now());
        }
        accepted.map_err(not_taken)
    }

    /// Event in a request that came at this time, if it is authentic.
    fn judge(
        &self,
        node: &Node,
        content: &[u8],
        signature: Option<&StandardHeaders>,
        came_at: Timestamp,
    ) -> Result<Submission, SourceError> {
        let (told_kind, body) = match signature.filter(|_| self.may_be_signed_beside(content)) {
            // The body is the event itself, every byte of it.
            Some(signature) => {
                let verified = signature.verify(&self.standard, content, came_at);
                verified.map_err(|error| self.not_genuine(node, &error))?;
                (recognize_kind(content), content.to_vec())
            }
            None => self.read(node, content)?,
        };
        // What is no object is of no kind, whatever comes from its source otherwise.
        let said_kind = self.source.kind.filter(|_| is_object(&body));
        let kind = said_kind.or(told_kind).unwrap_or(Kind::Unknown);
        Ok(Submission {
            company_id: self.source.company_id,
            kind,
            idempotency_key: Some(self.repeat_key(kind, &body)),
            body: body.into(),
        })
    }

    /// The event of a request as Dialpad makes them: a JWT, or plain where there is no secret.
    fn read(&self, node: &Node, content: &[u8]) -> Result<(Option<Kind>, Vec<u8>), SourceError> {
        // Some gateways end every body with a newline. Of an event that is not signed every byte is its own.
        let content = match self.source.secret {
            Some(_) => content.trim_ascii(),
            None => content,
        };
        let received = self.receiver.receive(content).map_err(|refusal| {
            node.telemetry.rejected("source");
            refused(refusal.answer_status(), &refusal)
        })?;
        Ok((received.kind, received.body))
    }

    /// True if a signature in headers counts: a JWT has its own, and without a secret none is needed.
    fn may_be_signed_beside(&self, content: &[u8]) -> bool {
        self.source.secret.is_some() && !content.trim_ascii_start().starts_with(b"ey")
    }

    fn not_genuine(&self, node: &Node, error: &StandardError) -> SourceError {
        node.telemetry.rejected("source");
        refused(401, error)
    }

    /// The sender may post an event twice, and its body carries no id: an event with the same natural key and the same
    /// bytes has come before. What differs in its bytes is no repeat, whatever its natural key says.
    fn repeat_key(&self, kind: Kind, body: &[u8]) -> IdempotencyKey {
        let key = RepeatKey::natural(Some(kind), body);
        let bytes = keys::hash_of(body);
        IdempotencyKey {
            text: format!("source:{}:{key}:{}", self.source.id, hex(&bytes[..8])),
            lasts: key.window().unwrap_or(KEY_LASTS),
        }
    }

    /// Keeps a request that is not taken, so that somebody can see why.
    pub async fn keep_refusal(&self, node: &Node, incoming: &SourceInput, status: u16, reason: &str) {
        let content = &incoming.content;
        let now = node.clock.now();
        let refusal = Refusal {
            id: RefusalId(node.ids.next(now)),
            source_id: self.source.id,
            refused_at: now,
            status,
            // It may quote what came, and PostgreSQL can keep no NUL.
            reason: reason.replace('\0', "\u{fffd}"),
            content_type: incoming
                .content_type
                .as_deref()
                .map(|text| text.chars().take(100).collect()),
            signature: incoming.signature.clone().ok().flatten(),
            body_bytes: u32::try_from(content.len()).unwrap_or(u32::MAX),
            body: content.to_vec(),
        };
        // Its sender is answered the same, whether somebody can look at it afterwards or not.
        let kept = node.store.keep_refusal(refusal, RefusalBounds::DEFAULT).await;
        if let Err(error) = kept {
            tracing::warn!(source = %self.source.id, %error, "a refused request could not be kept for inspection");
        }
    }
}

/// True for a JSON object.
fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{")
}

fn not_taken(rejected: Rejected) -> SourceError {
    match &rejected {
        Rejected::TooLarge { .. } => refused(413, &rejected),
        Rejected::NotAnEvent(_) | Rejected::OfNoKind | Rejected::Deviates(_) => refused(400, &rejected),
        Rejected::KeyReused => refused(409, &rejected),
        Rejected::NotKept(_) => SourceError::NotKept(rejected),
    }
}

fn refused(status: u16, reason: &(impl ToString + ?Sized)) -> SourceError {
    SourceError::Refused {
        status,
        reason: reason.to_string(),
    }
}
