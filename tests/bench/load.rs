//! A load of signed deliveries over many connections, with the time of every answer.
//!
//! Requests are rendered and signed before the clock starts, so that the load costs the machine as little as it can.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sentry_team_sync::parts::retried;

use crate::standin::Delivery;

/// How deliveries are sent.
#[derive(Clone, Copy)]
pub struct Load {
    /// So many connections at once.
    pub connections: usize,
    /// Connections are used again; else each request has its own.
    pub keep_alive: bool,
    /// One delivery in this time over all connections; else as fast as answers come.
    pub every: Option<Duration>,
}

/// What came of it. The times are in ascending order.
#[derive(Default)]
pub struct Report {
    times: Vec<Duration>,
    took: Duration,
    /// Requests without a 2xx.
    pub lost: usize,
}

impl Report {
    /// Of times that were taken one after the other since then.
    pub fn of(times: Vec<Duration>, began: Instant) -> Self {
        let mut report = Self::default();
        report.add(Self { times, took: began.elapsed(), lost: 0 });
        report
    }

    /// Another turn of the same.
    pub fn add(&mut self, turn: Report) {
        self.times.extend(turn.times);
        self.times.sort_unstable();
        self.took += turn.took;
        self.lost += turn.lost;
    }

    /// Requests with a 2xx.
    pub fn answered(&self) -> usize {
        self.times.len()
    }

    /// Answers per second.
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.took.as_secs_f64()
    }

    /// The time within which so many percent were answered.
    pub fn at(&self, percent: f64) -> Duration {
        let last = self.times.len().saturating_sub(1);
        let at = (last as f64 * percent / 100.0).round() as usize;
        self.times.get(at).copied().unwrap_or_default()
    }
}

impl Load {
    /// Sends all deliveries to `url`.
    pub fn run(&self, url: &str, secret: &str, deliveries: &[Delivery]) -> Report {
        let to = url.trim_start_matches("http://");
        let requests: Vec<_> =
            deliveries.iter().map(|delivery| request(delivery, secret, self.keep_alive)).collect();
        let (next, began) = (AtomicUsize::new(0), Instant::now());
        let results: Vec<(Vec<Duration>, usize)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|_| scope.spawn(|| self.one_connection(to, &requests, &next, began)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let took = began.elapsed();
        let lost = results.iter().map(|(_, lost)| lost).sum();
        let times = results.into_iter().flat_map(|(times, _)| times).collect();
        let mut report = Report::default();
        report.add(Report { times, took, lost });
        report
    }

    fn one_connection(
        &self,
        to: &str,
        requests: &[Vec<u8>],
        next: &AtomicUsize,
        began: Instant,
    ) -> (Vec<Duration>, usize) {
        let (mut times, mut lost, mut kept) = (Vec::new(), 0, None);
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests.get(n) else { return (times, lost) };
            let due = began + self.every.unwrap_or_default() * n as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let sent = Instant::now();
            match ask(to, request, &mut kept) {
                Ok(200..=299) => times.push(sent.elapsed()),
                _ => lost += 1,
            }
        }
    }
}

fn request(delivery: &Delivery, secret: &str, keep_alive: bool) -> Vec<u8> {
    let (headers, body) = delivery.wire(secret);
    let mut text = "POST /github HTTP/1.1\r\nHost: localhost\r\n".to_string();
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let connection = if keep_alive { "keep-alive" } else { "close" };
    text.push_str(&format!("Content-Length: {}\r\nConnection: {connection}\r\n\r\n", body.len()));
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

/// The status of the answer. A kept connection that the other side has closed is replaced once.
fn ask(to: &str, request: &[u8], kept: &mut Option<TcpStream>) -> io::Result<u16> {
    if let Some(mut stream) = kept.take() {
        if let Ok((status, close)) = exchange(&mut stream, request) {
            *kept = (!close).then_some(stream);
            return Ok(status);
        }
    }
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (status, close) = exchange(&mut stream, request)?;
    *kept = (!close).then_some(stream);
    Ok(status)
}

/// One request and its whole answer: the status, and whether the connection ends with it.
fn exchange(stream: &mut TcpStream, request: &[u8]) -> io::Result<(u16, bool)> {
    stream.write_all(request)?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 2048]);
    loop {
        let n = retried(|| stream.read(&mut chunk))?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&chunk[..n]);
        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut slots);
        let Ok(httparse::Status::Complete(at)) = head.parse(&answer) else { continue };
        let value = |name: &str| {
            let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        let length: usize = value("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        if answer.len() >= at + length {
            let close = request.windows(17).any(|part| part == b"Connection: close")
                || value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            return Ok((head.code.unwrap_or(0), close));
        }
    }
}
