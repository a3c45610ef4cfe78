//! What can go wrong on purpose: scripted faults for single calls, random ones from a seed.
//!
//! Only the choice is made here; [`wire`](super::wire) carries it out. A rule fires by the count
//! of calls that matched it, never by time, so that a test's fault hits the call it means.

use super::rng::Rng;
use std::time::Duration;

/// One way to fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// This status (500, 502, 503, …) with the site's own JSON error body.
    Status(u16),
    /// This status with an HTML page, as a proxy in front of the site sends.
    StatusHtml(u16),
    /// The connection is cut without an answer.
    Cut,
    /// Head and part of the body arrive, then the connection is cut.
    Half,
    /// No answer for this long; then the true one.
    Stall(Duration),
    /// The site's main rate limit: Sentry's 429, GitHub's primary limit. Never carried out.
    RateLimited,
    /// GitHub's primary limit with this status (403 or 429), over in so many seconds.
    PrimaryLimit { status: u16, reset_in: u64 },
    /// GitHub's secondary limit: 403, `Retry-After`, and a `documentation_url` that names it.
    SecondaryLimit { retry_after: u64 },
    /// 401, as for a revoked token.
    Unauthorized,
    /// This status with the site's own JSON error body and this message.
    Refusal { status: u16, message: String },
    /// Sentry's 410 for a call that is going away: since when, and what replaces it.
    Gone { since: &'static str, replacement: &'static str },
    /// This very answer: of a gateway in front of the site, not of the site.
    Gateway { status: u16, content_type: &'static str, body: &'static str },
    /// 200 with an HTML page (a login wall, a captive proxy).
    HtmlPage,
    /// 200 whose JSON ends in the middle, with a matching `Content-Length`.
    TruncatedJson,
    /// 200 with well-formed JSON of another type.
    WrongJson,
    /// The true answer, with a link that says that the next page is this one.
    SamePage,
    /// The true answer, with null in the place of the first rows of its list.
    NullRows(usize),
    /// The first rows of the true answer and no `Link`: what comes of a query that a proxy has dropped.
    FirstRows(usize),
    /// The true answer, with its `Link` header done otherwise.
    Link(LinkFault),
    /// The true answer, marked as one with rows left out: GitHub's for organisations that want single sign-on.
    PartialResults,
    /// 302 to this address.
    Redirect(String),
    /// A GraphQL answer with status 200 and `errors`. Ignored elsewhere.
    Graphql(GraphqlFault),
}

impl Fault {
    /// Answers that are of no use, and that both hosts may give to any call.
    pub fn useless() -> [Fault; 10] {
        [
            Fault::Cut,
            Fault::Half,
            Fault::HtmlPage,
            Fault::TruncatedJson,
            Fault::WrongJson,
            Fault::Status(500),
            Fault::StatusHtml(504),
            Fault::StatusHtml(403),
            Fault::StatusHtml(404),
            Fault::gateway_json(403),
        ]
    }

    /// A gateway's JSON, which no API of ours speaks.
    pub fn gateway_json(status: u16) -> Fault {
        let body = if status == 404 { r#"{"message":"Not Found"}"# } else { r#"{"message":"Forbidden"}"# };
        Fault::Gateway { status, content_type: "application/json", body }
    }

    /// A status without a body, as a load balancer answers.
    pub fn empty(status: u16) -> Fault {
        Fault::Gateway { status, content_type: "text/html", body: "" }
    }

    /// GitHub's 403s that are no missing permission: policies refuse the token, whatever it may do.
    pub fn policies() -> [Fault; 6] {
        [
            "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow \
             list enabled, and your IP address is not permitted to access this resource.",
            "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to \
             this organization.",
            "`acme` forbids access via a fine-grained personal access tokens if the token's lifetime is greater than 366 \
             days. Please adjust your token's lifetime.",
            "`acme` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a \
             personal access token with fine-grained permissions.",
            "Sorry. Your account was suspended.",
            "This installation has been suspended",
        ]
        .map(|message| Fault::Refusal { status: 403, message: message.into() })
    }

    /// Lists that are cut, doubled, full of holes or without an end.
    pub fn odd_lists() -> Vec<Fault> {
        let links = LinkFault::readable().into_iter().chain(LinkFault::unreadable()).map(Fault::Link);
        links.chain([Fault::SamePage, Fault::NullRows(1)]).collect()
    }

    /// GitHub's limits, by REST and by GraphQL, and what GraphQL leaves out.
    pub fn of_github() -> Vec<Fault> {
        let graphql = [
            GraphqlFault::Forbidden { field: "email".into() },
            GraphqlFault::RateLimited,
            GraphqlFault::SecondaryLimit { retry_after: 20, typed: true },
            GraphqlFault::SecondaryLimit { retry_after: 20, typed: false },
            GraphqlFault::SamlEnforced { marked: true },
            GraphqlFault::SamlEnforced { marked: false },
            GraphqlFault::ResourceLimits { entries: 2 },
        ];
        let limits = [
            Fault::PrimaryLimit { status: 403, reset_in: 30 },
            Fault::PrimaryLimit { status: 429, reset_in: 30 },
            Fault::SecondaryLimit { retry_after: 20 },
            Fault::PartialResults,
        ];
        graphql.map(Fault::Graphql).into_iter().chain(limits).collect()
    }

    /// 403s and 404s that say nothing of GitHub or Sentry: a firewall, a load balancer, a gateway.
    pub fn of_others() -> [Fault; 5] {
        [
            Fault::StatusHtml(403),
            Fault::StatusHtml(404),
            Fault::gateway_json(403),
            Fault::gateway_json(404),
            Fault::empty(403),
        ]
    }
}

/// What becomes of a `Link` header on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// A second line of it stands before the true one.
    LineBefore,
    /// A second line of it stands behind the true one.
    LineBehind,
    /// Each URL has a comma and a semicolon in it.
    CommaInUrl,
    /// Relations have no quotes, and blanks around their signs.
    Unquoted,
    /// The first relation of each link is another one as well.
    SeveralRelations,
    /// It is gone.
    Stripped,
    /// Other links stand in its place.
    Replaced,
    /// It ends in the middle of a URL.
    CutShort,
    /// It is no link at all.
    Nonsense,
}

impl LinkFault {
    /// Those that leave a reader of the standard nothing to doubt, and those after which a full page is asked beyond.
    pub fn readable() -> [LinkFault; 7] {
        use LinkFault::*;
        [LineBefore, LineBehind, CommaInUrl, Unquoted, SeveralRelations, Stripped, Replaced]
    }

    /// Those after which nothing is known of the next page.
    pub fn unreadable() -> [LinkFault; 2] {
        [LinkFault::CutShort, LinkFault::Nonsense]
    }
}

impl GraphqlFault {
    /// Lists with holes, of every kind that is read, and counts that never fit: additions go on, and nobody and nothing goes.
    pub fn gaps() -> [GraphqlFault; 9] {
        let nulls = |list, told| GraphqlFault::Nulls { list, entries: 1, told };
        [
            nulls("teams", false),
            nulls("teams", true),
            nulls("members", false),
            nulls("members", true),
            nulls("membersWithRole", false),
            nulls("externalIdentities", false),
            GraphqlFault::CountOff { list: "teams", by: 1 },
            GraphqlFault::CountOff { list: "members", by: 1 },
            GraphqlFault::CountOff { list: "membersWithRole", by: -1 },
        ]
    }
}

/// Errors that GitHub's GraphQL reports inside a 200.
#[derive(Clone, Debug, PartialEq)]
pub enum GraphqlFault {
    /// `FORBIDDEN` for each field of this name; the rest of the data is there.
    Forbidden { field: String },
    /// `RATE_LIMITED`, no data.
    RateLimited,
    /// A secondary limit with `Retry-After`, far from the end of the window, with or without a type; no data.
    SecondaryLimit { retry_after: u64, typed: bool },
    /// The first entries of each page of the lists of this name (`teams`, `members`, `membersWithRole`,
    /// `externalIdentities`) are null, as accounts that are gone are; with an error for each, or without.
    Nulls { list: &'static str, entries: usize, told: bool },
    /// The `totalCount` of the lists of this name is off by so many, however often they are read.
    CountOff { list: &'static str, by: i64 },
    /// The token isn't authorised for single sign-on: the organisation is null, with GitHub's mark or without it.
    SamlEnforced { marked: bool },
    /// `RESOURCE_LIMITS_EXCEEDED`: this many list entries are answered in all, the rest is null.
    ResourceLimits { entries: usize },
}

/// Whether the call's effect happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The call is not carried out.
    Before,
    /// The call is carried out, only its answer goes wrong.
    After,
}

/// One scripted fault.
///
/// `Rule::new("POST /organizations/{org}/teams/", Fault::Status(502)).after().nth(2)`
#[derive(Clone, Debug)]
pub struct Rule {
    route: String,
    fault: Fault,
    moment: Moment,
    skip: usize,
    times: usize,
    seen: usize,
}

impl Rule {
    /// For the next call of this route template; `*` at the end matches any rest, `*` alone
    /// everything.
    pub fn new(route: &str, fault: Fault) -> Rule {
        Rule { route: route.to_owned(), fault, moment: Moment::Before, skip: 0, times: 1, seen: 0 }
    }

    /// The effect happens, the answer is lost.
    pub fn after(mut self) -> Rule {
        self.moment = Moment::After;
        self
    }

    /// Only for the n-th matching call from now on (1 is the next).
    pub fn nth(mut self, n: usize) -> Rule {
        self.skip = n.saturating_sub(1);
        self
    }

    /// For so many calls in a row.
    pub fn times(mut self, times: usize) -> Rule {
        self.times = times;
        self
    }

    /// For every call until the faults are cleared.
    pub fn always(self) -> Rule {
        self.times(usize::MAX)
    }

    fn matches(&self, route: &str) -> bool {
        match self.route.strip_suffix('*') {
            Some(start) => route.starts_with(start),
            None => self.route == route,
        }
    }

    /// Counts a matching call; true when it is one that fails.
    fn hit(&mut self, route: &str) -> bool {
        if !self.matches(route) {
            return false;
        }
        self.seen += 1;
        self.seen > self.skip && self.seen - self.skip <= self.times
    }
}

/// Random failure, the same for the same seed and order of calls.
#[derive(Clone, Debug, Default)]
pub struct RandomFaults {
    /// Start of the sequence.
    pub seed: u64,
    /// Percentage of calls that fail with a 5xx, a cut connection or half an answer.
    pub errors_percent: f64,
    /// Of those, the percentage whose effect happens all the same.
    pub after_percent: f64,
    /// Percentage of calls refused by a rate limit; never carried out.
    pub limited_percent: f64,
    /// Percentage of calls that somebody else answers, or whose list has gaps or another end than it seems. What is
    /// carried out is answered with its truth, apart from that.
    pub odd_percent: f64,
}

/// All faults of one site.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
    random: Option<(RandomFaults, Rng)>,
}

impl Faults {
    pub(crate) fn script(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(crate) fn set_random(&mut self, random: Option<RandomFaults>) {
        self.random = random.map(|faults| (faults.clone(), Rng::new(faults.seed)));
    }

    pub(crate) fn clear(&mut self) {
        *self = Faults::default();
    }

    /// The fault of the call that just came, if any. Every rule counts every call.
    pub(crate) fn choose(&mut self, route: &str) -> Option<(Fault, Moment)> {
        let mut chosen = None;
        for rule in &mut self.rules {
            if rule.hit(route) && chosen.is_none() {
                chosen = Some((rule.fault.clone(), rule.moment));
            }
        }
        chosen.or_else(|| self.random.as_mut().and_then(|(faults, rng)| throw(faults, rng)))
    }
}

fn throw(faults: &RandomFaults, rng: &mut Rng) -> Option<(Fault, Moment)> {
    // Always the same number of draws, so that one percentage does not shift the others.
    let error = rng.percent(faults.errors_percent);
    let after = rng.percent(faults.after_percent);
    let limited = rng.percent(faults.limited_percent);
    let kind = rng.below(5);
    let (odd, which) = (rng.percent(faults.odd_percent), rng.below(oddities().len() as u64) as usize);
    if error {
        let fault = match kind {
            0 => Fault::Status(500),
            1 => Fault::StatusHtml(502),
            2 => Fault::Status(503),
            3 => Fault::Cut,
            _ => Fault::Half,
        };
        return Some((fault, if after { Moment::After } else { Moment::Before }));
    }
    if limited {
        return Some((Fault::RateLimited, Moment::Before));
    }
    let mut all = oddities();
    odd.then(|| (all.swap_remove(which), if after { Moment::After } else { Moment::Before }))
}

/// Answers of others, and lists that are odd.
fn oddities() -> Vec<Fault> {
    let links = LinkFault::readable().into_iter().chain(LinkFault::unreadable());
    Fault::of_others().into_iter().chain(links.map(Fault::Link)).collect()
}
