//! In read mode a team that GitHub lists is not deleted, whatever was written down of its end.

use std::time::Duration;

use crate::standin::{Call, Fault, GithubToken, GithubUser, NewMember, Rule};
use crate::world::{Truth, World};

const BY_ID: &str = "GET /organizations/{org_id}/team/{team_id}";
const LIST: &str = "GET /orgs/{org}/teams";

fn not_found() -> Fault {
    Fault::Refusal { status: 404, message: "Not Found".into() }
}

/// A mirrored team with ana, ben and, by hand, a stranger; it owns a project.
struct Ended {
    world: World,
    crew: u64,
    sentry: u64,
}

impl Ended {
    fn mirrored(policy: &str) -> Self {
        let mut world = World::new(Truth::Github).may_list_teams();
        world.set("SYNC_DELETE_TEAMS", policy);
        world.set("SYNC_INTERVAL", "off");
        let all = ["ana", "ben", "kim", "zed"].map(|login| world.person(login));
        let (world, crew) = world.with_crew();
        for person in &all[..2] {
            world.settle(&world.github.add_member(crew, *person));
        }
        let sentry = world.sentry.teams()["crew"].id;
        let stranger = world.sentry.add_member(NewMember::new("stranger@acme.test"));
        world.sentry.join(sentry, stranger);
        world.sentry.add_project(sentry, "shop");
        world.sentry.set_scopes(
            &world.sentry_token,
            &[
                "org:read",
                "team:read",
                "team:write",
                "team:admin",
                "member:read",
                "member:write",
                "project:write",
            ],
        );
        world.wait_for_rest();
        Self { world, crew, sentry }
    }

    /// The same after a deletion was announced while GitHub did not show the team for a moment.
    fn new(policy: &str) -> Self {
        let ended = Self::mirrored(policy);
        ended.world.github.wire.script(Rule::new(BY_ID, not_found()).times(2));
        let (_, note) = ended.world.settle(&ended.world.github.announce_deletion(ended.crew));
        assert!(!note.contains("nothing was deleted"), "{note}");
        ended.world.github.wire.clear_faults();
        ended.world.sentry.tick();
        ended
    }

    fn person(&self, login: &str) -> u64 {
        self.world.github.user_id(login).expect(login)
    }

    /// The Sentry team that follows it now, and its people.
    #[track_caller]
    fn wait_for(&self, expected: &[&str]) -> u64 {
        let mut expected: Vec<_> = expected.iter().map(|login| format!("{login}@acme.test")).collect();
        expected.push("olive@acme.test".into());
        expected.sort();
        self.world.wait_until("it is back", || {
            let mut there = self.world.members("crew").unwrap_or_default();
            there.sort();
            there == expected
        });
        // A service that has just begun looks once more, when every replica knows what was ended before.
        self.world.wait_until("bound", || self.world.status()["teams"] == 1);
        self.world.wait_until("in sync", || self.world.command(&["sync"]).0 == 0);
        self.world.sentry.teams()["crew"].id
    }
}

/// Whoever left meanwhile, unheard, is not put back; whoever nobody knows is.
#[test]
fn a_deleted_team_that_is_spoken_of_is_made_again_with_what_it_had() {
    let ended = Ended::new("delete");
    assert!(ended.world.sentry.teams().is_empty(), "deleted");
    ended.world.github.leave(ended.crew, ended.person("ben"));
    ended.world.github.join(ended.crew, ended.person("kim"));
    ended.world.settle(&ended.world.github.add_member(ended.crew, ended.person("zed")));
    let now = ended.wait_for(&["ana", "kim", "stranger", "zed"]);
    assert_ne!(now, ended.sentry);
    assert_eq!(ended.world.sentry.project_teams("shop"), ["crew"]);
    // Another deletion waits for a person: a team that comes and goes is not deleted each time.
    let (_, note) = ended.world.settle(&ended.world.github.delete_team(ended.crew));
    assert!(note.contains("deleted again: the team came back on GitHub on"), "{note}");
    let hold = ended.world.only_hold();
    assert!(ended.world.members("crew").is_some());
    assert_eq!(ended.world.command(&["approve", hold["name"].as_str().expect("a name")]).0, 0);
    ended.world.wait_until("deleted", || ended.world.members("crew").is_none());
}

/// Its projects too, where Sentry fails just then: whoever speaks of the team, a delivery or a comparison.
#[test]
fn what_a_team_had_is_given_back_although_sentry_fails_at_first() {
    for is_spoken_of in [true, false] {
        let ended = Ended::new("delete");
        let world = &ended.world;
        let link = "POST /projects/{org}/{project}/teams/{slug}/";
        world.sentry.wire.script(Rule::new(link, Fault::Status(503)).times(1));
        if is_spoken_of {
            world.send(&world.github.add_member(ended.crew, ended.person("zed")));
            ended.wait_for(&["ana", "ben", "stranger", "zed"]);
        } else {
            world.command(&["sync", "--apply"]);
            ended.wait_for(&["ana", "ben", "stranger"]);
        }
        world.wait_until("the project is given back", || world.sentry.project_teams("shop") == ["crew"]);
    }
}

#[test]
fn a_team_that_github_lists_again_is_brought_back_by_the_next_comparison() {
    std::thread::scope(|scope| {
        for policy in ["delete", "empty", "keep"] {
            scope.spawn(move || {
                let mut ended = Ended::new(policy);
                ended.world.take_service().stop("-TERM");
                // The replicas know of it by now what they are going to know.
                std::thread::sleep(Duration::from_secs(15));
                let (code, plan, _) = ended.world.alone(&["sync"]);
                let how = if policy == "delete" { "is made again" } else { "follows it again" };
                let line =
                    format!("return   crew  GitHub shows it again: Sentry team {} {how}", ended.sentry);
                assert!(code == 2 && plan.contains(&line), "{policy}: {plan}");
                ended.world.start();
                let now = ended.wait_for(&["ana", "ben", "stranger"]);
                assert_eq!(now == ended.sentry, policy != "delete", "{policy}");
                assert_eq!(ended.world.sentry.project_teams("shop"), ["crew"], "{policy}");
            });
        }
    });
}

#[test]
fn a_deletion_that_a_person_refused_to_carry_out_is_no_end_either() {
    let ended = Ended::mirrored("unless-projects");
    ended.world.github.wire.script(Rule::new(BY_ID, not_found()).times(3));
    ended.world.send(&ended.world.github.announce_deletion(ended.crew));
    let hold = ended.world.only_hold();
    assert_eq!(ended.world.command(&["reject", hold["name"].as_str().expect("a name")]).0, 0);
    ended.world.wait_until("left alone", || ended.world.status()["teams"] == 0);
    ended.world.github.wire.clear_faults();
    ended.world.settle(&ended.world.github.add_member(ended.crew, ended.person("zed")));
    assert_eq!(ended.wait_for(&["ana", "ben", "stranger", "zed"]), ended.sentry);
}

/// What an event's guard has stopped is no longer due once GitHub shows the team again: nobody need decide, and whoever
/// approves it after all deletes nothing.
#[test]
fn a_held_deletion_that_github_does_not_confirm_is_over() {
    std::thread::scope(|scope| {
        for approved in [true, false] {
            scope.spawn(move || {
                let ended = Ended::mirrored("unless-projects");
                ended.world.github.wire.script(Rule::new(BY_ID, not_found()).times(2));
                ended.world.send(&ended.world.github.announce_deletion(ended.crew));
                let hold = ended.world.only_hold();
                ended.world.github.wire.clear_faults();
                if approved {
                    assert_eq!(
                        ended.world.command(&["approve", hold["name"].as_str().expect("a name")]).0,
                        0
                    );
                }
                ended.world.wait_until("over", || {
                    let (code, said, _) = ended.world.command(&["sync", "--apply"]);
                    assert_eq!(code, 0, "{said}");
                    ended.world.status()["holds"] == serde_json::json!([])
                });
                assert_eq!(ended.world.sentry.teams()["crew"].id, ended.sentry);
                assert!(ended.world.sentry.wire.calls().iter().all(|call| call.method != "DELETE"));
            });
        }
    });
}

/// A 404 says that the team is gone only to a token that sees the others.
#[test]
fn a_404_confirms_a_deletion_only_if_the_list_of_teams_answers() {
    std::thread::scope(|scope| {
        let policy = Fault::policies().into_iter().next().expect("the IP allow list");
        for list in [not_found(), Fault::StatusHtml(403), policy, Fault::PartialResults] {
            scope.spawn(move || {
                let ended = Ended::mirrored("delete");
                let world = &ended.world;
                let mark = world.sentry.wire.mark();
                world.github.wire.script(Rule::new(BY_ID, not_found()).always());
                world.github.wire.script(Rule::new(LIST, list.clone()).always());
                world.send(&world.github.announce_deletion(ended.crew));
                world.wait_until("asked", || {
                    let asked = |call: &Call| call.route == LIST && call.path.contains("per_page=1");
                    world.github.wire.calls().iter().filter(|call| asked(call)).count() > 1
                });
                world.wait_until("not ready", || world.get_admin("/readyz").0 == 503);
                assert_eq!(
                    (world.writes_since(mark), world.status()["queued"].as_u64()),
                    (vec![], Some(1)),
                    "{list:?}"
                );
                assert!(world.members("crew").is_some(), "{list:?}");
            });
        }
    });
}

/// Another account's token may not see a team that the first one has shown: that is no deletion. Another token of the same
/// account is as good as the first one was.
#[test]
fn a_token_tells_only_of_teams_that_its_account_has_shown_that_they_are_deleted() {
    for same_account in [true, false] {
        let mut world = World::new(Truth::Github).may_list_teams();
        world.set("SYNC_DELETE_TEAMS", "delete");
        let (mut world, crew) = world.with_crew();
        world.settle(&world.github.create_team("Other", world.olive).1);
        world.wait_for_rest();
        world.take_service().stop("-TERM");
        world.github.delete_team(crew);
        let another = world.github.add_person(GithubUser::new("another").owner());
        let account = if same_account { world.olive } else { another };
        let token = world.github.add_token(GithubToken::members_read(account));
        world.set("GH_TOKEN", &token);
        world.start();
        world.service_mut().wait_for_line("reconcile: ");
        if same_account {
            world.wait_until("deleted", || world.members("crew").is_none());
        }
        world.wait_for_rest();
        assert_eq!(world.members("crew").is_none(), same_account);
        let (_, plan, _) = world.command(&["sync"]);
        let unseen = "unseen   crew  GitHub does not show the team to this token";
        assert_eq!(plan.contains(unseen), !same_account, "{plan}");
    }
}

/// Default `SYNC_REMOVE_MEMBERS=left`: whoever was put in when it came back is known to have been there.
#[test]
fn whoever_leaves_a_team_that_came_back_unheard_is_taken_out_by_the_next_comparison() {
    let ended = Ended::new("delete");
    let world = &ended.world;
    let vera = world.github.add_person(GithubUser::new("vera").verified("vera@acme.test"));
    world.sentry.add_member("vera@acme.test");
    world.github.join(ended.crew, vera);
    world.command(&["sync", "--apply"]);
    ended.wait_for(&["ana", "ben", "stranger", "vera"]);
    world.github.leave(ended.crew, vera);
    let (_, out, _) = world.command(&["sync"]);
    assert!(out.contains("- vera  left the GitHub team"), "{out}");
}

/// Its own Sentry team is gone. Another one that has its slug is taken for it, unless it came back under another name.
#[test]
fn a_team_that_came_back_takes_another_sentry_team_over_only_under_its_slug_of_before() {
    for (name, slug, is_taken) in [("Crew", "crew", true), ("Squad", "squad", false)] {
        let mut world = World::new(Truth::Github).may_list_teams();
        world.set("SYNC_DELETE_TEAMS", "keep");
        world.set("SYNC_INTERVAL", "off");
        let (ana, zed) = (world.person("ana"), world.person("zed"));
        let crew = world.old_team("Crew");
        world.github.join(crew, ana);
        world.start();
        world.wait_for_members("crew", &["ana"]);
        world.wait_for_rest();
        world.github.wire.script(Rule::new(BY_ID, not_found()).times(2));
        world.settle(&world.github.announce_deletion(crew));
        world.github.wire.clear_faults();
        world.sentry.purge_team(world.sentry.teams()["crew"].id);
        let other = world.sentry.add_team(slug, name);
        if !is_taken {
            world.github.rename_team(crew, name);
        }
        world.send(&world.github.add_member(crew, zed));
        if is_taken {
            world.wait_for_members(slug, &["ana", "zed"]);
            assert_eq!(world.sentry.teams()[slug].id, other);
        } else {
            let hold = world.only_hold();
            assert!(hold.to_string().contains("take over Sentry team `squad`"), "{hold:#}");
            assert_eq!(world.members(slug), Some(Vec::new()));
        }
    }
}
