//! Another server becomes the primary: the nodes go there by themselves, and nothing that was acknowledged is lost. The seconds
//! that this takes are PostgreSQL's: it stops, is promoted and comes back.

use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;
use switchhook_store::postgres::cluster::{Cluster, Ending, create_database};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::crew::{Crew, Load, until, until_all_arrive};
use crate::support::http::RecordingReceiver;
use crate::support::postgres;

const DATABASE: &str = "switchover";

/// A primary and its standby.
struct Pair {
    primary: Cluster,
    standby: Cluster,
}

impl Pair {
    fn start() -> Option<Self> {
        let primary = postgres::own_server()?;
        create_database(&primary.url("postgres"), DATABASE).expect("a database is made");
        let standby = postgres::standby_of(&primary);
        Some(Self { primary, standby })
    }
}

/// A name that can be made to lead elsewhere: whoever is connected stays where it is.
struct Name {
    address: SocketAddr,
    leads_to: Arc<Mutex<u16>>,
}

impl Name {
    #[expect(clippy::disallowed_methods, reason = "a wire between a test's own programs")]
    async fn of(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let leads_to = Arc::new(Mutex::new(port));
        let target = Arc::clone(&leads_to);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let port = *target.lock();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(("127.0.0.1", port)).await?;
                    copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        Self { address, leads_to }
    }
}

async fn until_it_says(crew: &Crew, status: StatusCode) {
    let caller = crew.caller(0);
    until("that answer of /readyz", || async {
        matches!(caller.send("GET", "/readyz", "").await, Ok((said, _)) if said == status)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_the_one_that_takes_writes_is_used() {
    let Some(mut pair) = Pair::start() else { return };
    let (one, other) = (pair.primary.port(), pair.standby.port());
    // The standby stands first: it is there, and not what is wanted.
    let store = format!(
        "postgres://switchhook@127.0.0.1:{other},127.0.0.1:{one}/{DATABASE}?target_session_attrs=read-write"
    );
    let crew = Crew::on(store, 2).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    crew.known_webhook(&receiver).await;
    let load = Load::start(&crew.callers(), 6);
    load.until_acknowledged(100).await;
    // Stopped as for an update, a primary first gives its standby everything.
    pair.primary.stop(Ending::Fast).expect("it stops");
    load.until_refused(StatusCode::SERVICE_UNAVAILABLE).await;
    until_it_says(&crew, StatusCode::SERVICE_UNAVAILABLE).await;
    pair.standby.promote().expect("it is promoted");
    pair.primary
        .become_standby_of(&pair.standby)
        .expect("its files can be written");
    pair.primary.start_again().expect("it comes back");
    load.until_acknowledged(200).await;
    until_it_says(&crew, StatusCode::OK).await;
    let acknowledged = load.end().await;
    until_all_arrive(&receiver, &acknowledged, &crew).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_any_more_is_left_for_the_one_that_its_name_leads_to() {
    let Some(pair) = Pair::start() else { return };
    let name = Name::of(pair.primary.port()).await;
    let store = format!("postgres://switchhook@{}/{DATABASE}", name.address);
    let crew = Crew::on(store, 2).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    crew.known_webhook(&receiver).await;
    let load = Load::start(&crew.callers(), 6);
    load.until_acknowledged(100).await;
    // It goes on answering on the connections that are open.
    pair.primary.refuse_writes().expect("it is told");
    load.until_refused(StatusCode::SERVICE_UNAVAILABLE).await;
    let caller = crew.caller(0);
    until("saying why it is not ready", || async {
        let Ok((status, answer)) = caller.send("GET", "/readyz", "").await else {
            return false;
        };
        let why = answer["store"].as_str().unwrap_or_default().to_owned();
        status == StatusCode::SERVICE_UNAVAILABLE && why.contains("read-only")
    })
    .await;
    pair.standby.promote().expect("it is promoted");
    *name.leads_to.lock() = pair.standby.port();
    load.until_acknowledged(200).await;
    until_it_says(&crew, StatusCode::OK).await;
    let acknowledged = load.end().await;
    until_all_arrive(&receiver, &acknowledged, &crew).await;
    // What comes by the network wakes the listener too: a change at one node is known at the other.
    crew.known_webhook(&RecordingReceiver::start(|_| StatusCode::OK).await)
        .await;
}
