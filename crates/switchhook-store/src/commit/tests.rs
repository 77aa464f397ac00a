use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::claim::Release;
use crate::reply::{Answer, Reply, reply};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{DeliveryId, WebhookId};

/// Work that says how it is called.
struct Named {
    name: u32,
    reply: Reply<u32>,
}

fn answer(writes: Vec<Write<Named>>, committed: &Result<(), StoreError>) {
    for write in writes {
        match write {
            Write::Hot(write) => write.answer(committed),
            Write::Other(named) => named.reply.send(committed),
        }
    }
}

const MOST: Weight = Weight {
    items: 10,
    bytes: 10_000,
};

fn queue() -> (Arc<WriteQueue<Named>>, Batches<Named>) {
    let queue = Arc::new(WriteQueue::new());
    let sleeper = WakeTarget::Task(Arc::default());
    (Arc::clone(&queue), Batches::of(queue, MOST, sleeper))
}

/// Does something that is done at once, or waits.
fn poll<T>(work: impl Future<Output = T>) -> Option<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn put(queue: &WriteQueue<Named>, name: u32, weight: Weight) -> Answer<u32> {
    let (reply, answer) = reply();
    let write = Write::Other(Box::new(Named { name, reply }));
    poll(queue.put(write, weight)).expect("there is room").unwrap();
    answer
}

/// Puts in what is not urgent.
fn put_ends(queue: &WriteQueue<Named>) -> Answer<usize> {
    let (write, answer) = HotWrite::finish(Vec::new());
    poll(queue.put(Write::Hot(write), Weight::ONE)).unwrap().unwrap();
    answer
}

#[track_caller]
fn batch(batches: &mut Batches<Named>) -> Batch<Named> {
    match batches.next(false, false) {
        Next::Write(batch) => batch,
        _ => panic!("there is no batch"),
    }
}

fn names(batch: &Batch<Named>) -> Vec<u32> {
    let name = |write: &Write<Named>| match write {
        Write::Other(named) => Some(named.name),
        Write::Hot(_) => None,
    };
    batch.writes.iter().filter_map(name).collect()
}

#[test]
fn a_batch_is_bounded_and_keeps_the_order() {
    let (queue, mut batches) = queue();
    let weights = [
        Weight::of(4, 0),
        Weight::of(6, 0),
        Weight::of(1, 0),
        // Larger than a batch: it goes alone.
        Weight::of(11, 0),
        Weight::of(1, 6_000),
        Weight::of(1, 6_000),
        Weight::of(1, 4_000),
    ];
    let _answers: Vec<_> = (0..)
        .zip(weights)
        .map(|(n, weight)| put(&queue, n, weight))
        .collect();
    let found: Vec<_> = (0..5).map(|_| names(&batch(&mut batches))).collect();
    assert_eq!(found, [vec![0, 1], vec![2], vec![3], vec![4], vec![5, 6]]);
    assert!(matches!(batches.next(false, false), Next::Sleep));
}

#[test]
fn what_is_not_urgent_waits_for_company() {
    let (queue, mut batches) = queue();
    let _answer = put_ends(&queue);
    assert!(matches!(batches.next(false, false), Next::Linger));
    let _answer = put(&queue, 1, Weight::ONE);
    assert_eq!(batch(&mut batches).writes.len(), 2, "company came");
    let _answer = put_ends(&queue);
    assert!(matches!(batches.next(false, false), Next::Linger));
    assert!(matches!(batches.next(true, false), Next::Write(batch) if batch.writes.len() == 1));
}

#[test]
fn with_a_deadline_there_is_a_batch_then_be_it_empty() {
    let (queue, mut batches) = queue();
    assert!(matches!(batches.next(false, true), Next::Linger));
    assert!(matches!(batches.next(true, true), Next::Write(batch) if batch.writes.is_empty()));
    let _answer = put_ends(&queue);
    assert!(matches!(batches.next(false, true), Next::Linger));
    assert!(matches!(batches.next(true, true), Next::Write(batch) if batch.writes.len() == 1));
}

#[test]
fn a_full_queue_takes_no_more_until_a_batch_is_done() {
    let (queue, mut batches) = queue();
    let _answer = put(&queue, 1, Weight::of(1, usize::MAX));
    let (reply, _answer) = reply();
    let write = Write::Other(Box::new(Named { name: 2, reply }));
    let mut waiting = pin!(queue.put(write, Weight::ONE));
    assert!(poll(waiting.as_mut()).is_none());
    let first = batch(&mut batches);
    assert!(poll(waiting.as_mut()).is_none(), "it is still being written");
    drop(first.room);
    poll(waiting).expect("there is room").unwrap();
    assert_eq!(names(&batch(&mut batches)), [2]);
}

#[test]
fn two_queues_can_share_their_room() {
    let (queue, _batches) = queue();
    let other = Arc::new(queue.beside());
    let _answer = put(&queue, 1, Weight::of(1, usize::MAX));
    let (reply, _answer) = reply();
    let write = Write::Other(Box::new(Named { name: 2, reply }));
    assert!(poll(other.put(write, Weight::ONE)).is_none());
}

#[test]
fn a_closed_queue_takes_nothing_but_what_waits_is_written() {
    let (queue, mut batches) = queue();
    let answer_to_first = put_ends(&queue);
    queue.close();
    let (write, _answer) = HotWrite::finish(Vec::new());
    let refused = poll(queue.put(Write::Hot(write), Weight::ONE)).unwrap();
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    let mut last = batch(&mut batches);
    for write in &mut last.writes {
        let Write::Hot(HotWrite::Finish { reply, .. }) = write else {
            panic!("it is another one")
        };
        reply.set(Ok(7));
    }
    answer(last.writes, &Ok(()));
    assert_eq!(answer_to_first.now().unwrap(), 7);
    assert!(matches!(batches.next(false, false), Next::End));
}

#[test]
fn nobody_waits_for_one_that_commits_no_more() {
    let (queue, batches) = queue();
    let waiting = put(&queue, 1, Weight::ONE);
    drop(batches);
    assert!(matches!(waiting.now(), Err(StoreError::Unavailable(_))));
    let (write, _answer) = HotWrite::finish(Vec::new());
    let refused = poll(queue.put(Write::Hot(write), Weight::ONE)).unwrap();
    assert!(refused.is_err());
}

#[test]
fn whoever_shared_a_commit_that_failed_learns_why() {
    let (queue, mut batches) = queue();
    let release = Release {
        delivery_id: DeliveryId(1),
        webhook_id: WebhookId(2),
        attempt_number: 1,
        due_at: Timestamp::from_millis(0),
    };
    let (write, released) = HotWrite::release(vec![release], Timestamp::from_millis(0));
    poll(queue.put(Write::Hot(write), Weight::ONE)).unwrap().unwrap();
    let named = put(&queue, 1, Weight::ONE);
    let failure = || StoreError::Unavailable("the disk is full".into());
    answer(batch(&mut batches).writes, &Err(failure()));
    for error in [released.now().unwrap_err(), named.now().unwrap_err()] {
        assert_eq!(error.to_string(), failure().to_string());
    }
}
