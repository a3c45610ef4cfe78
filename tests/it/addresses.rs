//! Which addresses are somebody's: how they compare, and what GitHub tells that is nobody's.

use crate::standin::GithubUser;
use crate::world::{Truth, World, BOTH};

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

#[test]
fn githubs_no_reply_addresses_identify_nobody() {
    for truth in BOTH {
        let world = World::new(truth);
        let private = "7+zoe@users.noreply.github.com";
        world.sentry.add_member(private);
        let zoe = world.github.add_person(GithubUser::new("zoe").email(private));
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, zoe));
        assert!(!world.members("crew").unwrap_or_default().contains(&private.into()));
        let (_, told, _) = world.command(&["whois", "zoe"]);
        assert!(told.contains(&format!("{private} (GitHub's no-reply address")), "{told}");
        let why = world.status()["unmatched"][0]["why"].to_string();
        assert!(why.contains("no address is known") && why.contains("GitHub's no-reply address"), "{why}");
    }
}

#[test]
fn a_managed_users_address_with_githubs_tag_is_told_with_its_likely_cause() {
    let world = World::new(Truth::Github);
    world.sentry.add_member("ada@corp.test");
    let ada = world.github.add_person(GithubUser::new("ada_acme").saml("ada+acme@corp.test"));
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ada));
    let cause = "(GitHub adds +acme to the addresses of managed users; Sentry member ";
    let (_, told, _) = world.command(&["whois", "ada_acme"]);
    let told = told.replace('\n', " ");
    assert!(told.contains(cause) && told.contains("has it without"), "{told}");
    let unmatched = &world.status()["unmatched"][0];
    assert!(unmatched["why"].to_string().contains(cause), "{unmatched}");
    let help = unmatched["help"].to_string();
    assert!(help.contains("SYNC_USER_MAP") && !help.contains("invite"), "{help}");
}
