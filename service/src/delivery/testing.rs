//! A receiver for tests: answers from a script of statuses, delays and breaks, and records what it got.
//!
//! Plain HTTP/1.1 over a socket of its own, because what it must be able to do (cut a connection after
//! the body was read, never answer) is what a proper server prevents.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const HEAD_BYTES_MAX: usize = 16 * 1024;
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What the receiver does with one request, once it has read it.
#[derive(Debug, Clone)]
pub enum Step {
    /// Answers.
    Reply {
        /// The status.
        status: u16,
        /// Further headers.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: String,
    },
    /// Waits, then does the next thing.
    Delay(Duration, Box<Step>),
    /// Never answers.
    Hang,
    /// Closes the connection without an answer.
    Cut,
    /// Promises a body, sends half of it, closes the connection.
    CutInBody {
        /// The status that arrives.
        status: u16,
    },
    /// Promises a long body and sends a byte now and then, for as long as somebody listens.
    Drip {
        /// The status that arrives.
        status: u16,
    },
    /// Sends a body that never ends.
    Endless {
        /// The status that arrives.
        status: u16,
    },
}

impl Step {
    /// An answer without body.
    pub fn status(status: u16) -> Self {
        Self::Reply { status, headers: Vec::new(), body: String::new() }
    }

    /// An answer with a body.
    pub fn body(status: u16, body: impl Into<String>) -> Self {
        Self::Reply { status, headers: Vec::new(), body: body.into() }
    }

    /// An answer with a header.
    pub fn header(status: u16, name: &'static str, value: impl Into<String>) -> Self {
        Self::Reply { status, headers: vec![(name, value.into())], body: String::new() }
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// `POST` or `GET`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// When its last byte was read.
    pub at: Instant,
}

impl Received {
    /// The header `webhook-id`; empty when there is none.
    pub fn webhook_id(&self) -> &str {
        self.headers.get("webhook-id").map_or("", String::as_str)
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

/// The receiver. It stops when it is dropped.
#[derive(Debug)]
pub struct FakeCrm {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// Decides what to do with a request.
type Answers = Box<dyn Fn(&Received) -> Step + Send + Sync>;

struct Shared {
    records: bool,
    answers: Option<Answers>,
    arrivals: Mutex<Vec<(String, Instant)>>,
    inner: Mutex<Inner>,
    count: watch::Sender<usize>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("count", &*self.count.borrow()).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Inner {
    script: VecDeque<Step>,
    received: Vec<Received>,
    on_their_way: HashMap<String, usize>,
    overlaps: usize,
    at_once: usize,
    at_once_max: usize,
}

impl FakeCrm {
    /// Listens on a free port of 127.0.0.1. Requests beyond the script are answered 200.
    pub async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        Self::listen(script.into_iter().collect(), true, None).await
    }

    /// Listens on a free port of 127.0.0.1 and answers each request as that says.
    pub async fn answering(answers: impl Fn(&Received) -> Step + Send + Sync + 'static) -> Self {
        Self::listen(VecDeque::new(), true, Some(Box::new(answers))).await
    }

    /// The same without script and bodies: it keeps ids and times, and leaves the machine to what is measured.
    pub async fn counting() -> Self {
        Self::listen(VecDeque::new(), false, None).await
    }

    async fn listen(script: VecDeque<Step>, records: bool, answers: Option<Answers>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let inner = Mutex::new(Inner { script, ..Inner::default() });
        let shared = Arc::new(Shared {
            records,
            answers,
            arrivals: Mutex::default(),
            inner,
            count: watch::Sender::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, task }
    }

    /// Where it listens, with a path that looks like a secret.
    pub fn url(&self) -> String {
        format!("http://{}/hook/0123456789abcdef", self.address)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests so far, in the order of their arrival.
    pub fn received(&self) -> Vec<Received> {
        self.shared.inner().received.clone()
    }

    /// How many requests arrived.
    pub fn count(&self) -> usize {
        *self.shared.count.borrow()
    }

    /// Of a counting receiver: each request's `webhook-id` and time of arrival.
    pub fn arrivals(&self) -> Vec<(String, Instant)> {
        self.shared.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often a request arrived while another with the same `webhook-id` was not yet answered.
    pub fn overlaps(&self) -> usize {
        self.shared.inner().overlaps
    }

    /// The most requests that were under way at a time.
    pub fn at_once_max(&self) -> usize {
        self.shared.inner().at_once_max
    }

    /// Waits until so many requests have arrived, at most half a minute.
    pub async fn wait_for(&self, count: usize) {
        let mut arrived = self.shared.count.subscribe();
        let enough = arrived.wait_for(|&arrived| arrived >= count);
        let waited = tokio::time::timeout(Duration::from_secs(30), enough).await;
        waited.unwrap_or_else(|_| panic!("{count} requests never came")).expect("the receiver lives");
    }
}

impl Drop for FakeCrm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request and says what to do with it.
    fn arrive(&self, request: Received) -> Step {
        if !self.records {
            let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.push((request.webhook_id().to_owned(), request.at));
            drop(arrivals);
            self.count.send_modify(|count| *count += 1);
            return Step::status(200);
        }
        let answer = self.answers.as_ref().map(|answers| answers(&request));
        let mut inner = self.inner();
        let before = inner.on_their_way.entry(request.webhook_id().to_owned()).or_default();
        *before += 1;
        if *before > 1 {
            inner.overlaps += 1;
        }
        inner.at_once += 1;
        inner.at_once_max = inner.at_once_max.max(inner.at_once);
        inner.received.push(request);
        let step = answer.or_else(|| inner.script.pop_front()).unwrap_or_else(|| Step::status(200));
        drop(inner);
        self.count.send_modify(|count| *count += 1);
        step
    }

    fn end(&self) {
        if self.records {
            self.inner().at_once -= 1;
        }
    }

    fn leave(&self, webhook_id: &str) {
        if !self.records {
            return;
        }
        let mut inner = self.inner();
        if let Some(count) = inner.on_their_way.get_mut(webhook_id) {
            *count -= 1;
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the receiver: a set that is dropped aborts its tasks.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // A client that hangs up is no concern of the receiver's.
            let _ = converse(stream, &shared).await;
        });
    }
}

/// Answers requests on one connection until either side closes it.
async fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    while let Some(request) = read_request(&mut stream, &mut buffer).await? {
        let webhook_id = request.webhook_id().to_owned();
        let mut step = shared.arrive(request);
        while let Step::Delay(pause, next) = step {
            tokio::time::sleep(pause).await;
            step = *next;
        }
        // Before the answer, which may bring the next request at once.
        shared.end();
        let stays = respond(&mut stream, step).await;
        shared.leave(&webhook_id);
        if !stays? {
            break;
        }
    }
    Ok(())
}

/// Acts; answers whether the connection stays open.
async fn respond(stream: &mut TcpStream, step: Step) -> io::Result<bool> {
    let (status, headers, body) = match step {
        Step::Reply { status, headers, body } => (status, headers, body),
        Step::CutInBody { status } => {
            let head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: 100\r\n\r\nhalf");
            stream.write_all(head.as_bytes()).await?;
            return Ok(false);
        }
        Step::Drip { status } => {
            let head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: 1000000\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Step::Endless { status } => {
            let head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(&[b'x'; 4096]).await?;
            }
        }
        Step::Cut => return Ok(false),
        Step::Hang | Step::Delay(..) => std::future::pending().await,
    };
    let mut answer = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        answer.push_str(name);
        answer.push_str(": ");
        answer.push_str(&value);
        answer.push_str("\r\n");
    }
    answer.push_str("\r\n");
    answer.push_str(&body);
    stream.write_all(answer.as_bytes()).await?;
    Ok(true)
}

/// Reads one request with a `content-length`; none when the client closed the connection.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Received>> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > HEAD_BYTES_MAX || stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if length > BODY_BYTES_MAX {
        return Ok(None);
    }
    while buffer.len() < head_end + length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = String::from_utf8_lossy(&buffer[head_end..head_end + length]).into_owned();
    buffer.drain(..head_end + length);
    Ok(Some(Received { method, path, headers, body, at: Instant::now() }))
}
