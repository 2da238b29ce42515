//! Sole owner of the processes that read documents of formats in which a file can do harm.
//!
//! * Shape: a media type and bytes in; what the process wrote out, which callers understand.
//! * A file that crashes its reader, hangs it, or makes it need more memory than it may have, ends that process and
//!   fails that one document. The next one gets another process.
//! * Overload: as many processes as there are places; more calls wait, within their deadline.
//! * Cancel safety: dropping a call kills the process at work on it.

mod child;

use crate::resilience::Deadline;
use crate::supervise::{CallError, Handle, Lifeline, Priority, Request, Serve, Service, StartError, Tree};
use child::Child;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Semaphore;

const ADMISSION: usize = 256;
/// Documents one process reads before another takes its place: what it leaked goes with it.
const DOCUMENTS: u32 = 200;

#[derive(Debug, Clone)]
pub struct ParserSettings {
    /// What is started as `<program> parse --memory-mb N`.
    pub program: PathBuf,
    /// Processes at once.
    pub processes: usize,
    pub memory_mb: u64,
    /// The longest that one document may take.
    pub timeout: Duration,
}

/// Why there is no reply; safe to show to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParserError {
    #[error("{0}")]
    Call(#[from] CallError),
    #[error("no process to read documents can be started: {0}")]
    Start(String),
    #[error("reading it took longer than {} s", .0.as_secs())]
    Slow(Duration),
    #[error("reading it took more than the {memory_mb} MiB of memory it may have, or crashed")]
    Died { memory_mb: u64 },
}

/// Reads one document.
#[derive(Debug)]
struct Parse {
    media_type: String,
    bytes: Vec<u8>,
}

impl Request for Parse {
    type Reply = Result<Vec<u8>, ParserError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

struct Parser {
    settings: ParserSettings,
    places: Semaphore,
    idle: RefCell<Vec<Child>>,
}

impl Service for Parser {}

impl Serve<Parse> for Parser {
    async fn serve(self: Rc<Self>, parse: Parse, _: Deadline) -> Result<Vec<u8>, ParserError> {
        let Ok(_place) = self.places.acquire().await else { return Err(CallError::Draining.into()) };
        let idle = self.idle.borrow_mut().pop();
        let mut child = match idle {
            Some(child) => child,
            None => Child::start(&self.settings).map_err(|error| ParserError::Start(error.to_string()))?,
        };
        let memory_mb = self.settings.memory_mb;
        let timeout = self.settings.timeout;
        // Whatever goes wrong drops the child, which kills it.
        match tokio::time::timeout(timeout, child.read(&parse.media_type, &parse.bytes)).await {
            Ok(Ok(reply)) => {
                if child.documents < DOCUMENTS {
                    self.idle.borrow_mut().push(child);
                }
                Ok(reply)
            }
            Ok(Err(_)) => Err(ParserError::Died { memory_mb }),
            Err(_) => Err(ParserError::Slow(timeout)),
        }
    }
}

#[derive(Clone)]
pub struct ParserHandle {
    handle: Handle<Parser>,
}

impl ParserHandle {
    pub async fn start(tree: &Tree, settings: ParserSettings) -> Result<Self, StartError> {
        let factory = move |_: Lifeline| {
            let settings = settings.clone();
            let places = Semaphore::new(settings.processes);
            std::future::ready(Ok(Parser { settings, places, idle: RefCell::default() }))
        };
        Ok(Self { handle: tree.start(tree.spec("parser", ADMISSION), factory).await? })
    }

    /// The reply of the process, byte for byte.
    pub async fn parse(
        &self,
        media_type: &str,
        bytes: Vec<u8>,
        deadline: Deadline,
    ) -> Result<Vec<u8>, ParserError> {
        self.handle.call(Parse { media_type: media_type.to_owned(), bytes }, deadline).await?
    }
}
