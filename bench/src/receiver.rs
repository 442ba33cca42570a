//! A fast local receiver in a process of its own: keeps each delivery's id and time of arrival, answers 200.
//!
//! Plain HTTP/1.1 over a socket, so that it takes as little as possible of the machine that it shares with what is
//! measured. Two addresses are for us: `GET /count` and `GET /arrivals` (`id microseconds-since-1970`, a line each).

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Outcome;

const HEAD_BYTES_MAX: usize = 16 * 1024;
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";

type Arrivals = Arc<Mutex<Vec<(String, u128)>>>;

/// Serves until the process is killed.
pub async fn part() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let arrivals = Arrivals::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let arrivals = Arc::clone(&arrivals);
        tokio::spawn(async move {
            if let Err(error) = converse(stream, &arrivals).await {
                eprintln!("receiver: {error}");
            }
        });
    }
}

/// Microseconds since 1970: comparable between the processes of a machine.
pub fn now_us() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()
}

/// Answers requests on one connection until the client closes it.
async fn converse(mut stream: TcpStream, arrivals: &Arrivals) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 * 1024);
    while let Some((head, length)) = read_head(&mut stream, &mut buffer).await? {
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        buffer.drain(..length);
        match head {
            Head::Delivery(id) => {
                arrivals.lock().unwrap_or_else(PoisonError::into_inner).push((id, now_us()));
                stream.write_all(ANSWER).await?;
            }
            Head::Count => {
                let count = arrivals.lock().unwrap_or_else(PoisonError::into_inner).len();
                answer(&mut stream, &count.to_string()).await?;
            }
            Head::Arrivals => {
                let mut text = String::new();
                for (id, at) in arrivals.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "{id} {at}");
                }
                answer(&mut stream, &text).await?;
            }
        }
    }
    Ok(())
}

async fn answer(stream: &mut TcpStream, body: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}

/// What is asked.
enum Head {
    Delivery(String),
    Count,
    Arrivals,
}

/// Reads a request's head off the buffer; answers it with the bytes that its body makes the buffer hold.
async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<(Head, usize)>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > HEAD_BYTES_MAX || stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let text = String::from_utf8_lossy(&buffer[..end]);
    let (mut length, mut id) = (0, String::new());
    for (name, value) in text.lines().skip(1).filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        } else if name.eq_ignore_ascii_case("webhook-id") {
            value.trim().clone_into(&mut id);
        }
    }
    let head = if text.starts_with("GET /count ") {
        Head::Count
    } else if text.starts_with("GET /arrivals ") {
        Head::Arrivals
    } else {
        Head::Delivery(id)
    };
    buffer.drain(..end);
    Ok(Some((head, length)))
}
