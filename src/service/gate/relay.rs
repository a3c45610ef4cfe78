//! Passes a complete request to tiny_http over its private Unix socket and reads the answer.
//!
//! Each request gets a fresh connection, because tiny_http loses kept ones when many come at once. The cost was
//! measured as the process's CPU time per delivery, compared with bare tiny_http with the same HMAC and append (8 KiB,
//! 32 connections, 2 cores, means of four runs side by side). It is 2.0 times as much where each delivery has its own
//! connection, as behind nginx and Caddy, and 2.5 times for kept ones. With kept connections to tiny_http it would be
//! 1.75 and 2.0 times. The rest is the relay itself: one more thread to wake for the request, and for its answer.

use std::fmt::Write as _;
use std::io::{self, IoSlice, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::head::{Head, Method};
use crate::store::interrupted::retried;

/// The header that names the gate through which a request came. It's never passed on from outside.
pub const GATE_HEADER: &str = "x-gate";

/// How long an answer may take. A delivery's answer waits for a flush to disk; everything else is quicker.
pub const ANSWER: Duration = Duration::from_secs(30);
/// How long to wait for a replacement when tiny_http has died, and how often to look for it.
const REPLACED: Duration = Duration::from_secs(2);
const PERIOD: Duration = Duration::from_millis(20);
/// The largest answer in bytes: a status page of thousands of entries.
const ANSWER_LIMIT: usize = 8 << 20;

/// An answer as it goes out.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// All headers except content-length and those about the connection.
    pub headers: Vec<(String, String)>,
    /// The body; empty for HEAD, whose answer still has a `length`.
    pub body: Vec<u8>,
    pub length: usize,
}

/// Connects to tiny_http. If no server is listening, it sets `missed` and tries for a while, because a dead server is
/// replaced.
pub fn connect(inner: &Path, missed: &AtomicBool) -> io::Result<UnixStream> {
    let until = Instant::now() + REPLACED;
    loop {
        match retried(|| UnixStream::connect(inner)) {
            Err(error) if is_absence(&error) => {
                missed.store(true, Ordering::Relaxed);
                if Instant::now() >= until {
                    return Err(error);
                }
                thread::sleep(PERIOD);
            }
            connected => return connected,
        }
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

/// Sends a request to tiny_http and reads the answer. An error means that there is none.
pub fn ask(mut stream: UnixStream, gate: &str, head: &Head, body: &[u8]) -> io::Result<Reply> {
    stream.set_write_timeout(Some(ANSWER))?;
    stream.set_read_timeout(Some(ANSWER))?;
    let mut request = String::with_capacity(1024);
    let _ = write!(
        request,
        "{} {} HTTP/1.1\r\n{GATE_HEADER}: {gate}\r\nconnection: close\r\n",
        head.method, head.target
    );
    for (name, value) in &head.headers {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    let _ = write!(request, "content-length: {}\r\n\r\n", body.len());
    write_both(&mut stream, request.as_bytes(), body)?;
    let mut answer = Vec::with_capacity(1024);
    read_answer(&mut stream, &mut answer, head.method)?;
    parse(&answer, head.method).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Writes both in one call if possible. tiny_http then wakes once, and finds all that it needs.
fn write_both(stream: &mut UnixStream, head: &[u8], body: &[u8]) -> io::Result<()> {
    let written = retried(|| stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]))?;
    stream.write_all(head.get(written..).unwrap_or_default())?;
    stream.write_all(body.get(written.saturating_sub(head.len())..).unwrap_or_default())
}

/// Reads until the answer has its full length. It doesn't wait until tiny_http closes, because that takes longer.
fn read_answer(stream: &mut UnixStream, answer: &mut Vec<u8>, method: Method) -> io::Result<()> {
    let mut chunk = [0; 4096];
    let mut end = None;
    while end.is_none_or(|end| answer.len() < end) {
        let n = retried(|| stream.read(&mut chunk))?;
        if n == 0 {
            return Ok(());
        }
        answer.extend_from_slice(chunk.get(..n).unwrap_or_default());
        if answer.len() > ANSWER_LIMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        end = end.or_else(|| end_of_answer(answer, method));
    }
    Ok(())
}

/// Where the answer ends, once its head is there; also `None` if the head has no length.
fn end_of_answer(answer: &[u8], method: Method) -> Option<usize> {
    let mut slots = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut slots);
    let Ok(httparse::Status::Complete(at)) = response.parse(answer) else { return None };
    if method == Method::Head {
        return Some(at);
    }
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"))?;
    std::str::from_utf8(length.value).ok()?.parse::<usize>().ok()?.checked_add(at)
}

fn parse(answer: &[u8], method: Method) -> Option<Reply> {
    let mut slots = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut slots);
    let Ok(httparse::Status::Complete(at)) = response.parse(answer) else { return None };
    let body = answer.get(at..)?.to_vec();
    let mut reply = Reply { status: response.code?, headers: Vec::new(), length: body.len(), body };
    for header in response.headers.iter() {
        let (name, value) = (header.name.to_ascii_lowercase(), std::str::from_utf8(header.value).ok()?);
        match name.as_str() {
            "content-length" if method == Method::Head => reply.length = value.parse().ok()?,
            // An answer that was cut off doesn't count.
            "content-length" if value.parse() != Ok(reply.body.len()) => return None,
            "content-length" | "connection" | "transfer-encoding" | "keep-alive" => {}
            _ => reply.headers.push((name, value.into())),
        }
    }
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_cut_off_is_no_answer() {
        let whole = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\nX: y\r\n\r\nok";
        let reply = parse(whole, Method::Post).unwrap();
        assert_eq!((reply.status, reply.body.as_slice(), reply.length), (202, &b"ok"[..], 2));
        assert_eq!(reply.headers, [("x".to_string(), "y".to_string())]);
        for cut in 0..whole.len() {
            assert!(parse(&whole[..cut], Method::Post).is_none(), "{cut}");
        }
    }

    #[test]
    fn an_answer_to_head_keeps_its_length() {
        let reply = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n", Method::Head).unwrap();
        assert_eq!((reply.length, reply.body.len()), (17, 0));
    }
}
