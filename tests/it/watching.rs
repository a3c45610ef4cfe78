//! The admin listener: the status page, its JSON, the metrics and the probes, as somebody who watches the service meets
//! them. Parsers that others wrote say whether page and metrics are what they claim to be.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{json, Value};

use crate::raw::{self, Raw};
use crate::standin::{Delivery, GithubToken, RateLimit, Sender};
use crate::world::{bounds, Truth, World, SECRET};

const PATHS: [&str; 6] = ["/", "/status.json", "/metrics", "/healthz", "/readyz", "/nowhere"];

/// A name as bad as they get: markup, quotes, control characters, marks that turn a line around, and 255 bytes, which is
/// the most that an event may bring.
fn hostile() -> String {
    let bad = "<img src=x onerror=alert(1)>\"'&\u{1b}[31m\r\nfake: line\u{202e}\u{200b}\u{7}";
    format!("{bad}{}", "x".repeat(255 - bad.len()))
}

/// What must not be left of it, whatever shows it.
fn assert_harmless(place: &str, text: &str) {
    for bad in ["\u{1b}", "\u{202e}", "\u{200b}", "\u{7}", "\nfake: line", "\r"] {
        assert!(!text.contains(bad), "{bad:?} in {place}:\n{text}");
    }
}

/// A world in which everything that a status can show is there: a hold, a failure, a wait, somebody unmatched.
fn full_world() -> World {
    let mut world = World::new(Truth::Deliveries);
    let (ana, zoe) = (world.person("ana"), world.github_only("zoe"));
    world.sentry.set_rate_limit(Some(RateLimit { window_seconds: 3600, ..RateLimit::per_second(500) }));
    world.start();
    let mut teams = Vec::new();
    for name in ["Payments", "Search", "Platform", "Mobile"] {
        let (team, created) = world.github.create_team(name, world.olive);
        world.settle(&created);
        world.settle(&world.github.add_member(team, ana));
        teams.push(team);
    }
    world.settle(&world.github.add_member(teams[0], zoe));
    // A failure: the identity provider manages the team.
    world.sentry.set_idp_provisioned(world.sentry.teams()["search"].id, true);
    world.settle(&world.github.remove_member(teams[1], ana));
    // A hold: the deleted team owns a project.
    world.sentry.add_project(world.sentry.teams()["platform"].id, "shop");
    world.settle(&world.github.delete_team(teams[2]));
    // A wait: of two renames, only the second one arrives.
    let _never_sent = world.github.rename_team(teams[3], "Apps");
    world.send(&world.github.rename_team(teams[0], "Mobile"));
    world.wait_until("it waits", || world.status()["waiting"] == 1);
    world
}

/// Runs a program that reads `input`; what it says if it is not content. `None`: it is not installed.
fn judged(program: &str, args: &[&str], input: &str) -> Option<Result<(), String>> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = bounds::output_of(child);
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Some(if output.status.success() { Ok(()) } else { Err(said.into_owned()) })
}

/// A Python with the parsers: the one that the build has prepared, else the system's if it has them.
fn python(script: &str, input: &str) -> Option<Result<(), String>> {
    let prepared = std::env::var("SYNC_TEST_PYTHON").ok();
    let python = prepared.as_deref().unwrap_or("python3");
    let imports = script.lines().next().unwrap();
    let has_parsers = judged(python, &["-c", imports], "").is_some_and(|imported| imported.is_ok());
    assert!(has_parsers || prepared.is_none(), "SYNC_TEST_PYTHON has no parsers: {imports}");
    has_parsers.then(|| judged(python, &["-c", script], input).expect("it was there just now"))
}

/// Every parser that is there must be content. One that is not is named, past the test runner, which shows nothing of a
/// test that passes.
fn all_content<const N: usize>(what: &str, verdicts: [(&str, Option<Result<(), String>>); N]) {
    for (parser, verdict) in verdicts {
        match verdict {
            None => {
                let _ = writeln!(
                    std::io::stderr(),
                    "skipped: {parser} is not installed and does not check {what}"
                );
            }
            Some(Ok(())) => {}
            Some(Err(why)) => panic!("{parser} rejects {what}:\n{why}"),
        }
    }
}

const READ_METRICS: &str = "\
import sys, prometheus_client.parser as p
text = sys.stdin.buffer.read().decode()
families = list(p.text_string_to_metric_families(text))
names = [f.name for f in families]
assert len(names) > 30 and len(names) == len(set(names)), names
for f in families:
    assert f.documentation and f.type in ('counter', 'gauge'), f
    assert f.samples, f.name
    assert len({str(sorted(s.labels.items())) for s in f.samples}) == len(f.samples), f
";

const READ_HTML: &str = "\
import sys, html5lib
html5lib.HTMLParser(strict=True).parse(sys.stdin.buffer.read(), transport_encoding='utf-8')
";

#[test]
fn metrics_are_read_by_parsers_that_others_wrote() {
    let full = full_world();
    let mut fresh = World::new(Truth::Github);
    fresh.start();
    for world in [&full, &fresh] {
        let (_, metrics) = world.get_admin("/metrics");
        let promtool = judged("promtool", &["check", "metrics"], &metrics);
        let verdicts = [("promtool", promtool), ("the Python client", python(READ_METRICS, &metrics))];
        all_content("the metrics", verdicts);
    }
}

#[test]
fn the_alert_rules_are_rules() {
    let rules = include_str!("../../systemd/alerts.yml");
    for alert in ["DoesNotWork", "HearsNothing", "TokenExpires"] {
        assert!(rules.contains(&format!("- alert: TeamSync{alert}\n")), "{rules}");
    }
    let file = crate::world::TempDir::new("rules");
    let path = file.0.join("rules.yml");
    std::fs::write(&path, rules).unwrap();
    all_content(
        "the alert rules",
        [("promtool", judged("promtool", &["check", "rules", path.to_str().unwrap()], ""))],
    );
}

#[test]
fn the_page_is_html_to_parsers_that_others_wrote() {
    let full = full_world();
    let mut fresh = World::new(Truth::Github);
    fresh.start();
    for world in [&full, &fresh] {
        let (status, page) = world.get_admin("/");
        assert_eq!(status, 200);
        let tidy = judged("tidy", &["-quiet", "-errors", "--drop-empty-elements", "no"], &page);
        all_content("the page", [("html5lib", python(READ_HTML, &page)), ("tidy", tidy)]);
    }
}

#[test]
fn every_answer_forbids_to_keep_it_to_run_anything_and_to_frame_it() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let admin = &world.service().admin;
    for path in PATHS {
        let request = |method: &str| format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = raw::ask(admin, request("GET")).unwrap();
        let csp = answer.header("content-security-policy").unwrap_or_default();
        assert!(csp.starts_with("default-src 'none'; style-src") && !csp.contains("script"), "{path}: {csp}");
        assert!(csp.contains("frame-ancestors 'none'"), "{path}: {csp}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let mut head = Raw::open(admin);
        head.send(request("HEAD"));
        let bare = head.answer_to_head().unwrap();
        assert_eq!((bare.status, bare.body.as_str()), (answer.status, ""), "{path}");
        head.send(request("HEAD"));
        assert!(head.answer_to_head().is_some(), "nothing of a body came in between: {path}");
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer =
                raw::ask(admin, request(method).replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"))
                    .unwrap();
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(
                answer.header("allow").is_some_and(|allow| allow.starts_with("GET, HEAD")),
                "{method} {path}"
            );
        }
    }
}

#[test]
fn the_listener_may_be_opened_by_a_name_that_is_configured() {
    let mut world = World::new(Truth::Deliveries);
    world.set("SYNC_ADMIN_LISTEN", "127.0.0.1:0, Status.Acme.test");
    world.start();
    let status = |host: &str| {
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        raw::ask(&world.service().admin, request).unwrap().status
    };
    world.wait_until("ready", || status("localhost") == 200);
    let statuses =
        ["status.acme.test", "STATUS.acme.test:443", "acme.test", "evil.status.acme.test"].map(status);
    assert_eq!(statuses, [200, 200, 403, 403]);
}

#[test]
fn the_page_says_what_waits_for_whom_and_what_to_type() {
    let world = full_world();
    let status = world.status();
    let (_, page) = world.get_admin("/");
    assert_eq!(status["headline"]["title"], "1 decision needs you");
    let why = status["headline"]["why"].as_str().unwrap();
    let both = "1 delivery failed. 1 delivery is queued, the oldest for ";
    assert!(why.starts_with(both), "{why}");
    assert!(page.contains("<h1>1 decision needs you</h1>"), "{page}");
    let hold = world.only_hold();
    let name = hold["name"].as_str().unwrap();
    assert!(
        page.contains(&["approve", "reject"].map(|word| world.shown(&format!("{word} {name}"))).join("\n")),
        "{page}"
    );
    let failed = status["failures"][0]["delivery"].as_str().unwrap();
    assert!(page.contains(&world.shown(&format!("replay {failed}"))), "{page}");
    let wait = status["waits"][0].clone();
    assert_eq!((&wait["slug"], &wait["wants"]), (&json!("payments"), &json!("mobile")));
    assert!(page.contains("<p>GitHub team <code>payments</code> ("), "{page}");
    assert!(page.contains("waits for the slug <code>mobile</code>, which GitHub team"), "{page}");
    let (_, out, _) = world.command(&["status", "-v"]);
    assert!(out.contains("waits for the slug `mobile`, which GitHub team"), "the same on a terminal: {out}");
    // The commands on the page do what it says.
    assert_eq!(world.command(&["reject", name]).0, 0);
    world.sentry.set_idp_provisioned(world.sentry.teams()["search"].id, false);
    assert_eq!(world.command(&["replay", failed]).0, 0);
    world.wait_until("nothing waits for a person", || {
        let status = world.status();
        (&status["held"], &status["failed"]) == (&json!(0), &json!(0))
    });
}

#[test]
fn somebody_unmatched_is_shown_with_what_would_match_them_and_a_masked_address() {
    for truth in [Truth::Deliveries, Truth::Github] {
        let world = World::new(truth);
        let zoe = world.github_only("zoe");
        let nobody = world.github.add_person("nobody");
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, zoe));
        world.settle(&world.github.add_member(crew, nobody));
        let status = world.status();
        let person = |login: &str| {
            let all = status["unmatched"].as_array().unwrap().iter();
            all.clone()
                .find(|person| person["login"] == login)
                .unwrap_or_else(|| panic!("{status:#}"))
                .clone()
        };
        assert_eq!(person("zoe")["why"], "no Sentry member has the public GitHub address: z…@acme.test");
        let help = "invite that address to Sentry, or have it added to their account there; or add `zoe` with their Sentry address to SYNC_USER_MAP; or link the GitHub account in Sentry";
        assert_eq!(person("zoe")["help"], help);
        let help = person("nobody")["help"].as_str().unwrap().to_string();
        assert!(help.contains("an e-mail of the organisation's verified domain on GitHub"), "{help}");
        let (_, page) = world.get_admin("/");
        assert!(page.contains("z…@acme.test") && !page.contains("zoe@acme.test"), "{page}");
        assert!(page.contains("address to SYNC_USER_MAP; or link"), "{page}");
        // Who does as told is no longer shown.
        world.sentry.add_member("zoe@acme.test");
        world.settle(&world.github.remove_member(crew, zoe));
        world.settle(&world.github.add_member(crew, zoe));
        world.wait_until("zoe is in", || !world.status()["unmatched"].to_string().contains("zoe"));
    }
}

#[test]
fn names_of_teams_and_people_are_harmless_wherever_they_are_shown() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let bad = hostile();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    let evil = |delivery: &Delivery, guid: &str| {
        let delivery = delivery.clone().with_payload(|payload| {
            payload["team"]["name"] = json!(bad);
            for who in ["member", "sender"] {
                if let Some(login) = payload.get_mut(who).and_then(|who| who.get_mut("login")) {
                    *login = json!(bad);
                }
            }
        });
        delivery.with_guid(guid)
    };
    let eve = world.github_only("eve");
    world.send(&[evil(&created[0], "evil-1")]);
    world.send(&world.github.add_member(crew, eve).iter().map(|it| evil(it, "evil-2")).collect::<Vec<_>>());
    world.send(
        &world.github.rename_team(crew, "Night").iter().map(|it| evil(it, "evil-3")).collect::<Vec<_>>(),
    );
    // A slug is foreign text too, and so is what Sentry answers.
    let slug = world.github.add_member(crew, world.olive).remove(0);
    let slug = slug.with_payload(|payload| payload["team"]["slug"] = json!(bad)).with_guid("evil-4");
    world.send(&[slug]);
    world.wait_for_rest();
    for path in PATHS {
        assert_harmless(path, &world.get_admin(path).1);
    }
    let (_, page) = world.get_admin("/");
    assert!(!page.contains("<img"), "{page}");
    assert!(!world.get_admin("/metrics").1.contains("onerror"), "no names in metrics");
    let log = world.service().text();
    assert!(!log.lines().any(|line| line.starts_with("fake: line")), "a forged line:\n{log}");
    assert_harmless("the log", &log.replace('\n', " "));
    for args in [&["status"][..], &["status", "--json"]] {
        let (_, out, err) = world.command(args);
        assert_harmless("a command", &(out + &err));
    }
    let status = world.status();
    assert!(status.to_string().contains("img src=x"), "the name is shown, as text: {status:#}");
}

#[test]
fn the_chart_counts_what_arrived_and_survives_a_restart() {
    let world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    let (mut world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    world.sentry.set_idp_provisioned(world.sentry.teams()["crew"].id, true);
    world.settle(&world.github.remove_member(crew, ana));
    let sums = |world: &World| {
        let hours = world.status()["hours"].as_array().unwrap().clone();
        assert_eq!(hours.len(), 24);
        let sum = |name: &str| hours.iter().map(|hour| hour[name].as_u64().unwrap()).sum::<u64>();
        (sum("deliveries"), sum("failed"))
    };
    assert_eq!(sums(&world), (3, 1));
    let (_, page) = world.get_admin("/");
    assert!(page.contains("3 deliveries in 24 hours, 1 failed."), "{page}");
    world.take_service().stop("-TERM");
    world.start();
    assert_eq!(sums(&world), (3, 1), "refilled from what is remembered");
}

#[test]
fn rates_and_the_tokens_end_are_told_as_the_hosts_told_them() {
    let world = World::new(Truth::Github);
    let end = SystemTime::now() + Duration::from_secs(10 * 86_400);
    world.github.set_token(&world.github_token, GithubToken::members_read(world.olive).expires(end));
    world.sentry.set_rate_limit(Some(RateLimit { window_seconds: 3600, ..RateLimit::per_second(400) }));
    let (world, _) = world.with_crew();
    world.wait_for_rest();
    let status = world.status();
    let rate = |host: &str, class: &str| -> Value {
        let rates = status[host]["rates"].as_array().unwrap();
        rates.iter().find(|rate| rate["class"] == class).unwrap_or_else(|| panic!("{status:#}")).clone()
    };
    assert_eq!(rate("github", "core")["limit"], 5000);
    assert_eq!(rate("github", "graphql")["limit"], 5000);
    assert_eq!(rate("sentry", "write")["limit"], 400);
    let left = rate("sentry", "write")["remaining"].as_u64().unwrap();
    assert!(left < 400, "{status:#}");
    assert_eq!(world.metric("sync_rate_remaining{host=\"sentry\",class=\"write\"}"), left);
    let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(world.metric("sync_token_expires_timestamp_seconds{host=\"github\"}"), end);
    let (_, metrics) = world.get_admin("/metrics");
    assert!(metrics.contains("sync_token_expires_timestamp_seconds{host=\"sentry\"} NaN\n"), "{metrics}");
    let (_, page) = world.get_admin("/");
    assert!(
        page.contains("token expires") && page.contains(", in 9d") && page.contains("<dd class=\"warn\">"),
        "{page}"
    );
    assert!(world.metric("sync_calls_total{host=\"github\",class=\"graphql\"}") > 0);
}

#[test]
fn a_comparison_is_told_with_its_differences() {
    let world = World::new(Truth::Github).may_list_teams();
    let ana = world.person("ana");
    let crew = world.old_team("Crew");
    world.github.join(crew, ana);
    world.sentry.add_team("crew", "Crew");
    let mut world = world;
    world.start();
    world.wait_until("the first one is over", || world.status()["last_reconcile"].is_object());
    let last = world.status()["last_reconcile"].clone();
    assert_eq!((&last["differences"], &last["held"]), (&json!(2), &json!(1)), "{last}");
    assert_eq!(world.metric("sync_reconcile_differences{held=\"true\"}"), 1);
    assert_eq!(world.metric("sync_reconcile_differences{held=\"false\"}"), 1);
    let hold = world.only_hold();
    assert_eq!(world.command(&["approve", hold["name"].as_str().unwrap()]).0, 0);
    world.wait_until("both sides are the same", || world.differences().is_empty());
    world.wait_until("in step", || world.status()["headline"]["title"] == "In step");
    let (_, page) = world.get_admin("/");
    assert!(page.contains("<header class=\"good\">"), "{page}");
}

#[test]
fn which_secret_fitted_last_and_what_became_of_deliveries_is_told() {
    let mut world = World::new(Truth::Deliveries);
    world.set("GH_WEBHOOK_TOKEN_PREVIOUS", "the one before");
    world.start();
    assert_eq!(world.status()["secret"], Value::Null);
    assert_eq!(world.metric("sync_last_delivery_timestamp_seconds"), 0);
    let url = format!("{}/github", world.service().url);
    let (crew, created) = world.github.create_team("Crew", world.olive);
    Sender::new(&url, "the one before").send(&created[0]).unwrap();
    world.wait_for_rest();
    assert_eq!(world.status()["secret"]["which"], "previous");
    assert!(world.get_admin("/").1.contains("enter the new one in GitHub's webhook settings"));
    Sender::new(&url, SECRET).send(&world.github.rename_team(crew, "Night")[0]).unwrap();
    world.wait_for_rest();
    assert_eq!(world.status()["secret"]["which"], "current");
    for event in ["team.created", "team.edited"] {
        let sample = format!("sync_outcomes_total{{event=\"{event}\",outcome=\"done\"}}");
        assert_eq!(world.metric(&sample), 1, "{event}");
    }
}

#[test]
fn healthy_is_not_ready_and_the_page_says_why() {
    let mut world = World::new(Truth::Deliveries);
    world.sentry.revoke(&world.sentry_token);
    world.start();
    world.wait_until("not ready", || world.get_admin("/readyz").1.contains("Sentry rejected SENTRY_TOKEN"));
    assert_eq!(world.get_admin("/readyz").0, 503);
    assert_eq!(world.get_admin("/healthz").0, 200);
    assert_eq!(world.command(&["status"]).0, 1, "a script that looks at the exit code alone is told too");
    assert_eq!(world.metric("sync_ready"), 0);
    let (_, body) = world.get_admin("/readyz");
    let reasons: Value = serde_json::from_str(&body).unwrap();
    let reason = reasons["reasons"][0].as_str().unwrap();
    assert!(reason.contains("Sentry rejected SENTRY_TOKEN"), "{body}");
    let (_, page) = world.get_admin("/");
    assert!(
        page.contains("<h1>Not ready</h1>") && page.contains("<li>Sentry: Sentry rejected SENTRY_TOKEN"),
        "{page}"
    );
}

#[test]
fn the_status_is_the_same_value_on_the_page_in_json_and_on_a_terminal() {
    let world = full_world();
    let (_, out, _) = world.command(&["status", "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    let shown = world.status();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&told), names(&shown));
    for name in names(&told).iter().filter(|name| !["at", "headline", "disk"].contains(&name.as_str())) {
        assert_eq!(told[name], shown[name], "{name}");
    }
}

#[test]
fn the_reference_has_every_field_of_the_status_and_no_other() {
    let world = full_world();
    let status = world.status();
    let reference = include_str!("../../REFERENCE.md");
    let table =
        reference.split_once("<!-- begin status -->").unwrap().1.split_once("<!-- end status -->").unwrap().0;
    let first = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut told: Vec<_> = first.flat_map(|cell| cell.trim_end_matches('`').split("`, `")).collect();
    told.sort();
    let mut fields: Vec<_> = status.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort();
    assert_eq!(told, fields);
    // And of what is in them: each is named in its row.
    for (field, value) in status.as_object().unwrap() {
        let inner = value.as_array().map_or(Some(value), |list| list.first());
        let row = table
            .lines()
            .find(|line| line.split(" | ").next().is_some_and(|first| first.contains(&format!("`{field}`"))));
        let row = row.unwrap();
        let names = inner.and_then(Value::as_object).into_iter().flat_map(|inner| inner.keys());
        let is_told = |name: &&String| row.contains(&format!("`{name}`"));
        let prose = ["recent", "hours", "secret", "recovered"].contains(&field.as_str());
        let untold: Vec<_> = names.filter(|name| !prose && !is_told(name)).collect();
        assert!(untold.is_empty(), "{field}: {untold:?} are not in {row}");
    }
}
