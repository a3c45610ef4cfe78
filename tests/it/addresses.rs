//! Which addresses are somebody's: how they compare, and what GitHub tells that is nobody's.

use crate::standin::GithubUser;
use crate::world::{World, BOTH};

#[test]
fn an_address_that_only_looks_like_somebody_elses_puts_nobody_into_their_place() {
    for truth in BOTH {
        let world = World::new(truth);
        world.sentry.add_member("kai@acme.test");
        // U+212A is a K, and `k` once Unicode has folded it; Sentry's own search folds like that.
        let eve = world.github.add_person(GithubUser::new("eve").email("\u{212a}ai@acme.test"));
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, eve));
        assert!(!world.members("crew").unwrap_or_default().contains(&"kai@acme.test".into()));
        let (_, told, _) = world.command(&["whois", "eve"]);
        assert!(told.contains("nobody in Sentry"), "{told}");
    }
}
