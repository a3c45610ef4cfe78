//! Request heads: which ones the gate lets through, and its answer to the others. Pure.
//!
//! The rules are stricter than HTTP's, because a parser without limits then reads everything they allow: at most one
//! length, digits only; no transfer coding; ASCII only; three methods. They apply to headers that are used. Other
//! headers, and a query, are dropped whatever they contain: proxies put the names of cities and people there.

use std::fmt;

/// The largest head in bytes.
pub const HEAD_LIMIT: usize = 16 << 10;
/// The largest body in bytes. GitHub's events are 2 to 10 KB.
pub const BODY_LIMIT: usize = 1 << 20;
const HEADERS: usize = 64;
const TARGET_LIMIT: usize = 1024;
/// The most digits of a length. More would be an attempt to make arithmetic overflow.
const LENGTH_DIGITS: usize = 18;

/// A head that may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// GET, HEAD or POST.
    pub method: Method,
    /// The path, without a query; begins with a slash.
    pub target: String,
    /// The headers that are passed on, in lower case.
    pub headers: Vec<(String, String)>,
    /// How many bytes of body follow.
    pub length: usize,
    /// The client wants the connection closed, or speaks HTTP/1.0.
    pub close: bool,
    /// The client waits for `100 Continue`.
    pub expects_continue: bool,
}

/// The methods that the service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    /// GET without the answer's body.
    Head,
    Post,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
        })
    }
}

/// Why a request is refused, for its sender or the person who set that up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub sentence: String,
    pub fix: &'static str,
}

/// The fix for requests that GitHub itself never sends.
pub const ITSELF: &str = "send deliveries from GitHub, through a proxy that speaks plain HTTP/1.1";
/// The fix for bodies that are too large.
const FEWER: &str =
    "choose only Memberships, Organizations and Teams in the webhook's settings: those payloads are small";
/// The fix for a body without a length, which GitHub always sends.
const BUFFER: &str = "make the proxy in front buffer whole requests, so that it can send their length";
/// The fix for a head that a proxy has made too large.
pub const SMALLER: &str = "make the proxy in front add fewer and shorter headers";

fn refuse<T>(status: u16, sentence: impl Into<String>, fix: &'static str) -> Result<T, Refusal> {
    Err(Refusal { status, sentence: sentence.into(), fix })
}

/// Where the head in `bytes` ends, including the empty line. `from` is how far earlier calls have searched.
pub fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    bytes.get(from..)?.windows(4).position(|four| four == b"\r\n\r\n").map(|at| from + at + 4)
}

/// Whether these first bytes can begin a request at all. TLS and other protocols are refused at once.
pub fn may_begin(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(u8::is_ascii_uppercase)
}

/// The headers that are passed on. The code behind the gate looks at no others.
const HANDED_ON: [&str; 6] = [
    "host",
    "content-type",
    "x-hub-signature-256",
    "x-github-event",
    "x-github-delivery",
    "x-github-hook-id",
];

/// The headers that say where a request ends and how to answer it. Doubtful values are refused.
const FRAMING: [&str; 4] = ["content-length", "transfer-encoding", "connection", "expect"];

/// Reads a whole head, the empty line included.
pub fn parse(bytes: &[u8]) -> Result<Head, Refusal> {
    let mut slots = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut slots);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => {
            return refuse(431, format!("more than {HEADERS} headers"), SMALLER)
        }
        _ => return refuse(400, "this is not an HTTP/1.1 request", ITSELF),
    }
    let method = match request.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        _ => {
            let sentence = "only POST is accepted here";
            return refuse(405, sentence, "point GitHub's webhook at this address");
        }
    };
    let target = request.path.unwrap_or_default().split('?').next().unwrap_or_default();
    let plain = target.bytes().all(|b| b.is_ascii_graphic());
    if !target.starts_with('/') || target.len() > TARGET_LIMIT || !plain {
        let fix = "set the payload URL's path to /github";
        return refuse(400, "the request's target is not a path, or is too long", fix);
    }
    let is_old = request.version == Some(0);
    headers(method, target.into(), is_old, request.headers)
}

fn headers(method: Method, target: String, is_old: bool, all: &[httparse::Header]) -> Result<Head, Refusal> {
    let mut head =
        Head { method, target, headers: Vec::new(), length: 0, close: is_old, expects_continue: false };
    let (mut length, mut host) = (None, false);
    for header in all {
        let name = header.name.to_ascii_lowercase();
        let is_handed_on = HANDED_ON.contains(&name.as_str());
        if !is_handed_on && !FRAMING.contains(&name.as_str()) {
            continue;
        }
        let value = plain(&name, header.value)?;
        match name.as_str() {
            "transfer-encoding" => {
                let sentence = "the body has a transfer coding instead of a Content-Length";
                return refuse(411, sentence, BUFFER);
            }
            "content-length" if length.is_some() => {
                return refuse(400, "more than one Content-Length", ITSELF)
            }
            "content-length" => length = Some(read_length(value)?),
            "connection" => head.close |= has_token(value, "close"),
            "expect" if value.eq_ignore_ascii_case("100-continue") => head.expects_continue = true,
            "expect" if value.trim().is_empty() => {}
            "expect" => return refuse(417, "the only supported expectation is 100-continue", ITSELF),
            "host" if host => return refuse(400, "more than one Host", ITSELF),
            _ => {}
        }
        host |= name == "host";
        if is_handed_on {
            head.headers.push((name, value.trim().into()));
        }
    }
    head.length = match (method, length) {
        (Method::Post, None) => return refuse(411, "there is no Content-Length", BUFFER),
        (_, Some(n)) if n > BODY_LIMIT => {
            return refuse(413, format!("the body has {n} bytes; the limit is {BODY_LIMIT}"), FEWER)
        }
        (Method::Get | Method::Head, Some(1..)) => return refuse(400, "a GET must not have a body", ITSELF),
        (_, length) => length.unwrap_or(0),
    };
    Ok(head)
}

/// The value of a header that is used; only ASCII without control characters.
fn plain<'a>(name: &str, value: &'a [u8]) -> Result<&'a str, Refusal> {
    let Some(value) = std::str::from_utf8(value).ok().filter(|value| value.is_ascii()) else {
        return refuse(400, format!("the header {name} contains bytes that are not ASCII"), ITSELF);
    };
    if value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        return refuse(400, format!("the header {name} contains control characters"), ITSELF);
    }
    Ok(value)
}

fn read_length(value: &str) -> Result<usize, Refusal> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return refuse(400, "Content-Length is not a number", ITSELF);
    }
    if value.trim_start_matches('0').len() > LENGTH_DIGITS {
        return refuse(413, "the body is too large", FEWER);
    }
    value.parse().or_else(|_| refuse(413, "the body is too large", FEWER))
}

fn has_token(value: &str, token: &str) -> bool {
    value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(headers: &str) -> Result<Head, Refusal> {
        parse(format!("POST /github HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes())
    }

    fn status(request: &str) -> u16 {
        parse(request.as_bytes()).map_or_else(|refusal| refusal.status, |_| 0)
    }

    #[test]
    fn a_delivery_passes_with_the_headers_that_matter() {
        let head = post(
            "Content-Length: 5\r\nX-GitHub-Event: team\r\nX-Hub-Signature-256: sha256=0\r\nCookie: c\r\nX-Gate: admin\r\n",
        )
        .unwrap();
        let names: Vec<_> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["host", "x-github-event", "x-hub-signature-256"]);
        assert_eq!((head.length, head.close, head.method), (5, false, Method::Post));
    }

    #[test]
    fn lengths_are_one_number_of_digits() {
        for (value, expected) in [
            ("5", 0),
            ("1048576", 0),
            ("00005", 0),
            ("1048577", 413),
            ("30000000000", 413),
            ("18446744073709551615", 413),
            ("99999999999999999999999999", 413),
            ("-1", 400),
            ("+5", 400),
            ("0x10", 400),
            ("5,5", 400),
            ("5abc", 400),
            ("", 400),
            ("5 5", 400),
        ] {
            let status = post(&format!("Content-Length: {value}\r\n")).map_or_else(|r| r.status, |_| 0);
            assert_eq!(status, expected, "{value}");
        }
        assert_eq!(post("").unwrap_err().status, 411);
        assert_eq!(post("Content-Length: 5\r\nContent-Length: 5\r\n").unwrap_err().status, 400);
        assert_eq!(post("Content-Length: 5\r\nTransfer-Encoding: identity\r\n").unwrap_err().status, 411);
    }

    #[test]
    fn what_is_no_plain_request_is_refused() {
        for (request, expected) in [
            ("GET / HTTP/1.1\r\n\r\n", 0),
            ("HEAD /healthz HTTP/1.0\r\n\r\n", 0),
            ("PUT / HTTP/1.1\r\n\r\n", 405),
            ("DELETE /github HTTP/1.1\r\n\r\n", 405),
            ("get / HTTP/1.1\r\n\r\n", 405),
            ("GET http://x/ HTTP/1.1\r\n\r\n", 400),
            ("GET * HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\n\r\n", 400),
            ("PRI * HTTP/2.0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: magic\r\n\r\n", 417),
        ] {
            assert_eq!(status(request), expected, "{request:?}");
        }
        let many: String = (0..65).map(|n| format!("H{n}: x\r\n")).collect();
        assert_eq!(status(&format!("GET / HTTP/1.1\r\n{many}\r\n")), 431);
        assert_eq!(status(&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1024))), 400);
    }

    #[test]
    fn what_nobody_reads_is_dropped_and_not_judged() {
        for unread in [
            &b"CF-IPCity: S\xc3\xa3o Paulo"[..],
            b"X-SSL-Client-S-DN: CN=J\xf6rg",
            b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2",
            b"X-GitHub-Hook-Installation-Target-Type: \xff",
            b"X-Empty:",
            b"Expect:",
            b"Expect: \t",
        ] {
            let head = [b"POST /github HTTP/1.1\r\nContent-Length: 3\r\n", unread, b"\r\n\r\n"].concat();
            let head = parse(&head).unwrap();
            assert!(head.headers.is_empty() && !head.expects_continue && head.length == 3, "{head:?}");
        }
        let head = parse("GET /status.json?q=\u{e4} HTTP/1.1\r\n\r\n".as_bytes()).unwrap();
        assert_eq!(head.target, "/status.json");
    }

    #[test]
    fn no_doubt_about_what_is_read_is_let_pass() {
        let read = HANDED_ON.iter().chain(&FRAMING);
        for name in read {
            for value in [&b"\xc3\xa4"[..], b"\xff", b"100-continue\x80"] {
                let line = [name.as_bytes(), b": ", value].concat();
                let head = [b"POST / HTTP/1.1\r\n", &line[..], b"\r\n\r\n"].concat();
                assert_eq!(parse(&head).unwrap_err().status, 400, "{name}: {value:?}");
            }
        }
        // A header with a malformed name can't be dropped: a proxy in front may read it as a valid one.
        for line in [
            "Transfer-Encoding : chunked",
            "Transfer-Encoding\t: chunked",
            "\u{e4}: x",
            "Content-Length\0: 3",
        ] {
            assert_eq!(
                status(&format!("POST / HTTP/1.1\r\nContent-Length: 3\r\n{line}\r\n\r\n")),
                400,
                "{line}"
            );
        }
    }

    #[test]
    fn connections_are_kept_unless_somebody_says_close() {
        let closes = |request: &str| parse(request.as_bytes()).unwrap().close;
        assert!(!closes("GET / HTTP/1.1\r\n\r\n"));
        assert!(closes("GET / HTTP/1.1\r\nConnection: keep-alive, Close\r\n\r\n"));
        assert!(closes("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    }

    #[test]
    fn the_end_of_a_head_is_found_across_reads() {
        let bytes = b"GET / HTTP/1.1\r\n\r\nrest";
        assert_eq!(end_of_head(bytes, 0), Some(18));
        assert_eq!(end_of_head(bytes, 17), Some(18));
        assert_eq!(end_of_head(&bytes[..17], 0), None);
        assert!(may_begin(b"") && may_begin(b"POST") && !may_begin(&[0x16, 3, 1]));
    }
}
