//! A receiver that is dead for hours, in virtual time, while the server crashes: every channel is told once that it fails and once
//! that it works again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::ChannelId;
use switchhook_domain::notification::{Channel, ChannelType, NotificationKind};
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::WebhookSettings;
use switchhook_node::notification;
use switchhook_node::settings::Settings;
use switchhook_store::PageRequest;
use tokio::runtime::Handle;

use super::fate::{Fate, in_memory_directory};
use super::real_channels::Recipients;
use crate::support::rig::{COMPANY, Notified, Reaction, Rig, START, Seen};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A little more than the quiet time of a notification.
const TWENTY_MINUTES: Duration = Duration::from_secs(20 * 60);

/// Time of watching afterwards, until the quiet time of the last notification is over.
const AFTERWARDS: Duration = TWENTY_MINUTES;

/// Interval of events.
const EVENT_EVERY: Duration = Duration::from_secs(600);

/// Time without a server after a crash.
const DOWN: Duration = Duration::from_secs(40);

/// Commits that registering takes, before which no crash is tried.
const REGISTERING: u64 = 4;

/// State at the end.
pub(super) struct Story {
    /// Time for which the receiver is dead.
    dead: Duration,
    /// Real recipients, unless notifications are only noted.
    real: Option<Arc<Recipients>>,
    notified: Vec<Notified>,
    now: Timestamp,
    pub(super) crashed: bool,
}

impl Story {
    /// A dead receiver, and then a good one; the process is gone after so many commits, and starts again.
    fn live(dead: Duration, commits: u64) -> Self {
        Self::live_telling(dead, commits, None)
    }

    /// The same, a day long, in which real recipients are told.
    pub(super) fn live_a_day_telling(real: Arc<Recipients>, commits: u64) -> Self {
        Self::live_telling(DAY, commits, Some(real))
    }

    fn live_telling(dead: Duration, commits: u64, real: Option<Arc<Recipients>>) -> Self {
        let folder = in_memory_directory();
        let path = folder.path().join("switchhook.db");
        let mut story = Self {
            dead,
            real,
            notified: Vec::new(),
            now: START,
            crashed: false,
        };
        story.live_once(&path, REGISTERING + commits);
        if story.crashed {
            story.now = story.now.plus(DOWN);
            story.live_once(&path, u64::MAX);
        }
        story
    }

    fn live_once(&mut self, path: &Path, commits: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime can be made");
        let fate = Fate::after(commits);
        runtime.block_on(self.life(path, &fate));
        // Dropped with everything that was under way, as by `kill -9`.
        drop(runtime);
        self.crashed |= fate.has_struck();
    }

    async fn life(&mut self, path: &Path, fate: &Arc<Fate>) {
        let (began_at, dead) = (self.now, self.dead);
        let react = move |seen: &Seen| {
            let is_dead = began_at.plus(seen.at).since(START) < dead;
            Reaction::Answer(if is_dead { 503 } else { 200 })
        };
        let store = fate.open(path, began_at);
        let mut settings = Settings::default();
        if let Some(real) = &self.real {
            settings.notifications.mail = Some(real.mail_settings().await);
        }
        let rig = Rig::at(began_at, store, settings, react).await;
        if let Some(real) = &self.real {
            rig.network.notify_by(real.transport());
        }
        let channels = self.channels();
        let are_told = channels.len();
        if began_at == START {
            rig.webhook(WebhookSettings::default()).await;
            for channel in channels {
                let made = rig.store.create_channel(channel).await;
                made.expect("the channel is new");
            }
        }
        let notifying = notification::run(Arc::clone(&rig.node.notifications));
        let notifying = (rig.node.liveness).spawn("notifications", &Handle::current(), notifying);
        // Fate strikes in whoever commits: in a task of the node, or in whoever sends the events.
        let events = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(send_events(
            &rig,
            dead + AFTERWARDS,
        )));
        tokio::select! {
            () = fate.strikes() => {}
            _ = events => {}
        }
        notifying.abort();
        if !fate.has_struck() {
            check(&rig, are_told).await;
        }
        self.now = rig.node.clock.now();
        self.notified.extend(rig.network.notified());
    }

    fn channels(&self) -> Vec<Channel> {
        let nowhere = |id: u32| format!("https://example.com/channels/{id}");
        match &self.real {
            Some(real) => real.channels(),
            None => vec![
                channel(1, ChannelType::Webhook, nowhere(1)),
                channel(2, ChannelType::Slack, nowhere(2)),
            ],
        }
    }
}

pub(super) fn channel(id: i64, channel_type: ChannelType, destination: String) -> Channel {
    Channel {
        id: ChannelId(id),
        company_id: COMPANY,
        channel_type,
        destination: Secret::new(destination),
        secret: None,
        kinds: NotificationKind::ALL.to_vec(),
        created_at: START,
        updated_at: START,
    }
}

async fn send_events(rig: &Rig, until: Duration) {
    let mut call_id = 0;
    while rig.node.clock.now().since(START) < until {
        call_id += 1;
        rig.call(call_id, "hangup").await;
        rig.wait(EVENT_EVERY).await;
    }
}

/// Everything has arrived, and what people were told of stands there once, as sent to all.
async fn check(rig: &Rig, are_told: usize) {
    let states: Vec<_> = rig
        .deliveries()
        .await
        .iter()
        .map(|one| one.state.name())
        .collect();
    assert!(
        states.len() > 3 && states.iter().all(|state| *state == StateName::Delivered),
        "{states:?}"
    );
    let page = rig
        .store
        .list_notifications(COMPANY, PageRequest::first(100))
        .await
        .expect("the store can be read");
    let listed: Vec<_> = page
        .items
        .iter()
        .map(|record| (record.notification.payload.kind(), record.progress.len()))
        .collect();
    assert_eq!(
        listed,
        [
            (NotificationKind::WebhookRecovered, are_told),
            (NotificationKind::WebhookFailing, are_told)
        ]
    );
}

/// Messages to each channel, and their numbers.
fn sent(story: &Story) -> BTreeMap<(i64, String), u32> {
    let mut sent = BTreeMap::new();
    for one in &story.notified {
        *sent
            .entry((one.channel_id.0, one.message.to_string()))
            .or_default() += 1;
    }
    sent
}

#[test]
fn a_day_without_a_receiver_and_a_crash_is_told_once_and_so_is_its_end() {
    let story = Story::live(DAY, 150);
    let sent = sent(&story);
    assert!(
        story.crashed && sent.len() == 4 && sent.values().all(|times| *times == 1),
        "{sent:#?}"
    );
}

/// Between sending and writing down that it was sent lies a step at which a crash makes the same message go out again, to the
/// channels it was under way to; nothing else is doubled, and nothing is lost.
#[test]
fn no_crash_makes_anything_be_told_twice_or_not_at_all() {
    let (mut commits, mut repeated) = (0, 0);
    loop {
        let story = Story::live(TWENTY_MINUTES, commits);
        let sent = sent(&story);
        assert_eq!(sent.len(), 4, "after {commits} commits: {sent:#?}");
        let again: u32 = sent.values().map(|times| times - 1).sum();
        assert!(again <= 1, "after {commits} commits: {sent:#?}");
        repeated += again;
        if !story.crashed {
            break;
        }
        // The first minutes are where most happens.
        commits += if commits < 20 { 1 } else { 5 };
    }
    assert!(commits > 30, "only {commits} commits were made");
    assert!(repeated < 5, "{repeated} messages were repeated");
}
