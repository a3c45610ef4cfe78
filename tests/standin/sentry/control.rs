//! What a test does with today's Sentry beyond people, teams and tokens: regions, what is sold and switched on, integrations,
//! and counting calls that run at once.

use super::era::{Era, Silo};
use super::site::SentrySite;
use super::world::World;
use super::SentryStandin;
use crate::standin::http::lock;
use crate::standin::wire::Host;
use std::io;
use std::sync::Arc;

impl SentryStandin {
    /// Which era is played.
    pub fn era(&self) -> Era {
        lock(&self.world).era
    }

    /// An upgrade, or the way back: the same teams and people, under another program.
    pub fn set_era(&self, era: Era) {
        lock(&self.world).era = era;
    }

    /// Somebody deletes a team in Sentry: it is pending until [`SentryStandin::tick`].
    pub fn begin_deletion(&self, team: u64) {
        let _ = super::teams::delete(&mut lock(&self.world), self.org, team);
    }

    /// The host `NAME.sentry.io` of the same Sentry, with a port and a wire of its own. From now on the organisations of
    /// that region say that they are there.
    pub fn region_host(&self, region: &str) -> io::Result<SentryStandin> {
        let site = SentrySite {
            world: Arc::clone(&self.world),
            counters: Arc::clone(&self.counters),
            silo: Silo::Region(region.to_owned()),
        };
        let host = Arc::new(Host::start(0, site)?);
        let wire = host.wire.clone();
        let standin = SentryStandin { host, wire, ..self.clone() };
        lock(&self.world).region_hosts.insert(region.to_owned(), standin.url());
        Ok(standin)
    }

    /// The organisation lives in this region from now on (`us` at the start).
    pub fn set_region(&self, region: &str) {
        self.with_org(|org| org.region = region.to_owned());
    }

    /// Whether a gateway stands before the regions' own hosts too, and answers for unknown organisations with nothing (it does
    /// at the start). Else those hosts answer by themselves, in the usual words.
    pub fn set_gateway_everywhere(&self, on: bool) {
        lock(&self.world).gateway_everywhere = on;
    }

    /// The organisation's id, which today's servers take in place of its slug.
    pub fn org_id(&self) -> u64 {
        self.org
    }

    /// Whether the organisation's identity provider has SCIM switched on (off at the start).
    pub fn set_scim(&self, on: bool) {
        self.with_org(|org| org.scim = on);
    }

    /// Whether the plan lets anybody be invited (it does at the start).
    pub fn set_may_invite(&self, may: bool) {
        self.with_org(|org| org.invites = may);
    }

    /// Whether the plan has code owners, and with them external teams (it does at the start).
    pub fn set_codeowners(&self, on: bool) {
        self.with_org(|org| org.codeowners = on);
    }

    /// A project has a CODEOWNERS file, with these names in it.
    pub fn set_codeowners_file(&self, project: &str, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.with_org(|org| drop(org.codeowners_files.insert(project.to_owned(), names)));
    }

    /// Installs an integration such as `github`, `github.com/acme`; gives its id. Links to GitHub names that are added from
    /// now on belong to the first one with `github`; where there is none, one is made.
    pub fn add_integration(&self, provider: &str, domain: &str) -> u64 {
        lock(&self.world).add_integration(self.org, provider, domain)
    }

    /// Removes all integrations with GitHub.
    pub fn drop_integrations(&self) {
        self.with_org(|org| org.integrations.retain(|_, own| own.provider != "github"));
    }

    /// Unlinks a team from a name, as a person does.
    pub fn drop_external_team(&self, team: u64, name: &str) {
        self.with_org(|org| {
            let team = org.teams.get_mut(&team);
            team.into_iter().for_each(|team| team.external.retain(|row| row.name != name));
        });
    }

    /// Suspends a member's user, or ends that.
    pub fn set_suspended(&self, member: u64, suspended: bool) {
        self.with_user(member, |user| user.suspended = suspended);
    }

    /// Gives a member another organisation role.
    pub fn set_role(&self, member: u64, role: &str) {
        self.with_org(|org| {
            if let Some(row) = org.members.get_mut(&member) {
                row.role = role.to_owned();
            }
        });
    }

    /// The names that a team is linked to, sorted: (provider, name).
    pub fn external_teams(&self, team: u64) -> Vec<(String, String)> {
        self.with_org(|org| {
            let rows = org.teams.get(&team).into_iter().flat_map(|team| &team.external);
            let mut rows: Vec<_> = rows.map(|row| (row.provider.clone(), row.name.clone())).collect();
            rows.sort();
            rows
        })
    }

    /// The most calls that ever ran at once, on all hosts of this Sentry together.
    pub fn most_at_once(&self) -> u64 {
        self.counters.most_at_once()
    }

    /// Counts them anew from now on.
    pub fn reset_most_at_once(&self) {
        self.counters.reset_most_at_once();
    }
}
