//! Bad input, over HTTP and through the import's run: a clear error, nothing half done, and Baton goes on.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, io};

use axum::body::{Body, Bytes};
use domain::ids::TenantId;
use entity::lead_source;
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use serde_json::{Value, json};
use service::intake::{imports, uploads, worker};
use tests::data::{counts, import_state, rows, token};
use tests::web::{Answer, Web};
use tests::{TestApp, fixture};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

const MEBIBYTE: usize = 1 << 20;
/// Everything that an input could leave behind, but for the import itself.
const TABLES: [&str; 7] =
    ["lead", "lead_event", "failed_record", "import_batch", "delivery", "idempotency", "delivery_attempt"];
const HEADER: &str = "Lead ID,First Name,Pri. Phone,Email";

/// A tenant with one source that has taken nothing yet.
struct Door {
    test: TestApp,
    tenant: TenantId,
    token: String,
    web: Web,
}

impl Door {
    async fn new() -> Self {
        let mut test = TestApp::new().await;
        // As in earnest but for the size, so that a test can go beyond it.
        test.restart_with(|settings| settings.file_bytes_max = 16 * MEBIBYTE as u64);
        let tenant = test.tenant("acme").await;
        let source: lead_source::Model = test.source(tenant, "leadsource").await;
        let token = token(&test.app, tenant, &source).await;
        let web = test.web();
        Self { test, tenant, token, web }
    }

    async fn rows(&self, tables: &[&str]) -> Vec<Value> {
        rows(&self.test.app, self.tenant, tables).await
    }

    async fn file(&self, content: impl Into<Body>) -> Answer {
        self.web.file("leadsource", &self.token, content).await
    }

    async fn json(&self, content: impl Into<Body>) -> Answer {
        self.with(&[("content-type", "application/json")], content).await
    }

    async fn with(&self, headers: &[(&str, &str)], content: impl Into<Body>) -> Answer {
        let credential = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", credential.as_str())];
        all.extend(headers);
        self.web.post("/ingest/leadsource", &all, content).await
    }

    /// The server lives on: a good lead comes in, and is the only one.
    async fn still_works(&self) {
        let good = json!({"Lead ID": "LS-good", "First Name": "Ada", "Pri. Phone": "3035550199"});
        let answer = self.web.lead("leadsource", &self.token, &good).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        assert_eq!(self.rows(&["lead"]).await.len(), 1);
    }

    /// A body that is refused at once leaves no row and no file.
    async fn refused_at_once(&self, answer: Answer, status: u16, code: &str, advice: &str) {
        assert_eq!(answer.problem(), (status, code.to_owned()), "{}", answer.text());
        let detail = answer.json()["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains(advice), "{code}: {detail}");
        assert!(self.rows(&TABLES).await.is_empty() && self.rows(&["import"]).await.is_empty(), "{code}");
        assert!(self.test.uploads().is_empty(), "{code}: {:?}", self.test.uploads());
        self.still_works().await;
    }

    /// A file that is taken and turns out to be bad as a whole leaves no row but its import, which says why.
    async fn fails_whole(&self, content: Vec<u8>, code: &str, advice: &str) {
        let import = self.file(content).await.import();
        assert_eq!(worker::run_waiting(&self.test.app).await.expect("the worker lives"), 1);
        let (state, error) = import_state(&self.test.app, self.tenant, import).await;
        let error = error.unwrap_or_default();
        assert_eq!(state, "failed", "{code}");
        assert!(error.contains(&format!("[{code}]")) && error.contains(advice), "{code}: {error}");
        assert!(error.contains("Nothing of the file was imported") || code == "NO_KNOWN_COLUMN", "{error}");
        assert!(self.rows(&TABLES).await.is_empty(), "{code}");
        assert!(self.test.uploads().is_empty(), "{code}: {:?}", self.test.uploads());
        self.still_works().await;
    }

    /// A record that is bad costs itself alone: the one before it and the one after it become leads.
    async fn costs_one_record(&self, content: Vec<u8>, code: &str, advice: &str) {
        let import = self.file(content).await.import();
        assert_eq!(worker::run_waiting(&self.test.app).await.expect("the worker lives"), 1);
        let counts = counts(&self.test.app, self.tenant, import).await;
        assert_eq!((counts.records, counts.accepted, counts.rejected), (3, 2, 1), "{code}");
        let refused = self.rows(&["failed_record"]).await;
        let reason = &refused[0]["reasons"][0];
        assert_eq!((&refused[0]["record"], &reason["code"]), (&json!(2), &json!(code)), "{reason}");
        assert!(reason["message"].as_str().expect("a message").contains(advice), "{reason}");
        let kept = refused[0]["raw"].as_str().expect("raw text").len();
        assert!(kept <= 64 << 10, "{code}: {kept} bytes are kept");
        assert!(self.test.uploads().is_empty());
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(content).expect("compressed");
    gzip.finish().expect("compressed")
}

/// Three records of which the second is `bad`.
fn around(bad: &[u8]) -> Vec<u8> {
    let mut file = format!("{HEADER}\nLS-1,Ada,3035550101,\n").into_bytes();
    file.extend_from_slice(bad);
    file.extend_from_slice(b"\nLS-3,Cleo,3035550103,\n");
    file
}

fn deep(levels: usize) -> String {
    format!(r#"{{"Lead ID":"LS-2","Notes":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test]
async fn content_that_is_no_file_of_records_is_named() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0".to_vec();
    Door::new().await.fails_whole(png, "NOT_TEXT", "not a text file").await;
    let workbook = b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml".to_vec();
    Door::new().await.fails_whole(workbook, "NOT_TEXT", "Excel").await;
    let foreign = b"colour,size\nred,10\nblue,11\n".to_vec();
    Door::new().await.fails_whole(foreign, "NO_KNOWN_COLUMN", "leadsource").await;
    let wide = vec!["c"; 10_000].join(",").into_bytes();
    Door::new().await.fails_whole(wide, "TOO_MANY_COLUMNS", "send only the columns").await;
    let blank = b" \r\n\r\n".to_vec();
    Door::new().await.fails_whole(blank, "EMPTY_FILE", "Check the export").await;
}

#[tokio::test]
async fn a_broken_or_hostile_archive_is_refused_whole() {
    let whole = fs::read(fixture("leadsource.json")).expect("a fixture");
    let mut truncated = gzip(&whole);
    truncated.truncate(truncated.len() * 2 / 3);
    Door::new().await.fails_whole(truncated, "GZIP_TRUNCATED", "send it again").await;
    let mut damaged = gzip(&whole);
    // The checksum stands before the last four bytes.
    let checksum = damaged.len() - 8;
    damaged[checksum] = !damaged[checksum];
    Door::new().await.fails_whole(damaged, "GZIP_CORRUPT", "Compress and send it again").await;
    // Good records first: what a bomb brings along must not be kept either.
    let mut bomb = format!("{HEADER}\nLS-1,Ada,3035550101,\n").into_bytes();
    bomb.resize(48 * MEBIBYTE, b'\n');
    let bomb = gzip(&bomb);
    assert!(bomb.len() < MEBIBYTE / 10, "{} bytes", bomb.len());
    Door::new().await.fails_whole(bomb, "GZIP_BOMB", "").await;
}

#[tokio::test]
async fn a_bad_record_costs_itself_alone() {
    let cell = [b"LS-2,".as_slice(), &vec![b'x'; 10 * MEBIBYTE], b",3035550102,"].concat();
    Door::new().await.costs_one_record(around(&cell), "CELL_TOO_LARGE", "").await;
    let mut latin = around(b"LS-2,Jos\xe9,3035550102,");
    latin.splice(0..0, *b"\xef\xbb\xbf");
    Door::new().await.costs_one_record(latin, "INVALID_ENCODING", "").await;
    let deep = format!(
        "{}\n{}\n{}\n",
        json!({"Lead ID": "LS-1", "First Name": "Ada", "Pri. Phone": "3035550101"}),
        deep(10_000),
        json!({"Lead ID": "LS-3", "First Name": "Cleo", "Pri. Phone": "3035550103"})
    );
    Door::new().await.costs_one_record(deep.into_bytes(), "JSON_TOO_DEEP", "").await;
}

/// The operator's limit of one record is the file reader's too.
#[tokio::test]
async fn a_record_above_the_operators_limit_costs_itself_alone() {
    let mut door = Door::new().await;
    door.test.restart_with(|settings| settings.record_bytes_max = 2048);
    door.web = door.test.web();
    let record = |number: u32, notes: &str| json!({"Lead ID": format!("LS-{number}"), "First Name": "Ada", "Pri. Phone": format!("303555010{number}"), "Notes": notes});
    let file =
        format!("{}\n{}\n{}\n", record(1, "brief"), record(2, &"long ".repeat(500)), record(3, "brief"));
    door.costs_one_record(file.into_bytes(), "RECORD_TOO_LARGE", "2048").await;
}

#[tokio::test]
async fn an_empty_body_is_refused_at_once() {
    let door = Door::new().await;
    door.refused_at_once(door.file("").await, 400, "EMPTY_FILE", "send a file with a header").await;
    let door = Door::new().await;
    door.refused_at_once(door.json("").await, 400, "EMPTY_FILE", "send a file with a header").await;
}

/// A body without end is cut short at the limit, not read to its end.
#[tokio::test]
async fn a_body_above_the_limit_is_refused_while_it_comes() {
    const PIECE: usize = 64 << 10;
    for content_type in ["text/csv", "application/json"] {
        let door = Door::new().await;
        let pieces = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&pieces);
        let piece = Bytes::from(vec![b'x'; PIECE]);
        let endless = stream::repeat_with(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, io::Error>(piece.clone())
        });
        let answer = door.with(&[("content-type", content_type)], Body::from_stream(endless)).await;
        let read = pieces.load(Ordering::Relaxed) * PIECE;
        assert!(read <= 17 * MEBIBYTE, "{read} bytes of it were read");
        door.refused_at_once(answer, 413, "LIMIT_EXCEEDED", "16 MiB: compress it with gzip or split it")
            .await;
    }
}

#[tokio::test]
async fn a_lead_that_is_no_json_of_utf_8_is_refused() {
    let door = Door::new().await;
    let latin = door.json(b"{\"First Name\":\"Jos\xe9\",\"Email\":\"jose@example.com\"}".to_vec()).await;
    door.refused_at_once(latin, 400, "INVALID_ENCODING", "UTF-8").await;
    for (record, code, advice) in [
        (deep(10_000), "JSON_TOO_DEEP", "more than 64 levels deep"),
        ("{\"First Name\":".to_owned(), "MALFORMED_ROW", "JSON"),
        ("{\"First Name\":\"Ada\"} tail".to_owned(), "MALFORMED_ROW", "JSON"),
    ] {
        let door = Door::new().await;
        let answer = door.json(record).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
        let reason = &answer.json()["reasons"][0];
        assert_eq!(reason["code"], code, "{reason}");
        assert!(reason["message"].as_str().expect("a message").contains(advice), "{reason}");
        door.still_works().await;
    }
}

/// The sender goes away in the middle, seen from within: the body ends with an error.
#[tokio::test]
async fn a_body_that_ends_with_an_error_leaves_nothing() {
    for content_type in ["text/csv", "application/json"] {
        let door = Door::new().await;
        let start = format!("{HEADER}\nLS-1,Ada,3035550101,\n");
        let pieces = [Ok(Bytes::from(start)), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
        let answer =
            door.with(&[("content-type", content_type)], Body::from_stream(stream::iter(pieces))).await;
        door.refused_at_once(answer, 400, "BODY_CUT_OFF", "send it again").await;
    }
}

/// A sender that stops in the middle and keeps the connection: it is given up, whichever way its body was going.
#[tokio::test]
async fn a_body_that_falls_silent_is_given_up() {
    for content_type in ["text/csv", "application/json"] {
        let mut door = Door::new().await;
        door.test.restart_with(|settings| settings.body_silence_max = Duration::from_millis(100));
        door.web = door.test.web();
        let start = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"{\"First Name\":"))]);
        let body = Body::from_stream(start.chain(stream::pending()));
        let headers = [("content-type", content_type)];
        let sending = door.with(&headers, body);
        let answer = tokio::time::timeout(Duration::from_secs(20), sending).await;
        let answer = answer.unwrap_or_else(|_| panic!("{content_type}: it waits for ever"));
        door.refused_at_once(answer, 400, "BODY_CUT_OFF", "send it again").await;
    }
}

/// The same over a real connection, where the server may drop the request instead of telling it.
#[tokio::test]
async fn a_connection_that_breaks_in_the_body_leaves_nothing() {
    let door = Door::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(axum::serve(listener, door.web.router()).into_future());
    for reset in [false, true] {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let head = format!(
            "POST /ingest/leadsource HTTP/1.1\r\nhost: baton\r\nauthorization: Bearer {}\r\ncontent-length: 100000\r\n\r\n",
            door.token
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(format!("{HEADER}\nLS-1,Ada,3035550101,\n").as_bytes()).await.expect("sent");
        eventually("the upload has begun", || !door.test.uploads().is_empty()).await;
        if reset {
            // Closed with a reset: the server's next read fails instead of finding the end.
            stream.set_zero_linger().expect("set");
        }
        drop(stream);
        eventually("the upload is gone", || door.test.uploads().is_empty()).await;
    }
    assert!(door.rows(&["import"]).await.is_empty());
    door.still_works().await;
    server.abort();
}

/// A server that stops, or a client of HTTP/2 that cancels, drops the request in the middle.
#[tokio::test]
async fn a_request_that_is_dropped_leaves_nothing() {
    let door = Door::new().await;
    let start = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"Lead ID,First Name"))]);
    let body = Body::from_stream(start.chain(stream::pending()));
    let (web, token) = (door.web.clone(), door.token.clone());
    let request = tokio::spawn(async move { web.file("leadsource", &token, body).await });
    eventually("the upload has begun", || !door.test.uploads().is_empty()).await;
    request.abort();
    request.await.expect_err("it was dropped");
    eventually("the upload is gone", || door.test.uploads().is_empty()).await;
    door.still_works().await;
}

/// Waits for what another task does, half a minute at most.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("it never came true that {what}"));
}

/// A file's idempotency key: sent again it is the same import, with another body a conflict that keeps nothing.
#[tokio::test]
async fn a_files_key_with_another_body_is_a_conflict() {
    let door = Door::new().await;
    let key = [("idempotency-key", "monday"), ("content-type", "text/csv")];
    let file = format!("{HEADER}\nLS-1,Ada,3035550101,\n");
    let first = door.with(&key, file.clone()).await.import();
    assert_eq!(door.with(&key, file.clone()).await.import(), first);
    assert_eq!(door.test.uploads().len(), 1, "the second copy is not kept");
    let before = door.rows(&["import", "idempotency"]).await;
    let other = door.with(&key, format!("{file}LS-2,Bob,3035550102,\n")).await;
    assert_eq!(other.problem(), (409, "CONFLICT".to_owned()));
    assert!(other.text().contains("a new key"), "{}", other.text());
    assert_eq!(door.rows(&["import", "idempotency"]).await, before);
    assert_eq!(door.test.uploads().len(), 1);
    assert_eq!(worker::run_waiting(&door.test.app).await.expect("it runs"), 1);
    // Done, it is remembered still.
    assert_eq!(door.with(&key, file).await.import(), first);
    assert_eq!(worker::run_waiting(&door.test.app).await.expect("it runs"), 0);
    assert_eq!(door.rows(&["lead"]).await.len(), 1);
    assert!(door.test.uploads().is_empty());
}

/// A process that is killed with a body half stored leaves a file that nobody wants; so does a cancelled import. Both go, and
/// nothing else does.
#[tokio::test]
async fn files_that_no_import_wants_are_swept() {
    let door = Door::new().await;
    let app = &door.test.app;
    let now = std::time::SystemTime::from(app.clock.now());
    let written = |path: &std::path::Path, hours_ago: u64| {
        let file = fs::File::options().append(true).create(true).open(path).expect("a file");
        file.set_modified(now - Duration::from_secs(hours_ago * 3600)).expect("set");
    };
    let csv = format!("{HEADER}\nLS-1,Ada,3035550101,\n");
    let waiting = door.file(csv.clone()).await.import();
    let cancelled = door.file(format!("{csv}LS-2,Bob,3035550102,\n")).await.import();
    imports::cancel(app, door.tenant, cancelled).await.expect("cancelled");
    let folder = door.test.folder.path().join(uploads::folder(door.tenant));
    for stored in door.test.uploads() {
        written(&stored, 30);
    }
    written(&folder.join("killed"), 2);
    written(&folder.join("still-coming"), 0);

    assert_eq!(uploads::sweep(app).await.expect("a sweep"), 2);
    let left = door.test.uploads();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(folder.join("still-coming").exists() && !folder.join("killed").exists(), "{left:?}");
    assert_eq!(worker::run_waiting(app).await.expect("it runs"), 1);
    assert_eq!(counts(app, door.tenant, waiting).await.accepted, 1, "what waited was there");
    assert_eq!(uploads::sweep(app).await.expect("a sweep"), 0);
}
