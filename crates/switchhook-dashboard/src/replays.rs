//! Replays: the list, one of them, and beginning and cancelling one. Its form is `replay_form.rs`.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::Timestamp;
use switchhook_domain::credential::shown_url;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::ReplayId;
use switchhook_domain::replay::{
    Destination, Estimate, Progress, Replay, ReplayFilter, ReplayState, ReplayStateName, Tally,
};
use switchhook_node::mask::Mask;
use switchhook_node::refusal::Refusal;
use switchhook_node::{replays, webhooks};
use switchhook_store::PageRequest;

use super::page::{Flash, Frame, PageError, go, id_of, show as show_page, show_again};
use super::replay_form::ReplayForm;
use super::session::{SignedForm, Viewer};
use super::widgets::{self, Choice, Moment, Sentence, many};
use super::{DashboardState, SharedState};

/// Bound on the options of the webhook filter.
const MOST_WEBHOOKS: u32 = 500;

/// A replay as it is shown.
#[derive(Debug)]
struct ReplayPart {
    id: ReplayId,
    state: &'static str,
    tone: &'static str,
    is_running: bool,
    reason: Option<String>,
    /// Filter, in words.
    which: Sentence,
    /// Destination, in words.
    whereto: String,
    rate: Option<f64>,
    progress: Progress,
    pending: u64,
    /// Events handled so far, for the progress bar.
    ended_count: u64,
    total: u64,
    total_is_exact: bool,
    expected: Option<Moment>,
    begun: Moment,
    ended: Option<Moment>,
}

impl ReplayPart {
    fn of(replay: &Replay, now: Timestamp, mask: Mask) -> Self {
        let progress = replay.progress;
        let Estimate { total, is_exact } = replay.total();
        let state = replay.state.name();
        Self {
            id: replay.id,
            state: state.as_str(),
            tone: match state {
                ReplayStateName::Running => "wait",
                ReplayStateName::Finished => "good",
                ReplayStateName::Failed => "bad",
                ReplayStateName::Cancelled => "off",
            },
            is_running: replay.state == ReplayState::Running,
            reason: match &replay.state {
                ReplayState::Failed { reason, .. } => Some(reason.clone()),
                _ => None,
            },
            which: Sentence(which(&replay.filter, mask)),
            whereto: match &replay.to {
                Destination::Origins => "where each event went at first".to_owned(),
                Destination::Webhook(id) => format!("webhook {id}"),
                Destination::Url { url, .. } => shown_url(url).into_owned(),
            },
            rate: replay.rate,
            pending: progress.pending(),
            ended_count: progress.skipped + progress.delivered + progress.exhausted + progress.cancelled,
            total: (total + progress.skipped).max(1),
            total_is_exact: is_exact,
            progress,
            expected: replay.expected_end(now).map(Moment),
            begun: Moment(replay.created_at),
            ended: replay.state.ended_at().map(Moment),
        }
    }
}

fn which(filter: &ReplayFilter, mask: Mask) -> String {
    let named = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}"));
    let order_key = filter.order_key.as_ref();
    let parts = [
        filter.ids.as_ref().map(|ids| many(ids.len(), "event")),
        named("kind", filter.kind.map(|kind| kind.route().to_owned())),
        named(
            "order key",
            order_key.map(|key| mask.id(key.as_str()).into_owned()),
        ),
        named("webhook", filter.webhook_id.map(|id| id.to_string())),
        named("state", filter.state.map(|state| state.as_str().to_owned())),
        filter.not_delivered.then(|| "not delivered".to_owned()),
        filter.dead_letters.then(|| "dead letters".to_owned()),
        named("failure", filter.failure.map(|failure| failure.to_string())),
        named("since", filter.since.map(|at| at.to_string())),
        named("until", filter.until.map(|at| at.to_string())),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Result of a dry run.
#[derive(Debug)]
struct DryRun {
    total: u64,
    total_is_exact: bool,
    scanned: u64,
    skipped: u64,
}

impl DryRun {
    fn of(tally: Tally) -> Self {
        let Estimate { total, is_exact } = Estimate::of(tally);
        Self {
            total,
            total_is_exact: is_exact,
            scanned: tally.scanned,
            skipped: tally.skipped,
        }
    }
}

#[derive(Template)]
#[template(path = "replays.html")]
struct ReplaysPage {
    frame: Frame,
    rows: Vec<ReplayPart>,
    cursor: Option<i64>,
}

#[derive(Template)]
#[template(path = "replay_form.html")]
struct FormPage {
    frame: Frame,
    form: ReplayForm,
    kinds: Vec<Choice>,
    states: Vec<Choice>,
    webhooks: Vec<Choice>,
    targets: Vec<Choice>,
    counted: Option<DryRun>,
}

#[derive(Template)]
#[template(path = "replay.html")]
struct ReplayPage {
    frame: Frame,
    replay: ReplayPart,
}

pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let page = viewer.page();
    let all = replays::list(&dashboard.node, viewer.caller, page).await?;
    let (now, mask) = (dashboard.node.clock.now(), dashboard.node.settings.mask);
    let rows = all.items.iter();
    Ok(show_page(&ReplaysPage {
        frame: viewer.frame(&dashboard, "replays", "Replays"),
        rows: rows.map(|replay| ReplayPart::of(replay, now, mask)).collect(),
        cursor: all.next,
    }))
}

/// The form for a new replay.
pub(super) async fn blank(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    viewer.must_write()?;
    let form = ReplayForm::of(&viewer);
    Ok(show_page(
        &form_page(&dashboard, &viewer, form, None, None).await?,
    ))
}

async fn form_page(
    dashboard: &DashboardState,
    viewer: &Viewer,
    form: ReplayForm,
    counted: Option<DryRun>,
    error: Option<String>,
) -> Result<FormPage, PageError> {
    let page = PageRequest::first(MOST_WEBHOOKS);
    let webhooks = webhooks::list(&dashboard.node, viewer.caller, page).await?.items;
    let states = StateName::ALL.iter().map(|state| state.as_str());
    Ok(FormPage {
        frame: viewer.frame(dashboard, "replays", "New replay").with_error(error),
        kinds: widgets::kinds(form.kind.as_deref()),
        states: states
            .map(|state| Choice::new(state, state, form.state.as_deref()))
            .collect(),
        webhooks: widgets::webhooks(&webhooks, form.webhook.as_deref()),
        targets: widgets::webhooks(&webhooks, form.to_webhook.as_deref()),
        form,
        counted,
    })
}

/// Counts what a replay would send, or begins it.
pub(super) async fn create(
    State(dashboard): State<SharedState>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    viewer.must_write()?;
    let begins = form.text("do") == Some("begin");
    let form = ReplayForm::read(&form);
    let done = match form.request() {
        Ok(request) if begins => replays::create(&dashboard.node, viewer.caller, request)
            .await
            .map(|replay| Done::Begun(replay.id)),
        Ok(request) => replays::count(&dashboard.node, viewer.caller, request)
            .await
            .map(Done::Counted),
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match done {
        Ok(Done::Begun(id)) => {
            let path = format!("/dashboard/replays/{id}");
            Ok(go(&path, Flash::Replaying))
        }
        Ok(Done::Counted(tally)) => {
            let counted = Some(DryRun::of(tally));
            Ok(show_page(
                &form_page(&dashboard, &viewer, form, counted, None).await?,
            ))
        }
        Err(refusal) => {
            let error = Some(PageError::from(refusal).message);
            Ok(show_again(
                &form_page(&dashboard, &viewer, form, None, error).await?,
            ))
        }
    }
}

/// Result of a submitted form.
enum Done {
    Begun(ReplayId),
    Counted(Tally),
}

/// Shows how far a replay has come.
pub(super) async fn show(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    let replay = replays::get(&dashboard.node, viewer.caller, id).await?;
    let (now, mask) = (dashboard.node.clock.now(), dashboard.node.settings.mask);
    Ok(show_page(&ReplayPage {
        frame: viewer.frame(&dashboard, "replays", format!("Replay {id}")),
        replay: ReplayPart::of(&replay, now, mask),
    }))
}

pub(super) async fn cancel(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    replays::cancel(&dashboard.node, viewer.caller, id).await?;
    Ok(go(&format!("/dashboard/replays/{id}"), Flash::ReplayCancelled))
}
