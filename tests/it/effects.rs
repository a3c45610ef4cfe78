//! Each event arrives in Sentry, in both modes, with the original's permissions.

use crate::world::{World, BOTH};

#[test]
fn four_variables_and_the_originals_permissions_are_enough_for_every_event() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let ana = world.person("ana");
        world.start();
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.send(&created);
        world.wait_until("the team is made", || world.members("crew").is_some());
        world.send(&world.github.add_member(crew, ana));
        world.wait_until("ana is in", || {
            world.members("crew").is_some_and(|members| members.contains(&"ana@acme.test".into()))
        });
        let id = world.sentry.teams()["crew"].id;
        world.send(&world.github.rename_team(crew, "Night Crew"));
        world.wait_until("renamed", || world.members("night-crew").is_some());
        let renamed = &world.sentry.teams()["night-crew"];
        assert_eq!((renamed.id, renamed.name.as_str()), (id, "Night Crew"));
        assert!(renamed.members.contains(&"ana@acme.test".into()), "a rename keeps the members");
        world.send(&world.github.remove_member(crew, ana));
        world.wait_until("ana is out", || {
            world.members("night-crew").is_some_and(|members| !members.contains(&"ana@acme.test".into()))
        });
        world.send(&world.github.delete_team(crew));
        world.wait_until("deleted", || world.sentry.teams().is_empty());
        world.wait_for_rest();
    }
}
