//! A plain blocking HTTP/1.1 client for the tests' own questions, over TCP or a Unix socket.
//!
//! It exists so that checks of the stand-ins do not run through the client they help to test.
//! It follows no redirects and repeats nothing.

use super::http::{loopback, Response};
use sentry_team_sync::parts::retried;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Where to connect.
#[derive(Clone, Debug)]
pub enum Place {
    /// `host:port`.
    Tcp(String),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Place {
    /// Splits `http://HOST:PORT/path` or `unix:/run/x.sock` into the place and the path (`/` when
    /// there is none).
    pub fn parse(url: &str) -> (Place, String) {
        if let Some(path) = url.strip_prefix("unix:") {
            return (Place::Unix(path.into()), "/".to_owned());
        }
        let rest = url.strip_prefix("http://").unwrap_or(url);
        match rest.find('/') {
            Some(at) => (Place::Tcp(rest[..at].to_owned()), rest[at..].to_owned()),
            None => (Place::Tcp(rest.to_owned()), "/".to_owned()),
        }
    }

    /// A port of this machine.
    pub fn port(port: u16) -> Place {
        Place::Tcp(loopback(port).to_string())
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One connection that can carry several requests.
pub struct Connection {
    stream: Box<dyn Stream>,
    host: String,
    buffer: Vec<u8>,
    reusable: bool,
}

impl Connection {
    /// Connects; every later read and write has this deadline of its own.
    pub fn open(place: &Place, patience: Duration) -> io::Result<Connection> {
        let (stream, host): (Box<dyn Stream>, String) = match place {
            Place::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                (Box::new(stream), address.clone())
            }
            Place::Unix(path) => {
                let stream = retried(|| UnixStream::connect(path))?;
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                (Box::new(stream), "localhost".to_owned())
            }
        };
        Ok(Connection { stream, host, buffer: Vec::new(), reusable: true })
    }

    /// Whether another request may be sent on it.
    pub fn reusable(&self) -> bool {
        self.reusable
    }

    /// Sends one request and reads the whole answer. `Host` and, for a body or a method that has
    /// one, `Content-Length` are added.
    pub fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> io::Result<Response> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.reusable = false;
        self.stream.write_all(&bytes)?;
        let response = self.read(method == "HEAD")?;
        let close = response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        self.reusable = !close;
        Ok(response)
    }

    fn read(&mut self, head_only: bool) -> io::Result<Response> {
        let (mut response, head_length) = loop {
            if let Some(parsed) = parse_head(&self.buffer)? {
                if parsed.0.status >= 200 {
                    break parsed;
                }
                self.buffer.drain(..parsed.1);
                continue;
            }
            self.more()?;
        };
        self.buffer.drain(..head_length);
        if head_only || matches!(response.status, 204 | 304) {
            return Ok(response);
        }
        let chunked =
            response.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        response.body = if chunked {
            self.read_chunks()?
        } else {
            let length = response.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
            self.take(length)?
        };
        Ok(response)
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                match self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                    Some(at) => break self.take(at + 2)?,
                    None => self.more()?,
                }
            };
            let size = String::from_utf8_lossy(&line).trim().to_owned();
            let size = usize::from_str_radix(&size, 16).map_err(|_| bad("chunk size"))?;
            let chunk = self.take(size + 2)?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.more()?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match retried(|| self.stream.read(&mut chunk))? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "connection closed before the answer was whole",
            )),
            count => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }
}

fn parse_head(bytes: &[u8]) -> io::Result<Option<(Response, usize)>> {
    let mut lines = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Response::new(&mut lines);
    let length = match head.parse(bytes).map_err(|_| bad("head"))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = head.headers.iter().map(|line| (line.name.to_owned(), text(line.value))).collect();
    let status = head.code.unwrap_or(0);
    Ok(Some((Response { status, headers, body: Vec::new() }, length)))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what} in the answer"))
}

/// One request on a connection of its own.
pub fn ask(url: &str, method: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Response> {
    let (place, path) = Place::parse(url);
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Connection::open(&place, Duration::from_secs(30))?.send(method, &path, &headers, body)
}
