//! What both pretend servers share: latency, faults, outages, and the log of calls.
//!
//! A call passes in this order: counted and logged, admitted (rate limits), delayed (outside of any
//! lock, so parallel calls overlap), faulted or answered. The wire must never change what a site
//! answers except by a fault that a test asked for. Where the program asks what the site's official
//! description does not have, whoever drops the stand-in hears of it.

use super::described::PROGRAM;
use super::fault::{Fault, Faults, LinkFault, Moment, RandomFaults, Rule};
use super::http::{lock, Handler, HttpServer, Pause, Reply, Request, Response};
use super::time::{self, http_date};
use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One call as the site saw it.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it arrived.
    pub at: Instant,
    /// `GET`, `POST`, ….
    pub method: String,
    /// Path with query, as sent.
    pub path: String,
    /// Its template, such as `POST /organizations/{org}/members/{id}/teams/{slug}/`.
    pub route: String,
    /// The status answered; 0 while unanswered and for a cut connection.
    pub status: u16,
    /// The fault played on it.
    pub fault: Option<Fault>,
    /// The body sent.
    pub body: Vec<u8>,
}

/// Whether a site can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Normal.
    Up,
    /// Nobody listens: connections are refused, open ones are cut.
    Refused,
    /// Everything is answered 503.
    Unavailable,
}

/// The controls of one site. Cheap to clone; all clones are the same wire.
#[derive(Clone, Default)]
pub struct Wire(Arc<Inner>);

#[derive(Default)]
struct Inner {
    latency: Mutex<Duration>,
    unavailable: Mutex<bool>,
    clock_ahead: Mutex<i64>,
    closes_kept: Mutex<bool>,
    faults: Mutex<Faults>,
    log: Mutex<Log>,
    undescribed: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Log {
    off: bool,
    calls: Vec<Call>,
    counts: BTreeMap<String, usize>,
}

impl Wire {
    /// Every call takes at least this long from now on.
    pub fn set_latency(&self, latency: Duration) {
        *lock(&self.0.latency) = latency;
    }

    /// The site's `Date` is this many seconds ahead of the true time, or behind it.
    pub fn set_clock_ahead(&self, seconds: i64) {
        *lock(&self.0.clock_ahead) = seconds;
    }

    fn date(&self) -> String {
        let ahead = *lock(&self.0.clock_ahead);
        let by = Duration::from_secs(ahead.unsigned_abs());
        let now = time::now();
        http_date(if ahead < 0 { now - by } else { now + by })
    }

    /// Whether a connection is closed by the next call over it: the other side's time for kept connections is over just
    /// then. Such a call is counted and not carried out.
    pub fn close_kept(&self, closes: bool) {
        *lock(&self.0.closes_kept) = closes;
    }

    /// Adds a scripted fault; it counts calls from now on.
    pub fn script(&self, rule: Rule) {
        lock(&self.0.faults).script(rule);
    }

    /// Starts random faults, or stops them.
    pub fn set_random(&self, random: Option<RandomFaults>) {
        lock(&self.0.faults).set_random(random);
    }

    /// Forgets all faults, scripted and random.
    pub fn clear_faults(&self) {
        lock(&self.0.faults).clear();
    }

    /// All calls in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.calls_since(0)
    }

    /// The calls that came after [`mark`](Self::mark) gave this number.
    pub fn calls_since(&self, mark: usize) -> Vec<Call> {
        lock(&self.0.log).calls.iter().skip(mark).cloned().collect()
    }

    /// The number of calls so far, for [`calls_since`](Self::calls_since).
    pub fn mark(&self) -> usize {
        lock(&self.0.log).calls.len()
    }

    /// Calls per route template since the last reset.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        lock(&self.0.log).counts.clone()
    }

    /// The sum of [`counts`](Self::counts).
    pub fn n_calls(&self) -> usize {
        lock(&self.0.log).counts.values().sum()
    }

    /// Sets all counts to nothing; the log stays.
    pub fn reset_counts(&self) {
        lock(&self.0.log).counts.clear();
    }

    /// Whether whole calls are kept; a benchmark switches that off. Counting goes on.
    pub fn keep_calls(&self, keep: bool) {
        lock(&self.0.log).off = !keep;
    }

    /// What the program asked that the official description does not have, so far. Whoever takes it answers for it.
    pub fn take_undescribed(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0.undescribed))
    }

    fn arrived(&self, request: &Request, route: &str) -> Option<usize> {
        let mut log = lock(&self.0.log);
        *log.counts.entry(route.to_owned()).or_default() += 1;
        if log.off {
            return None;
        }
        log.calls.push(Call {
            at: time::instant(),
            method: request.method.clone(),
            path: request.target.clone(),
            route: route.to_owned(),
            status: 0,
            fault: None,
            body: request.body.clone(),
        });
        Some(log.calls.len() - 1)
    }

    fn answered(&self, index: Option<usize>, status: u16, fault: Option<Fault>) {
        let mut log = lock(&self.0.log);
        if let Some(call) = index.and_then(|index| log.calls.get_mut(index)) {
            call.status = status;
            call.fault = fault;
        }
    }
}

/// Whether a call may go on, what to add to its answer, and what to hold until it is answered.
#[derive(Default)]
pub struct Admission {
    /// The refusal of a rate limit.
    pub refused: Option<Response>,
    /// Headers for every answer of this call.
    pub headers: Vec<(String, String)>,
    /// Dropped after the answer was made; counts parallel calls.
    pub held: Option<Box<dyn Any>>,
}

/// One pretend site.
pub trait Site: Send + Sync + 'static {
    /// The template of a call, for counting and for faults.
    fn route(&self, request: &Request) -> String;
    /// Asks the rate limits.
    fn admit(&self, request: &Request) -> Admission;
    /// Carries the call out.
    fn answer(&self, request: &Request, fault: Option<&Fault>) -> Response;
    /// What the site's official description has against the call.
    fn undescribed(&self, request: &Request) -> Vec<String>;
    /// This site's own words for a fault that has a form of its own.
    fn refusal(&self, request: &Request, fault: &Fault) -> Response;
}

/// A site on the wire.
struct Wired<S> {
    site: S,
    wire: Wire,
}

impl<S: Site> Handler for Wired<S> {
    fn handle(&self, request: &Request, pause: &dyn Pause) -> Reply {
        let route = self.site.route(request);
        let index = self.wire.arrived(request, &route);
        // Tests may ask what they like.
        if request.header("user-agent").is_some_and(|agent| agent.starts_with(PROGRAM)) {
            let faults = self.site.undescribed(request);
            lock(&self.wire.0.undescribed).extend(faults);
        }
        let admission = self.site.admit(request);
        let latency = *lock(&self.wire.0.latency);
        let open = pause.sleep(latency);
        let mut chosen = None;
        let closes = request.on_kept && *lock(&self.wire.0.closes_kept);
        let reply = if !open || closes {
            Reply::Cut
        } else if *lock(&self.wire.0.unavailable) {
            Reply::Whole(html_error(503))
        } else if let Some(refused) = admission.refused {
            Reply::Whole(refused)
        } else {
            chosen = lock(&self.wire.0.faults).choose(&route);
            self.reply(request, pause, chosen.as_ref())
        };
        let (reply, status) = finish(reply, self.wire.date(), admission.headers);
        self.wire.answered(index, status, chosen.map(|(fault, _)| fault));
        reply
    }
}

impl<S: Site> Wired<S> {
    fn reply(&self, request: &Request, pause: &dyn Pause, chosen: Option<&(Fault, Moment)>) -> Reply {
        let Some((fault, moment)) = chosen else {
            return Reply::Whole(self.site.answer(request, None));
        };
        let real = match moment {
            Moment::After => Some(self.site.answer(request, None)),
            Moment::Before => None,
        };
        match fault {
            Fault::Cut => Reply::Cut,
            Fault::Half => Reply::Half(real.unwrap_or_else(pretended)),
            Fault::Stall(duration) => {
                if !pause.sleep(*duration) {
                    return Reply::Cut;
                }
                Reply::Whole(real.unwrap_or_else(|| self.site.answer(request, None)))
            }
            Fault::StatusHtml(status) => Reply::Whole(html_error(*status)),
            Fault::HtmlPage => Reply::Whole(html_page(200, "Sign in")),
            Fault::TruncatedJson => Reply::Whole(truncated(real.unwrap_or_else(pretended))),
            Fault::WrongJson => Reply::Whole(Response::new(200, "application/json", "\"maintenance\"")),
            Fault::SamePage => {
                let answer = real.unwrap_or_else(|| self.site.answer(request, None));
                let link =
                    format!("<https://site.example{}>; rel=\"next\"; results=\"true\"", request.target);
                Reply::Whole(answer.with("Link", link.as_str()))
            }
            Fault::PartialResults => {
                let answer = real.unwrap_or_else(|| self.site.answer(request, None));
                Reply::Whole(answer.with("X-GitHub-SSO", "partial-results; organizations=21955855,20582480"))
            }
            Fault::NullRows(n) => {
                Reply::Whole(with_nulls(real.unwrap_or_else(|| self.site.answer(request, None)), *n))
            }
            Fault::FirstRows(n) => {
                let mut answer = real.unwrap_or_else(|| self.site.answer(request, None));
                if let Ok(mut rows) = serde_json::from_slice::<Vec<serde_json::Value>>(&answer.body) {
                    rows.truncate(*n);
                    answer.body = serde_json::Value::from(rows).to_string().into_bytes();
                }
                Reply::Whole(relinked(answer, LinkFault::Stripped))
            }
            Fault::Link(fault) => {
                Reply::Whole(relinked(real.unwrap_or_else(|| self.site.answer(request, None)), *fault))
            }
            Fault::Redirect(location) => {
                Reply::Whole(Response::empty(302).with("Location", location.as_str()))
            }
            Fault::Graphql(_) => Reply::Whole(self.site.answer(request, Some(fault))),
            Fault::Gateway { status, content_type, body } => {
                Reply::Whole(Response::new(*status, content_type, *body))
            }
            Fault::Status(_)
            | Fault::Refusal { .. }
            | Fault::Gone { .. }
            | Fault::Unauthorized
            | Fault::RateLimited
            | Fault::PrimaryLimit { .. }
            | Fault::SecondaryLimit { .. } => Reply::Whole(self.site.refusal(request, fault)),
        }
    }
}

/// Adds what every answer has, and says which status the log gets.
fn finish(reply: Reply, date: String, headers: Vec<(String, String)>) -> (Reply, u16) {
    let dress = |mut response: Response| {
        response.headers.insert(0, ("Date".to_owned(), date));
        for (name, value) in headers {
            // A refusal that was played brings its own.
            if response.header(&name).is_none() {
                response.headers.push((name, value));
            }
        }
        response
    };
    match reply {
        Reply::Whole(response) => {
            let status = response.status;
            (Reply::Whole(dress(response)), status)
        }
        Reply::Half(response) => (Reply::Half(dress(response)), 0),
        Reply::Cut => (Reply::Cut, 0),
    }
}

/// A made-up answer for a call that was not carried out but seems to be.
fn pretended() -> Response {
    let body = r#"{"id":"1","slug":"pretended","name":"this answer was never meant to arrive whole"}"#;
    Response::new(200, "application/json", body)
}

fn truncated(mut response: Response) -> Response {
    response.status = 200;
    if response.body.is_empty() {
        response = pretended();
    }
    response.body.truncate(response.body.len() / 2);
    response.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    response
}

/// The same with null in the place of the first rows, if it is a list.
fn with_nulls(mut response: Response, n: usize) -> Response {
    if let Ok(mut rows) = serde_json::from_slice::<Vec<serde_json::Value>>(&response.body) {
        rows.iter_mut().take(n).for_each(|row| *row = serde_json::Value::Null);
        response.body = serde_json::Value::from(rows).to_string().into_bytes();
    }
    response
}

/// The same with another `Link` header.
fn relinked(mut response: Response, fault: LinkFault) -> Response {
    const OTHER: &str = "</a.css>; rel=preload; as=style";
    let is_link = |(name, _): &(String, String)| name.eq_ignore_ascii_case("link");
    let links: Vec<String> =
        response.headers.iter().filter(|header| is_link(header)).map(|(_, value)| value.clone()).collect();
    response.headers.retain(|header| !is_link(header));
    let changed = |change: fn(String) -> String| links.iter().cloned().map(change).collect::<Vec<_>>();
    let other = || [OTHER.to_owned()];
    let lines: Vec<String> = match fault {
        LinkFault::LineBefore => other().into_iter().chain(links).collect(),
        LinkFault::LineBehind => links.into_iter().chain(other()).collect(),
        LinkFault::CommaInUrl => changed(|link| link.replace('>', "#a,b;c>")),
        LinkFault::Unquoted => changed(|link| link.replace("rel=\"next\"", "REL = next").replace("; ", " ;")),
        LinkFault::SeveralRelations => changed(|link| link.replace("rel=\"", "rel=\"start ")),
        LinkFault::Stripped => Vec::new(),
        LinkFault::Replaced => other().into(),
        LinkFault::CutShort => vec!["<https://site.example/x?page=2".to_owned()],
        LinkFault::Nonsense => vec!["page 2; rel=\"next\"".to_owned()],
    };
    response.headers.extend(lines.into_iter().map(|line| ("Link".to_owned(), line)));
    response
}

fn html_error(status: u16) -> Response {
    html_page(status, &format!("{status} {}", super::http::reason(status)))
}

fn html_page(status: u16, title: &str) -> Response {
    let body = format!("<html>\r\n<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center></body>\r\n</html>\r\n");
    Response::new(status, "text/html", body)
}

/// A site, its wire and its server.
pub(crate) struct Host {
    pub(crate) wire: Wire,
    /// Answers as the server would.
    pub(crate) handler: Arc<dyn Handler>,
    /// Without one, whoever has the handler is all the network there is.
    server: Option<HttpServer>,
    port: u16,
}

impl Drop for Host {
    fn drop(&mut self) {
        let faults = self.wire.take_undescribed();
        if !faults.is_empty() {
            let words = format!("the official description does not have:\n{}", faults.join("\n"));
            // A second panic would end the whole test binary.
            if std::thread::panicking() {
                eprintln!("{words}")
            } else {
                panic!("{words}")
            }
        }
    }
}

impl Host {
    /// Starts a site on a loopback port (0: any).
    pub(crate) fn start<S: Site>(port: u16, site: S) -> io::Result<Host> {
        let wire = Wire::default();
        let handler: Arc<dyn Handler> = Arc::new(Wired { site, wire: wire.clone() });
        let server = HttpServer::start(port, Arc::clone(&handler))?;
        Ok(Host { wire, handler, port: server.port(), server: Some(server) })
    }

    /// A site that nobody can reach over a network; its address has this port.
    pub(crate) fn apart<S: Site>(port: u16, site: S) -> Host {
        let wire = Wire::default();
        Host { handler: Arc::new(Wired { site, wire: wire.clone() }), wire, server: None, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set_reach(&self, reach: Reach) -> io::Result<()> {
        *lock(&self.wire.0.unavailable) = reach == Reach::Unavailable;
        let Some(server) = &self.server else { return Ok(()) };
        if reach == Reach::Refused {
            server.close();
            return Ok(());
        }
        server.open()
    }
}
