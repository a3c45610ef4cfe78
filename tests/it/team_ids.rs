//! Today's Sentry takes a team's id in the place of its slug: bound teams are addressed by it, and an id that answers proves
//! no more than a slug did. On 23.7.1 everything goes by slug, as ever.

use crate::standin::{Call, Delivery, Era, SentryStandin, Silo, ERAS};
use crate::world::{Played, Truth, World, BOTH};

const KNOWN: &str = "addressing Sentry's teams by ";

/// A running world with the mirrored team `crew`, of which the program knows how it is addressed.
fn with_crew(world: World) -> (World, u64) {
    let (mut world, crew) = world.with_crew();
    let by = if world.sentry.era() == Era::Today { "ids" } else { "slugs" };
    restart(&mut world);
    world.service_mut().wait_for_line(&format!("{KNOWN}{by}"));
    (world, crew)
}

/// Ends it, starts it, and waits until it has looked round.
fn restart(world: &mut World) {
    let mark = world.sentry.wire.mark();
    world.crash_and_restart();
    world.wait_until("it has looked round", || {
        let has_read = |path: &str| world.sentry.wire.calls_since(mark).iter().any(|c| c.path.contains(path));
        match world.status()["mode"].as_str() {
            Some("read") => world.status()["last_reconcile"].is_object(),
            _ => has_read("/members/?"),
        }
    });
    world.wait_for_rest();
}

/// Each pair of a truth and an era, all at once: each of them waits most of the time.
fn everywhere(play: impl Fn(Truth, Era) + Sync) {
    let play = &play;
    std::thread::scope(|scope| {
        for truth in BOTH {
            ERAS.into_iter().for_each(|era| drop(scope.spawn(move || play(truth, era))));
        }
    });
}

/// What a delivery has asked of Sentry: methods, and what of the address comes after `/teams/`.
fn asked(world: &World, deliveries: &[Delivery]) -> Vec<String> {
    let mark = world.sentry.wire.mark();
    let (status, note) = world.settle(deliveries);
    assert_eq!(status, "done", "{note}");
    said(world, mark)
}

fn said(world: &World, mark: usize) -> Vec<String> {
    let calls = world.sentry.wire.calls_since(mark).into_iter();
    let short = |path: &str| {
        let path = path.split('?').next().unwrap_or_default();
        path.rsplit_once("/teams/").map_or(path, |(_, rest)| rest).trim_end_matches('/').to_owned()
    };
    calls.map(|call| format!("{} {} {}", call.method, short(&call.path), call.status)).collect()
}

fn id_of(world: &World, slug: &str) -> u64 {
    world.sentry.teams()[slug].id
}

#[test]
fn an_event_and_a_rename_cost_no_more_than_promised_by_id_and_by_slug() {
    everywhere(|truth, era| {
        let world = World::in_era(truth, era);
        let ana = world.person("ana");
        let (mut world, crew) = with_crew(world);
        let id = id_of(&world, "crew");
        let key = |slug: &str| if era == Era::Today { id.to_string() } else { slug.to_owned() };
        world.settle(&world.github.add_member(crew, ana));
        world.settle(&world.github.remove_member(crew, ana));
        // What was found out outlives a restart.
        restart(&mut world);
        assert!(!world.service().text().contains(KNOWN), "{truth:?} {era:?}: it was known");
        let added = world.github.add_member(crew, ana);
        assert_eq!(asked(&world, &added), [format!("POST {} 201", key("crew"))], "{truth:?} {era:?}");
        let removed = world.github.remove_member(crew, ana);
        assert_eq!(asked(&world, &removed), [format!("DELETE {} 200", key("crew"))]);
        let there = world.github.wire.mark();
        let renamed = world.github.rename_team(crew, "Band");
        let at = format!("acme-sentry/{}", key("crew"));
        assert_eq!(asked(&world, &renamed), [format!("GET {at} 200"), format!("PUT {at} 200")]);
        let n_reads = world.github.wire.calls_since(there).len();
        assert!(n_reads <= usize::from(truth == Truth::Github), "{n_reads} calls of GitHub");
        assert_eq!(id_of(&world, "band"), id);
        let probes = world.sentry.wire.calls();
        let probe = format!("/teams/acme-sentry/{id}/?collapse=organization");
        let n = probes.iter().filter(|call| call.path.ends_with(&probe)).count();
        assert_eq!(n, if era == Era::Today { 2 } else { 1 }, "once to find out, and once before the rename");
    });
}

#[test]
fn a_team_renamed_in_sentry_is_met_where_it_is() {
    for truth in BOTH {
        let world = World::in_era(truth, Era::Today);
        let ana = world.person("ana");
        let (world, crew) = with_crew(world);
        let id = id_of(&world, "crew");
        world.sentry.rename_team(id, "by-hand", "By hand");
        // Somebody else has the old slug: nobody is put into that.
        let other = world.sentry.add_team("crew", "Another crew");
        let added = world.github.add_member(crew, ana);
        let (post, by_id, by_slug) = (
            format!("POST {id} 201"),
            format!("GET acme-sentry/{id} 200"),
            "GET acme-sentry/by-hand 200".to_owned(),
        );
        assert_eq!(asked(&world, &added), [post, by_id.clone(), by_slug.clone()]);
        assert_eq!(world.members("crew"), Some(vec![]));
        // It is followed: the next event is one call again.
        let removed = world.github.remove_member(crew, ana);
        assert_eq!(asked(&world, &removed), [format!("DELETE {id} 200")]);
        world.sentry.rename_team(id, "again", "Again");
        let renamed = world.github.rename_team(crew, "Band");
        let asked = asked(&world, &renamed);
        assert_eq!(
            asked,
            [by_id, by_slug.replace("by-hand", "again"), format!("PUT acme-sentry/{id} 200")],
            "{truth:?}"
        );
        assert_eq!((id_of(&world, "band"), id_of(&world, "crew")), (id, other));
    }
}

#[test]
fn two_teams_whose_slugs_were_swapped_in_sentry_keep_their_people_apart() {
    for truth in BOTH {
        let world = World::in_era(truth, Era::Today);
        let (ana, ben) = (world.person("ana"), world.person("ben"));
        let (world, crew) = with_crew(world);
        let (deck, made) = world.github.create_team("Deck", world.olive);
        world.settle(&made);
        let (crew_id, deck_id) = (id_of(&world, "crew"), id_of(&world, "deck"));
        world.sentry.rename_team(crew_id, "x", "Crew");
        world.sentry.rename_team(deck_id, "crew", "Deck");
        world.sentry.rename_team(crew_id, "deck", "Crew");
        world.settle(&world.github.add_member(crew, ana));
        world.settle(&world.github.add_member(deck, ben));
        let people = |id| {
            let (_, team) = world.sentry.team_of_id(id).unwrap();
            team.members.into_iter().filter(|address| !address.starts_with("olive")).collect::<Vec<_>>()
        };
        assert_eq!(people(crew_id), ["ana@acme.test"], "{truth:?}");
        assert_eq!(people(deck_id), ["ben@acme.test"], "{truth:?}");
        assert!(!world.audit().iter().any(|line| line["decision"] == "take back member"), "{truth:?}");
        // GitHub's next word on each name puts it right, one after the other.
        world.settle(&world.github.rename_team(crew, "Band"));
        world.settle(&world.github.rename_team(deck, "Bridge"));
        assert_eq!((id_of(&world, "band"), id_of(&world, "bridge")), (crew_id, deck_id));
    }
}

/// What comes to a team that somebody is deleting in Sentry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// Somebody who is not in it.
    Added,
    /// Somebody who is in it: an answer without any word on the team.
    AddedAgain,
    Removed,
    Renamed,
    Deleted,
}

#[test]
fn a_team_whose_deletion_is_pending_is_gone_although_its_id_answers() {
    let all = [News::Added, News::AddedAgain, News::Removed, News::Renamed, News::Deleted];
    everywhere(|truth, era| all.into_iter().for_each(|news| gone_although_it_answers(truth, era, news)));
}

fn gone_although_it_answers(truth: Truth, era: Era, news: News) {
    let about = format!("{truth:?} {era:?} {news:?}");
    let world = World::in_era(truth, era);
    let (ana, ben) = (world.person("ana"), world.person("ben"));
    let (world, crew) = with_crew(world);
    world.settle(&world.github.add_member(crew, ana));
    let id = id_of(&world, "crew");
    world.sentry.begin_deletion(id);
    let pending = world.sentry.pending_deletions();
    let deliveries = match news {
        News::Added => world.github.add_member(crew, ben),
        News::AddedAgain => {
            world.github.leave(crew, ana);
            world.github.add_member(crew, ana)
        }
        News::Removed => world.github.remove_member(crew, ana),
        News::Renamed => world.github.rename_team(crew, "Band"),
        News::Deleted => world.github.delete_team(crew),
    };
    assert_eq!(world.settle(&deliveries).0, "done", "{about}");
    world.wait_for_rest();
    assert_eq!(world.sentry.pending_deletions(), pending, "{about}: not renamed");
    let slug = if news == News::Renamed { "band" } else { "crew" };
    if news == News::Deleted {
        assert!(world.sentry.teams().is_empty(), "{about}");
        return;
    }
    assert_ne!(id_of(&world, slug), id, "{about}: made anew");
    let people: &[&str] = match news {
        News::Added => &["ana", "ben"],
        News::Removed => &[],
        _ => &["ana"],
    };
    world.wait_for_members(slug, people);
}

#[test]
fn a_long_slug_is_a_teams_own_through_its_deletion_and_proves_nothing() {
    let mut world = World::in_era(Truth::Github, Era::Today);
    let ana = world.person("ana");
    // Adopted: the mirror itself makes no slug that long.
    let name = "a".repeat(50);
    let crew = world.old_team(&name);
    let sentry = world.sentry.add_team(&name, &name);
    world.set("SYNC_FIRST", "apply");
    world.start();
    world.wait_until("it is adopted", || world.status()["teams"] == 1);
    restart(&mut world);
    world.service_mut().wait_for_line(&format!("{KNOWN}ids"));
    world.sentry.begin_deletion(sentry);
    assert_eq!(world.sentry.pending_deletions(), [name.as_str()]);
    let (_, note) = world.settle(&world.github.rename_team(crew, "Band"));
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_members("band", &["ana"]);
    assert_ne!(id_of(&world, "band"), sentry, "{note}");
    assert_eq!(world.sentry.pending_deletions(), [name.as_str()]);
}

#[test]
fn an_older_sentry_after_a_newer_one_goes_by_slug_at_the_first_contradiction() {
    for truth in BOTH {
        for renamed in [false, true] {
            let world = World::with(truth, Played::self_hosted()).may_list_teams();
            let ana = world.person("ana");
            let (world, crew) = with_crew(world);
            let id = id_of(&world, "crew");
            world.sentry.set_era(Era::V23_7_1);
            // A team with the id for its slug is somebody else's.
            let other = world.sentry.add_team(&id.to_string(), "Digits");
            if renamed {
                world.sentry.rename_team(id, "by-hand", "By hand");
            }
            world.settle(&world.github.rename_team(crew, "Band"));
            world.settle(&world.github.add_member(crew, ana));
            assert!(world.service().text().contains("Sentry no longer accepts team ids"), "{truth:?}");
            world.wait_for_members("band", &["ana"]);
            assert_eq!(id_of(&world, "band"), id);
            assert_eq!(world.sentry.team_of_id(other).unwrap().1.members, [""; 0]);
            let removed = world.github.remove_member(crew, ana);
            assert_eq!(asked(&world, &removed), ["DELETE band 200"], "{truth:?}: without asking by id first");
        }
    }
}

#[test]
fn an_event_meets_the_contradiction_too_and_comes_through() {
    for truth in BOTH {
        let world = World::with(truth, Played::self_hosted());
        let ana = world.person("ana");
        let (mut world, crew) = with_crew(world);
        let id = id_of(&world, "crew");
        world.sentry.set_era(Era::V23_7_1);
        world.settle(&world.github.add_member(crew, ana));
        world.wait_for_members("crew", &["ana"]);
        assert_eq!((id_of(&world, "crew"), world.sentry.n_teams_ever()), (id, 1));
        // That is kept, too.
        restart(&mut world);
        let removed = world.github.remove_member(crew, ana);
        assert_eq!(asked(&world, &removed), ["DELETE crew 200"], "{truth:?}");
    }
}

#[test]
fn a_newer_sentry_after_an_older_one_goes_by_id_at_the_first_answer_to_one() {
    for truth in BOTH {
        let world = World::with(truth, Played { era: Era::V23_7_1, silo: Silo::Monolith });
        let ana = world.person("ana");
        let (world, crew) = with_crew(world);
        let id = id_of(&world, "crew");
        world.sentry.set_era(Era::Today);
        let added = world.github.add_member(crew, ana);
        assert_eq!(asked(&world, &added), ["POST crew 201"], "nothing has told it yet");
        world.sentry.rename_team(id, "by-hand", "By hand");
        world.settle(&world.github.remove_member(crew, ana));
        assert!(world.service().text().contains(&format!("{KNOWN}ids")), "{truth:?}");
        let added = world.github.add_member(crew, ana);
        assert_eq!(asked(&world, &added), [format!("POST {id} 201")]);
        assert_eq!((world.sentry.n_teams_ever(), id_of(&world, "by-hand")), (1, id));
    }
}

#[test]
fn on_another_host_an_id_that_answers_under_another_slug_is_left_alone() {
    for truth in BOTH {
        let world = World::in_era(truth, Era::Today);
        let ana = world.person("ana");
        let (mut world, crew) = with_crew(world);
        let id = id_of(&world, "crew");
        let other = SentryStandin::start_in(Era::Today, "acme-sentry").unwrap();
        other.add_member("olive@acme.test");
        other.add_member("ana@acme.test");
        assert_eq!(other.add_team("payments", "Payments"), id, "ids are counted there too");
        let token = other.add_token(crate::standin::mirror_permissions());
        world.take_service().stop("-TERM");
        world.set("SENTRY_URL", &other.url());
        world.set("SENTRY_TOKEN", &token);
        world.start();
        let added = world.github.add_member(crew, ana);
        world.send(&added);
        world.service_mut().wait_for_line("SENTRY_URL or SENTRY_ORG_SLUG has changed");
        let (slug, team) = other.team_of_id(id).unwrap();
        assert_eq!((slug.as_str(), team.name.as_str(), team.members.len()), ("payments", "Payments", 0));
        assert_eq!(other.n_teams_ever(), 1);
        let calls = other.wire.calls();
        // A write goes by the slug, which no team has there; one may be under way at this moment.
        let is_harmless = |call: &Call| call.method == "GET" || call.path.ends_with("/teams/crew/");
        assert!(calls.iter().all(is_harmless), "{truth:?}: {calls:#?}");
        // The very team of before, after all: it has its slug back, and everything goes on.
        other.rename_team(id, "crew", "Crew");
        world.crash_and_restart();
        world.wait_until("it goes on", || {
            other.teams()["crew"].members.iter().any(|address| address == "ana@acme.test")
        });
        assert_eq!((other.teams().len(), other.teams()["crew"].id), (1, id), "{truth:?}");
    }
}
