//! `pause` and `resume`: nothing is written to Sentry in between, everything is kept and looked at, and comes after it.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::standin::{Fault, GithubUser, NewMember, NewToken, Rule};
use crate::world::{get, Truth, World, BOTH, PATIENCE};

const ADDS: &str = "POST /organizations/{org}/members/{id}/teams/{slug}/";
const WHY: &str = "checking last night's removals";

fn pause(world: &World) -> String {
    let (code, out, err) = world.command(&["pause", "--reason", WHY]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    out
}

fn resume(world: &World) -> String {
    let (code, out, err) = world.command(&["resume"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    out
}

/// Somebody whom a comparison may take out.
fn person(world: &World, login: &str) -> u64 {
    let address = format!("{login}@acme.test");
    world.sentry.add_member(address.as_str());
    world.github.add_person(GithubUser::new(login).verified(&address).email(&address))
}

/// A world that compares both sides every second, and mirrors `crew` with ana.
fn world_with_ana(truth: Truth) -> (World, u64, u64) {
    let mut world = World::new(truth);
    world.set("SYNC_INTERVAL", "1s");
    world.set("SYNC_FIRST", "apply");
    let ana = person(&world, "ana");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_members("crew", &["ana"]);
    (world, crew, ana)
}

/// That it is paused is said wherever somebody may look.
fn assert_shown(world: &World) {
    // Not ready comes first, as after a start, until both hosts have answered.
    world.wait_until("ready", || world.status()["ready"] == true);
    let status = world.status();
    let since = status["paused"]["since"].as_str().expect("a time").to_string();
    let sentence = format!("writes to Sentry have been paused since {since}: {WHY}");
    assert_eq!(status["paused"]["reason"], WHY);
    assert_eq!(
        (&status["headline"]["mood"], &status["headline"]["title"]),
        (&json!("waits"), &json!("Paused"))
    );
    assert!(status["headline"]["why"]
        .as_str()
        .is_some_and(|why| why.to_lowercase().contains(&sentence.to_lowercase())));
    let text = world.command(&["status"]).1;
    assert!(
        text.contains(&format!("PAUSED: {sentence}\n  to resume: {}\n", world.shown("resume"))),
        "{text}"
    );
    let page = world.get_admin("/").1;
    assert!(page.contains("<h1>Paused</h1>") && page.contains(&world.shown("resume")), "{page}");
    let (code, body) = world.get_admin("/readyz");
    assert!(code == 200 && body.contains(&format!("\"reason\":\"{WHY}\"")), "{code} {body}");
    assert_eq!(world.metric("sync_paused"), 1);
    let check = world.command(&["check", "-v"]).1;
    assert!(check.contains(&sentence), "{check}");
    assert!(world.command(&["explain", "crew"]).2.contains(&sentence));
}

#[test]
fn during_a_pause_nothing_is_written_and_everything_is_kept_shown_and_done_after_it() {
    for truth in BOTH {
        let (mut world, crew, ana) = world_with_ana(truth);
        let ben = person(&world, "ben");
        let said = pause(&world);
        assert!(said.ends_with(&format!("to resume: {}\n", world.shown("resume"))), "{said}");
        let mark = world.sentry.wire.mark();
        // Out and in again: the last word counts, whatever comes before it.
        let mut told = world.github.remove_member(crew, ana);
        told.extend(world.github.add_member(crew, ana));
        let (night, created) = world.github.create_team("Night", world.olive);
        told.extend(created);
        told.extend(world.github.add_member(night, ben));
        told.extend(world.github.rename_team(crew, "Day"));
        world.send(&told);
        assert_shown(&world);
        world.crash_and_restart();
        world.service_mut().wait_for_line("writes to Sentry have been paused since");
        assert_shown(&world);
        assert_eq!(world.status()["queued"], told.len(), "{:#}", world.status());
        if truth == Truth::Github {
            // Comparisons go on, and say that they do nothing.
            let compared = |world: &World| world.status()["last_reconcile"]["at"].clone();
            world.wait_until("compared", || world.status()["last_reconcile"]["paused"] == true);
            let first = compared(&world);
            world.wait_until("compared again", || compared(&world) != first);
            assert!(
                world.status()["last_reconcile"]["summary"].as_str().is_some_and(|summary| {
                    summary.contains("1 to create, 1 to rename, 2 to add")
                        && summary.ends_with("none of it was carried out")
                }),
                "{:#}",
                world.status()["last_reconcile"]
            );
            let (code, plan, talk) = world.command(&["sync"]);
            assert!(
                code == 2
                    && plan.contains("night")
                    && talk.contains(&format!("to resume: {}", world.shown("resume"))),
                "{plan}{talk}"
            );
        }
        assert_eq!(world.writes_since(mark), [""; 0]);
        let said = resume(&world);
        assert!(
            said.starts_with(&format!("resumed: working through {} queued deliveries", told.len())),
            "{said}"
        );
        world.wait_for_rest();
        world.wait_for_members("day", &["ana"]);
        world.wait_for_members("night", &["ben"]);
        assert_eq!((world.metric("sync_paused"), &world.status()["paused"]), (0, &json!(null)));
        let audit = world.audit();
        let decided =
            |decision: &str| audit.iter().filter(|line| line["decision"] == decision).collect::<Vec<_>>();
        assert_eq!((decided("pause").len(), decided("resume").len()), (1, 1));
        assert_eq!(decided("pause")[0]["reason"], WHY);
    }
}

#[test]
fn commands_that_write_are_refused_and_decisions_are_carried_out_after_the_pause() {
    let (mut world, crew, _) = world_with_ana(Truth::Github);
    // Held: a Sentry team of the slug is there, and the GitHub team is newer than the mirror.
    world.sentry.add_team("night", "Of others");
    let (night, created) = world.github.create_team("Night", world.olive);
    world.send(&created);
    let hold = world.only_hold()["name"].as_str().expect("a name").to_string();
    let sentry = world.sentry.teams()["crew"].id;
    world.settle(&world.github.delete_team(crew));
    world.wait_until("deleted", || world.members("crew").is_none());
    pause(&world);
    let mark = world.sentry.wire.mark();
    let ben = person(&world, "ben");
    world.github.join(night, ben);
    for args in [&["sync", "--apply"][..], &["undo", &sentry.to_string()]] {
        let (code, out, err) = world.command(args);
        assert_eq!((code, out.as_str()), (1, ""), "{args:?}: {err}");
        assert!(
            err.contains(WHY)
                && err.ends_with(&format!("; nothing was done\n  fix: {}\n", world.shown("resume"))),
            "{err}"
        );
    }
    let (code, out, err) = world.command(&["approve", &hold]);
    assert!(
        code == 0
            && out.starts_with("approved: ")
            && err.contains(&format!("to resume: {}", world.shown("resume"))),
        "{out}{err}"
    );
    // Where no service runs, it is the same.
    world.take_service().kill();
    let (code, _, err) = world.alone(&["sync", "--apply"]);
    assert!(code == 1 && err.contains(WHY), "{err}");
    let (code, _, err) = world.alone(&["undo", &sentry.to_string()]);
    assert!(code == 1 && err.contains(WHY), "{err}");
    assert_eq!(world.writes_since(mark), [""; 0]);
    world.start();
    resume(&world);
    world.wait_for_members("night", &["ben"]);
    assert_eq!(world.command(&["undo", &sentry.to_string()]).0, 0);
}

#[test]
fn without_a_service_a_pause_is_kept_for_the_next_one() {
    let (mut world, crew, _) = world_with_ana(Truth::Deliveries);
    let ben = world.person("ben");
    let nothing = world.command(&["resume"]);
    assert_eq!(nothing, (0, "not paused\n".into(), String::new()));
    assert_eq!(world.take_service().stop("-TERM").0, Some(0));
    let said = pause(&world);
    assert!(
        said.starts_with("paused: no service is running; one that starts will not write to Sentry\n"),
        "{said}"
    );
    assert!(world.command(&["status"]).1.contains("PAUSED: writes to Sentry have been paused since"));
    let (code, again, _) = world.command(&["pause"]);
    assert!(code == 0 && again.starts_with("already paused: ") && again.contains(WHY), "{again}");
    world.start();
    let mark = world.sentry.wire.mark();
    world.send(&world.github.add_member(crew, ben));
    assert_shown(&world);
    assert_eq!(world.take_service().stop("-TERM").0, Some(0));
    assert_eq!(world.writes_since(mark), [""; 0]);
    let said = resume(&world);
    assert_eq!(
        said,
        "resumed: no service is running; 1 queued delivery will be worked through when one starts\n"
    );
    world.start();
    world.wait_for_members("crew", &["ana", "ben"]);
    let audit = world.audit();
    let by: Vec<_> = audit.iter().filter(|line| line["event"] == "command").map(|line| &line["by"]).collect();
    assert!(by.len() == 2 && by.iter().all(|by| by["uid"].is_u64()), "{by:?}");
}

/// What was begun is ended; what comes back from the command is true at once.
#[test]
fn a_pause_waits_for_the_call_that_is_under_way() {
    let (world, crew, _) = world_with_ana(Truth::Deliveries);
    let (ben, eva) = (world.person("ben"), world.person("eva"));
    world.sentry.wire.script(Rule::new(ADDS, Fault::Stall(Duration::from_secs(3))));
    let calls = || world.sentry.wire.counts().get(ADDS).copied().unwrap_or_default();
    let before = calls();
    let mut told = world.github.add_member(crew, ben);
    told.extend(world.github.add_member(crew, eva));
    world.send(&told);
    world.wait_until("a call is under way", || calls() > before);
    // The second one is no sooner back than the first.
    std::thread::scope(|scope| {
        scope.spawn(|| pause(&world));
        world.wait_until("paused", || !world.status()["paused"].is_null());
        assert!(world.command(&["pause"]).1.starts_with("already paused: "));
        let added = world.members("crew").expect("the team");
        assert!(added.contains(&"ben@acme.test".into()), "the call that was under way has ended: {added:?}");
    });
    let mark = world.sentry.wire.mark();
    world.wait_until("the other one is put off", || world.status()["queued"] == 1);
    assert_eq!(world.writes_since(mark), [""; 0]);
    resume(&world);
    world.wait_for_members("crew", &["ana", "ben", "eva"]);
}

/// Whoever wants to stop everything does not wait for those who compare.
#[test]
fn a_pause_is_taken_while_the_service_is_busy_with_other_commands() {
    let (mut world, ..) = world_with_ana(Truth::Github);
    world.sentry.wire.script(Rule::new("GET /organizations/{org}/members/", Fault::Stall(PATIENCE)).always());
    std::thread::scope(|scope| {
        let syncs: Vec<_> = (0..5).map(|_| scope.spawn(|| world.command(&["sync"]))).collect();
        world.wait_until("one too many was sent away", || syncs.iter().any(|sync| sync.is_finished()));
        world.wait_until("the others are at work", || {
            world.service().text().matches("control: sync").count() == 4
        });
        pause(&world);
        assert_eq!(world.status()["paused"]["reason"], WHY);
        world.sentry.wire.clear_faults();
        // What is stalled already ends with the service.
        std::process::Command::new("kill")
            .args(["-9", &world.service().pid().to_string()])
            .status()
            .expect("kill");
        let busy = "error: the service is busy with other commands; try again when one of them has ended\n";
        let said = syncs.into_iter().map(|sync| sync.join().expect("a command").2);
        assert_eq!(said.filter(|err| err == busy).count(), 1);
    });
    world.take_service().kill();
}

#[test]
fn nobody_is_invited_during_a_pause() {
    let mut world = World::new(Truth::Github);
    let owner = world.sentry.add_member(NewMember::new("owner@acme.test").role("owner"));
    let scopes =
        ["org:read", "team:read", "team:write", "team:admin", "member:read", "member:write", "member:admin"];
    let token = world.sentry.add_token(NewToken::user(owner, &scopes));
    world.set("SENTRY_TOKEN", &token);
    world.set("SYNC_INVITE", "member");
    world.set("SYNC_INTERVAL", "1s");
    let map = world.dir.0.join("map.csv");
    fs::write(&map, "zoe,zoe@corp.test\n").expect("a map");
    world.set("SYNC_USER_MAP", map.to_str().expect("a plain path"));
    let zoe = world.github.add_person(GithubUser::new("zoe"));
    let (world, crew) = world.with_crew();
    pause(&world);
    let mark = world.sentry.wire.mark();
    world.github.join(crew, zoe);
    // A comparison knows that she is wanted.
    world.wait_until("wanted", || world.status()["wanted"] == 1);
    let compared = world.status()["last_reconcile"]["at"].clone();
    world.wait_until("compared again", || world.status()["last_reconcile"]["at"] != compared);
    assert_eq!(world.writes_since(mark), [""; 0]);
    resume(&world);
    world.wait_until("invited", || world.sentry.members().iter().any(|known| known == "zoe@corp.test"));
}

/// Changes of a thread's place by its own wish: what waits in turns makes thousands of them.
fn switches(world: &World) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", world.service().pid())).expect("threads");
    let of = |status: String| -> Option<u64> {
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?.trim().parse().ok()
    };
    tasks.flatten().filter_map(|task| of(fs::read_to_string(task.path().join("status")).ok()?)).sum()
}

#[test]
fn a_pause_with_a_full_queue_costs_nothing() {
    let (world, crew, ana) = world_with_ana(Truth::Deliveries);
    pause(&world);
    for _ in 0..20 {
        world.send(&world.github.remove_member(crew, ana));
        world.send(&world.github.add_member(crew, ana));
    }
    let calls = || (world.github.wire.calls().len(), world.sentry.wire.calls().len());
    let (before, asked) = (switches(&world), calls());
    std::thread::sleep(Duration::from_secs(3));
    let n = switches(&world) - before;
    // Some threads look twenty times a second whether they are to stop.
    assert!(n < 600, "{n} switches in three seconds");
    // Sentry's people are read once an interval, as ever.
    let now = calls();
    assert!(now.0 - asked.0 <= 10 && now.1 - asked.1 <= 10, "{asked:?} {now:?}");
    assert_eq!(get(&format!("{}/readyz", world.service().admin)).0, 200);
}
