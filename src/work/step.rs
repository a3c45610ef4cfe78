//! Decides what to do, from what is wanted and what exists. Pure: no clock, no file, no socket.
//!
//! [`next`] and [`next_of_end`] say what to read first: a call is made only for a fact that decides something.

use crate::config::{DeleteTeams, RemoveMembers, Settings};
use crate::hosts::sentry::Team;
use crate::identity::{Identity, BARRED};
use crate::queue::job::Outcome;
use crate::queue::part::WantedTeam;
use crate::state::ids::{GithubTeamId, MemberId, SentrySlug, SentryTeamId};
use crate::state::values::{Binding, Source};
use crate::text::counted;

/// The rule for a hold on a GitHub team that may not take over the Sentry team with its slug.
pub const ADOPTION_RULE: &str =
    "adoption: the GitHub team is newer than this service, and the Sentry team with its slug existed before";

/// Who has the wanted slug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    /// The Sentry team of another GitHub team, now or in a moment.
    Team(GithubTeamId),
    /// A Sentry team that follows nobody, and a person's decision about handing it over.
    Stranger(SentryTeamId, Option<bool>),
    /// A Sentry team that an identity provider manages.
    Locked(SentryTeamId),
}

/// The step to take for a team, before its people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TeamStep {
    /// It is as it should be.
    Keep,
    Create,
    /// Adopt this Sentry team.
    Adopt(SentryTeamId),
    /// Give it the wanted slug and name.
    Rename,
    /// Wait until this GitHub team gives up the slug.
    WaitFor(GithubTeamId),
    /// The slug belongs to a Sentry team that this one may take over only if a person approves it.
    Conflict(SentryTeamId),
    /// A person has rejected handing that Sentry team over.
    Rejected(SentryTeamId),
    /// The slug belongs to a Sentry team that an identity provider manages, so nobody may hand it over.
    Locked(SentryTeamId),
}

/// The known facts about a wanted team.
pub struct Facts<'a> {
    pub wanted: &'a WantedTeam,
    pub binding: Option<&'a Binding>,
    /// Who has the wanted slug; `None` if that has not been read yet.
    pub holder: Option<Holder>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<Step> {
    /// The missing fact has to be read.
    Read,
    Do(Step),
    /// Nothing can be done.
    End(Outcome),
}

/// Decides what to do about a team before its people, or that the slug's holder has to be read first.
pub fn next(facts: &Facts) -> Next<TeamStep> {
    let Facts { wanted, binding, holder } = facts;
    let holder = match (holder, binding) {
        (Some(holder), _) => holder,
        // A team's own slug cannot be another team's.
        (None, Some(binding)) if binding.slug == wanted.slug => &Holder::Nobody,
        (None, _) => return Next::Read,
    };
    let slug = &wanted.slug;
    match team(wanted, *binding, holder) {
        TeamStep::Conflict(_) if binding.is_some() => Next::End(in_the_way(slug)),
        TeamStep::Rejected(_) => {
            Next::End(Outcome::Done(format!("taking over Sentry team `{slug}` was rejected")))
        }
        TeamStep::Locked(_) => Next::End(Outcome::Failed(locked(slug))),
        step => Next::Do(step),
    }
}

/// The outcome if the slug of a bound team's new name belongs to a Sentry team that follows nobody.
pub fn in_the_way(slug: &SentrySlug) -> Outcome {
    Outcome::Waiting(format!(
        "slug `{slug}` belongs to a Sentry team that follows no GitHub team: rename or delete that one in Sentry"
    ))
}

/// Why a Sentry team that an identity provider manages is left alone.
pub const LOCKED: &str = "managed by your identity provider";

/// The message about such a team.
pub fn locked(slug: &SentrySlug) -> String {
    format!("Sentry team `{slug}` is {LOCKED}: change it there, or leave the team out with SYNC_TEAMS")
}

pub fn team(wanted: &WantedTeam, binding: Option<&Binding>, holder: &Holder) -> TeamStep {
    if let Some(binding) = binding {
        let named = wanted.name.as_deref().is_none_or(|name| name == &*binding.name);
        if binding.slug == wanted.slug {
            return if named { TeamStep::Keep } else { TeamStep::Rename };
        }
        return match holder {
            Holder::Nobody => TeamStep::Rename,
            Holder::Team(other) => TeamStep::WaitFor(*other),
            // A bound team cannot take over another one. It can only wait until that one gives up the slug.
            Holder::Stranger(sentry, _) | Holder::Locked(sentry) => TeamStep::Conflict(*sentry),
        };
    }
    match holder {
        Holder::Nobody => TeamStep::Create,
        Holder::Team(other) => TeamStep::WaitFor(*other),
        Holder::Stranger(sentry, Some(true)) => TeamStep::Adopt(*sentry),
        Holder::Stranger(sentry, Some(false)) => TeamStep::Rejected(*sentry),
        Holder::Stranger(sentry, None) if wanted.adoptable => TeamStep::Adopt(*sentry),
        Holder::Stranger(sentry, None) => TeamStep::Conflict(*sentry),
        Holder::Locked(sentry) => TeamStep::Locked(*sentry),
    }
}

/// Why somebody is not removed if only a login in Sentry shows who they are.
const LOGIN_ALONE: &str =
    "not removed: the link in Sentry has their login and no id, so it may mean another account; \
                           name them in SYNC_USER_MAP, or have them link their GitHub account in Sentry";

/// The step to take for a person in a bound team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonStep {
    Add(MemberId),
    Remove(MemberId),
    /// Add them when Sentry knows them; the reason why it doesn't yet.
    Want(String),
    Leave(String),
}

/// Decides about somebody who is in the GitHub team.
pub fn present(identity: &Identity) -> PersonStep {
    match identity {
        Identity::Matched { member, .. } => PersonStep::Add(*member),
        Identity::Barred { .. } => PersonStep::Want(BARRED.into()),
        Identity::Absent { why, .. } | Identity::Unknown { why } => PersonStep::Want(why.clone()),
        Identity::Conflict { why } => PersonStep::Want(format!("in conflict: {why}")),
    }
}

/// Decides about somebody who is not in the GitHub team, as an event says. A `protected` member is never removed.
pub fn absent(
    identity: &Identity,
    policy: RemoveMembers,
    protected: impl Fn(MemberId) -> bool,
) -> PersonStep {
    match identity {
        _ if policy == RemoveMembers::Never => PersonStep::Leave("SYNC_REMOVE_MEMBERS is never".into()),
        Identity::Matched { source: Source::SentryLogin, .. }
        | Identity::Barred { source: Source::SentryLogin, .. } => PersonStep::Leave(LOGIN_ALONE.into()),
        Identity::Matched { member, .. } | Identity::Barred { member, .. } if protected(*member) => {
            PersonStep::Leave("protected by SYNC_PROTECT".into())
        }
        Identity::Matched { member, .. } | Identity::Barred { member, .. } => PersonStep::Remove(*member),
        Identity::Absent { why, .. } | Identity::Unknown { why } => {
            PersonStep::Leave(format!("somebody unknown is never removed: {why}"))
        }
        Identity::Conflict { why } => PersonStep::Leave(format!("in conflict, not removed: {why}")),
    }
}

/// The step to take for the Sentry team of a deleted GitHub team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndStep {
    Delete,
    /// Remove its members and leave the team.
    Empty,
    /// Leave it as it is; the reason.
    Leave(String),
    /// A person has to decide; the rule with its numbers.
    Hold(String),
    /// A person has rejected its deletion.
    Refused,
    /// It no longer exists.
    Gone,
}

/// The known facts about the Sentry team of a deleted GitHub team.
pub struct EndFacts<'a> {
    pub settings: &'a Settings,
    pub slug: &'a SentrySlug,
    pub is_left_out: bool,
    /// A person's decision about its deletion.
    pub approved: Option<bool>,
    /// The team as Sentry shows it, if it does; the outer `None` if it has not been read yet.
    pub shown: Option<Option<&'a Team>>,
}

/// Decides what to do with the Sentry team of a deleted GitHub team, or that the team has to be read first.
pub fn next_of_end(facts: &EndFacts) -> Next<EndStep> {
    let EndFacts { settings, slug, is_left_out, approved, shown } = facts;
    let is_approved = *approved == Some(true);
    let step = match shown {
        _ if *is_left_out => EndStep::Leave("left out by SYNC_TEAMS".into()),
        _ if *approved == Some(false) => EndStep::Refused,
        None => match end(settings, slug, Some(&[]), is_approved) {
            // A team that is left alone anyway need not be read.
            EndStep::Leave(why) => EndStep::Leave(why),
            _ => return Next::Read,
        },
        Some(None) => EndStep::Gone,
        Some(Some(team)) if team.locked => EndStep::Leave(LOCKED.into()),
        Some(Some(team)) => end(settings, slug, team.projects.as_deref(), is_approved),
    };
    Next::Do(step)
}

/// Decides about the end of a team. `projects` are those that it owns; `None` if they could not be read.
pub fn end(settings: &Settings, slug: &SentrySlug, projects: Option<&[String]>, approved: bool) -> EndStep {
    if settings.protect.covers_team(slug) {
        return EndStep::Leave("protected by SYNC_PROTECT".into());
    }
    match (settings.delete_teams, projects) {
        (DeleteTeams::Keep, _) => EndStep::Leave("SYNC_DELETE_TEAMS is keep".into()),
        (DeleteTeams::Empty, _) => EndStep::Empty,
        (DeleteTeams::Delete, _) => EndStep::Delete,
        (DeleteTeams::UnlessProjects, _) if approved => EndStep::Delete,
        (DeleteTeams::UnlessProjects, Some([])) => EndStep::Delete,
        (DeleteTeams::UnlessProjects, Some(projects)) => EndStep::Hold(format!(
            "unless-projects: the Sentry team still owns {} ({})",
            counted(projects.len(), "project", "projects"),
            projects.join(", ")
        )),
        (DeleteTeams::UnlessProjects, None) => {
            EndStep::Hold("unless-projects: the Sentry team's projects could not be read".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{load, Need};
    use crate::state::values::Origin;

    fn wanted(slug: &str, adoptable: bool) -> WantedTeam {
        WantedTeam { slug: SentrySlug::from(slug), name: None, adoptable }
    }

    fn bound(slug: &str) -> Binding {
        let slug = SentrySlug::from(slug);
        Binding { sentry: SentryTeamId(1), slug, name: "Name".into(), origin: Origin::Created }
    }

    const OTHER: SentryTeamId = SentryTeamId(9);

    #[test]
    fn an_unbound_team_is_made_adopted_or_waits() {
        let step = |adoptable, holder| team(&wanted("a", adoptable), None, &holder);
        assert_eq!(step(false, Holder::Nobody), TeamStep::Create);
        assert_eq!(step(true, Holder::Stranger(OTHER, None)), TeamStep::Adopt(OTHER));
        assert_eq!(step(true, Holder::Team(GithubTeamId(5))), TeamStep::WaitFor(GithubTeamId(5)));
    }

    #[test]
    fn a_newer_team_never_walks_into_an_existing_one() {
        let step = |decision| team(&wanted("a", false), None, &Holder::Stranger(OTHER, decision));
        assert_eq!(step(None), TeamStep::Conflict(OTHER));
        assert_eq!(step(Some(true)), TeamStep::Adopt(OTHER));
        assert_eq!(step(Some(false)), TeamStep::Rejected(OTHER));
        // Nor by renaming, however old it is and whatever was approved.
        for adoptable in [true, false] {
            let step = team(&wanted("a", adoptable), Some(&bound("b")), &Holder::Stranger(OTHER, Some(true)));
            assert_eq!(step, TeamStep::Conflict(OTHER));
        }
    }

    #[test]
    fn a_team_of_an_identity_provider_is_nobodys_however_old_the_github_team_is() {
        for adoptable in [true, false] {
            let step = |binding| team(&wanted("a", adoptable), binding, &Holder::Locked(OTHER));
            assert_eq!(step(None), TeamStep::Locked(OTHER));
            assert_eq!(step(Some(&bound("b"))), TeamStep::Conflict(OTHER));
        }
    }

    #[test]
    fn a_locked_team_is_told_by_its_slug() {
        let slug = SentrySlug::from("crew");
        let said = locked(&slug);
        assert!(said.contains("`crew`") && said.contains(LOCKED), "{said}");
        let facts =
            Facts { wanted: &wanted("crew", true), binding: None, holder: Some(Holder::Locked(OTHER)) };
        let Next::End(Outcome::Failed(told)) = next(&facts) else { panic!("it is left alone") };
        assert_eq!(told, said);
    }

    #[test]
    fn a_bound_team_is_renamed_when_slug_or_name_differ() {
        let step = |wanted, holder| team(&wanted, Some(&bound("a")), &holder);
        assert_eq!(step(wanted("a", false), Holder::Nobody), TeamStep::Keep);
        assert_eq!(step(wanted("b", false), Holder::Nobody), TeamStep::Rename);
        assert_eq!(
            step(wanted("b", false), Holder::Team(GithubTeamId(5))),
            TeamStep::WaitFor(GithubTeamId(5))
        );
        let named = |name: &str| WantedTeam { name: Some(name.into()), ..wanted("a", false) };
        assert_eq!(step(named("Name"), Holder::Nobody), TeamStep::Keep);
        assert_eq!(step(named("NAME"), Holder::Nobody), TeamStep::Rename);
    }

    #[test]
    fn somebody_unknown_is_wanted_and_never_removed() {
        let member = MemberId(4);
        let matched = crate::identity::remembered(member, Source::Public);
        let unknown = Identity::Unknown { why: "w".into() };
        let absent_person = Identity::Absent { why: "w".into(), second: None };
        let conflict = Identity::Conflict { why: "w".into() };
        assert_eq!(present(&matched), PersonStep::Add(member));
        for identity in [&unknown, &absent_person, &conflict] {
            assert!(matches!(present(identity), PersonStep::Want(_)));
            for policy in [RemoveMembers::Left, RemoveMembers::Known, RemoveMembers::All] {
                assert!(matches!(absent(identity, policy, |_| false), PersonStep::Leave(_)));
            }
        }
        assert_eq!(absent(&matched, RemoveMembers::Left, |_| false), PersonStep::Remove(member));
        assert!(matches!(absent(&matched, RemoveMembers::Left, |_| true), PersonStep::Leave(_)));
        assert!(matches!(absent(&matched, RemoveMembers::Never, |_| false), PersonStep::Leave(_)));
    }

    #[test]
    fn teams_end_as_the_policy_says() {
        let step = |policy: &str, protect: &str, projects: Option<&[&str]>, approved| {
            let env = [("SYNC_DELETE_TEAMS", policy), ("SYNC_PROTECT", protect)];
            let env = env.map(|(name, value)| (name.to_string(), value.to_string())).into();
            let settings = load(&Default::default(), &env, Need::StateDir).unwrap().settings;
            let projects: Option<Vec<String>> =
                projects.map(|projects| projects.iter().map(|project| project.to_string()).collect());
            end(&settings, &SentrySlug::from("team"), projects.as_deref(), approved)
        };
        let owns: Option<&[&str]> = Some(&["shop", "web"]);
        assert_eq!(step("unless-projects", "", Some(&[]), false), EndStep::Delete);
        assert_eq!(
            step("unless-projects", "", owns, false),
            EndStep::Hold("unless-projects: the Sentry team still owns 2 projects (shop, web)".into())
        );
        assert!(matches!(step("unless-projects", "", None, false), EndStep::Hold(_)));
        assert_eq!(step("unless-projects", "", owns, true), EndStep::Delete);
        assert_eq!(step("delete", "", owns, false), EndStep::Delete);
        assert_eq!(step("empty", "", owns, false), EndStep::Empty);
        assert!(matches!(step("keep", "", Some(&[]), true), EndStep::Leave(_)));
        assert!(matches!(step("delete", "team", Some(&[]), true), EndStep::Leave(_)));
    }

    #[test]
    fn who_has_a_slug_is_read_only_where_that_decides() {
        let (kept, moved) = (wanted("a", true), wanted("b", true));
        let own = bound("a");
        let asked = |wanted, binding, holder| next(&Facts { wanted, binding, holder });
        assert_eq!(asked(&kept, Some(&own), None), Next::Do(TeamStep::Keep));
        assert_eq!(asked(&moved, Some(&own), None), Next::Read);
        assert_eq!(asked(&kept, None, None), Next::Read);
        assert_eq!(asked(&moved, Some(&own), Some(Holder::Nobody)), Next::Do(TeamStep::Rename));
        let stranger = |decision| Some(Holder::Stranger(OTHER, decision));
        assert_eq!(asked(&kept, None, stranger(Some(true))), Next::Do(TeamStep::Adopt(OTHER)));
        assert!(matches!(asked(&kept, None, stranger(Some(false))), Next::End(Outcome::Done(_))));
        assert!(matches!(asked(&moved, Some(&own), stranger(None)), Next::End(Outcome::Waiting(_))));
        assert!(matches!(asked(&kept, None, Some(Holder::Locked(OTHER))), Next::End(Outcome::Failed(_))));
        let newer = wanted("a", false);
        assert_eq!(asked(&newer, None, stranger(None)), Next::Do(TeamStep::Conflict(OTHER)));
    }

    #[test]
    fn a_deleted_team_is_read_only_where_that_decides() {
        let settings = |policy: &str| {
            let env = [("SYNC_DELETE_TEAMS".to_string(), policy.to_string())].into();
            load(&Default::default(), &env, Need::StateDir).unwrap().settings
        };
        let slug = SentrySlug::from("team");
        let team = |locked, projects: &[&str]| Team {
            id: OTHER,
            slug: slug.clone(),
            name: "Team".into(),
            member_count: None,
            locked,
            projects: Some(projects.iter().map(|project| project.to_string()).collect()),
        };
        let (free, owner, managed) = (team(false, &[]), team(false, &["shop"]), team(true, &[]));
        let asked = |policy, is_left_out, approved, shown| {
            let settings = settings(policy);
            next_of_end(&EndFacts { settings: &settings, slug: &slug, is_left_out, approved, shown })
        };
        let leaves = |next| matches!(next, Next::Do(EndStep::Leave(_)));
        assert!(leaves(asked("delete", true, Some(true), None)));
        assert_eq!(asked("delete", false, Some(false), None), Next::Do(EndStep::Refused));
        assert!(leaves(asked("keep", false, None, None)));
        assert_eq!(asked("unless-projects", false, None, None), Next::Read);
        assert_eq!(asked("empty", false, None, None), Next::Read);
        assert_eq!(asked("delete", false, None, Some(None)), Next::Do(EndStep::Gone));
        assert!(leaves(asked("delete", false, Some(true), Some(Some(&managed)))));
        assert_eq!(asked("unless-projects", false, None, Some(Some(&free))), Next::Do(EndStep::Delete));
        assert_eq!(
            asked("unless-projects", false, Some(true), Some(Some(&owner))),
            Next::Do(EndStep::Delete)
        );
        let held = asked("unless-projects", false, None, Some(Some(&owner)));
        assert!(matches!(held, Next::Do(EndStep::Hold(_))));
    }
}
