//! Gathers events into requests: many lines into one, as long as they fit and arrive without a pause.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::input::{InputEvent, InputFormat};

/// Bounds on a request.
const MOST_LINES: usize = 1_000;
const MOST_BYTES: usize = 4 << 20;

/// Longest wait for more events before a request is sent.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// Events of one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Batch {
    /// One event.
    One(InputEvent),
    /// One event that is too large to be sent.
    TooLarge(InputEvent),
    /// Several events, one per line.
    Lines {
        format: InputFormat,
        /// Numbers of the events in the input.
        numbers: Vec<u64>,
        text: Bytes,
    },
}

impl Batch {
    pub(super) const fn format(&self) -> InputFormat {
        match self {
            Self::One(item) | Self::TooLarge(item) => item.format,
            Self::Lines { format, .. } => *format,
        }
    }

    /// Idempotency key of the request. The server derives one for each line from it.
    pub(super) fn key(&self, key: &str) -> String {
        let first = match self {
            Self::One(item) | Self::TooLarge(item) => item.number,
            Self::Lines { numbers, .. } => numbers.first().copied().unwrap_or(1),
        };
        if first == 1 {
            key.to_owned()
        } else {
            format!("{key}@{first}")
        }
    }
}

/// Builder of batches.
pub(super) struct BatchBuilder {
    sends_early: bool,
    waiting: Option<InputEvent>,
}

impl BatchBuilder {
    /// With `sends_early` a batch is complete when no event comes for [`MAX_WAIT`].
    pub(super) const fn new(sends_early: bool) -> Self {
        Self {
            sends_early,
            waiting: None,
        }
    }

    /// Next batch; `None` at the end of the input.
    pub(super) async fn next(
        &mut self,
        items: &mut Receiver<anyhow::Result<InputEvent>>,
    ) -> anyhow::Result<Option<Batch>> {
        let first = match self.waiting.take() {
            Some(item) => item,
            None => match items.recv().await.transpose()? {
                Some(item) => item,
                None => return Ok(None),
            },
        };
        if first.is_too_large {
            return Ok(Some(Batch::TooLarge(first)));
        }
        let mut events = vec![first];
        let mut bytes = events[0].text.len();
        while fits_lines(&events[0]) && events.len() < MOST_LINES {
            let Some(item) = self.more(items).await? else {
                break;
            };
            bytes += item.text.len() + 1;
            if bytes > MOST_BYTES || item.is_too_large || !fits_lines(&item) {
                self.waiting = Some(item);
                break;
            }
            events.push(item);
        }
        Ok(Some(batch_of(events)))
    }

    async fn more(
        &self,
        items: &mut Receiver<anyhow::Result<InputEvent>>,
    ) -> anyhow::Result<Option<InputEvent>> {
        if !self.sends_early {
            return items.recv().await.transpose();
        }
        match timeout(MAX_WAIT, items.recv()).await {
            Ok(item) => item.transpose(),
            Err(_elapsed) => Ok(None),
        }
    }
}

/// True if an event fits on one line.
fn fits_lines(item: &InputEvent) -> bool {
    !item.text.contains(&b'\n')
}

fn batch_of(mut items: Vec<InputEvent>) -> Batch {
    if items.len() == 1 {
        return Batch::One(items.remove(0));
    }
    let format = items[0].format;
    let numbers = items.iter().map(|item| item.number).collect();
    let mut text = BytesMut::with_capacity(items.iter().map(|item| item.text.len() + 1).sum());
    for item in items {
        text.put(item.text);
        text.put_u8(b'\n');
    }
    Batch::Lines {
        format,
        numbers,
        text: text.freeze(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn item(number: u64, text: &str) -> InputEvent {
        let text = Bytes::copy_from_slice(text.as_bytes());
        InputEvent {
            number,
            format: InputFormat::Lines,
            text,
            is_too_large: false,
        }
    }

    async fn batches(items: Vec<InputEvent>) -> Vec<Vec<u64>> {
        let (sender, mut receiver) = mpsc::channel(items.len().max(1));
        for item in items {
            sender.try_send(Ok(item)).unwrap();
        }
        drop(sender);
        let mut builder = BatchBuilder::new(false);
        let mut batches = Vec::new();
        while let Some(batch) = builder.next(&mut receiver).await.unwrap() {
            batches.push(match batch {
                Batch::One(item) | Batch::TooLarge(item) => vec![item.number],
                Batch::Lines { numbers, .. } => numbers,
            });
        }
        batches
    }

    #[tokio::test]
    async fn lines_go_together_and_what_has_lines_of_its_own_goes_alone() {
        let events = vec![item(1, "{}"), item(2, "{}"), item(3, "{\n}"), item(4, "{}")];
        assert_eq!(batches(events).await, [vec![1, 2], vec![3], vec![4]]);
    }

    #[tokio::test]
    async fn a_batch_is_bounded_in_events_and_in_bytes() {
        let many = (1..=2_001).map(|number| item(number, "{}")).collect();
        assert_eq!(
            batches(many).await.iter().map(Vec::len).collect::<Vec<_>>(),
            [1_000, 1_000, 1]
        );
        let large = "x".repeat(1 << 20);
        let heavy = (1..=5).map(|number| item(number, &large)).collect();
        assert_eq!(batches(heavy).await, [vec![1, 2, 3], vec![4, 5]]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_does_not_wait_for_one_that_does_not_come() {
        let (sender, mut receiver) = mpsc::channel(2);
        sender.try_send(Ok(item(1, "{}"))).unwrap();
        let batch = BatchBuilder::new(true).next(&mut receiver).await.unwrap();
        assert_eq!(batch, Some(Batch::One(item(1, "{}"))));
    }

    #[test]
    fn a_key_is_the_same_whenever_the_same_input_is_sent() {
        assert_eq!(Batch::One(item(1, "{}")).key("k"), "k");
        assert_eq!(Batch::One(item(7, "{}")).key("k"), "k@7");
    }
}
