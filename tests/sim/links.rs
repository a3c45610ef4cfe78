//! CODEOWNERS links in a sequence: at rest each mirrored team's name means its Sentry team, and no row of others has changed.

use std::time::Duration;

use super::play::{Done, Sequence};
use super::rules::Failure;
use super::sides::Truth;

/// A name that a person has linked to the foreign team: a GitHub team may get that name.
const TAKEN: &str = "@acme/gamma";
/// What bars links is looked at again after an hour.
const AN_HOUR: Duration = Duration::from_secs(3700);

impl Sequence {
    /// What people have linked before the mirror.
    pub fn link_by_hand(&self) {
        if self.profile.links {
            self.sides.sentry.add_external_team(self.foreign, TAKEN);
        }
    }

    /// Beside the stranger, somebody gives a team a name of their own, or takes the mirror's away.
    pub fn visit_links(&mut self, team: u64) {
        if !self.profile.links {
            return;
        }
        let name = format!("@acme/by-hand-{team}");
        let names = self.sides.sentry.external_teams(team);
        if !names.iter().any(|(_, known)| *known == name) {
            self.sides.sentry.add_external_team(team, &name);
            self.by_hand.insert((team, name));
        }
        // Whoever compares sees it; a delivery does not.
        let ours = names.into_iter().find(|(_, name)| !name.contains("by-hand"));
        if let Some((_, name)) = ours.filter(|_| self.profile.truth == Truth::Github) {
            self.sides.sentry.drop_external_team(team, &name);
            self.say(&format!("the link of {name} to Sentry team {team} is taken away by hand"));
        }
    }

    /// A refusal may have been taken for the plan's: that is looked at again.
    pub fn wait_out_what_bars_links(&mut self) {
        if self.profile.links && self.has_said("CODEOWNERS links are not made") {
            self.pass(AN_HOUR);
        }
    }

    /// What people have linked is as it was.
    pub fn check_links_of_others(&self) -> Done {
        if !self.profile.links {
            return Ok(());
        }
        let rule = "no_link_of_others_is_touched";
        let foreign = self.sides.sentry.external_teams(self.foreign);
        if foreign != [("github".to_owned(), TAKEN.to_owned())] {
            return Err(Failure::new(rule, format!("the foreign team has {foreign:?}")));
        }
        for (team, name) in &self.by_hand {
            let is_there = self.sides.sentry.team_of_id(*team).is_some();
            let names = self.sides.sentry.external_teams(*team);
            if is_there && !names.iter().any(|(_, known)| known == name) {
                return Err(Failure::new(rule, format!("{name} of Sentry team {team}")));
            }
        }
        Ok(())
    }

    /// The names of GitHub's teams that do not mean their Sentry teams, and those that mean two.
    pub fn unlinked(&self) -> Vec<String> {
        // In payload mode nothing is compared: what was refused is tried again with the team's next event.
        let is_told_only = self.profile.truth == Truth::Deliveries;
        // Nor is the name of a team that a person has kept from its end, whose row is no longer the mirror's.
        let is_left = self.has_said("CODEOWNERS links are not made") || !self.refused.is_empty();
        // A link of which the disk has forgotten that it is the mirror's is somebody else's, and stays.
        if !self.profile.links || is_told_only && is_left || self.rotten.is_some() {
            return Vec::new();
        }
        let teams = self.sides.sentry.teams();
        let mut wrong = Vec::new();
        for team in self.sides.github.teams().into_values() {
            let (name, slug) = (format!("@acme/{}", team.slug), self.sentry_slug(&team));
            let Some(own) = teams.get(&slug).map(|team| team.id) else { continue };
            let fits = team.slug.chars().all(|c| c.is_alphanumeric() || "_.-".contains(c));
            if !fits || team.slug.is_empty() || name == TAKEN {
                continue;
            }
            let has = |id: u64| self.sides.sentry.external_teams(id).iter().any(|(_, known)| *known == name);
            let with: Vec<_> = teams.values().map(|team| team.id).filter(|id| has(*id)).collect();
            // What a team that was brought back was given back counts as a person's, and does not follow its next name.
            let is_given_back = with.len() == 1 && self.has_said("brought back Sentry team");
            if with != [own] && !is_given_back {
                wrong.push(format!("link {name}: means Sentry teams {with:?} and not {own}"));
            }
        }
        wrong
    }
}
