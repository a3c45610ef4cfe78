//! What is not done yet is shown with its last reason, since when, and when it is tried next; and what is shown is true
//! now, or says of when it is.

use serde_json::{json, Value};

use crate::standin::{Fault, NewMember, Rule};
use crate::world::{Truth, World, BOTH};

const CREATE: &str = "POST /organizations/{org}/teams/";

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value:#}"))
}

/// Waits until the only queued delivery is put off, and gives its entry.
fn put_off(world: &World) -> Value {
    world.wait_until("it is put off", || {
        let queue = &world.status()["queue"];
        queue[0]["why"].is_string() && queue[0]["next_try"].is_string()
    });
    world.status()["queue"][0].clone()
}

/// A team that Sentry has, and shows to nobody: making it is answered with 409, and looking for it with 404.
#[test]
fn a_slug_that_nobody_sees_is_told_wherever_one_looks() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.start();
        world.sentry.wire.script(Rule::new(CREATE, Fault::Status(409)).always());
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.send(&created);
        let entry = put_off(&world);
        let why = "slug `crew` is taken, though no team shows it: Sentry may be deleting one";
        assert_eq!((text(&entry, "why"), text(&entry, "delivery")), (why, created[0].guid.as_str()));
        assert_eq!(
            (&entry["team"], &entry["slug"], &entry["at_work"]),
            (&json!(crew), &json!("crew"), &json!(false))
        );
        let (since, next) = (text(&entry, "why_since"), text(&entry, "next_try"));
        assert!(text(&entry, "since") <= since && since < next, "{entry:#}");
        let told = format!(": {why}, since {since}; next try {next}");
        let (_, status, _) = world.command(&["status", "-v"]);
        assert!(status.contains(&told), "{told}\n{status}");
        let (_, json, _) = world.command(&["status", "--json"]);
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["queue"][0]["why"], why);
        let (code, explained, _) = world.command(&["explain", "crew"]);
        // Long lines are broken.
        let explained: Vec<_> = explained.split_whitespace().collect();
        assert!(code == 2 && explained.join(" ").contains(&told), "{told}\n{explained:?}");
        let (_, page) = world.get_admin("/");
        let shown =
            "<p>slug <code>crew</code> is taken, though no team shows it: Sentry may be deleting one</p>";
        assert!(page.contains("<h2>Not done yet</h2>") && page.contains(shown), "{page}");
        assert!(page.contains("; next try <time datetime="), "{page}");
        // What comes for the same team waits with it, and says so.
        world.send(&world.github.add_member(crew, world.olive));
        world.wait_until("it says so too", || world.status()["queue"][1]["why"] == why);
        world.sentry.wire.clear_faults();
        world.crash_and_restart();
        world.wait_for_rest();
        assert_eq!((&world.status()["queue"], &world.status()["delayed"]), (&json!([]), &json!([])));
        assert!(!world.get_admin("/").1.contains("Not done yet"));
    }
}

#[test]
fn deliveries_behind_a_host_that_is_down_say_so_and_when_it_is_asked_again() {
    let (world, crew) = World::new(Truth::Deliveries).with_crew();
    let ana = world.person("ana");
    world.sentry.wire.script(Rule::new("*", Fault::Status(503)).always());
    world.send(&world.github.add_member(crew, ana));
    world.wait_until("Sentry is down", || world.status()["sentry"]["health"] == "down");
    // What has not been tried at all is held up by the same.
    let (_, created) = world.github.create_team("Other", world.olive);
    world.send(&created);
    world.wait_until("both say so", || {
        let status = world.status();
        let queue = status["queue"].as_array().unwrap();
        let says = |entry: &Value| {
            entry["why"].as_str().is_some_and(|why| why.starts_with("Sentry cannot be used: "))
                && entry["why_since"].is_string()
        };
        queue.len() == 2 && queue.iter().all(says)
    });
    world.wait_until("the pause is long enough to tell its end", || {
        world.status()["queue"][0]["next_try"].is_string()
    });
}

/// GitHub's replicas lag: the second look has its time, and its reason.
#[test]
fn a_second_look_is_told_with_its_time() {
    let world = World::new(Truth::Github);
    let ana = world.person("ana");
    let (world, crew) = world.with_crew();
    let added = world.github.add_member(crew, ana);
    world.github.leave(crew, ana);
    world.send(&added);
    let entry = put_off(&world);
    assert_eq!(text(&entry, "why"), "GitHub does not show them in the team yet");
}

#[test]
fn a_team_that_waits_for_a_slug_says_since_when_and_when_it_is_tried_next() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let [one, two] = ["One", "Two"].map(|name| {
        let (team, created) = world.github.create_team(name, world.olive);
        world.settle(&created);
        team
    });
    let _never_sent = world.github.rename_team(two, "Three");
    world.send(&world.github.rename_team(one, "Two"));
    world.wait_until("it waits", || world.status()["waits"][0]["next_try"].is_string());
    let wait = world.status()["waits"][0].clone();
    assert_eq!(text(&wait, "why"), format!("slug `two` still belongs to GitHub team {two}"));
    let (since, next) = (text(&wait, "why_since"), text(&wait, "next_try"));
    let end = format!(", since {since}; next try {next}, or as soon as it is free\n");
    for args in [&["status", "-v"][..], &["explain", &format!("id:{one}")]] {
        let (_, said, _) = world.command(args);
        assert!(said.contains(&end), "{end}{said}");
    }
}

/// What no delivery waits for is not in the queue, and not forgotten either.
#[test]
fn what_the_mirror_does_by_itself_is_told_when_it_is_put_off() {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.set("SYNC_FIRST", "apply");
    world.old_team("Crew");
    world.sentry.wire.script(Rule::new(CREATE, Fault::Status(409)).always());
    world.start();
    world.wait_until("it is put off", || world.status()["delayed"][0]["next_try"].is_string());
    let delayed = world.status()["delayed"][0].clone();
    assert_eq!((text(&delayed, "event"), &delayed["queue"]), ("reconcile", &Value::Null));
    assert!(text(&delayed, "why").starts_with("slug `crew` is taken"), "{delayed:#}");
    let (_, said, _) = world.command(&["status", "-v"]);
    assert!(said.contains("\n  GitHub team "), "{said}");
}

/// The page's row of a delivery: the tone of its dot, and its note.
fn row(world: &World, guid: &str) -> (String, String) {
    let status = world.status();
    let recent = status["recent"].as_array().unwrap().iter().find(|row| row["guid"] == guid).unwrap();
    let note = recent["note"].as_str().unwrap().to_string();
    let shown = note.split('`').nth(1).map_or(note.clone(), |word| format!("<code>{word}</code>"));
    let (_, page) = world.get_admin("/");
    let rows = page.split("<tr>").filter(|row| row.contains("class=\"dot")).collect::<Vec<_>>();
    let event = recent["event"].as_str().unwrap();
    let row = rows.iter().find(|row| row.contains(&format!("</span>{event}")) && row.contains(&shown));
    let row = row.unwrap_or_else(|| panic!("no row for {note} in {rows:#?}"));
    let class = row.split("class=\"dot").nth(1).unwrap().split('"').next().unwrap().trim();
    (class.to_string(), note)
}

#[test]
fn whoever_was_wanted_and_is_in_by_now_is_not_shown_as_wanted() {
    let mut world = World::new(Truth::Github);
    world.set("SYNC_INTERVAL", "1s");
    let zoe = world.github_only("zoe");
    let (world, crew) = world.with_crew();
    let added = world.github.add_member(crew, zoe);
    let wanted = "`zoe` is wanted in `crew`: no Sentry member has the public GitHub address: z…@acme.test";
    assert_eq!(world.settle(&added).1, wanted);
    let guid = &added.last().unwrap().guid;
    assert_eq!(row(&world, guid).0, "work");
    assert!(world.status()["next_look"].is_string());
    let (_, said, _) = world.command(&["status", "-v"]);
    assert!(said.contains("next search: 20"), "{said}");
    let why = world.status()["headline"]["why"].to_string();
    assert!(
        why.contains("1 person in GitHub's teams is not in Sentry yet.") || !why.contains("difference"),
        "{why}"
    );
    world.sentry.add_member(NewMember::new("zoe@acme.test"));
    world.wait_until("zoe is added", || world.status()["wanted"] == 0);
    assert_eq!(row(&world, guid), ("good".into(), format!("{wanted}; added since then")));
}

#[test]
fn whoever_was_wanted_and_left_is_not_said_to_have_been_added() {
    let world = World::new(Truth::Deliveries);
    let zoe = world.github_only("zoe");
    let (world, crew) = world.with_crew();
    let added = world.github.add_member(crew, zoe);
    world.settle(&added);
    world.settle(&world.github.remove_member(crew, zoe));
    let (class, note) = row(&world, &added.last().unwrap().guid);
    assert!(class == "good" && note.ends_with("; no longer wanted"), "{class} {note}");
}

/// A decision, carried out or not, leaves nothing amber behind.
#[test]
fn rows_of_holds_that_were_decided_ask_for_nothing() {
    for (word, end) in [("approve", "; approved 20"), ("reject", "; rejected 20")] {
        let (world, crew) = World::new(Truth::Deliveries).with_crew();
        world.sentry.add_project(world.sentry.teams()["crew"].id, "shop");
        let deleted = world.github.delete_team(crew);
        world.settle(&deleted);
        let guid = &deleted.last().unwrap().guid;
        assert_eq!(row(&world, guid).0, "warn");
        let name = text(&world.only_hold(), "name").to_string();
        assert_eq!(world.command(&[word, &name]).0, 0);
        world.wait_until("the hold is history", || world.status()["holds"] == json!([]));
        let (class, note) = row(&world, guid);
        assert!(class.is_empty() && note.contains(end), "{class} {note}");
    }
}

/// A rule may be longer than a note, and what is to be typed stands at its end.
#[test]
fn a_hold_of_many_projects_still_says_what_to_type() {
    let (world, crew) = World::new(Truth::Deliveries).with_crew();
    let sentry = world.sentry.teams()["crew"].id;
    for n in 0..40 {
        world.sentry.add_project(sentry, &format!("project-number-{n}"));
    }
    let (status, note) = world.settle(&world.github.delete_team(crew));
    let name = text(&world.only_hold(), "name").to_string();
    assert_eq!(status, "held");
    assert!(note.ends_with(&world.shown(&format!("approve {name}"))), "{note}");
}

#[test]
fn a_failed_delivery_that_was_replayed_is_not_shown_as_failed() {
    let (world, crew) = World::new(Truth::Deliveries).with_crew();
    let ana = world.person("ana");
    let sentry = world.sentry.teams()["crew"].id;
    world.sentry.set_idp_provisioned(sentry, true);
    let added = world.github.add_member(crew, ana);
    assert_eq!(world.settle(&added).0, "failed");
    world.sentry.set_idp_provisioned(sentry, false);
    assert_eq!(world.command(&["replay", "--failed"]).0, 0);
    world.wait_for_members("crew", &["ana"]);
    world.wait_for_rest();
    let (_, page) = world.get_admin("/");
    assert!(!page.contains("class=\"dot bad\""), "{page}");
    assert!(page.contains("; tried again since then"), "{page}");
}

#[test]
fn on_the_first_day_nothing_is_said_to_be_in_step() {
    let mut world = World::new(Truth::Github).may_list_teams();
    for name in ["Crew", "Search", "Mobile"] {
        world.old_team(name);
        world.sentry.add_team(&name.to_lowercase(), name);
    }
    world.start();
    world.only_hold();
    let why = text(&world.status()["headline"], "why").to_string();
    assert_eq!(
        why,
        "Until you approve the first comparison, only deliveries change anything: no team is mirrored yet."
    );
    let (_, said, _) = world.command(&["status", "-v"]);
    assert!(said.contains(&format!("ready: 1 decision needs you. {why}\n")), "{said}");
    let last = said.lines().find(|line| line.starts_with("comparison  ")).unwrap();
    assert!(last.contains(" ago, found: 3 to adopt (on hold)"), "{last}");
    assert!(said.contains("since then: 3 on hold; 0 changes made in Sentry\n"), "{said}");
    assert!(!world.get_admin("/").1.contains("in step"), "{said}");
}

#[test]
fn what_a_comparison_found_says_what_became_of_it() {
    let mut world = World::new(Truth::Github).may_list_teams();
    let ana = world.person("ana");
    let crew = world.old_team("Crew");
    world.github.join(crew, ana);
    world.start();
    world.wait_for_members("crew", &["ana"]);
    world.wait_until("over", || world.status()["last_reconcile"]["open"] == 0);
    let (_, said, _) = world.command(&["status", "-v"]);
    assert!(said.contains("found: 1 to create, 1 to add; 0 teams in sync"), "{said}");
    assert!(said.contains("since then: 2 fixed; 2 changes made in Sentry\n"), "{said}");
    let (_, page) = world.get_admin("/");
    assert!(page.contains("found: 1 to create, 1 to add;"), "{page}");
    assert!(page.contains("<p>Since then: 2 fixed; 2 changes made in Sentry</p>"), "{page}");
}

#[test]
fn not_ready_says_since_when_and_that_nothing_is_lost() {
    let mut world = World::new(Truth::Github);
    world.start();
    world.wait_until("ready", || world.status()["ready"] == true);
    assert_eq!(
        (&world.status()["not_ready_since"], &world.status()["stores_deliveries"]),
        (&Value::Null, &json!(true))
    );
    world.sentry.revoke(&world.sentry_token);
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("not ready", || world.status()["ready"] == false);
    let since = text(&world.status(), "not_ready_since").to_string();
    let why = text(&world.status()["headline"], "why").to_string();
    assert!(
        why.starts_with(&format!("Since {since}, "))
            && why.contains(" Deliveries are being stored; nothing is lost. "),
        "{why}"
    );
    let (status, ready) = world.get_admin("/readyz");
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!((status, &ready["since"], &ready["deliveries"]), (503, &json!(since), &json!("stored")));
    let (_, said, _) = world.command(&["status", "-v"]);
    assert!(said.contains("Deliveries are being stored; nothing is lost."), "{said}");
}

/// In payload mode nothing is compared, but whoever is new in Sentry would not be found.
#[test]
fn a_look_at_sentrys_people_that_fails_is_told() {
    let mut world = World::new(Truth::Deliveries);
    world.set("SYNC_INTERVAL", "1s");
    world.start();
    world.wait_until("it is calm", || world.status()["headline"]["mood"] == "true");
    world.sentry.wire.script(Rule::new("GET /organizations/{org}/members/", Fault::Status(400)).always());
    let title = || world.status()["headline"]["title"].as_str().unwrap_or_default().to_string();
    world.wait_until("it is told", || title() == "Cannot read Sentry's members");
    let why = text(&world.status()["headline"], "why").to_string();
    assert!(why.starts_with("New Sentry members cannot be found: ") && why.contains("400"), "{why}");
    assert!(world.command(&["status", "-v"]).1.contains("reading Sentry's members has failed since 20"));
    let (_, page) = world.get_admin("/");
    assert!(page.contains("<h2>Sentry's members</h2>") && page.contains("Failing since"), "{page}");
    world.sentry.wire.clear_faults();
    world.wait_until("it is calm again", || world.status()["look_failed"].is_null());
}

/// A comparison of long ago is not what is in step now.
#[test]
fn a_comparison_that_fails_is_told_instead_of_the_one_before() {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.set("SYNC_INTERVAL", "1s");
    world.old_team("Crew");
    world.start();
    world.wait_until("in step", || world.status()["headline"]["title"] == "In step");
    world.github.wire.script(Rule::new("GET /orgs/{org}/teams", Fault::Status(422)).always());
    world.github.wire.script(Rule::new("POST /graphql", Fault::Status(422)).always());
    world.wait_until("it is told", || world.status()["headline"]["title"] == "Comparison failing");
    let status = world.status();
    assert_eq!(status["headline"]["mood"], "waits");
    assert!(status["look_failed"]["why"].as_str().is_some_and(|why| why.contains("422")), "{status:#}");
    assert!(world.command(&["status", "-v"]).1.contains("comparing has failed since 20"));
    world.github.wire.clear_faults();
    world.wait_until("in step again", || world.status()["headline"]["title"] == "In step");
}
