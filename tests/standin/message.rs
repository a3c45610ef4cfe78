//! HTTP requests and answers as values, and their bytes.
//!
//! No socket here. Foreign bytes that are no HTTP are an error, never a panic.

use super::encode::form_decode;
use serde_json::Value;

/// One request, read whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, ….
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Header lines in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, empty when there was none.
    pub body: Vec<u8>,
    /// The connection has had an answer before.
    pub on_kept: bool,
}

impl Request {
    /// The path as sent, still encoded.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query string as sent; empty when there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The decoded pairs of the query, in order.
    pub fn params(&self) -> Vec<(String, String)> {
        form_decode(self.query())
    }

    /// The last value of one query parameter.
    pub fn param(&self, name: &str) -> Option<String> {
        self.params().into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// All values of one query parameter.
    pub fn param_list(&self, name: &str) -> Vec<String> {
        self.params().into_iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect()
    }

    /// A header by name, without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The media type of the body, lower case, without parameters; `""` when none was named.
    pub fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or("");
        value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header lines; `Content-Length` is added unless given here (or the status has no body).
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer with this body and content type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Response { status, headers, body: body.into() }
    }

    /// An answer without body and content type.
    pub fn empty(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A JSON answer.
    pub fn json(status: u16, value: &Value) -> Response {
        Response::new(status, "application/json", value.to_string())
    }

    /// The same with one more header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Response {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// A header by name, without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The request line and headers, how long they are, and the minor version; `None` while incomplete.
pub(super) fn parse_head(bytes: &[u8]) -> Result<Option<(Request, usize, u8)>, ()> {
    let mut lines = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut lines);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(()),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = head.headers.iter().map(|line| (line.name.to_owned(), text(line.value))).collect();
    let (method, target) = (head.method.unwrap_or(""), head.path.unwrap_or(""));
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: Vec::new(),
        on_kept: false,
    };
    Ok(Some((request, length, head.version.unwrap_or(1))))
}

pub(super) fn plain(status: u16) -> Response {
    Response::new(status, "text/plain", reason(status))
}

/// The bytes of an answer. 204 and 304 get no length of their own accord.
pub(super) fn render(response: &Response, keep: bool, head_only: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if response.header("content-length").is_none() && !matches!(response.status, 204 | 304) {
        head.push_str(&format!("Content-Length: {}\r\n", response.body.len()));
    }
    if !keep {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if !head_only {
        bytes.extend_from_slice(&response.body);
    }
    bytes
}

/// The words after a status code.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
