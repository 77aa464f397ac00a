//! PostgreSQL goes away and comes back.

use http::StatusCode;
use switchhook_store::postgres::cluster::{Ending, create_database};

use super::crew::{Crew, Load, until, until_all_arrive};
use crate::support::http::RecordingReceiver;
use crate::support::postgres;

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_away_nothing_is_acknowledged_and_afterwards_everything_arrives() {
    let Some(mut server) = postgres::own_server() else {
        return;
    };
    let store = create_database(&server.url("postgres"), "outage").expect("a database is made");
    let crew = Crew::on(store, 2).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    crew.known_webhook(&receiver).await;
    let load = Load::start(&crew.callers(), 6);
    for ending in [Ending::Fast, Ending::Crash] {
        load.until_acknowledged(50).await;
        server.stop(ending).expect("the server stops");
        load.until_refused(StatusCode::SERVICE_UNAVAILABLE).await;
        let caller = crew.caller(0);
        until("saying why it is not ready", || async {
            let (status, answer) = caller
                .send("GET", "/readyz", "")
                .await
                .expect("the node is there");
            let why = answer["store"].as_str().unwrap_or_default().to_owned();
            status == StatusCode::SERVICE_UNAVAILABLE && why.contains("PostgreSQL")
        })
        .await;
        server.start_again().expect("the server comes back");
        load.until_acknowledged(50).await;
    }
    let acknowledged = load.end().await;
    let repeats = until_all_arrive(&receiver, &acknowledged, &crew).await;
    println!(
        "{} acknowledged, {repeats} repeats, PostgreSQL stopped twice",
        acknowledged.len()
    );
}
