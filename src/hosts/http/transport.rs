//! How a request gets to a host, and its answer back. The network does it for a service; whoever tries the program may
//! answer by themselves.
//!
//! It never follows a redirect, asks nothing twice, and knows neither pace nor verdict.

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

/// Larger answers do not exist: a page of 100 Sentry members is some 120 KB, a GraphQL page of 50 teams some 2 MB.
pub const BODY_LIMIT: u64 = 16 << 20;
/// Establishing a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// From the request's end to the answer's head. GitHub gives up on itself after 10 s.
const ANSWER: Duration = Duration::from_secs(20);
/// A whole call.
const CALL: Duration = Duration::from_secs(30);
/// As whom the hosts know the program.
pub const USER_AGENT: &str = concat!("sentry-team-sync/", env!("CARGO_PKG_VERSION"));
/// How an exchange in which the client panicked tells itself.
const PANICKED: &str = "an internal error, as for want of a thread: see the log";

/// Which connection a call goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A kept one, or a new one if there is none.
    Any,
    Fresh,
}

/// A request as it leaves. It bears the token and can not be printed.
pub struct Outgoing<'a> {
    pub method: Method,
    /// Scheme, host, port, path and query.
    pub uri: String,
    /// In the order in which they are sent.
    pub headers: Vec<(&'a str, &'a str)>,
    /// JSON; a POST without one sends none.
    pub body: Option<Vec<u8>>,
    pub line: Line,
}

/// Why there is no answer. Whether the call took place is unknown, unless the certificate was the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// None came in time: in which phase.
    Late(String),
    /// The other side closed the connection: what a call meets that was sent at the same moment.
    Cut(String),
    /// No authority that is trusted stands for the host's certificate.
    Untrusted(String),
    Otherwise(String),
}

/// What carries requests to a host, for each that is asked.
pub trait Carrier {
    fn to(&self, base: &BaseUrl) -> Arc<dyn Transport>;
}

impl Carrier for Way {
    fn to(&self, base: &BaseUrl) -> Arc<dyn Transport> {
        Arc::new(Network::new(base, self))
    }
}

/// What carries requests to one host.
pub trait Transport: Send + Sync {
    /// Sends a request once; its answer, whole.
    fn exchange(&self, request: Outgoing) -> Result<Answer, Unanswered>;

    /// Cuts the calls that are under way.
    fn cut(&self);
}

struct Network(Agent);

impl Network {
    fn new(base: &BaseUrl, way: &Way) -> Self {
        let tls = TlsConfig::builder().root_certs(way.roots.certs.clone()).build();
        let config = Agent::config_builder()
            // The headers of a 429 are lost otherwise.
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
        // Always said: the client would look at the environment by itself otherwise.
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
        // A header with an odd byte is not one that is not there.
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
        // The client starts a thread to look up the host, and panics where none can be had: that is no answer either.
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
