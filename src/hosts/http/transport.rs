//! Carries a request to a host, and the answer back. A service uses the network; tests can answer the requests
//! themselves.
//!
//! It never follows a redirect, never sends a request twice, and knows neither pace nor verdict.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use ureq::http;
use ureq::tls::TlsConfig;
use ureq::Agent;

use super::answer::{Answer, Headers};
use super::pace::Method;
use super::tls::Way;
use crate::config::values::BaseUrl;

/// No real answer is larger: a page of 100 Sentry members has about 120 KB, a GraphQL page of 50 teams about 2 MB.
pub const BODY_LIMIT: u64 = 16 << 20;
/// The timeout for establishing a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// The timeout from the end of the request to the head of the answer. GitHub itself gives up after 10 s.
const ANSWER: Duration = Duration::from_secs(20);
/// The timeout for a whole call.
const CALL: Duration = Duration::from_secs(30);
/// The `User-Agent` of all calls.
pub const USER_AGENT: &str = concat!("sentry-team-sync/", env!("CARGO_PKG_VERSION"));
/// The error of an exchange in which the HTTP client panicked.
const PANICKED: &str = "an internal error, as for want of a thread: see the log";

/// Which connection a call goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A kept one, or a new one if there is none.
    Any,
    Fresh,
}

/// A request as it is sent. It has the token, and therefore cannot be printed.
pub struct Outgoing<'a> {
    pub method: Method,
    /// Scheme, host, port, path and query.
    pub uri: String,
    /// In the order in which they are sent.
    pub headers: Vec<(&'a str, &'a str)>,
    /// JSON; a POST without one sends an empty body.
    pub body: Option<Vec<u8>>,
    pub line: Line,
}

/// Why there is no answer. The call may have taken place, unless the certificate was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// No answer came in time. The text is the phase that timed out.
    Late(String),
    /// The host closed the connection, perhaps at the moment when the call was sent.
    Cut(String),
    /// The host's certificate was rejected: by an unknown authority, expired, or for another name.
    Untrusted(String),
    Otherwise(String),
}

/// Makes the transport for each host.
pub trait Carrier {
    fn to(&self, base: &BaseUrl) -> Arc<dyn Transport>;
}

impl Carrier for Way {
    fn to(&self, base: &BaseUrl) -> Arc<dyn Transport> {
        Arc::new(Network::new(base, self))
    }
}

/// Carries requests to one host.
pub trait Transport: Send + Sync {
    /// Sends a request once, and returns the complete answer.
    fn exchange(&self, request: Outgoing) -> Result<Answer, Unanswered>;

    /// Aborts the calls in progress.
    fn cut(&self);
}

struct Network(Agent);

impl Network {
    fn new(base: &BaseUrl, way: &Way) -> Self {
        let tls = TlsConfig::builder().root_certs(way.roots.certs.clone()).build();
        let config = Agent::config_builder()
            // Otherwise the headers of a 429 would be lost.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .https_only(base.is_https())
            .tls_config(tls)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_global(Some(CALL))
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .user_agent(USER_AGENT);
        // Always set, because otherwise the client would read the environment.
        let config = config.proxy(way.proxies.for_client(base));
        Self(config.build().into())
    }

    fn send(&self, request: Outgoing) -> Result<Answer, ureq::Error> {
        let Outgoing { method, uri, headers, body, line } = request;
        let mut builder = http::Request::builder().method(method.name()).uri(uri);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        let mut response = match method {
            Method::Get if line == Line::Fresh => {
                let request = self.0.configure_request(builder.body(())?);
                self.0.run(request.max_idle_age(Duration::ZERO).build())?
            }
            Method::Get | Method::Delete => self.0.run(builder.body(())?)?,
            Method::Post | Method::Put => self.0.run(builder.body(body.unwrap_or_default())?)?,
        };
        // A header with an invalid byte must not count as absent.
        let all = response.headers().iter();
        let all: Vec<_> =
            all.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect();
        let headers = Headers::pick(all.iter().map(|(name, value)| (*name, &**value)));
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(BODY_LIMIT).read_to_vec()?;
        Ok(Answer { status, headers, body })
    }
}

impl Transport for Network {
    fn exchange(&self, request: Outgoing) -> Result<Answer, Unanswered> {
        // The client starts a thread to resolve the host, and panics if it gets none: that counts as no answer.
        let sent = catch_unwind(AssertUnwindSafe(|| self.send(request)));
        let sent = sent.unwrap_or_else(|_| Err(io::Error::other(PANICKED).into()));
        sent.map_err(|error| Unanswered::of(&error))
    }

    fn cut(&self) {
        self.0.clone().shutdown();
    }
}

impl Unanswered {
    fn of(error: &ureq::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let said = error.to_string();
        match error {
            ureq::Error::Timeout(phase) => Self::Late(phase.to_string()),
            _ if said.contains("invalid peer certificate") => Self::Untrusted(said),
            ureq::Error::Io(error)
                if matches!(
                    error.kind(),
                    BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
                ) =>
            {
                Self::Cut(said)
            }
            _ => Self::Otherwise(said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_told_apart() {
        let io = |kind: io::ErrorKind| Unanswered::of(&io::Error::from(kind).into());
        assert!(matches!(io(io::ErrorKind::ConnectionReset), Unanswered::Cut(_)));
        assert!(matches!(io(io::ErrorKind::ConnectionRefused), Unanswered::Otherwise(_)));
        let late = Unanswered::of(&ureq::Error::Timeout(ureq::Timeout::RecvResponse));
        assert!(matches!(late, Unanswered::Late(_)), "{late:?}");
        let odd = io::Error::other("invalid peer certificate: UnknownIssuer").into();
        assert!(matches!(Unanswered::of(&odd), Unanswered::Untrusted(_)));
    }
}
