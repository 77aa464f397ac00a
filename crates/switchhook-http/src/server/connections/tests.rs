//! Choice of connections that make room, timeouts, and the counts of both.

use super::capacity::YOUNG_MS;
use super::*;
use crate::server::connection::Phase;

fn connections(max: usize) -> Arc<Connections> {
    Connections::new(ConnectionLimits::default(), max, ConnectionCounts::none())
}

fn peer(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

async fn many(connections: &Arc<Connections>, peer: IpAddr, count: usize) -> Vec<ConnectionGuard> {
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(connections.admit(peer).await.unwrap());
    }
    entries
}

async fn pass(connections: &Connections, time: Duration) {
    sleep(time).await;
    connections.sweep();
}

#[tokio::test(start_paused = true)]
async fn who_brought_no_request_makes_room_before_who_waits_for_another() {
    let all = connections(3);
    let idle = all.admit(peer(1)).await.unwrap();
    let progress = idle.connection.begin_request();
    idle.connection.end_request(&progress);
    let busy = all.admit(peer(2)).await.unwrap();
    busy.connection.begin_request();
    pass(&all, Duration::from_secs(5)).await;
    let half = all.admit(peer(3)).await.unwrap();
    half.connection.read();
    pass(&all, Duration::from_secs(2)).await;
    let orders = || [&idle, &busy, &half].map(|entry| entry.connection.order());
    let new = all.admit(peer(4)).await.unwrap();
    assert!(!new.connection.is_spare);
    assert_eq!(orders(), [Directive::GoOn, Directive::GoOn, Directive::Close]);
    let newer = all.admit(peer(4)).await.unwrap();
    assert!(!newer.connection.is_spare);
    assert_eq!(orders(), [Directive::Close, Directive::GoOn, Directive::Close]);
}

#[tokio::test(start_paused = true)]
async fn the_address_that_has_most_makes_room_first() {
    let all = connections(4);
    let genuine = all.admit(peer(1)).await.unwrap();
    let strangers = many(&all, peer(9), 3).await;
    pass(&all, Duration::from_secs(3)).await;
    let _new = all.admit(peer(1)).await.unwrap();
    assert_eq!(
        genuine.connection.order(),
        Directive::GoOn,
        "although it is the oldest"
    );
    let closed = strangers
        .iter()
        .filter(|entry| entry.connection.order() == Directive::Close);
    assert_eq!(closed.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_just_come_is_given_the_time_to_say_what_it_wants() {
    let all = connections(1);
    let first = all.admit(peer(1)).await.unwrap();
    let began = Instant::now();
    let _second = all.admit(peer(1)).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(YOUNG_MS));
    assert_eq!(first.connection.order(), Directive::Close);
}

#[tokio::test(start_paused = true)]
async fn where_all_are_busy_a_few_may_ask_whether_the_server_is_well() {
    let all = connections(2);
    let busy = many(&all, peer(1), 2).await;
    for entry in &busy {
        entry.connection.begin_request();
    }
    pass(&all, Duration::from_secs(60)).await;
    let spare = many(&all, peer(2), SPARE).await;
    assert!(spare.iter().all(|entry| entry.connection.is_spare));
    for entry in &spare {
        entry.connection.begin_request();
    }
    assert!(all.admit(peer(2)).await.is_none());
    drop(busy);
    assert!(!all.admit(peer(2)).await.unwrap().connection.is_spare);
    drop(spare);
    assert_eq!(all.open.lock().spare, 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_closes_by_itself_is_not_waited_for_to_close() {
    let all = connections(2);
    let [told, gone] = [
        all.admit(peer(1)).await.unwrap(),
        all.admit(peer(1)).await.unwrap(),
    ];
    let known = Arc::clone(&gone.connection);
    drop(gone);
    assert!(!all.close(&known));
    assert!(all.close(&told.connection) && !all.close(&told.connection));
    assert_eq!((all.remaining(), all.active()), (1, 0));
    drop(told);
    assert_eq!(all.open.lock().closing, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_overdue_is_closed_and_what_is_not_stays() {
    let all = connections(10);
    let entries: [ConnectionGuard; 6] = many(&all, peer(1), 6).await.try_into().ok().unwrap();
    for entry in &entries {
        entry.connection.read();
    }
    let [fresh, head, idle, request, websocket, reader] = entries;
    fresh.connection.enter(Phase::Fresh);
    idle.connection.enter(Phase::Idle);
    request.connection.enter(Phase::Request);
    websocket.connection.enter(Phase::Upgraded);
    reader.connection.enter(Phase::Request);
    reader.connection.wrote(None);
    let closed = || {
        [&fresh, &head, &idle, &request, &websocket, &reader]
            .map(|entry| entry.connection.order() == Directive::Close)
    };
    pass(&all, Duration::from_secs(9)).await;
    assert_eq!(closed(), [false; 6]);
    pass(&all, Duration::from_secs(2)).await;
    assert_eq!(closed(), [true, true, false, false, false, false]);
    pass(&all, Duration::from_secs(20)).await;
    assert_eq!(closed(), [true, true, false, false, false, true]);
    pass(&all, Duration::from_secs(50)).await;
    assert_eq!(closed(), [true, true, true, false, false, true]);
    pass(&all, Duration::from_secs(3_600)).await;
    assert_eq!(closed(), [true, true, true, false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn bodies_are_waited_for_less_when_they_hold_much() {
    let all = connections(10);
    let entry = all.admit(peer(1)).await.unwrap();
    let progress = entry.connection.begin_request();
    progress.body_came(0, None, 1_024);
    pass(&all, Duration::from_secs(3)).await;
    assert!(!progress.is_body_failed());
    all.held.store(all.limits.bodies / 2 + 1, Ordering::Relaxed);
    all.sweep();
    assert!(progress.is_body_failed());
    assert_eq!(entry.connection.order(), Directive::GoOn, "it is still answered");
}

#[tokio::test(start_paused = true)]
async fn of_many_requests_each_is_waited_for_by_itself() {
    let all = connections(1);
    let entry = all.admit(peer(1)).await.unwrap();
    let connection = &entry.connection;
    connection.carries_many();
    let [slow, quick] = [connection.begin_request(), connection.begin_request()];
    slow.body_came(0, None, 1_024);
    for _ in 0..31 {
        pass(&all, Duration::from_secs(1)).await;
        quick.body_came(all.coarse_now(), None, 1_024);
        quick.body_came(all.coarse_now(), Some(4_096), 1_024);
    }
    assert!(slow.is_body_failed() && !quick.is_body_failed());
    assert!(connection.is_working(), "with the other one");
    connection.end_request(&slow);
    quick.hand_over(all.coarse_now());
    pass(&all, Duration::from_secs(5)).await;
    assert!(!connection.is_working());
    drop(all.admit(peer(2)).await.unwrap());
    assert_eq!(connection.order(), Directive::Close, "it makes room");
    all.spare(connection);
    pass(&all, Duration::from_secs(26)).await;
    assert_eq!(
        connection.order(),
        Directive::Cut,
        "and is not waited for without end"
    );
    assert_eq!(all.open.lock().closing, 1);
}
