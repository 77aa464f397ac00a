//! The simulator's page in `dev`: place a call, or play any other scenario, and watch it arrive.

use std::collections::VecDeque;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, EventId};
use switchhook_domain::key::Right;
use switchhook_simulator::{Dialect, Faults, FaultyStream, Scenario};

use super::SharedState;
use super::form::Form;
use super::page::{Flash, Frame, PageError, go, show as show_page, show_again};
use super::session::{SignedForm, Viewer};
use super::widgets::Moment;
use switchhook_node::Node;
use switchhook_node::ingest::{self, Submission};
use switchhook_node::pace::{Paced, Speed};
use switchhook_node::randomness::fill_secret;

/// Bound on the plays remembered.
const MOST_PLAYS: usize = 20;

/// Bound on the plays under way.
const MOST_AT_ONCE: usize = 4;

/// The scenario that is chosen unless told otherwise.
const USUAL: &str = "inbound-answered";

/// Default speed, as a multiple of real time.
const USUAL_SPEED: &str = "10";

/// Recent plays, newest first.
#[derive(Default)]
pub(super) struct Plays(Mutex<VecDeque<Arc<Mutex<Play>>>>);

/// A scenario that is or was played.
#[derive(Debug, Clone)]
struct Play {
    company_id: CompanyId,
    scenario: &'static str,
    seed: u64,
    begun_at: Timestamp,
    total: usize,
    sent: Vec<EventId>,
    error: Option<String>,
}

struct PlayRow {
    scenario: &'static str,
    seed: u64,
    begun_at: Moment,
    sent: usize,
    total: usize,
    first: Option<String>,
    error: Option<String>,
}

struct ScenarioChoice {
    name: &'static str,
    summary: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "simulator.html")]
struct SimulatorPage {
    frame: Frame,
    scenarios: Vec<ScenarioChoice>,
    speed: String,
    seed: String,
    plays: Vec<PlayRow>,
}

/// Shows what can be played and what was.
pub(super) async fn show(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    check(&dashboard)?;
    Ok(show_page(&page(&dashboard, &viewer, &Form::default(), None)))
}

fn page(dashboard: &SharedState, viewer: &Viewer, form: &Form, error: Option<String>) -> SimulatorPage {
    let chosen = form.text("scenario").unwrap_or(USUAL);
    let company_id = viewer.caller.company_id;
    let plays = dashboard.plays.0.lock();
    let plays = plays
        .iter()
        .map(|play| play.lock().clone())
        .filter(|play| play.company_id == company_id);
    let rows = plays.map(|play| PlayRow {
        scenario: play.scenario,
        seed: play.seed,
        begun_at: Moment(play.begun_at),
        sent: play.sent.len(),
        total: play.total,
        first: play.sent.last().map(ToString::to_string),
        error: play.error,
    });
    SimulatorPage {
        frame: viewer
            .frame(dashboard, "simulator", "Simulator")
            .with_error(error),
        scenarios: Scenario::all()
            .map(|scenario| ScenarioChoice {
                name: scenario.name(),
                summary: scenario.summary(),
                is_chosen: scenario.name() == chosen,
            })
            .collect(),
        speed: form.text("speed").unwrap_or(USUAL_SPEED).to_owned(),
        seed: form.text("seed").unwrap_or_default().to_owned(),
        plays: rows.collect(),
    }
}

/// Scenario, speed and seed from a form, or all its errors.
fn asked(form: &Form) -> Result<(&'static Scenario, Speed, u64), String> {
    let mut errors = Vec::new();
    let name = form.text("scenario").unwrap_or(USUAL);
    let scenario = Scenario::find(name);
    if scenario.is_none() {
        errors.push(format!("scenario: there is no `{name}`"));
    }
    let speed = form.text("speed").unwrap_or(USUAL_SPEED).parse::<Speed>();
    let speed = speed.map_err(|error| errors.push(format!("speed: {error}")));
    let seed = form.text("seed").map_or_else(|| Ok(some_seed()), str::parse);
    let seed = seed.map_err(|_| errors.push("seed: write a whole number, or nothing".to_owned()));
    match (scenario, speed, seed) {
        (Some(scenario), Ok(speed), Ok(seed)) => Ok((scenario, speed, seed)),
        _ => Err(errors.join("; ")),
    }
}

/// Begins to play one.
pub(super) async fn play(
    State(dashboard): State<SharedState>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    check(&dashboard)?;
    if !viewer.caller.may(Right::Ingest) {
        let message = "This key may not send events in.";
        return Err(PageError::new(StatusCode::FORBIDDEN, message));
    }
    let (scenario, speed, seed) = match asked(&form) {
        Ok(asked) => asked,
        Err(why) => return Ok(show_again(&page(&dashboard, &viewer, &form, Some(why)))),
    };
    let start = dashboard.node.clock.now();
    let events = scenario.play(seed, start, Dialect::Observed);
    let play = Arc::new(Mutex::new(Play {
        company_id: viewer.caller.company_id,
        scenario: scenario.name(),
        seed,
        begun_at: start,
        total: events.len(),
        sent: Vec::new(),
        error: None,
    }));
    dashboard.plays.begin(Arc::clone(&play))?;
    let paced = Paced::new(
        FaultyStream::new(events.into_iter(), Faults::none(), seed),
        start,
        speed,
    );
    tokio::spawn(send(Arc::clone(&dashboard.node), play, paced));
    Ok(go("/dashboard/simulator", Flash::Playing))
}

/// Puts the events in when they are due, through the same door as everybody's.
async fn send<I>(node: Arc<Node>, play: Arc<Mutex<Play>>, mut paced: Paced<I>)
where
    I: Iterator<Item = switchhook_simulator::Sending>,
{
    let company_id = play.lock().company_id;
    while let Some(due) = paced.next_due(50).await {
        for sending in due {
            let submission = Submission {
                company_id,
                kind: sending.event.kind,
                body: Bytes::from(sending.event.body),
                idempotency_key: None,
            };
            match ingest::accept(&node, submission).await {
                Ok(accepted) => play.lock().sent.push(accepted.id),
                Err(rejected) => {
                    play.lock().error = Some(rejected.to_string());
                    return;
                }
            }
        }
    }
}

impl Plays {
    fn begin(&self, play: Arc<Mutex<Play>>) -> Result<(), PageError> {
        let mut plays = self.0.lock();
        if plays.iter().filter(|play| play.lock().is_going_on()).count() >= MOST_AT_ONCE {
            let message = format!("{MOST_AT_ONCE} scenarios are being played: wait until one has ended.");
            return Err(PageError::new(StatusCode::TOO_MANY_REQUESTS, message));
        }
        plays.push_front(play);
        plays.truncate(MOST_PLAYS);
        Ok(())
    }
}

impl Play {
    fn is_going_on(&self) -> bool {
        self.sent.len() < self.total && self.error.is_none()
    }
}

/// Small enough to be typed.
fn some_seed() -> u64 {
    let mut bytes = [0; 2];
    fill_secret(&mut bytes);
    u16::from_le_bytes(bytes).into()
}

fn check(dashboard: &SharedState) -> Result<(), PageError> {
    if dashboard.node.settings.dashboard.simulator {
        return Ok(());
    }
    Err(PageError::not_found(
        "This server has no simulator page: `switchhook dev` has one, and `switchhook simulate` sends to any server.",
    ))
}
