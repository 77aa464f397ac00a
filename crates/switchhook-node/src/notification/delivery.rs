//! Takes what is due from the store, has it sent, and writes down what came of it.
//!
//! Of several nodes one gets each: a claim lasts longer than sending takes. What was sent when the process ended before that
//! was written down is sent again, with the same id.

use std::time::Duration;

use futures_util::future::join_all;
use switchhook_domain::Timestamp;
use switchhook_domain::notification::delay_after;
use switchhook_store::{
    ClaimedNotification, FinishedNotification, NotificationClaim, Recipients, StoreError,
};
use tracing::{info, warn};

use super::message::Message;
use super::sender::LONGEST;
use super::{Notifications, SendError};

/// Interval of looking for due notifications.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Pause after an error of the store.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Channels sent to at once.
const MOST_AT_ONCE: u32 = 16;

/// Sends for as long as it is polled. A slow command holds up no channel.
pub(super) async fn run(notifications: &Notifications) {
    if notifications.sender.has_command() {
        let to_channels = send(notifications, Recipients::Channels);
        tokio::join!(to_channels, send(notifications, Recipients::Command));
    } else {
        send(notifications, Recipients::Channels).await;
    }
}

async fn send(notifications: &Notifications, recipients: Recipients) {
    loop {
        let pause = match send_due(notifications, recipients).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => LOOK_EVERY,
            Err(error) => {
                warn!(%error, "notifications cannot be read; it is tried again");
                LOOK_AGAIN_AFTER
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Sends some of what is due; answers whether there was any.
async fn send_due(notifications: &Notifications, recipients: Recipients) -> Result<bool, StoreError> {
    let now = notifications.clock.now();
    let claim = NotificationClaim {
        recipients,
        has_command: notifications.sender.has_command(),
        now,
        until: now.plus(LONGEST),
        most: match recipients {
            Recipients::Channels => MOST_AT_ONCE,
            Recipients::Command => 1,
        },
    };
    if !notifications.store.are_notifications_due(claim).await? {
        return Ok(false);
    }
    let claimed = notifications.store.claim_notifications(claim).await?;
    let sent = claimed.iter().map(|one| send_one(notifications, one));
    join_all(sent).await.into_iter().collect::<Result<(), _>>()?;
    Ok(!claimed.is_empty())
}

async fn send_one(notifications: &Notifications, claimed: &ClaimedNotification) -> Result<(), StoreError> {
    let message = Message::of(&claimed.notification);
    let sent = match &claimed.channel {
        Some(channel) => notifications.sender.send(&message, channel).await,
        None => notifications.sender.run_command(&message).await,
    };
    let finished = finished(claimed, sent, notifications.clock.now());
    let (notification, channel) = (claimed.notification.id, claimed.recipient().as_number());
    match &finished.error {
        None => info!(%notification, channel, kind = message.kind, "a notification was sent"),
        Some(error) => {
            let is_over = finished.due_at.is_none();
            warn!(%notification, channel, kind = message.kind, error, is_over, "a notification was not sent");
        }
    }
    notifications.store.finish_notification(finished).await
}

fn finished(
    claimed: &ClaimedNotification,
    sent: Result<(), SendError>,
    now: Timestamp,
) -> FinishedNotification {
    let again = |not_sent: &SendError| {
        let due_at = now.plus(delay_after(claimed.attempts)?);
        Some(due_at.max(not_sent.retry_at.unwrap_or(due_at)))
    };
    let not_sent = sent.err();
    FinishedNotification {
        notification_id: claimed.notification.id,
        recipient: claimed.recipient(),
        attempts: claimed.attempts,
        sent_at: not_sent.is_none().then_some(now),
        due_at: not_sent.as_ref().and_then(again),
        error: not_sent.map(|not_sent| not_sent.why),
    }
}
