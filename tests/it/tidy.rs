//! What keeps the repository in order: the reference's tables are those of the program, the change log knows the version,
//! and sources stay as they should be.
//!
//! Each check is a function that returns its complaints, and one test shows that each of them can complain.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use sentry_team_sync::parts::{Setting, COMMANDS, EXIT_CODES, SETTINGS};

use crate::world::{Truth, World};

/// A source file that is longer is to be split by idea.
const MOST_LINES: usize = 600;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All files below a folder, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path))
        } else {
            files.push(path)
        }
    }
    files.sort();
    files
}

/// The project's Rust files: path below the root, and text.
pub fn sources() -> Vec<(String, String)> {
    let all = ["src", "tests"].into_iter().flat_map(|folder| files_below(&root().join(folder)));
    let rust = all.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    rust.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

/// What stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.
fn marked<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<!-- begin {name} -->\n"))?;
    rest.split_once(&format!("<!-- end {name} -->")).map(|(inside, _)| inside)
}

/// Compares what stands between two markers with what should; the complaint can be pasted.
fn differs(text: &str, name: &str, expected: &str) -> Vec<String> {
    match marked(text, name) {
        Some(found) if found == expected => Vec::new(),
        found => vec![format!(
            "between the markers of `{name}` stands\n\n{}\nbut it should be\n\n{expected}",
            found.unwrap_or("nothing: there are no such markers\n")
        )],
    }
}

fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn settings_table() -> String {
    let mut table = String::from("| variable | flag | default | meaning |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let Setting { var, value, default, help, secret, .. } = setting;
        let file = if *secret { format!(", `{var}_FILE`") } else { String::new() };
        let is_prose = default.contains(' ') || ["required", "none"].contains(default);
        let default = if is_prose { default.to_string() } else { format!("`{default}`") };
        let _ = writeln!(
            table,
            "| `{var}`{file} | `--{} {}` | {} | {} |",
            setting.flag(),
            cell(value),
            cell(&default),
            cell(help)
        );
    }
    table
}

fn commands_table() -> String {
    let mut table = String::from("| command | does |\n|---|---|\n");
    for command in COMMANDS {
        let more = if command.more.is_empty() { String::new() } else { format!(". {}", command.more) };
        let _ = writeln!(table, "| `{}` | {}{} |", cell(&command.usage()), cell(command.help), cell(&more));
    }
    table
}

fn exit_codes_table() -> String {
    let rows: String = EXIT_CODES.iter().map(|(code, meaning)| format!("| {code} | {meaning} |\n")).collect();
    format!("| exit code | meaning |\n|---|---|\n{rows}")
}

/// The table of what `/metrics` prints: name, kind, labels with their values, and the help text.
fn metrics_table(metrics: &str) -> String {
    let mut table = String::from("| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    let named = |kind: &str, name: &str| {
        let begin = format!("# {kind} {name} ");
        metrics.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or("?").to_string()
    };
    for name in metric_names(metrics) {
        let mut labels: Vec<(String, Vec<String>)> = Vec::new();
        for line in metrics.lines().filter_map(|line| line.strip_prefix(&format!("{name}{{"))) {
            for pair in line.split('}').next().unwrap().split(',') {
                let (label, value) = pair.split_once('=').unwrap();
                let value = value.trim_matches('"').to_string();
                match labels.iter_mut().find(|(known, _)| known == label) {
                    Some((_, values)) if values.contains(&value) => {}
                    Some((_, values)) => values.push(value),
                    None => labels.push((label.into(), vec![value])),
                }
            }
        }
        let labels: Vec<_> =
            labels.iter().map(|(label, values)| format!("`{label}`: {}", values.join(", "))).collect();
        let (kind, help) = (named("TYPE", &name), named("HELP", &name));
        let _ = writeln!(table, "| `{name}` | {kind} | {} | {} |", labels.join("; "), cell(&help));
    }
    table
}

/// In the order in which they are printed.
fn metric_names(metrics: &str) -> Vec<String> {
    let help = metrics.lines().filter_map(|line| line.strip_prefix("# HELP "));
    help.map(|line| line.split(' ').next().unwrap().to_string()).collect()
}

/// Words that begin like this, made of such characters.
fn words<'a>(text: &'a str, begin: &str, is_part: fn(char) -> bool) -> BTreeSet<&'a str> {
    text.split(|c: char| !is_part(c)).filter(|word| word.starts_with(begin)).collect()
}

/// Metrics that a text speaks of, as in rules, and that do not exist.
fn unknown_metrics(text: &str, metrics: &str) -> Vec<String> {
    let names = metric_names(metrics);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let told = words(text, "sync_", is_part);
    let unknown = told.into_iter().filter(|word| !names.iter().any(|name| name == word));
    unknown.map(|word| format!("there is no metric `{word}`")).collect()
}

/// Variables that a text speaks of and that do not exist.
fn unknown_variables(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let is_known = |word: &str| {
        word.starts_with("SYNC_TEST_")
            || SETTINGS.iter().any(|setting| {
                word == setting.var || setting.secret && word.strip_suffix("_FILE") == Some(setting.var)
            })
    };
    let told = ["SYNC_", "GH_", "SENTRY_"].into_iter().flat_map(|begin| words(text, begin, is_part));
    told.filter(|word| !is_known(word)).map(|word| format!("there is no variable `{word}`")).collect()
}

/// The messages that the README explains: first cells of the table of its troubleshooting.
fn explained_messages(text: &str) -> Vec<String> {
    let section = text.split_once("\n## Troubleshooting\n").map_or("", |(_, rest)| rest);
    let section = section.split_once("\n## ").map_or(section, |(inside, _)| inside);
    let message =
        |line: &str| line.strip_prefix("| `")?.split_once("` |").map(|(message, _)| message.to_string());
    section.lines().filter_map(message).collect()
}

/// Explained messages that the program never says. An ellipsis stands for what differs.
fn unknown_messages(text: &str, program: &str) -> Vec<String> {
    let mut unknown = Vec::new();
    for message in explained_messages(text) {
        let pieces = message.split('…').map(|piece| piece.trim_matches([':', ' ']));
        let unsaid = pieces.filter(|piece| !piece.is_empty() && !program.contains(piece));
        unknown.extend(unsaid.map(|piece| format!("the program never says `{piece}`")));
    }
    unknown
}

/// What only the writer's machine knows, and words that say nothing.
fn private_words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let places = ["/work/", "/tmp/", "/root/", "/home/", "../shared", "session"];
    let all = words(&lower, "", char::is_alphabetic);
    let mut found: Vec<&str> = places.into_iter().filter(|word| lower.contains(word)).collect();
    found.extend(["simply", "just", "easily"].into_iter().filter(|word| all.contains(word)));
    found.into_iter().map(|word| format!("`{word}` stands in the text")).collect()
}

fn knows_version(changes: &str, version: &str) -> Vec<String> {
    let is_it = |line: &str| {
        let title = line.strip_prefix("## ").unwrap_or_default();
        title.split([' ', ',']).next() == Some(version) || title.to_lowercase().starts_with("unreleased")
    };
    if changes.lines().any(is_it) {
        Vec::new()
    } else {
        vec![format!("CHANGELOG.md has no section `## {version}` and none that is unreleased")]
    }
}

/// What a source file should not have.
fn untidy(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let n_lines = text.lines().count();
    if n_lines > MOST_LINES {
        complaints.push(format!("{name} has {n_lines} lines; split it by idea, {MOST_LINES} are the most"));
    }
    // Put together, so that this file may be looked at too.
    let marks = ["TO", "FIX", "XX"].into_iter().zip(["DO", "ME", "X"]).map(|(a, b)| format!("{a}{b}"));
    let marks: Vec<_> = marks.collect();
    for (n, line) in text.lines().enumerate() {
        let mut complain = |what: &str| complaints.push(format!("{name}:{}: {what}", n + 1));
        if line.ends_with([' ', '\t']) {
            complain("a blank at the end of the line");
        }
        if line.contains('\t') {
            complain("a tab");
        }
        if marks.iter().any(|mark| line.contains(mark.as_str())) {
            complain("something is left to do");
        }
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") {
        complaints.push(format!("{name} does not end with one line end"));
    }
    complaints
}

/// What a user reads, in the repository.
const DOCUMENTS: [&str; 5] =
    ["README.md", "REFERENCE.md", "SECURITY.md", "CHANGELOG.md", "systemd/README.md"];

#[test]
fn the_reference_has_every_setting_as_the_program_knows_it() {
    assert_none(differs(&read("REFERENCE.md"), "settings", &settings_table()));
}

#[test]
fn no_document_names_a_variable_that_does_not_exist() {
    assert_none(DOCUMENTS.iter().flat_map(|name| unknown_variables(&read(name))).collect());
}

#[test]
fn the_reference_has_every_command() {
    let reference = read("REFERENCE.md");
    assert_none(differs(&reference, "commands", &commands_table()));
    assert_none(differs(&reference, "exit codes", &exit_codes_table()));
}

#[test]
fn the_reference_has_every_metric_of_a_running_service_and_no_other() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let (status, metrics) = world.get_admin("/metrics");
    assert_eq!(status, 200);
    assert!(metric_names(&metrics).len() > 10, "{metrics}");
    assert_none(differs(&read("REFERENCE.md"), "metrics", &metrics_table(&metrics)));
    for name in ["README.md", "REFERENCE.md", "systemd/README.md", "systemd/alerts.yml"] {
        assert_none(unknown_metrics(&read(name), &metrics));
    }
}

#[test]
fn the_readme_explains_messages_that_the_program_says() {
    let readme = read("README.md");
    let program: String =
        sources().into_iter().filter(|(name, _)| name.starts_with("src/")).map(|(_, t)| t).collect();
    let n_messages = explained_messages(&readme).len();
    assert!(n_messages >= 12, "{n_messages} messages are explained");
    assert_none(unknown_messages(&readme, &program));
}

#[test]
fn the_readme_begins_with_commands_that_work_and_is_short() {
    let readme = read("README.md");
    for command in ["cargo run --release --example demo\n", "cargo test\n"] {
        assert!(readme.contains(&format!("\n{command}")), "{command}");
    }
    let n_lines = readme.lines().count();
    assert!(n_lines <= 500, "the README has {n_lines} lines: what few people need belongs into REFERENCE.md");
}

#[test]
fn no_document_names_a_machine() {
    assert_none(DOCUMENTS.iter().flat_map(|name| private_words(&read(name))).collect());
}

/// What a heading is called in an address.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || ['-', '_', ' '].contains(c);
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

/// Links of a document to a file or heading that isn't there.
fn broken_links(name: &str, text: &str) -> Vec<String> {
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let local = targets.filter(|target| !target.contains("://"));
    let is_there = |target: &str| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() { root().join(name) } else { root().join(folder).join(file) };
        let Ok(linked) = fs::read_to_string(path) else { return false };
        heading.is_empty() || linked.lines().any(|line| line.starts_with('#') && anchor(line) == heading)
    };
    local.filter(|target| !is_there(target)).map(|target| format!("{name} links to {target}")).collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    assert_none(DOCUMENTS.iter().flat_map(|name| broken_links(name, &read(name))).collect());
}

#[test]
fn the_change_log_knows_this_version() {
    assert_none(knows_version(&read("CHANGELOG.md"), env!("CARGO_PKG_VERSION")));
}

/// What a template unit says beyond the names of its instance: lines that only it has.
fn beyond_names(unit: &str, template: &str) -> Vec<String> {
    let named = unit
        .replace("sentry-team-sync.socket", "sentry-team-sync@%i.socket")
        .replace("/etc/sentry-team-sync/", "/etc/sentry-team-sync/%i/")
        .replace("Directory=sentry-team-sync\n", "Directory=sentry-team-sync-%i\n");
    let is_setting = |line: &&str| !line.starts_with('#') && !line.starts_with("Description=");
    let (unit, template) = (named.lines().filter(is_setting), template.lines().filter(is_setting));
    let (unit, template): (BTreeSet<_>, BTreeSet<_>) = (unit.collect(), template.collect());
    unit.symmetric_difference(&template).map(|line| line.to_string()).collect()
}

#[test]
fn the_template_unit_is_the_unit_with_other_names() {
    let (unit, template) =
        (read("systemd/sentry-team-sync.service"), read("systemd/sentry-team-sync@.service"));
    let only = ["Environment=SYNC_ADMIN_LISTEN=unix:%t/sentry-team-sync-%i/admin.sock"];
    assert_eq!(beyond_names(&unit, &template), only);
    assert_eq!(beyond_names(&unit.replace("UMask=0077\n", ""), &template), [only[0], "UMask=0077"]);
}

/// Tests that a text names between backticks, and rows of its tables that name none.
fn unproven(text: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name =
        |word: &&str| word.contains('_') && word.chars().all(|c| is_part(c) && !c.is_ascii_uppercase());
    let mut complaints = Vec::new();
    for line in text.lines() {
        let names: Vec<&str> = line.split('`').skip(1).step_by(2).filter(is_name).collect();
        let is_claim = line.starts_with("| ") && !line.starts_with("| claim ");
        if is_claim && names.is_empty() {
            complaints.push(format!("no test shows: {line}"));
        }
        let unknown = names.into_iter().filter(|name| !tests.contains(*name));
        complaints.extend(unknown.map(|name| format!("there is no test `{name}`")));
    }
    complaints
}

/// The names of all tests.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, text) in sources() {
        for after in text.split("#[test]\n").skip(1) {
            let name = after.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            names.extend(name.map(|(name, _)| name.to_string()));
        }
    }
    names
}

#[test]
fn every_claim_of_the_threat_model_names_a_test_that_exists() {
    let security = read("SECURITY.md");
    assert_none(unproven(&security, &tests()));
    let n_claims = security.lines().filter(|line| line.starts_with("| c")).count();
    assert!(n_claims > 30, "{n_claims} claims");
}

/// Calls that a signal may end, where nobody makes them again. Put together, so that this file may be looked at too.
fn interruptible(name: &str, text: &str) -> Vec<String> {
    let calls = [("UnixStream::", "connect"), (".read(", "&mut "), (".recv(", "&mut "), (".peek(", "&mut ")];
    let calls = calls.into_iter().chain([(".write_", "vectored("), (".send_to_", "addr(")]);
    let calls: Vec<_> = calls.map(|(begin, end)| format!("{begin}{end}")).collect();
    let ends = |line: &str| calls.iter().any(|call| line.contains(call.as_str()));
    let all = text.lines().enumerate();
    let bare = all.filter(|(_, line)| ends(line) && !line.contains("retried("));
    bare.map(|(n, line)| format!("{name}:{}: a signal may end this, see `retried`: {line}", n + 1)).collect()
}

#[test]
fn no_signal_ends_a_call() {
    let sources = sources();
    assert_none(sources.iter().flat_map(|(name, text)| interruptible(name, text)).collect());
}

#[test]
fn sources_are_tidy() {
    let sources = sources();
    assert!(sources.len() > 100, "{} files were found", sources.len());
    assert_none(sources.iter().flat_map(|(name, text)| untidy(name, text)).collect());
    for name in DOCUMENTS {
        let complaints = untidy(name, &read(name));
        assert_none(
            complaints.into_iter().filter(|complaint| !complaint.contains("split it by idea")).collect(),
        );
    }
}

#[test]
fn every_check_can_complain() {
    let table = settings_table();
    let page = format!("x\n<!-- begin settings -->\n{table}<!-- end settings -->\n");
    assert_eq!(differs(&page, "settings", &table), [""; 0]);
    assert_eq!(differs(&page.replacen("`1h`", "`2h`", 1), "settings", &table).len(), 1);
    assert_eq!(differs(&page, "metrics", &table).len(), 1);

    let metrics = "# HELP sync_a Help.\n# TYPE sync_a counter\nsync_a{x=\"1\"} 2\nsync_a{x=\"2\"} 0\n";
    assert!(metrics_table(metrics).ends_with("| `sync_a` | counter | `x`: 1, 2 | Help. |\n"));
    assert_eq!(unknown_metrics("increase(sync_a{x=\"1\"}[1h])", metrics), [""; 0]);
    assert_eq!(unknown_metrics("sync_b > 0", metrics), ["there is no metric `sync_b`"]);

    assert_eq!(unknown_variables("SYNC_LISTEN, GH_TOKEN_FILE, SYNC_TEST_SEED"), [""; 0]);
    assert_eq!(unknown_variables("SYNC_LISTEN_FILE").len(), 1);
    assert_eq!(unknown_variables("GH_TOKN").len(), 1);

    let known = BTreeSet::from(["a_b_c".to_string()]);
    assert_eq!(unproven("| claim | shown by |\n| cannot | `a_b_c` |\nSee `A_B`.", &known), [""; 0]);
    assert_eq!(unproven("| cannot | `a_b` |", &known).len(), 1);
    assert_eq!(unproven("| cannot | it |", &known).len(), 1);

    let program = "fail(\"failed to listen on `{addr}`\")";
    let explains =
        |message: &str| format!("\n## Troubleshooting\n\n| `{message}` | a fix |\n\n## Next\n| `x` | y |\n");
    assert_eq!(unknown_messages(&explains("failed to listen on …"), program), [""; 0]);
    assert_eq!(unknown_messages(&explains("failed to hear …"), program).len(), 1);

    assert_eq!(broken_links("systemd/README.md", "[a](nginx.conf) [b](../README.md#day-two)"), [""; 0]);
    assert_eq!(
        broken_links("README.md", "[a](nginx.conf) [b](#day-too) [c](https://example.com/x)").len(),
        2
    );

    assert_eq!(private_words("Adjust it."), [""; 0]);
    assert_eq!(private_words("Just look at /home/me.").len(), 2);
    assert_eq!(knows_version("## 0.1.0 (unreleased)\n", "0.1.0"), [""; 0]);
    assert_eq!(knows_version("## Unreleased\n", "0.1.0"), [""; 0]);
    assert_eq!(knows_version("## 0.1.0\n", "0.2.0").len(), 1);

    assert_eq!(interruptible("x", "let n = retried(|| stream.read(&mut chunk))?;"), [""; 0]);
    assert_eq!(interruptible("x", concat!("let n = stream.read(", "&mut chunk)?;")).len(), 1);

    assert_eq!(untidy("x", "fine\n"), [""; 0]);
    for bad in ["end \n", "a\tb\n", concat!("TO", "DO\n"), "no line end", "two\n\n", &"x\n".repeat(601)] {
        assert_eq!(untidy("x", bad).len(), 1, "{bad:?}");
    }
}
