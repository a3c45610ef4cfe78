//! The command `check`: each finding, by the token, setting or machine that is as it should not be.

mod configuration;
mod github;
mod hook;
mod machine;
mod offline;
mod people;
mod proxies;
mod sentry;
mod url;

use serde_json::Value;

use crate::world::{Truth, World, SECRET};

/// What `check --json` said.
pub struct Checked {
    /// The exit code.
    pub exit: i32,
    /// The report.
    pub report: Value,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `ok`, `note`, `warning`, `failed`.
    pub level: String,
    /// What was found.
    pub what: String,
    /// What to do, or nothing.
    pub fix: String,
}

impl Checked {
    fn read((exit, out, err): (i32, String, String)) -> Self {
        assert_eq!(err, "", "{out}");
        let report = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}"));
        Self { exit, report }
    }

    /// All findings of an area.
    pub fn all(&self, area: &str) -> Vec<Finding> {
        let all = self.report["findings"].as_array().expect("a list").iter();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_string();
        all.filter(|row| row["area"] == area)
            .map(|row| Finding { level: text(row, "level"), what: text(row, "what"), fix: text(row, "fix") })
            .collect()
    }

    /// The only finding of an area that says this.
    #[track_caller]
    pub fn one(&self, area: &str, part: &str) -> Finding {
        let mut found = self.all(area);
        found.retain(|finding| finding.what.contains(part));
        assert_eq!(found.len(), 1, "{area}: {part:?} in {:#}", self.report);
        found.remove(0)
    }

    /// Whether an area has a finding that says this.
    pub fn says(&self, area: &str, part: &str) -> bool {
        self.all(area).iter().any(|finding| finding.what.contains(part))
    }

    /// The findings that are neither ok nor a note, as `area level`.
    pub fn bad(&self) -> Vec<String> {
        let all = self.report["findings"].as_array().expect("a list").iter();
        let bad = all.filter(|row| row["level"] != "ok" && row["level"] != "note");
        bad.map(|row| format!("{} {}", row["area"].as_str().unwrap(), row["level"].as_str().unwrap()))
            .collect()
    }
}

impl Finding {
    /// Level and fix, where the fix has these parts.
    #[track_caller]
    pub fn must(&self, level: &str, fix: &[&str]) {
        assert_eq!(self.level, level, "{self:?}");
        for part in fix {
            assert!(self.fix.contains(part), "{part:?} in {self:?}");
        }
    }
}

/// Checks with everything that the service would know; no service runs.
pub fn alone(world: &World) -> Checked {
    Checked::read(world.alone(&["check", "--json"]))
}

/// Has the running service check; this command knows none of its secrets.
pub fn beside(world: &World) -> Checked {
    Checked::read(world.command(&["check", "--json"]))
}

/// A world in which nothing is wrong: an owner's token that sees all, a Sentry token that may list, nobody unmatched.
pub fn healthy() -> World {
    World::new(Truth::Github).may_list_teams()
}

/// Calls that could have changed something: whatever is neither a GET nor a query.
fn writes(world: &World) -> Vec<String> {
    let all = world.github.wire.calls().into_iter().chain(world.sentry.wire.calls());
    let is_write = |call: &crate::standin::Call| {
        call.method != "GET" && !(call.method == "POST" && call.path.ends_with("/graphql"))
    };
    all.filter(is_write).map(|call| format!("{} {}", call.method, call.path)).collect()
}

#[test]
fn where_all_is_well_everything_is_ok_and_the_exit_code_0() {
    let world = healthy();
    let ana = world.person("ana");
    let crew = world.old_team("Crew");
    world.github.join(crew, ana);
    let checked = alone(&world);
    assert_eq!((checked.bad(), checked.exit), (vec![], 0), "{:#}", checked.report);
    for (area, says) in [
        ("configuration", "SENTRY_ORG_SLUG is `acme-sentry`"),
        ("machine", "certificate authorities: "),
        ("machine", "no proxy is used"),
        ("state", "no service has run yet"),
        ("clock", "the local clock agrees with GitHub's"),
        ("clock", "the local clock agrees with Sentry's"),
        ("github", "GH_TOKEN is valid: a fine-grained personal token"),
        ("github", "rate limit: "),
        ("github", "the organisation \"acme\" ("),
        ("github", "read mode: the token can read the teams of \"acme\""),
        ("github", "1 team is visible, including secret ones"),
        ("hook", "the token cannot see webhooks"),
        ("sentry", "SENTRY_TOKEN is valid: an integration's"),
        ("sentry", "SENTRY_TOKEN has every scope that it needs: member:read, member:write, org:read"),
        ("sentry", "the organisation `acme-sentry` is found"),
        ("sentry", "0 teams can be listed"),
        ("sentry", "Open Membership is on"),
        ("identity", "1 of 1 person in teams is matched"),
    ] {
        assert!(checked.says(area, says), "{area}: {says} in {:#}", checked.report);
    }
}

#[test]
fn the_text_shows_problems_first_with_their_fix_below_and_counts_what_is_good() {
    let mut world = healthy();
    world.set("SYNC_LISTN", "x");
    let (exit, text, talk) = world.alone(&["check"]);
    assert_eq!((exit, talk.as_str()), (0, ""), "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("warning  configuration  the variable SYNC_LISTN is not known"), "{text}");
    let indent = " ".repeat(24);
    assert!(lines[1].starts_with(&format!("{indent}fix: correct its name")), "{text}");
    // What was not looked at does not seem to be well.
    assert!(lines.iter().any(|line| line.starts_with("note     hook           not checked: ")), "{text}");
    assert!(lines.iter().all(|line| line.chars().count() <= 120 && !line.starts_with("ok ")), "{text}");
    let n_notes = lines.iter().filter(|line| line.starts_with("note ")).count();
    let [.., passed, last] = lines[..] else { panic!("{text}") };
    let by = "no service is running, so this command checked its own settings";
    assert_eq!(last, format!("0 failed, 1 warning, {n_notes} notes; {by}"));
    let (exit, whole, talk) = world.alone(&["check", "-v"]);
    assert_eq!((exit, talk.as_str()), (0, ""), "{whole}");
    let n_ok = whole.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(passed, format!("{n_ok} checks passed; -v shows them"));
    assert!(whole.ends_with(&format!("{last}\n")) && !whole.contains("-v shows"), "{whole}");
    assert_eq!(world.alone(&["check"]).1, text, "the same again");
}

/// A bad file is as bad whichever setting names it: the last good one stays in use until the next start.
#[test]
fn a_bad_user_map_and_a_bad_list_of_teams_weigh_the_same() {
    let mut world = healthy();
    let files = ["map.csv", "teams"].map(|name| world.dir.0.join(name));
    std::fs::write(&files[0], "ana,ana@acme.test\n").unwrap();
    std::fs::write(&files[1], "*\n").unwrap();
    world.set("SYNC_USER_MAP", files[0].to_str().unwrap());
    world.set("SYNC_TEAMS_FILE", files[1].to_str().unwrap());
    world.start();
    std::fs::write(&files[0], "ana\n").unwrap();
    std::fs::write(&files[1], "[a\n").unwrap();
    crate::reload::reload(&world, "failed");
    let checked = beside(&world);
    assert_eq!(checked.exit, 1);
    checked.one("identity", "SYNC_USER_MAP `").must("failed", &["correct the file"]);
    checked.one("configuration", "SYNC_TEAMS_FILE").must("failed", &["correct it, then reload"]);
}

#[test]
fn a_check_only_reads_and_leaves_nothing_behind() {
    let world = healthy();
    let ana = world.person("ana");
    let crew = world.old_team("Crew");
    world.github.join(crew, ana);
    let before = std::fs::read_dir(&world.dir.0).unwrap().count();
    alone(&world);
    assert_eq!(writes(&world), [""; 0]);
    assert_eq!(std::fs::read_dir(&world.dir.0).unwrap().count(), before, "no state directory was made");
    assert!(world.sentry.teams().is_empty());
}

#[test]
fn beside_a_service_it_is_run_by_it_with_its_credentials_and_changes_nothing_of_it() {
    let (world, _) = healthy().with_crew();
    // The first comparison of the service may still be at work.
    world.wait_until("compared", || world.status()["last_reconcile"]["open"] == 0);
    world.wait_for_rest();
    let marks = (world.github.wire.mark(), world.sentry.wire.mark());
    let journal = |world: &World| {
        let state = world.status();
        (state["matched"].clone(), state["teams"].clone(), state["wanted"].clone())
    };
    let before = journal(&world);
    let checked = beside(&world);
    assert_eq!(checked.report["by_service"], true);
    checked.one("state", "a service is running with").must("ok", &[]);
    checked.one("state", "the service is ready").must("ok", &[]);
    checked.one("github", "and the state directory belongs to it").must("ok", &[]);
    assert_eq!(checked.exit, 0, "{:#}", checked.report);
    assert!(world.github.wire.mark() > marks.0 && world.sentry.wire.mark() > marks.1);
    assert_eq!(world.writes_since(marks.1), [""; 0]);
    assert_eq!(journal(&world), before);
}

#[test]
fn both_ways_of_looking_come_to_the_same() {
    let (mut world, _) = healthy().with_crew();
    let with_service = beside(&world);
    world.take_service().stop("-TERM");
    let without = alone(&world);
    for area in ["github", "hook", "sentry", "identity", "clock"] {
        let texts = |checked: &Checked| -> Vec<_> {
            checked.all(area).into_iter().filter(|f| !f.what.contains("rate limit: ")).collect()
        };
        assert_eq!(texts(&with_service), texts(&without), "{area}");
    }
}

#[test]
fn a_check_shows_no_secret_whatever_is_wrong() {
    let mut world = healthy();
    world.start();
    let mut texts = Vec::new();
    let mut look = |world: &World| {
        let url = format!("{}/github", world.service().url);
        let (_, out, err) = world.command(&["check", "--url", &url]);
        let (_, alone_out, alone_err) = world.alone(&["check", "--url", &url]);
        texts.push(out + &err + &alone_out + &alone_err);
    };
    look(&world);
    world.sentry.revoke(&world.sentry_token);
    world.github.revoke(&world.github_token);
    look(&world);
    for text in texts {
        for secret in [&world.github_token, &world.sentry_token, SECRET] {
            assert!(!text.contains(secret as &str), "{text}");
        }
    }
}

#[test]
fn hostile_names_can_not_steer_the_terminal() {
    let world = healthy();
    let name = "eve\u{1b}[2J\u{202e}\r\nok       sentry        all is well";
    let eve = world.github.add_person(crate::standin::GithubUser::new(name));
    let crew = world.old_team("Crew");
    world.github.join(crew, eve);
    let (_, text, _) = world.alone(&["check"]);
    assert!(text.contains("eve\\u{1b}[2J\\u{202e}\\u{d}\\u{a}ok"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\r') && !text.contains('\u{202e}'), "{text}");
    assert!(!text.lines().any(|line| line == "ok       sentry        all is well"), "{text}");
}
