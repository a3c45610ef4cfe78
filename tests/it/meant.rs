//! Which team and which person is meant: the same names by every command, and one that nobody knows is an error.

use crate::standin::NewMember;
use crate::world::{Truth, World, BOTH};

/// A service that mirrors `crew` with ana in it.
fn with_ana(truth: Truth) -> (World, u64, u64) {
    let world = World::new(truth);
    let ana = world.person("ana");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    (world, crew, ana)
}

#[test]
fn a_team_is_meant_however_it_is_written_by_every_command() {
    let (mut world, crew, _) = with_ana(Truth::Github);
    world.wait_for_rest();
    let id = [format!("id:{crew}"), format!("ID:{crew}")];
    let page = "https://github.com/orgs/acme/teams/crew".to_string();
    let names: Vec<_> = ["crew", "CREW", "@acme/crew", "Acme/Crew", "#crew"]
        .map(String::from)
        .into_iter()
        .chain(id)
        .chain([page])
        .collect();
    let explained = world.command(&["explain", "crew"]);
    let audited = world.command(&["audit", "--team", "crew"]);
    assert_eq!((explained.0, audited.0), (0, 0));
    assert!(
        explained.1.starts_with(&format!("crew (GitHub team {crew})\n"))
            && audited.1.contains("add member        crew              ana: ")
    );
    for name in &names {
        assert_eq!(world.command(&["explain", name]), explained, "{name}");
        assert_eq!(world.command(&["audit", "--team", name]), audited, "{name}");
        let (code, plan, talk) = world.command(&["sync", "--team", name]);
        assert_eq!(
            (code, plan.as_str(), talk.as_str()),
            (0, "in sync: 1 team in sync, 0 left out\n", ""),
            "{name}"
        );
    }
    // A team of another organisation is none of ours, though it has the same slug.
    let why = "error: `other` is another organisation than `acme`, whose teams are mirrored here\n";
    for args in [
        &["explain", "@other/crew"][..],
        &["audit", "--team", "@other/crew"],
        &["sync", "--team", "@other/crew"],
    ] {
        let (code, _, talk) = world.command(args);
        assert!(code == 1 && talk.starts_with(why), "{args:?}: {talk}");
    }
    // A deleted one is brought back by the same names.
    world.settle(&world.github.delete_team(crew));
    for name in ["@acme/CREW", &format!("id:{crew}")] {
        let (code, said, talk) = world.command(&["undo", name]);
        assert!(code == 0 && said.contains("Sentry team `crew` "), "{name}: {said}{talk}");
    }
    let (code, _, talk) = world.command(&["undo", "@other/crew"]);
    assert!(code == 1 && talk.starts_with(why), "{talk}");
    // Without a service too.
    world.take_service().stop("-TERM");
    for name in &names {
        assert_eq!(world.command(&["audit", "--team", name]).0, 0, "{name}");
    }
}

#[test]
fn a_team_or_a_person_that_nobody_knows_is_an_error_by_every_command() {
    let (mut world, ..) = with_ana(Truth::Github);
    for is_running in [true, false] {
        if !is_running {
            world.take_service().stop("-TERM");
        }
        let who = if is_running { "there is no trace of" } else { "the audit log never mentions" };
        for args in [
            &["audit", "--team", "crow"][..],
            &["audit", "--team", "id:1"],
            &["audit", "--team", "crew", "--team", "crow"],
        ] {
            let (code, said, talk) = world.command(args);
            assert_eq!((code, said.as_str()), (1, ""), "{args:?}");
            assert!(
                talk.starts_with(&format!("error: {who} a team ")) && talk.contains(&world.shown("explain")),
                "{args:?}: {talk}"
            );
        }
        for person in ["nobody", "id:1"] {
            let (code, said, talk) = world.command(&["audit", "--person", person]);
            assert_eq!((code, said.as_str()), (1, ""), "{person}");
            assert!(talk.starts_with(&format!("error: {who} a person with ")), "{talk}");
        }
        // Known, and nothing to tell: no error.
        let (code, said, talk) = world.command(&["audit", "--team", "crew", "--since", "2999-01-01"]);
        assert_eq!((code, said.as_str(), talk.as_str()), (0, "", "the audit log has no matching lines\n"));
    }
    let (code, _, talk) = world.alone(&["sync", "--team", "id:1"]);
    assert!(code == 1 && talk.starts_with("error: GitHub shows no team with the id 1\n"), "{talk}");
}

#[test]
fn a_person_is_meant_however_they_are_written() {
    for truth in BOTH {
        let (world, _, ana) = with_ana(truth);
        let told = world.command(&["whois", "ana"]);
        assert!(told.0 == 0 && told.1.starts_with(&format!("ana (GitHub user {ana})\n")), "{told:?}");
        let audited = world.command(&["audit", "--person", "ana"]);
        assert!(
            audited.0 == 0 && audited.1.contains("add member        crew              ana: "),
            "{audited:?}"
        );
        for name in ["@ana", "ANA", &format!("id:{ana}"), "https://github.com/ana"] {
            assert_eq!(world.command(&["whois", name]), told, "{name}");
            assert_eq!(world.command(&["audit", "--person", name]), audited, "{name}");
        }
        assert_eq!(world.command(&["audit", "--person", "Ana@acme.test"]), audited);
        let (code, _, talk) = world.command(&["whois", "id:1"]);
        assert!(code == 1 && talk.starts_with("error: GitHub has no account with the id 1"), "{talk}");
    }
}

#[test]
fn an_address_is_told_with_its_member_and_the_account_that_is_matched_with_them() {
    let (mut world, _, ana) = with_ana(Truth::Github);
    let member = world.sentry.member_id("ana@acme.test").unwrap();
    let (code, said, talk) = world.command(&["whois", "Ana@Acme.test"]);
    assert_eq!((code, talk.as_str()), (0, ""));
    let begin = format!("ana@acme.test\n  Sentry member {member}: ");
    assert!(said.starts_with(&begin), "{said}");
    let matched = format!("    matches `ana` (GitHub user {ana}) by public since 20");
    assert!(said.contains(&matched) && said.contains(&world.shown(&format!("whois id:{ana}"))), "{said}");
    // A member whom nobody on GitHub is, and an address that nobody has.
    world.sentry.add_member(NewMember::new("bob@acme.test"));
    let (code, said, _) = world.command(&["whois", "bob@acme.test"]);
    assert!(code == 0 && said.ends_with("    no GitHub account matches this member\n"), "{said}");
    let (code, _, talk) = world.command(&["whois", "eve@acme.test"]);
    assert!(
        code == 1 && talk.starts_with("error: no Sentry member has the address `eve@acme.test`\n"),
        "{talk}"
    );
    // Where no service runs, Sentry is asked by the command itself; the audit log alone cannot ask.
    world.take_service().stop("-TERM");
    let (code, said, talk) = world.alone(&["whois", "ana@acme.test"]);
    assert!(code == 0 && said.contains(&matched), "{said}{talk}");
    let (code, _, talk) = world.command(&["audit", "--person", "ana@acme.test"]);
    assert!(code == 1 && talk.starts_with("error: an e-mail address is looked up in Sentry"), "{talk}");
}

#[test]
fn holds_and_deliveries_are_meant_in_capitals_too() {
    let (world, crew, _) = with_ana(Truth::Github);
    let team = world.sentry.teams()["crew"].id;
    let bob = world.person("bob");
    world.sentry.set_idp_provisioned(team, true);
    let added = world.github.add_member(crew, bob);
    world.send(&added);
    world.wait_until("it failed", || world.status()["failed"] == 1);
    world.sentry.set_idp_provisioned(team, false);
    let failed = world.status()["failures"][0]["delivery"].as_str().unwrap().to_string();
    let (code, said, talk) = world.command(&["replay", &failed.to_uppercase()]);
    assert!(code == 0 && said == format!("replaying {failed}\n"), "{said}{talk}");
    world.wait_until("it was done", || world.status()["failed"] == 0);
    world.sentry.add_project(team, "shop");
    world.send(&world.github.delete_team(crew));
    let name = world.only_hold()["name"].as_str().unwrap().to_string();
    let (code, said, talk) = world.command(&["reject", &format!("{} ", name.to_uppercase())]);
    assert!(code == 0 && said.starts_with("rejected: "), "{said}{talk}");
}
