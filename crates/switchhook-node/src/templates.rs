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
use switchhook_domain::template::{Circumstances, HeaderTemplate, Template, TemplateError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex as Turn, Semaphore};
use tokio::time::{Instant, timeout};

/// How long an order may take.
const LONGEST: Duration = Duration::from_secs(1);

/// How long a process may take to start.
const LONGEST_START: Duration = Duration::from_secs(10);

/// How long a webhook's templates are not filled in after they have cost a process.
const REST: Duration = Duration::from_secs(30);

/// How much memory a process may take, all that it maps included.
const MOST_MEMORY: u64 = 1 << 30;

/// How many processes fill in what is sent, and how many what somebody looks at.
const SENDING: usize = 4;
const ASKING: usize = 2;

/// What a process says when it has started.
const READY: &str = "ready";

/// A template, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// The body of a POST.
    Body {
        template: String,
        /// What the body is sent as.
        content_type: Option<String>,
    },
    /// The value of a header.
    Header { template: String },
}

/// What is made of a template, or why nothing is.
pub type Made = Result<String, TemplateError>;

/// What to fill templates in with; nothing to find out only whether they can be read.
type With<'a> = Option<(Cow<'a, str>, Circumstances)>;

/// Fills in templates.
#[derive(Debug)]
pub struct Templates {
    /// For what is sent, so that nobody who only looks is in its way.
    sending: Pool,
    asking: Pool,
}

/// Whether a webhook has cost a process, and for how long it has none.
#[derive(Debug, Default)]
pub struct Rest(Turn<Option<Instant>>);

impl Templates {
    /// Starts processes of this program when they are needed. Without one, templates are filled in here.
    #[must_use]
    pub fn new(program: Option<PathBuf>) -> Self {
        Self {
            sending: Pool::new(program.clone(), SENDING),
            asking: Pool::new(program, ASKING),
        }
    }

    /// Whether all of these can be read.
    ///
    /// # Errors
    /// Says what is wrong with the first that cannot, and which it is.
    pub async fn check(&self, company_id: CompanyId, pieces: &[Piece]) -> Result<(), (usize, TemplateError)> {
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
        piece: Piece,
        event: &[u8],
        circumstances: Circumstances,
    ) -> Made {
        let with = Some((String::from_utf8_lossy(event), circumstances));
        let made = self.asking.ask(company_id, &[piece], with).await;
        made.into_iter().next().unwrap_or(Err(TemplateError::TooMuch))
    }

    /// Fills in those of a webhook, in order, for what is sent to it.
    pub async fn fill_in(
        &self,
        company_id: CompanyId,
        rest: &Rest,
        pieces: &[Piece],
        event: &[u8],
        circumstances: Circumstances,
    ) -> Vec<Made> {
        let mut rests_until = rest.0.lock().await;
        if rests_until.is_some_and(|until| Instant::now() < until) {
            return too_much(pieces);
        }
        let with = Some((String::from_utf8_lossy(event), circumstances));
        let made = self.sending.ask(company_id, pieces, with).await;
        let has_cost_a_process = made.contains(&Err(TemplateError::TooMuch));
        *rests_until = has_cost_a_process.then(|| Instant::now() + REST);
        made
    }
}

fn too_much(pieces: &[Piece]) -> Vec<Made> {
    pieces.iter().map(|_| Err(TemplateError::TooMuch)).collect()
}

/// Processes, and how many there may be.
#[derive(Debug)]
struct Pool {
    program: Option<PathBuf>,
    idle: Mutex<Vec<Worker>>,
    free: Semaphore,
    /// Those of companies that have a process or wait for one.
    turns: Mutex<HashMap<CompanyId, Arc<Turn<()>>>>,
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

    async fn ask(&self, company_id: CompanyId, pieces: &[Piece], with: With<'_>) -> Vec<Made> {
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

    async fn ask_a_process(&self, program: &Path, pieces: &[Piece], with: With<'_>) -> Vec<Made> {
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

    async fn ask(&mut self, order: &[u8]) -> io::Result<Vec<Made>> {
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

/// What such a process does: reads an order in each line and answers it in one, until there are no more.
///
/// # Errors
/// If it can read or write no more.
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
        let (pieces, with): (Vec<Piece>, With<'static>) = serde_json::from_str(&order?)?;
        serde_json::to_writer(&mut answers, &answer(&pieces, &with))?;
        writeln!(answers)?;
        answers.flush()?;
    }
    Ok(())
}

fn answer(pieces: &[Piece], with: &With<'_>) -> Vec<Made> {
    pieces.iter().map(|piece| make(piece, with)).collect()
}

fn make(piece: &Piece, with: &With<'_>) -> Made {
    let filled = |fill_in: &dyn Fn(&[u8], Circumstances) -> Made| match with {
        Some((event, circumstances)) => fill_in(event.as_bytes(), *circumstances),
        None => Ok(String::new()),
    };
    match piece {
        Piece::Body {
            template,
            content_type,
        } => {
            let template = Template::parse(template, content_type.as_deref())?;
            filled(&|event, circumstances| template.fill_in(event, circumstances))
        }
        Piece::Header { template } => {
            let template = HeaderTemplate::parse(template)?;
            filled(&|event, circumstances| template.fill_in(event, circumstances))
        }
    }
}

#[cfg(test)]
mod tests {
    use switchhook_domain::Kind;
    use switchhook_domain::Timestamp;
    use switchhook_domain::id::{DeliveryId, EventId, WebhookId};

    use super::*;

    const CIRCUMSTANCES: Circumstances = Circumstances {
        kind: Kind::Call,
        event_id: EventId(1),
        delivery_id: DeliveryId(2),
        webhook_id: WebhookId(3),
        attempt: 1,
        created_at: Timestamp::from_millis(0),
    };

    const COMPANY: CompanyId = CompanyId(1);

    fn body(template: &str) -> Piece {
        Piece::Body {
            template: template.to_owned(),
            content_type: Some("text/plain".to_owned()),
        }
    }

    #[tokio::test]
    async fn each_piece_is_made_or_says_why_not() {
        let templates = Templates::new(None);
        let header = Piece::Header {
            template: "{{ event.state }}\n!".to_owned(),
        };
        let pieces = [
            header,
            body("{{ kind }} {{ event.state|shout }}"),
            body("{{ event_id }}"),
        ];
        let event = br#"{"state": "hangup"}"#;
        let made = templates
            .fill_in(COMPANY, &Rest::default(), &pieces, event, CIRCUMSTANCES)
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
