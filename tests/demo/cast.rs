//! Who is who at the company before the play begins, on both sides.

use std::time::{Duration, SystemTime};

use crate::standin::{GithubTeam, GithubUser, NewMember};
use crate::world::{Truth, World};

/// GitHub ids of the people and of the team that was there before.
pub struct Cast {
    /// An owner of the organisation.
    pub olive: u64,
    /// In Payments from the beginning.
    pub ana: u64,
    /// Known to Sentry by the GitHub account that is linked there.
    pub ben: u64,
    /// Known by an address on the company's verified domain.
    pub chen: u64,
    /// Known by the public address of her profile.
    pub dora: u64,
    /// Known too.
    pub max: u64,
    /// A new colleague: on GitHub already, in Sentry not yet.
    pub zoe: u64,
    /// A team with a history in Sentry.
    pub payments: u64,
}

/// The projects in Sentry and the team that owns each.
pub const PROJECTS: [(&str, &str); 3] =
    [("checkout", "payments"), ("invoices", "billing"), ("mobile-app", "mobile")];

/// GitHub and Sentry as they are when the service is installed.
pub fn before_the_play() -> (World, Cast) {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.set("RUST_LOG", "info");
    let address = |login: &str| format!("{login}@acme.test");
    let ben = world.github.add_person(GithubUser::new("ben"));
    world.sentry.add_member(NewMember::new(&address("ben")).github_user("@ben", ben));
    world.sentry.add_member(NewMember::new(&address("chen")));
    let cast = Cast {
        olive: world.olive,
        ana: world.person("ana"),
        ben,
        chen: world.github.add_person(GithubUser::new("chen").verified(&address("chen"))),
        dora: world.person("dora"),
        max: world.person("max"),
        zoe: world.github_only("zoe"),
        payments: world.github.add_team(GithubTeam::new("Payments").created(long_ago())),
    };
    world.github.join(cast.payments, cast.ana);
    for (slug, name, login) in
        [("payments", "Payments", "ana"), ("billing", "Billing", "olive"), ("mobile", "Mobile", "dora")]
    {
        let team = world.sentry.add_team(slug, name);
        if let Some(member) = world.sentry.member_id(&address(login)) {
            world.sentry.join(team, member);
        }
    }
    for (project, slug) in PROJECTS {
        world.sentry.add_project(world.sentry.teams()[slug].id, project);
    }
    (world, cast)
}

/// A team this old was there before any installation.
fn long_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(400 * 24 * 3600)
}
