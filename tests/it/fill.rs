//! Everybody gets into a team that was made or adopted, also when reading its people fails at that moment.

use crate::standin::{Fault, Rule};
use crate::world::{Truth, World};

#[test]
fn people_of_an_adopted_team_arrive_although_its_members_could_not_be_read_at_first() {
    for truth in [Truth::Deliveries, Truth::Github] {
        let mut world = World::new(truth);
        let ana = world.person("ana");
        world.sentry.add_team("crew", "Crew");
        world.sentry.wire.script(Rule::new("GET /teams/{org}/{slug}/members/", Fault::Status(502)));
        world.start();
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.send(&created);
        world.send(&world.github.add_member(crew, ana));
        world.wait_for_rest();
        let (code, out, err) = world.command(&["approve", "--all"]);
        assert_eq!(code, 0, "{out}{err}");
        world.wait_until("ana is in", || {
            world.members("crew").is_some_and(|members| members.contains(&"ana@acme.test".into()))
        });
        world.wait_for_rest();
    }
}
