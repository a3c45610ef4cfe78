//! Lists of more than one page.

use crate::model::org::Org;
use crate::standin::rng::Rng;
use crate::standin::{Events, GithubToken};
use crate::world::World;

/// One team has more people than a page; now and then all of GitHub's lists come in pages.
pub(super) fn come(world: &mut World, org: &mut Org, rng: &mut Rng) {
    org.add_crowd(world);
    if rng.percent(50.0) {
        read_by_rest(world, org);
    }
}

/// GraphQL is refused to the token: lists come in pages. Then a user map is what a comparison may take somebody out by.
fn read_by_rest(world: &mut World, org: &mut Org) {
    let token = world.github.add_token(GithubToken::members_read(world.olive).without_graphql());
    world.set("GH_TOKEN", &token);
    let map = world.dir.0.join("people.csv");
    std::fs::write(&map, org.user_map()).expect("a map");
    world.github.set_events(Events { deleted_children: true, ..Events::default() });
    world.set("SYNC_USER_MAP", map.to_str().expect("a plain path"));
}
