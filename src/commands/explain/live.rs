//! Reads both sides of one team, and shows what the next comparison would do about it, by the comparison's own rules.
//! In payload mode, the deliveries take the place of GitHub's side.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::clock::{Shown, Timestamp};
use crate::config::{RemoveMembers, Settings};
use crate::hosts::github::facts::{Claims, TeamFacts};
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::sentry::{Member, Standing, Team};
use crate::hosts::snapshot::{Gap, GithubPerson, GithubSnapshot, GithubTeam, List, Listed, SentrySnapshot};
use crate::identity::matcher::Effort;
use crate::identity::{Identity, BARRED};
use crate::queue::job::Outcome;
use crate::reconcile::compare::{compare, Sides};
use crate::reconcile::judge::{judge, Measure};
use crate::reconcile::plan::{Plan, PlannedHold, Step, TeamPlan};
use crate::state::event::Person;
use crate::state::holds::{HeldChange, Hold};
use crate::state::ids::{GithubTeamId, GithubUserId, Login, MemberId};
use crate::state::sorted::Map;
use crate::state::values::{Binding, Mode, Source};
use crate::state::{names, slug, Org, State};
use crate::work::mirror::Mirror;
use crate::work::step::locked;
use crate::work::truth::Truth;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Look {
    /// The team on GitHub; `None` in payload mode, or if GitHub does not show it.
    pub github: Option<GithubView>,
    pub sentry: Option<SentryView>,
    /// The team's name in CODEOWNERS, or the planned change to that link; `None` if there is neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codeowners: Option<String>,
    pub people: Vec<PersonView>,
    /// The planned change to the team itself, or the reason why it cannot be made. `None` if there is nothing to do,
    /// and in payload mode, where nothing is compared.
    pub step: Option<String>,
    /// The rules of the guards that would put some of it on hold.
    pub stopped_by: Vec<String>,
    /// The name of an undecided first-comparison hold: nothing is carried out before a person approves it.
    pub waits_for_first: Option<String>,
    /// Sentry differs from GitHub. People without a match do not count.
    pub differs: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct GithubView {
    pub slug: String,
    pub name: String,
    pub created_at: Option<Shown>,
    pub parent: Option<GithubTeamId>,
    /// The gap in GitHub's list of its members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SentryView {
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub members: usize,
}

impl SentryView {
    fn of(team: Team, members: usize) -> Self {
        Self { id: team.id.0, slug: team.slug.to_string(), name: team.name, members }
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct PersonView {
    /// The GitHub login, or the Sentry member's address where no account is known.
    pub who: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<GithubUserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
    pub in_github: bool,
    pub in_sentry: bool,
    /// `stays`, `add`, `remove`, `skipped`.
    pub does: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl PersonView {
    /// Somebody who is only in the Sentry team.
    fn in_sentry(member: &Member, does: &'static str, why: &str) -> Self {
        Self {
            who: member.primary.clone().unwrap_or_else(|| format!("member {}", member.id)),
            member: Some(member.id),
            in_sentry: true,
            does,
            why: why.into(),
            ..Self::default()
        }
    }
}

/// Adds the members that only Sentry has in the team, and sorts everybody by name.
fn with_others(
    mut people: Vec<PersonView>,
    members: &[Member],
    view: impl Fn(&Member) -> PersonView,
) -> Vec<PersonView> {
    let seen: BTreeSet<_> = people.iter().filter_map(|person| person.member).collect();
    people.extend(members.iter().filter(|member| !seen.contains(&member.id)).map(view));
    people.sort_by(|a, b| (&a.who, a.member).cmp(&(&b.who, b.member)));
    people
}

struct Read {
    facts: Option<TeamFacts>,
    people: Vec<Person>,
    /// The gap in GitHub's list of these people, if it has one.
    gap: Option<Gap>,
    team: Option<Team>,
    /// Another Sentry team that has the slug which this team should have.
    other: Option<Team>,
    members: Vec<Member>,
    /// Members protected by an address that only a search shows.
    protected: BTreeSet<MemberId>,
    org: Login,
    /// The CODEOWNERS links of all Sentry teams, or at least of this one; `None` if links are off.
    links: Option<Vec<ExternalTeam>>,
}

/// Reads both sides. `facts` are GitHub's, if the caller has just read them.
pub fn look(mirror: &Mirror, team: GithubTeamId, facts: Option<TeamFacts>) -> Result<Look, Outcome> {
    let Some((org, mode)) = mirror.bearings() else {
        return Err(Outcome::Later(mirror.why_no_organisation(), None));
    };
    match mode {
        Mode::Read => by_github(mirror, &org, team, facts),
        Mode::Payload => by_deliveries(mirror, team),
    }
}

fn by_github(
    mirror: &Mirror,
    org: &Org,
    id: GithubTeamId,
    facts: Option<TeamFacts>,
) -> Result<Look, Outcome> {
    let truth = Truth { mirror, org: org.id, team: id };
    let facts = match facts {
        Some(facts) => Some(facts),
        None => truth.facts()?,
    };
    let settings = mirror.settings();
    let people = if facts.is_some() { truth.members()? } else { None };
    let binding = mirror.state(|state| state.teams.binding(id).cloned());
    let (team, other) = teams(mirror, &settings, id, facts.as_ref(), binding.as_ref())?;
    let members = members_of(mirror, team.as_ref().or(other.as_ref()))?;
    let Listed { rows: people, gap } = people.unwrap_or(Listed { rows: Vec::new(), gap: None });
    let protected = mirror.matcher().protected_by_search();
    let links = settings.links.then(|| links(mirror, team.as_ref())).transpose()?;
    let org = org.login.clone();
    let read = Read { facts, people, gap, team, other, members, protected, org, links };
    let persons = read.people.iter().filter(|person| !person.bot);
    let identities: BTreeMap<_, _> = persons
        .map(|person| Ok((person.id, mirror.identify(person, Effort::Look)?)))
        .collect::<Result<_, Outcome>>()?;
    let state = mirror.state(State::without_deliveries);
    let just_gone = mirror.queue.just_gone(read.facts.iter().map(|facts| facts.id), mirror.clock.now());
    let plan = plan(&settings, &state, id, &read, &identities, &just_gone, mirror.clock.wall());
    Ok(told(&settings, &state, read, &identities, plan))
}

/// The bound Sentry team, and any other Sentry team that has the slug this one should have.
fn teams(
    mirror: &Mirror,
    settings: &Settings,
    id: GithubTeamId,
    facts: Option<&TeamFacts>,
    binding: Option<&Binding>,
) -> Result<(Option<Team>, Option<Team>), Outcome> {
    let failed = |trouble| mirror.sentry_trouble(trouble);
    let find = |binding: &Binding| mirror.sentry.look_for(binding.at());
    let bound = binding.map(find).transpose().map_err(failed)?.flatten();
    let wanted = facts.map(|facts| slug::for_team(&facts.slug, id, &settings.slug_prefix));
    let wanted = wanted.filter(|slug| bound.as_ref().is_none_or(|team| team.slug != *slug));
    let other = wanted.map(|slug| mirror.sentry.team(&slug)).transpose().map_err(failed)?.flatten();
    Ok((bound, other))
}

fn links(mirror: &Mirror, team: Option<&Team>) -> Result<Vec<ExternalTeam>, Outcome> {
    let failed = |trouble| mirror.sentry_trouble(trouble);
    if let Some(all) = mirror.sentry.links().map_err(failed)? {
        return Ok(all);
    }
    let own = team.map(|team| mirror.sentry.team_with_links(team.at())).transpose().map_err(failed)?;
    Ok(own.flatten().map(|(_, rows)| rows).unwrap_or_default())
}

fn members_of(mirror: &Mirror, team: Option<&Team>) -> Result<Vec<Member>, Outcome> {
    let Some(team) = team.filter(|team| team.member_count != Some(0)) else { return Ok(Vec::new()) };
    let members = mirror.sentry.team_members(team.at()).map_err(|trouble| mirror.sentry_trouble(trouble))?;
    Ok(members.unwrap_or_default())
}

fn plan(
    settings: &Settings,
    state: &State,
    id: GithubTeamId,
    read: &Read,
    identities: &BTreeMap<GithubUserId, Identity>,
    just_gone: &BTreeSet<GithubTeamId>,
    now: Timestamp,
) -> Plan {
    let mut github = GithubSnapshot::default();
    github.gaps.note(List::Members(id), read.gap);
    if let Some(facts) = &read.facts {
        let mut members: Vec<_> = read.people.iter().map(|person| person.id).collect();
        members.sort_unstable();
        // The list of members already includes those of child teams, if they count.
        github.teams.push(GithubTeam { facts: TeamFacts { parent: None, ..facts.clone() }, members });
    }
    for Person { id, login, bot } in read.people.iter().cloned() {
        github.people.insert(id, GithubPerson { login, bot, claims: Claims::default() });
    }
    let (members, protected) = (read.members.clone(), read.protected.clone());
    let mut sentry = SentrySnapshot { members, protected, ..SentrySnapshot::default() };
    sentry.teams = read.team.iter().chain(&read.other).cloned().collect();
    if let Some(team) = read.team.as_ref().or(read.other.as_ref()) {
        let mut ids: Vec<_> = read.members.iter().map(|member| member.id).collect();
        ids.sort_unstable();
        sentry.in_team = HashMap::from([(team.id, ids)]);
    }
    // A person who could not be read has already ended the look, so `unread` is empty.
    let (deleted, unread) = (BTreeSet::new(), BTreeSet::new());
    sentry.links = read.links.clone();
    let mut plan = compare(&Sides {
        org: &read.org,
        github: &github,
        sentry: &sentry,
        people: identities,
        unread: &unread,
        deleted: &deleted,
        state,
        settings,
        just_gone,
    });
    plan.teams.retain(|team| team.team == id);
    // Limits are shares of the whole organisation, so use the sizes of the last full comparison.
    let sizes = state.last_read.map(|(sizes, _)| sizes).unwrap_or_default();
    let people = sizes.people.max(state.people.n_matched());
    judge(plan, &Measure { settings, state, sizes, people, first: false, now })
}

fn told(
    settings: &Settings,
    state: &State,
    read: Read,
    identities: &BTreeMap<GithubUserId, Identity>,
    plan: Plan,
) -> Look {
    let differs = !(plan.is_in_sync() && plan.left_in.is_empty());
    let stopped_by = plan.holds.iter().map(|PlannedHold { rule, .. }| rule.clone()).collect();
    let planned = plan.teams.first();
    let left: Map<_, _> = plan.left_in.iter().map(|left| (left.removal.member, left.because)).collect();
    let (members, protected) = (&read.members, &read.protected);
    let formatter = PersonFormatter { settings, state, identities, planned, members, protected, left: &left };
    let is_bound = read.team.is_some();
    let people = read.people.iter().map(|person| formatter.on_github(person)).collect();
    let people = with_others(people, &read.members, |member| formatter.in_sentry_only(member, is_bound));
    let is_first = |hold: &&Hold| hold.decision.is_none() && hold.is_first();
    let n_members = read.members.len();
    Look {
        github: read.facts.map(|facts| GithubView {
            slug: facts.slug.to_string(),
            name: facts.name,
            created_at: facts.created_at.map(Shown::from),
            parent: facts.parent,
            incomplete: read.gap.map(|gap| gap.to_string()),
        }),
        sentry: read.team.map(|team| SentryView::of(team, n_members)),
        codeowners: codeowners(&plan),
        people,
        step: planned.and_then(|planned| step(planned, state)),
        stopped_by,
        waits_for_first: state.holds.iter().find(is_first).map(|hold| hold.name.to_string()),
        differs,
    }
}

fn codeowners(plan: &Plan) -> Option<String> {
    if let Some(link) = plan.teams.first().and_then(|team| team.link.as_ref()) {
        return Some(link.to_string());
    }
    let (_, row) = plan.links.as_ref()?.rows.first()?;
    Some(format!("{} is linked", row.name))
}

fn step(planned: &TeamPlan, state: &State) -> Option<String> {
    let slug = &planned.slug;
    Some(match &planned.step {
        Step::Keep => return None,
        Step::Create => format!("create Sentry team `{slug}`"),
        Step::Adopt { sentry } => format!("adopt Sentry team `{slug}` ({sentry})"),
        Step::Return { sentry, made } => {
            let does = if *made { "is made again, with what it had" } else { "follows it again" };
            format!("GitHub shows it again: Sentry team `{slug}` ({sentry}) {does}")
        }
        Step::Rename { from } => format!("rename Sentry team `{from}` to `{slug}`"),
        Step::Delete { sentry, .. } => format!("delete Sentry team `{slug}` ({sentry})"),
        Step::Empty { sentry, .. } => format!("remove everyone from Sentry team `{slug}` ({sentry})"),
        Step::Leave { sentry, why } => format!("leave Sentry team `{slug}` ({sentry}) alone: {why}"),
        Step::Conflict { sentry, bound: false } => {
            format!("conflict: Sentry team `{slug}` ({sentry}) existed before; you decide")
        }
        Step::Conflict { sentry, bound: true } => {
            format!(
                "conflict: Sentry team {sentry} already has the slug `{slug}`; rename or delete it in Sentry"
            )
        }
        Step::Locked { sentry } => format!("leave Sentry team {sentry} alone: {}", locked(slug)),
        Step::Wait { owner } => {
            format!("wait for the slug `{slug}`, which {} still has", names::name_of(state, *owner))
        }
        Step::NotVisible => {
            let is_deletion = |change: &HeldChange| matches!(change, HeldChange::Delete { .. });
            if state.holds.changes_of(planned.team).any(is_deletion) {
                "GitHub deleted it; you decide what happens to its Sentry team".into()
            } else {
                "GitHub does not show the team to this token, so nothing is removed".into()
            }
        }
    })
}

/// Describes the change for each person, or the reason why there is none.
struct PersonFormatter<'a> {
    settings: &'a Settings,
    state: &'a State,
    protected: &'a BTreeSet<MemberId>,
    identities: &'a BTreeMap<GithubUserId, Identity>,
    /// `None` if there is nothing to do.
    planned: Option<&'a TeamPlan>,
    members: &'a [Member],
    /// Members who stay because GitHub could not be read completely, with the reason.
    left: &'a Map<MemberId, &'static str>,
}

impl PersonFormatter<'_> {
    fn on_github(&self, person: &Person) -> PersonView {
        let mut view = PersonView {
            who: person.login.to_string(),
            user: Some(person.id),
            in_github: true,
            does: "skipped",
            ..PersonView::default()
        };
        match self.identities.get(&person.id) {
            None if person.bot => view.why = "a bot".into(),
            None => view.why = "not checked".into(),
            Some(Identity::Absent { why, .. } | Identity::Unknown { why }) => view.why = why.clone(),
            Some(Identity::Conflict { why }) => view.why = format!("conflicting matches: {why}"),
            Some(Identity::Barred { .. }) => view.why = BARRED.into(),
            Some(Identity::Matched { member, source, .. }) => {
                view.member = Some(*member);
                view.source = Some(source.name());
                view.in_sentry = self.members.iter().any(|row| row.id == *member);
                let is_added =
                    self.planned.is_some_and(|planned| planned.add.iter().any(|one| one.user == person.id));
                view.does = if is_added { "add" } else { "stays" };
            }
        }
        view
    }

    fn in_sentry_only(&self, member: &Member, is_bound: bool) -> PersonView {
        let user = self.state.people.of_member(member.id);
        let found = user.and_then(|user| self.state.people.matched(user));
        let mut removals = self.planned.into_iter().flat_map(|planned| &planned.remove);
        let removal = removals.find(|removal| removal.member == member.id);
        let (does, why) = match removal {
            Some(removal) => ("remove", removal.why),
            None => ("stays", self.why_not_removed(member, found.map(|found| found.source), is_bound)),
        };
        let mut view = PersonView { user, ..PersonView::in_sentry(member, does, why) };
        if let Some(found) = found {
            view.who = found.login.to_string();
        }
        view
    }

    fn why_not_removed(&self, member: &Member, source: Option<Source>, is_bound: bool) -> &'static str {
        let addresses = member.primary.iter().chain(&member.verified).map(String::as_str);
        if !is_bound {
            return "this service does not manage the team";
        }
        if self.settings.protect.covers_any(addresses) || self.protected.contains(&member.id) {
            return "protected by SYNC_PROTECT";
        }
        if let Some(because) = self.left.get(&member.id) {
            return because;
        }
        match (self.settings.remove_members, source) {
            (RemoveMembers::Never, _) => "SYNC_REMOVE_MEMBERS is never",
            (_, None) if member.standing != Standing::Member => "an invite that no GitHub account matches",
            (policy, None) if policy.is_about_everybody() => {
                "no GitHub account matches them; a comparison looks at everyone in the organisation"
            }
            (_, None) => "no GitHub account matches them",
            (_, Some(Source::Public)) => {
                "matched only by a public address, which is not enough to remove somebody"
            }
            (RemoveMembers::Left, _) => {
                "SYNC_REMOVE_MEMBERS is left, and they were never seen in the GitHub team"
            }
            _ => "their matches conflict, or somebody rejected their removal",
        }
    }
}

/// Payload mode: compares what the deliveries said last with what Sentry shows. GitHub is not asked.
fn by_deliveries(mirror: &Mirror, id: GithubTeamId) -> Result<Look, Outcome> {
    let settings = mirror.settings();
    let binding = mirror.state(|state| state.teams.binding(id).cloned());
    let (team, _) = teams(mirror, &settings, id, None, binding.as_ref())?;
    let members = members_of(mirror, team.as_ref())?;
    let state = mirror.state(State::without_deliveries);
    let words = state.teams.news(id).into_iter().flat_map(|news| news.people());
    let people = words.map(|(user, present, _)| by_word(&state, user, present, &members)).collect();
    let unnamed = |member: &Member| PersonView::in_sentry(member, "stays", "no delivery has named them");
    let mut people = with_others(people, &members, unnamed);
    // Skip people who left and are not in the Sentry team either.
    people.retain(|person| person.in_github || person.in_sentry);
    let differs = people.iter().any(|person| ["add", "remove"].contains(&person.does));
    let sentry = team.map(|team| SentryView::of(team, members.len()));
    Ok(Look { sentry, people, differs, ..Look::default() })
}

fn by_word(state: &State, user: GithubUserId, present: bool, members: &[Member]) -> PersonView {
    let found = state.people.matched(user);
    let wish = state.people.wish(user);
    let login = found.map(|found| &found.login).or(wish.map(|wish| &wish.login));
    let in_sentry = found.is_some_and(|found| members.iter().any(|row| row.id == found.member));
    let (does, why) = match (present, in_sentry, found) {
        (true, _, None) => ("skipped", wish.map_or("not matched", |wish| &wish.why)),
        (true, false, Some(_)) => ("add", "a delivery added them, and they are missing in Sentry"),
        (false, true, Some(_)) => ("remove", "a delivery said that they left"),
        _ => ("stays", ""),
    };
    PersonView {
        who: login.map_or_else(|| format!("GitHub user {user}"), ToString::to_string),
        user: Some(user),
        member: found.map(|found| found.member),
        source: found.map(|found| found.source.name()),
        in_github: present,
        in_sentry,
        does,
        why: why.into(),
    }
}
