//! A client without manners: sends any bytes over TCP, half requests and none at all, and reads whatever comes back.
//!
//! What it sends may be cut off by the other side, which is no error here: the answer is what counts.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sentry_team_sync::parts::retried;

use crate::standin::Delivery;
use crate::world::{PATIENCE, SECRET};

/// One connection.
pub struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One answer, read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code; `100` is an answer of its own.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, by its length.
    pub body: String,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Raw {
    /// Connects to `http://HOST:PORT`.
    pub fn open(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("TCP");
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream, buffer: Vec::new() }
    }

    /// Sends bytes; whether the other side still took them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The next answer; `None` if the connection ends without one.
    pub fn answer(&mut self) -> Option<Answer> {
        self.read(true)
    }

    /// The next answer to a HEAD, which has no body whatever its length says.
    pub fn answer_to_head(&mut self) -> Option<Answer> {
        self.read(false)
    }

    /// Whether the connection ends, without another answer, before patience does.
    pub fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.more()
    }

    /// Whether nothing comes for so long, neither a byte nor the end.
    pub fn is_silent_for(&mut self, pause: Duration) -> bool {
        self.stream.set_read_timeout(Some(pause)).expect("a timeout");
        let peeked = retried(|| self.stream.peek(&mut [0]));
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let silence = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
        self.buffer.is_empty() && peeked.is_err_and(|error| silence.contains(&error.kind()))
    }

    /// Closes with a reset instead of an end.
    pub fn reset(self) {
        let now = Some(Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(&self.stream, now).expect("a socket option");
    }

    fn read(&mut self, with_body: bool) -> Option<Answer> {
        let (mut answer, head) = loop {
            match parse(&self.buffer) {
                Some(parsed) => break parsed,
                None if self.more() => {}
                None => return None,
            }
        };
        self.buffer.drain(..head);
        let length = answer.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        let length = if with_body { length } else { 0 };
        while self.buffer.len() < length {
            if !self.more() {
                return None;
            }
        }
        let body = self.buffer.drain(..length).collect();
        answer.body = String::from_utf8(body).expect("UTF-8");
        Some(answer)
    }

    /// Reads some more; false at the end. Silence beyond all patience fails the test.
    fn more(&mut self) -> bool {
        let mut chunk = [0; 16 << 10];
        match retried(|| self.stream.read(&mut chunk)) {
            Ok(0) => false,
            Ok(n) => {
                self.buffer.extend_from_slice(&chunk[..n]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("neither an answer nor an end")
            }
            Err(_) => false,
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let mut slots = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(head) = response.parse(bytes).expect("an HTTP answer") else {
        return None;
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let headers = response.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect();
    Some((Answer { status: response.code.expect("a status"), headers, body: String::new() }, head))
}

/// One request on a connection of its own.
pub fn ask(url: &str, request: impl AsRef<[u8]>) -> Option<Answer> {
    let mut raw = Raw::open(url);
    raw.send(request);
    raw.answer()
}

/// A signed delivery as it goes over the wire, with these header lines beside its own.
pub fn delivery(delivery: &Delivery, more: &str) -> Vec<u8> {
    let (head, body) = delivery_in_two(delivery, more);
    [head, body].concat()
}

/// The same, head and body apart.
pub fn delivery_in_two(delivery: &Delivery, more: &str) -> (Vec<u8>, Vec<u8>) {
    let (headers, body) = delivery.wire(SECRET);
    let mut head = String::from("POST /github HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("{more}Content-Length: {}\r\n\r\n", body.len()));
    (head.into_bytes(), body)
}
