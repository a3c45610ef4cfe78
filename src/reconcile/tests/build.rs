//! Builds both sides by hand and the plan from them, and has helpers for looking at plans.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::config::{load, Need, Settings};
use crate::hosts::github::facts::{Claims, TeamFacts};
use crate::hosts::sentry::{Member, Standing, Team};
use crate::hosts::snapshot::{GithubPerson, GithubSnapshot, GithubTeam, SentrySnapshot};
use crate::identity::Identity;
use crate::reconcile::choice::{Choice, Roster, Unknown};
use crate::reconcile::compare::{compare, Sides};
use crate::reconcile::judge::{changes, judge, Measure};
use crate::reconcile::plan::{Plan, PlannedHold, Step};
use crate::state::holds::{HeldChange, Hold, HoldName};
use crate::state::ids::*;
use crate::state::record::Record;
use crate::state::values::{Binding, Fate, Match, Origin, Sizes, Source};
use crate::state::{slug, State};

/// When the service was first started, in every world.
pub const FIRST_START: Timestamp = Timestamp(1_000_000);
pub const BEFORE: Timestamp = Timestamp(500_000);
pub const AFTER: Timestamp = Timestamp(2_000_000);
pub const NOW: Timestamp = Timestamp(100_000_000);

/// Both sides as they were read, and the service's state.
#[derive(Clone)]
pub struct World {
    pub settings: Settings,
    pub github: GithubSnapshot,
    pub sentry: SentrySnapshot,
    /// The answers of the sources for every account.
    pub sources: BTreeMap<GithubUserId, Identity>,
    /// Accounts whose public profile could not be read.
    pub unread: BTreeSet<GithubUserId>,
    /// GitHub teams that are deleted for certain.
    pub deleted: BTreeSet<GithubTeamId>,
    /// GitHub teams that are gone, but that a replica may still show.
    pub just_gone: BTreeSet<GithubTeamId>,
    pub state: State,
    pub now: Timestamp,
    pub first: bool,
    next_team: u64,
    next_sentry: u64,
}

impl World {
    /// People 1 to `n`, whom single sign-on matches with members 501 to 500 + `n`, and no team.
    pub fn of_people(n: u64, pairs: &[(&str, &str)]) -> Self {
        let env = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let mut world = Self {
            settings: load(&Default::default(), &env, Need::StateDir).unwrap().settings,
            github: GithubSnapshot { sees_secret: true, ..GithubSnapshot::default() },
            sentry: SentrySnapshot { listed: true, ..SentrySnapshot::default() },
            sources: BTreeMap::new(),
            unread: BTreeSet::new(),
            deleted: BTreeSet::new(),
            just_gone: BTreeSet::new(),
            state: State::new(FIRST_START),
            now: NOW,
            first: false,
            next_team: 1,
            next_sentry: 1000,
        };
        (1..=n).for_each(|n| world.known(n, Source::Saml));
        world
    }

    /// Adds an account and what the sources say about it. A match is recorded.
    pub fn person(&mut self, user: u64, identity: Identity, bot: bool) {
        let (user, login) = (GithubUserId(user), Login::from(format!("u{user}")));
        if let Identity::Matched { member, source, .. } = identity {
            let found = Match { member, login: login.clone(), source, at: NOW };
            self.state.apply(Record::Matched { user, found });
        }
        self.github.people.insert(user, GithubPerson { login, bot, claims: Claims::default() });
        self.sources.insert(user, identity);
    }

    pub fn member(&mut self, member: u64) {
        let address = format!("m{member}@x.example");
        self.sentry.members.push(Member {
            id: MemberId(member),
            primary: Some(address.clone()),
            verified: vec![address],
            links: Vec::new(),
            no_teams: false,
            suspended: false,
            standing: Standing::Member,
        });
    }

    /// Adds a person whom `source` matches: user `n`, member `500 + n`.
    pub fn known(&mut self, n: u64, source: Source) {
        self.member(500 + n);
        self.person(n, matched(500 + n, source), false);
    }

    /// Adds a GitHub team that is older than the service.
    pub fn github_team(&mut self, slug: &str, members: impl IntoIterator<Item = u64>) -> GithubTeamId {
        let id = GithubTeamId(self.next_team);
        self.next_team += 1;
        self.github.teams.push(GithubTeam {
            facts: TeamFacts {
                id,
                node_id: String::new(),
                name: slug.to_ascii_uppercase(),
                slug: GithubSlug::from(slug),
                created_at: Some(BEFORE),
                parent: None,
            },
            members: members.into_iter().map(GithubUserId).collect(),
        });
        id
    }

    pub fn sentry_team(&mut self, slug: &str, name: &str, members: Vec<MemberId>) -> SentryTeamId {
        let (id, slug, name) = (SentryTeamId(self.next_sentry), SentrySlug::from(slug), name.to_string());
        self.next_sentry += 1;
        self.sentry.teams.push(Team { id, slug, name, member_count: None, locked: false, projects: None });
        self.sentry.in_team.insert(id, members);
        id
    }

    pub fn bind(&mut self, team: GithubTeamId, sentry: SentryTeamId, origin: Origin) {
        let row = self.team_row(sentry);
        let binding = Binding { sentry, slug: row.slug.clone(), name: row.name.as_str().into(), origin };
        self.state.apply(Record::Bound { team, binding });
    }

    /// Adds a GitHub team, and a Sentry team that follows it and has the same people.
    pub fn mirrored_team(&mut self, slug: &str, members: impl IntoIterator<Item = u64>) -> GithubTeamId {
        let id = self.github_team(slug, members);
        let team = self.team(id).clone();
        let there = team.members.iter().map(|user| MemberId(500 + user.0)).collect();
        let slug = slug::for_team(&team.facts.slug, id, &self.settings.slug_prefix);
        let sentry = self.sentry_team(slug.as_str(), &team.facts.name, there);
        self.bind(id, sentry, Origin::Created);
        self.note_what_was_seen();
        id
    }

    /// Sets who is in the Sentry team of a GitHub team.
    pub fn put_in(&mut self, team: GithubTeamId, members: impl IntoIterator<Item = u64>) {
        let sentry = self.sentry_of(team);
        self.sentry.in_team.insert(sentry, members.into_iter().map(MemberId).collect());
    }

    /// The choice that `sync --team` would make by these names.
    pub fn chosen(&self, slugs: &[String]) -> Result<Choice, Unknown> {
        Roster::new(&self.github, &self.state, &self.settings).choose(slugs)
    }

    pub fn team(&self, id: GithubTeamId) -> &GithubTeam {
        self.github.teams.iter().find(|team| team.facts.id == id).unwrap()
    }

    pub fn team_mut(&mut self, id: GithubTeamId) -> &mut GithubTeam {
        self.github.teams.iter_mut().find(|team| team.facts.id == id).unwrap()
    }

    pub fn team_row(&mut self, id: SentryTeamId) -> &mut Team {
        self.sentry.teams.iter_mut().find(|team| team.id == id).unwrap()
    }

    pub fn sentry_of(&self, id: GithubTeamId) -> SentryTeamId {
        self.state.teams.binding(id).unwrap().sentry
    }

    /// Deletes a team on GitHub, for certain.
    pub fn delete(&mut self, id: GithubTeamId) {
        self.github.teams.retain(|team| team.facts.id != id);
        self.deleted.insert(id);
        // So that the reading doesn't count as short, which other tests cover.
        self.state.apply(Record::Read { sizes: self.sizes(), at: NOW });
    }

    /// Deletes the Sentry team of a deleted team too.
    pub fn end(&mut self, id: GithubTeamId, at: Timestamp) {
        let sentry = self.sentry_of(id);
        self.sentry.teams.retain(|row| row.id != sentry);
        self.state.apply(Record::Gone { team: id, fate: Fate::Deleted, apart: false, was: None, at });
    }

    /// Takes people out of a team on GitHub.
    pub fn leave(&mut self, id: GithubTeamId, users: impl IntoIterator<Item = u64>) {
        let users: Vec<_> = users.into_iter().map(GithubUserId).collect();
        self.team_mut(id).members.retain(|user| !users.contains(user));
        self.state.apply(Record::Read { sizes: self.sizes(), at: NOW });
    }

    pub fn sizes(&self) -> Sizes {
        let people: BTreeSet<_> = self.github.teams.iter().flat_map(|team| &team.members).collect();
        Sizes {
            teams: self.github.teams.len(),
            people: people.len(),
            memberships: self.github.teams.iter().map(|team| team.members.len()).sum(),
        }
    }

    /// Records what the service would record of a reading.
    pub fn note_what_was_seen(&mut self) {
        self.state.apply(Record::Read { sizes: self.sizes(), at: self.now });
        for team in self.github.teams.iter().filter(|team| self.settings.teams.matches(&team.facts.slug)) {
            let people = team.members.clone();
            self.state.apply(Record::Looked { team: team.facts.id, seq: Seq(0), people });
        }
    }

    /// The plan before any guard.
    pub fn compared(&self) -> Plan {
        let users = self.github.teams.iter().flat_map(|team| &team.members);
        let people = users.filter(|user| !self.github.people[user].bot);
        let people = people.map(|user| (*user, self.sources[user].clone())).collect();
        let bound = |team: &&GithubTeamId| self.state.teams.binding(**team).is_some();
        compare(&Sides {
            org: &Login::from("acme"),
            github: &self.github,
            sentry: &self.sentry,
            unread: &self.unread,
            people: &people,
            deleted: &self.deleted.iter().filter(bound).copied().collect(),
            state: &self.state,
            settings: &self.settings,
            just_gone: &self.just_gone,
        })
    }

    pub fn judged(&self, plan: Plan) -> Plan {
        let bound: BTreeSet<_> = self.state.teams.bindings().map(|(_, known)| known.sentry).collect();
        let there = self.sentry.in_team.iter().filter(|(team, _)| bound.contains(team));
        let people: BTreeSet<_> = there.flat_map(|(_, members)| members).collect();
        judge(
            plan,
            &Measure {
                settings: &self.settings,
                state: &self.state,
                sizes: self.sizes(),
                people: people.len(),
                first: self.first,
                now: self.now,
            },
        )
    }

    /// The plan after the guards, checked for what must be true of every plan.
    pub fn plan(&self) -> Plan {
        let plan = self.judged(self.compared());
        // A held change is in one hold only, and the name of a hold follows from its changes.
        let held: Vec<_> = plan.holds.iter().flat_map(|hold| &hold.changes).collect();
        let different: BTreeSet<_> = held.iter().collect();
        assert_eq!(held.len(), different.len(), "{plan}");
        for hold in &plan.holds {
            let same = Hold::new(hold.changes.clone(), String::new(), self.now, vec![]);
            assert_eq!((&same.name, &same.changes), (&hold.name, &hold.changes), "{plan}");
        }
        let of_teams = held.into_iter().filter(|change| takes_away(change)).cloned().collect();
        assert_eq!(taken_away(&plan, true), of_teams, "{plan}");
        plan
    }

    /// The same, with its holds recorded.
    pub fn held(&mut self) -> Plan {
        let plan = self.plan();
        for hold in &plan.holds {
            let hold = Hold::new(hold.changes.clone(), hold.rule.clone(), self.now, vec![]);
            self.state.apply(Record::Held { hold: Hold { compared: true, ..hold } });
        }
        plan
    }

    /// Records a person's decision about a recorded hold.
    pub fn decide(&mut self, name: &HoldName, approved: bool) {
        assert!(self.state.holds.get(name).is_some());
        self.state.apply(Record::Decided { name: name.clone(), approved, at: self.now });
    }
}

pub fn matched(member: u64, source: Source) -> Identity {
    Identity::Matched { member: MemberId(member), source, warnings: Vec::new(), by_search: false }
}

pub fn rules(plan: &Plan) -> Vec<&str> {
    plan.holds.iter().map(|hold| hold.rule.as_str()).collect()
}

pub fn only(plan: &Plan) -> &PlannedHold {
    assert_eq!(plan.holds.len(), 1, "{plan}");
    &plan.holds[0]
}

pub fn n_removed(plan: &Plan) -> usize {
    plan.teams.iter().flat_map(|team| &team.remove).filter(|removal| removal.held.is_none()).count()
}

/// The removals and deletions that are held, or those that are not.
pub fn taken_away(plan: &Plan, held: bool) -> BTreeSet<HeldChange> {
    let of_teams = plan.teams.iter().flat_map(|team| {
        let mut alone = team.clone();
        alone.remove.retain(|removal| removal.held.is_some() == held);
        if team.held.is_some() != held {
            alone.step = Step::Keep;
        }
        changes(&Plan { teams: vec![alone], ..Plan::default() })
    });
    of_teams.filter(takes_away).collect()
}

fn takes_away(change: &HeldChange) -> bool {
    use HeldChange::{Delete, Remove, RemoveMember};
    matches!(change, Delete { .. } | Remove { .. } | RemoveMember { .. })
}
