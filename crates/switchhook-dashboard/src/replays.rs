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
use switchhook_node::replays;
use switchhook_store::PageRequest;

use super::page::{Frame, Said, Trouble, go, id_of, show as show_page, show_again};
use super::part::{self, Choice, Moment, Sentence, many};
use super::replay_form::ReplayForm;
use super::session::{Filled, Visitor};
use super::{Desk, SharedDesk};

/// How many replays a page has.
const A_PAGE: u32 = 50;

/// How many webhooks there are to choose from.
const MOST_WEBHOOKS: u32 = 500;

/// A replay as it is shown.
#[derive(Debug)]
struct ReplayPart {
    id: ReplayId,
    state: &'static str,
    tone: &'static str,
    is_running: bool,
    reason: Option<String>,
    /// Which events, in words.
    which: Sentence,
    /// Where to, in words.
    whereto: String,
    rate: Option<f64>,
    progress: Progress,
    pending: u64,
    /// What has ended, of what there is: for the progress bar.
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

/// What a replay would do.
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

/// Lists replays.
pub(super) async fn list(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let page = visitor.page(A_PAGE);
    let store = &desk.node.store;
    let replays = store.list_replays(visitor.caller.company_id, page).await?;
    let (now, mask) = (desk.node.clock.now(), desk.node.settings.dashboard.mask);
    let rows = replays.items.iter();
    Ok(show_page(&ReplaysPage {
        frame: visitor.frame(&desk, "replays", "Replays"),
        rows: rows.map(|replay| ReplayPart::of(replay, now, mask)).collect(),
        cursor: replays.next,
    }))
}

/// The form for a new replay.
pub(super) async fn blank(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    visitor.must_write()?;
    let form = ReplayForm::of(&visitor);
    Ok(show_page(&form_page(&desk, &visitor, form, None, None).await?))
}

async fn form_page(
    desk: &Desk,
    visitor: &Visitor,
    form: ReplayForm,
    counted: Option<DryRun>,
    trouble: Option<String>,
) -> Result<FormPage, Trouble> {
    let page = PageRequest::first(MOST_WEBHOOKS);
    let webhooks = desk
        .node
        .store
        .list_webhooks(visitor.caller.company_id, page)
        .await?
        .items;
    let states = StateName::ALL.iter().map(|state| state.as_str());
    Ok(FormPage {
        frame: visitor.frame(desk, "replays", "New replay").troubled(trouble),
        kinds: part::kinds(form.kind.as_deref()),
        states: states
            .map(|state| Choice::new(state, state, form.state.as_deref()))
            .collect(),
        webhooks: part::webhooks(&webhooks, form.webhook.as_deref()),
        targets: part::webhooks(&webhooks, form.to_webhook.as_deref()),
        form,
        counted,
    })
}

/// Counts what a replay would send, or begins it.
pub(super) async fn create(
    State(desk): State<SharedDesk>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    visitor.must_write()?;
    let begins = form.text("do") == Some("begin");
    let form = ReplayForm::read(&form);
    let done = match form.request() {
        Ok(request) if begins => replays::create(&desk.node, visitor.caller, request)
            .await
            .map(|replay| Done::Begun(replay.id)),
        Ok(request) => replays::count(&desk.node, visitor.caller, request)
            .await
            .map(Done::Counted),
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match done {
        Ok(Done::Begun(id)) => {
            let path = format!("/dashboard/replays/{id}");
            Ok(go(&path, Said::Replaying))
        }
        Ok(Done::Counted(tally)) => {
            let counted = Some(DryRun::of(tally));
            Ok(show_page(&form_page(&desk, &visitor, form, counted, None).await?))
        }
        Err(refusal) => {
            let trouble = Some(Trouble::from(refusal).message);
            Ok(show_again(
                &form_page(&desk, &visitor, form, None, trouble).await?,
            ))
        }
    }
}

/// What a form came to.
enum Done {
    Begun(ReplayId),
    Counted(Tally),
}

/// Shows how far a replay has come.
pub(super) async fn show(
    State(desk): State<SharedDesk>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let store = &desk.node.store;
    let replay = store.replay(visitor.caller.company_id, id).await?;
    let (now, mask) = (desk.node.clock.now(), desk.node.settings.dashboard.mask);
    Ok(show_page(&ReplayPage {
        frame: visitor.frame(&desk, "replays", format!("Replay {id}")),
        replay: ReplayPart::of(&replay, now, mask),
    }))
}

/// Stops it.
pub(super) async fn cancel(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    replays::cancel(&desk.node, visitor.caller, id).await?;
    Ok(go(&format!("/dashboard/replays/{id}"), Said::ReplayCancelled))
}
