//! Templates are filled in by processes of their own, `switchhook template-worker`.
//!
//! Whoever may set a template can make it take any time and any memory, in a single step that no count of steps sees. The operating
//! system bounds a process: one that takes too long is killed, one that wants too much memory ends, and nobody else notices. A
//! company has one process at a time, and a webhook that has cost one has none for a while.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use switchhook_domain::id::CompanyId;
use switchhook_domain::template::{HeaderTemplate, Template, TemplateContext, TemplateError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::time::{Instant, timeout};

/// Time limit of one rendering.
pub const LONGEST: Duration = Duration::from_secs(1);

/// Time limit of a worker's start.
const LONGEST_START: Duration = Duration::from_secs(10);

/// Time for which a webhook's templates are not rendered after they killed a worker.
pub const REST: Duration = Duration::from_secs(30);

/// Bound on a worker's address space.
pub const MOST_MEMORY: u64 = 1 << 30;

/// Workers for sending, and for previews.
const SENDING: usize = 4;
const ASKING: usize = 2;

/// Line that a worker writes when it has started.
const READY: &str = "ready";

/// A template, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TemplateSource {
    /// The body of a POST.
    Body {
        template: String,
        /// Content type of the body.
        content_type: Option<String>,
    },
    /// The value of a header.
    Header { template: String },
}

/// Rendered text, or the reason why there is none.
pub type Rendered = Result<String, TemplateError>;

/// Event and context to render with; `None` only checks that the template parses.
type RenderData<'a> = Option<(Cow<'a, str>, TemplateContext)>;

/// Renders templates, in worker processes that can be killed.
#[derive(Debug)]
pub struct Templates {
    /// For what is sent, so that nobody who only looks is in its way.
    sending: Pool,
    asking: Pool,
}

/// Time of the last rendering of a webhook that killed a worker, after which it pauses.
#[derive(Debug, Default)]
pub struct WorkerPenalty(AsyncMutex<Option<Instant>>);

impl Templates {
    /// Starts processes of this program when they are needed. Without one, templates are filled in here.
    #[must_use]
    pub fn new(program: Option<PathBuf>) -> Self {
        Self {
            sending: Pool::new(program.clone(), SENDING),
            asking: Pool::new(program, ASKING),
        }
    }

    /// Checks that all templates parse.
    ///
    /// # Errors
    /// If one does not: its index, and what is wrong with it.
    pub async fn check(
        &self,
        company_id: CompanyId,
        pieces: &[TemplateSource],
    ) -> Result<(), (usize, TemplateError)> {
        let read = self.asking.ask(company_id, pieces, None).await;
        let wrong = read
            .into_iter()
            .enumerate()
            .find_map(|(nth, made)| Some((nth, made.err()?)));
        wrong.map_or(Ok(()), Err)
    }

    /// Fills one in for somebody who looks at what it makes.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub async fn preview(
        &self,
        company_id: CompanyId,
        piece: TemplateSource,
        event: &[u8],
        context: TemplateContext,
    ) -> Rendered {
        let with = Some((String::from_utf8_lossy(event), context));
        let made = self.asking.ask(company_id, &[piece], with).await;
        made.into_iter().next().unwrap_or(Err(TemplateError::TooMuch))
    }

    /// Fills in those of a webhook, in order, for what is sent to it.
    pub async fn fill_in(
        &self,
        company_id: CompanyId,
        rest: &WorkerPenalty,
        pieces: &[TemplateSource],
        event: &[u8],
        context: TemplateContext,
    ) -> Vec<Rendered> {
        let mut rests_until = rest.0.lock().await;
        if rests_until.is_some_and(|until| Instant::now() < until) {
            return too_much(pieces);
        }
        let with = Some((String::from_utf8_lossy(event), context));
        let made = self.sending.ask(company_id, pieces, with).await;
        let has_cost_a_process = made.contains(&Err(TemplateError::TooMuch));
        *rests_until = has_cost_a_process.then(|| Instant::now() + REST);
        made
    }
}

fn too_much(pieces: &[TemplateSource]) -> Vec<Rendered> {
    pieces.iter().map(|_| Err(TemplateError::TooMuch)).collect()
}

/// Processes, and how many there may be.
#[derive(Debug)]
struct Pool {
    program: Option<PathBuf>,
    idle: Mutex<Vec<Worker>>,
    free: Semaphore,
    /// Those of companies that have a process or wait for one.
    turns: Mutex<HashMap<CompanyId, Arc<AsyncMutex<()>>>>,
}

impl Pool {
    fn new(program: Option<PathBuf>, size: usize) -> Self {
        Self {
            program,
            idle: Mutex::default(),
            free: Semaphore::new(size),
            turns: Mutex::default(),
        }
    }

    async fn ask(
        &self,
        company_id: CompanyId,
        pieces: &[TemplateSource],
        with: RenderData<'_>,
    ) -> Vec<Rendered> {
        let Some(program) = &self.program else {
            return answer(pieces, &with);
        };
        let turn = Arc::clone(self.turns.lock().entry(company_id).or_default());
        let made = {
            let _turn = turn.lock().await;
            self.ask_a_process(program, pieces, with).await
        };
        drop(turn);
        self.turns.lock().retain(|_, turn| Arc::strong_count(turn) > 1);
        made
    }

    async fn ask_a_process(
        &self,
        program: &Path,
        pieces: &[TemplateSource],
        with: RenderData<'_>,
    ) -> Vec<Rendered> {
        let mut order = serde_json::to_vec(&(pieces, &with)).expect("an order can be written as JSON");
        order.push(b'\n');
        let _place = self.free.acquire().await.expect("nobody closes it");
        loop {
            let kept = self.idle.lock().pop();
            let is_kept = kept.is_some();
            let mut worker = match kept {
                Some(worker) => worker,
                None => match Worker::start(program).await {
                    Ok(worker) => worker,
                    Err(error) => {
                        let why = error.to_string();
                        return pieces
                            .iter()
                            .map(|_| Err(TemplateError::NoProcess { why: why.clone() }))
                            .collect();
                    }
                },
            };
            match timeout(LONGEST, worker.ask(&order)).await {
                Ok(Ok(made)) => {
                    self.idle.lock().push(worker);
                    return made;
                }
                // It may have been somebody else's doing: what an earlier order left in its memory.
                Ok(Err(_)) if is_kept => {}
                // Dropped, it is killed.
                _ => return too_much(pieces),
            }
        }
    }
}

/// A process that fills in templates.
#[derive(Debug)]
struct Worker {
    _child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    async fn start(program: &Path) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg("template-worker")
            .env_clear()
            // Our allocator would take a large piece at once, which counts against what a process may take.
            .env("MIMALLOC_ARENA_RESERVE", "32768")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let answers = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut worker = Self {
            _child: child,
            orders,
            answers: BufReader::new(answers),
        };
        let said = timeout(LONGEST_START, worker.read()).await;
        match said.map_err(|_elapsed| io::ErrorKind::TimedOut)?? {
            said if said == READY.as_bytes() => Ok(worker),
            _ => Err(io::Error::other("it is another program")),
        }
    }

    async fn ask(&mut self, order: &[u8]) -> io::Result<Vec<Rendered>> {
        self.orders.write_all(order).await?;
        self.orders.flush().await?;
        Ok(serde_json::from_slice(&self.read().await?)?)
    }

    async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.answers.read_until(b'\n', &mut line).await?;
        line.pop_if(|end| *end == b'\n')
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(line)
    }
}

/// Main loop of a worker: reads an order per line and answers it in one, until the input ends.
///
/// # Errors
/// If it cannot read or write.
pub fn work(orders: impl BufRead, mut answers: impl Write) -> io::Result<()> {
    let bound = Rlimit {
        current: Some(MOST_MEMORY),
        maximum: Some(MOST_MEMORY),
    };
    // Where the system knows no such bound, the one on time is left.
    let _ = setrlimit(Resource::As, bound);
    writeln!(answers, "{READY}")?;
    answers.flush()?;
    for order in orders.lines() {
        let (pieces, with): (Vec<TemplateSource>, RenderData<'static>) = serde_json::from_str(&order?)?;
        serde_json::to_writer(&mut answers, &answer(&pieces, &with))?;
        writeln!(answers)?;
        answers.flush()?;
    }
    Ok(())
}

fn answer(pieces: &[TemplateSource], with: &RenderData<'_>) -> Vec<Rendered> {
    pieces.iter().map(|piece| make(piece, with)).collect()
}

fn make(piece: &TemplateSource, with: &RenderData<'_>) -> Rendered {
    let filled = |fill_in: &dyn Fn(&[u8], TemplateContext) -> Rendered| match with {
        Some((event, context)) => fill_in(event.as_bytes(), *context),
        None => Ok(String::new()),
    };
    match piece {
        TemplateSource::Body {
            template,
            content_type,
        } => {
            let template = Template::parse(template, content_type.as_deref())?;
            filled(&|event, context| template.fill_in(event, context))
        }
        TemplateSource::Header { template } => {
            let template = HeaderTemplate::parse(template)?;
            filled(&|event, context| template.fill_in(event, context))
        }
    }
}

#[cfg(test)]
mod tests {
    use switchhook_domain::Kind;
    use switchhook_domain::Timestamp;
    use switchhook_domain::id::{DeliveryId, EventId, WebhookId};

    use super::*;

    const CIRCUMSTANCES: TemplateContext = TemplateContext {
        kind: Kind::Call,
        event_id: EventId(1),
        delivery_id: DeliveryId(2),
        webhook_id: WebhookId(3),
        attempt: 1,
        created_at: Timestamp::from_millis(0),
    };

    const COMPANY: CompanyId = CompanyId(1);

    fn body(template: &str) -> TemplateSource {
        TemplateSource::Body {
            template: template.to_owned(),
            content_type: Some("text/plain".to_owned()),
        }
    }

    #[tokio::test]
    async fn each_piece_is_made_or_says_why_not() {
        let templates = Templates::new(None);
        let header = TemplateSource::Header {
            template: "{{ event.state }}\n!".to_owned(),
        };
        let pieces = [
            header,
            body("{{ kind }} {{ event.state|shout }}"),
            body("{{ event_id }}"),
        ];
        let event = br#"{"state": "hangup"}"#;
        let made = templates
            .fill_in(COMPANY, &WorkerPenalty::default(), &pieces, event, CIRCUMSTANCES)
            .await;
        assert_eq!(made[0].as_deref(), Ok("hangup !"));
        assert!(
            matches!(&made[1], Err(TemplateError::AtLine { line: 1, .. })),
            "{made:?}"
        );
        assert_eq!(made[2].as_deref(), Ok("1"));
        let checked = templates.check(COMPANY, &[body("{{ a }}"), body("{{ a")]).await;
        assert_eq!(checked.map_err(|(nth, _)| nth), Err(1));
    }

    #[tokio::test]
    async fn a_program_that_is_none_is_told() {
        for program in ["/no/such/program", "/bin/true"] {
            let templates = Templates::new(Some(program.into()));
            let made = templates.preview(COMPANY, body("x"), b"{}", CIRCUMSTANCES).await;
            assert!(
                matches!(made, Err(TemplateError::NoProcess { .. })),
                "{program}: {made:?}"
            );
        }
    }
}
