//! The network between the program and both sites: a request is handed to the site's own handler, after a while; its
//! answer comes after another. Sites and network know the hand clock alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sentry_team_sync::parts::{
    Answer, BaseUrl, Carrier, Hand, Headers, Outgoing, Transport, Unanswered, BODY_LIMIT, USER_AGENT,
};

use super::baton::Baton;
use super::draw::Draw;
use super::heard::{self, Heard};
use crate::standin::http::{Handler, Pause, Reply, Request};

/// The port in GitHub's address, and in Sentry's.
pub const GITHUB: u16 = 11;
pub const SENTRY: u16 = 12;
/// No life makes so many calls, unless somebody asks the same for ever.
pub const MOST_CALLS: u64 = 6_000;
/// The client gives an answer up after this long.
const ANSWER: Duration = Duration::from_secs(20);

/// What connects the program with both sites.
pub struct Network {
    pub baton: Arc<Baton>,
    pub github: Arc<dyn Handler>,
    pub sentry: Arc<dyn Handler>,
    pub links: Arc<Links>,
    pub heard: Arc<Heard>,
    pub sites: Arc<Hand>,
}

/// How the ways to both sites are.
#[derive(Default)]
pub struct Links(Mutex<State>);

#[derive(Default)]
struct State {
    draw: Draw,
    /// Nobody answers at these ports.
    down: Vec<u16>,
    /// Calls take up to so many milliseconds, there and back.
    slow: u64,
    calls: u64,
}

impl Links {
    pub fn draw_from(&self, draw: Draw) {
        self.state().draw = draw;
    }

    pub fn set_down(&self, port: u16, down: bool) {
        let mut state = self.state();
        state.down.retain(|known| *known != port);
        if down {
            state.down.push(port);
        }
    }

    pub fn set_slow(&self, ms: u64) {
        self.state().slow = ms;
    }

    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    fn begin(&self, port: u16) -> Option<[Duration; 2]> {
        let mut state = self.state();
        state.calls += 1;
        let slow = state.slow;
        let there = Duration::from_millis(1 + state.draw.below(slow + 1));
        let back = Duration::from_millis(state.draw.below(slow + 1));
        (!state.down.contains(&port)).then_some([there, back])
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrier for Network {
    fn to(&self, base: &BaseUrl) -> Arc<dyn Transport> {
        let is_github = base.origin().ends_with(&format!(":{GITHUB}"));
        let (port, site) = if is_github { (GITHUB, &self.github) } else { (SENTRY, &self.sentry) };
        Arc::new(Way {
            baton: self.baton.clone(),
            links: self.links.clone(),
            heard: self.heard.clone(),
            sites: self.sites.clone(),
            port,
            site: site.clone(),
        })
    }
}

struct Way {
    baton: Arc<Baton>,
    links: Arc<Links>,
    heard: Arc<Heard>,
    sites: Arc<Hand>,
    port: u16,
    site: Arc<dyn Handler>,
}

impl Transport for Way {
    fn exchange(&self, request: Outgoing) -> Result<Answer, Unanswered> {
        // It may be one of several readers, who begin by themselves.
        heard::listen(&self.heard, &self.sites);
        self.baton.seam("a call");
        let Some([there, back]) = self.links.begin(self.port) else {
            return Err(Unanswered::Otherwise("connection refused".into()));
        };
        if self.links.calls() > MOST_CALLS {
            self.baton.fault(format!("calls without an end: {} {}", request.method.name(), request.uri));
            self.baton.kill();
        }
        self.baton.is_called();
        self.baton.sleep(there);
        let late = Late { baton: &self.baton, spent: Mutex::default() };
        let reply = self.site.handle(&received(request), &late);
        if !back.is_zero() {
            self.baton.sleep(back);
        }
        self.baton.seam("a call");
        if *late.spent.lock().unwrap_or_else(PoisonError::into_inner) > ANSWER {
            return Err(Unanswered::Late("receive response".into()));
        }
        match reply {
            Reply::Whole(response) if response.body.len() as u64 <= BODY_LIMIT => {
                let all = response.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
                let all: Vec<_> = all.collect();
                let headers = Headers::pick(all.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                Ok(Answer { status: response.status, headers, body: response.body })
            }
            Reply::Whole(_) => {
                Err(Unanswered::Otherwise("the response body is larger than request limit".into()))
            }
            Reply::Half(_) => Err(Unanswered::Cut("Peer disconnected".into())),
            Reply::Cut => Err(Unanswered::Cut("Connection reset by peer (os error 104)".into())),
        }
    }

    fn cut(&self) {}
}

/// As the site's server would read it.
fn received(request: Outgoing) -> Request {
    let path = request.uri.splitn(4, '/').nth(3).unwrap_or_default();
    let mut headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    headers.push(("user-agent".into(), USER_AGENT.into()));
    Request {
        method: request.method.name().into(),
        target: format!("/{path}"),
        headers,
        body: request.body.unwrap_or_default(),
        on_kept: false,
    }
}

/// A site that takes its time.
struct Late<'a> {
    baton: &'a Baton,
    spent: Mutex<Duration>,
}

impl Pause for Late<'_> {
    fn sleep(&self, span: Duration) -> bool {
        if span.is_zero() {
            return true;
        }
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) += span;
        self.baton.sleep(span.min(ANSWER + Duration::from_secs(1)));
        true
    }
}
