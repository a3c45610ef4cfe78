//! Where one scenario is played: GitHub's stand-in, the real service, and either kind of Sentry.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::site::Site;
use super::On;
use crate::standin::client::ask;
use crate::standin::sentry::template;
use crate::standin::{Era, GithubUser, NewMember, TeamView};
use crate::world::{Truth, World};

/// The original's permissions: *Team: Admin* and *Member: Read & Write*. Such a token can not list teams.
pub const ORIGINAL: [&str; 5] = ["team:read", "team:write", "team:admin", "member:read", "member:write"];

/// A world whose Sentry may be a true one.
pub struct Field {
    world: World,
    /// The Sentry that the service works on.
    pub site: Rc<dyn Site>,
    /// Which truth the GitHub token allows.
    pub truth: Truth,
    /// The service's token of Sentry.
    pub token: String,
    /// The era of that Sentry, for what ends otherwise in one of them.
    pub era: Era,
}

/// The world's GitHub, service, status and commands; its pretend Sentry is not to be used through it.
impl Deref for Field {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Field {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Field {
    /// A field with an organisation of its own, whose only team member-to-be is its owner.
    pub fn new(truth: Truth, on: &On) -> Self {
        let mut world = match on {
            On::Pretended(played) => World::with(truth, played.clone()),
            On::True(_) => World::in_era(truth, Era::V23_7_1),
        };
        let era = world.sentry.era();
        let site: Rc<dyn Site> = match on {
            On::True(server) => {
                let org = server.organization();
                org.add_member(NewMember::new("olive@acme.test"));
                Rc::new(org)
            }
            On::Pretended(_) => Rc::new(world.sentry.clone()),
        };
        let token = site.add_token(&ORIGINAL);
        world.set("SENTRY_URL", &site.url());
        world.set("SENTRY_ORG_SLUG", &site.org());
        world.set("SENTRY_TOKEN", &token);
        Self { world, site, truth, token, era }
    }

    /// Starts the service, and waits until it has looked round: what a comparison and an event find to do at once is done twice.
    pub fn start(&mut self) {
        self.world.start();
        if self.truth == Truth::Github {
            self.wait_until("it has looked round", || {
                let status = self.status();
                status["last_reconcile"].is_object() || status["look_failed"].is_object()
            });
        }
    }

    /// Gives the service a token with other scopes; before its start.
    pub fn use_token(&mut self, scopes: &[&str]) {
        self.token = self.site.add_token(scopes);
        let token = self.token.clone();
        self.set("SENTRY_TOKEN", &token);
    }

    /// Somebody with an account on both sides, found by their public address.
    pub fn person(&self, login: &str) -> u64 {
        self.site.add_member(NewMember::new(&format!("{login}@acme.test")));
        self.github_only(login)
    }

    /// Somebody on GitHub with this public address.
    pub fn with_address(&self, login: &str, address: &str) -> u64 {
        self.github.add_person(GithubUser::new(login).email(address))
    }

    /// A GitHub team that is mirrored.
    #[track_caller]
    pub fn team(&self, name: &str) -> u64 {
        self.let_the_first_comparison_pass();
        let (team, created) = self.github.create_team(name, self.olive);
        assert_eq!(self.settle(&created).0, "done", "{name}");
        team
    }

    /// Whether the comparison at the start or an event puts somebody in would be chance, and so would the calls of each
    /// Sentry. Where it can not be made, it is not waited for long.
    fn let_the_first_comparison_pass(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while self.truth == Truth::Github
            && self.status()["last_reconcile"].is_null()
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Somebody is put into a team on GitHub: what became of the delivery.
    #[track_caller]
    pub fn add(&self, team: u64, person: u64) -> (String, String) {
        self.settle(&self.github.add_member(team, person))
    }

    /// Somebody is taken out of a team on GitHub: what became of the delivery.
    #[track_caller]
    pub fn remove(&self, team: u64, person: u64) -> (String, String) {
        self.settle(&self.github.remove_member(team, person))
    }

    /// Sentry's teams by slug.
    pub fn teams(&self) -> BTreeMap<String, TeamView> {
        self.site.teams()
    }

    /// Sentry's slugs and team ids.
    pub fn ids(&self) -> Vec<(String, u64)> {
        self.teams().into_iter().map(|(slug, team)| (slug, team.id)).collect()
    }

    /// The Sentry team's id.
    #[track_caller]
    pub fn id(&self, slug: &str) -> u64 {
        self.teams().get(slug).unwrap_or_else(|| panic!("no team `{slug}`: {:?}", self.ids())).id
    }

    /// Who is in a Sentry team besides the owner of the GitHub organisation.
    #[track_caller]
    pub fn people(&self, slug: &str) -> BTreeSet<String> {
        let teams = self.teams();
        let team = teams.get(slug).unwrap_or_else(|| panic!("no team `{slug}`: {:?}", self.ids()));
        team.members.iter().filter(|address| *address != "olive@acme.test").cloned().collect()
    }

    /// Waits until a Sentry team has exactly these people besides the owner of the GitHub organisation.
    #[track_caller]
    pub fn wait_for_people(&self, slug: &str, addresses: &[&str]) {
        let wanted: BTreeSet<String> = addresses.iter().map(|address| address.to_string()).collect();
        self.wait_until(&format!("{addresses:?} in {slug}"), || {
            self.teams().contains_key(slug) && self.people(slug) == wanted
        });
    }

    /// One call of Sentry's web interface by somebody else: status and body.
    pub fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
        let token =
            self.site.add_token(&["org:read", "team:read", "team:write", "team:admin", "member:read"]);
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let url = format!("{}/api/0{path}", self.site.url());
        let answer = ask(&url, method, &headers, body.as_bytes()).expect("an answer");
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Somebody deletes a team in Sentry.
    pub fn delete_in_sentry(&self, slug: &str) {
        let (status, body) = self.call("DELETE", &format!("/teams/{}/{slug}/", self.site.org()), None);
        assert_eq!(status, 204, "{body}");
    }

    /// Every kind of question that the service asked Sentry with every kind of answer that it got, from its log.
    ///
    /// Whether Sentry takes ids of teams is asked by a look at a start, of a team that is bound by then: whether one is,
    /// is the scheduler's to say. So that question does not count: the id, and the slug that it is asked for after it.
    pub fn exchanges(&self) -> BTreeSet<String> {
        let text = self.service().text();
        let calls = text.lines().filter_map(|line| line.strip_prefix("debug Sentry: "));
        let calls = calls.filter_map(|call| Some((call, self.exchange(call.rsplit_once(" in ")?.0))));
        let mut asked_by_id = 0;
        calls
            .filter(|(call, exchange)| {
                if is_of_an_id(call) {
                    asked_by_id += usize::from(self.truth == Truth::Deliveries);
                    return false;
                }
                let is_asked_after = asked_by_id > 0 && exchange == "GET /teams/{org}/{slug}/ -> 200";
                asked_by_id -= usize::from(is_asked_after);
                !is_asked_after
            })
            .map(|(_, exchange)| exchange)
            .collect()
    }

    /// `GET /api/0/teams/acme/crew/?x -> 404 …` as `GET /teams/{org}/{slug}/ -> 404 …`.
    fn exchange(&self, call: &str) -> String {
        let (question, answer) = call.split_once(" -> ").unwrap_or((call, ""));
        let (method, target) = question.split_once(' ').unwrap_or((question, ""));
        let path = target.split('?').next().unwrap_or_default();
        let answer = answer.replace(&self.site.org(), "ORG");
        format!("{} -> {answer}", template(method, path))
    }
}

/// Whether a call's address has a number in the place of a team's slug.
fn is_of_an_id(call: &str) -> bool {
    let Some((_, rest)) = call.split_once("/api/0/teams/") else { return false };
    let key = rest.split(['/', '?']).nth(1).unwrap_or_default();
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit())
}
