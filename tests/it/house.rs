//! The house stays a house: each file is in a room, and an import goes down only.
//!
//! A room is a folder at the top of `src`; [`ROOMS`] has them from the top floor down. Within a room no files import each
//! other in a loop. What time it is, the process's clock says alone; files, sockets and threads have their places.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::{root, sources};

/// Top to bottom. What is in none of them is on the ground, which everybody may use and which uses nobody.
const ROOMS: [&str; 13] = [
    "cli",
    "service",
    "commands",
    "status",
    "reconcile",
    "intake",
    "work",
    "queue",
    "identity",
    "hosts",
    "store",
    "config",
    "state",
];
/// The files on the ground, and those that belong to the whole.
const GROUND: [&str; 7] = ["clock.rs", "error.rs", "fuzz.rs", "lib.rs", "lock.rs", "main.rs", "text.rs"];
/// What asks the machine what time it is, or sleeps. Put together, so that this file may be looked at too.
const TIME: [(&str, &str); 5] = [
    ("Instant::", "now"),
    ("Timestamp::", "now"),
    ("SystemTime::", "now"),
    (".elap", "sed()"),
    ("thread::", "sleep"),
];
/// Who may: the clock itself, and what runs the process.
const ASKS_THE_TIME: [&str; 3] = ["clock.rs", "service/", "cli/"];

/// What reaches for the machine: its files, its network, its threads.
const MACHINE: [(&str, &str); 8] = [
    ("std::", "fs"),
    ("rustix::", "fs"),
    ("std::", "net"),
    ("unix::", "net"),
    ("thread::", "spawn"),
    ("thread::", "scope"),
    ("thread::", "park"),
    ("thread::", "Builder"),
];
/// Which files below the process do, each for a reason that holds for nobody else.
const REACHES: [(&str, &str); 13] = [
    ("commands/check/identity.rs", "looks at the map's file itself, beside the copy in use"),
    ("commands/check/machine.rs", "looks at the machine"),
    ("commands/check/state.rs", "looks at who owns the state directory"),
    ("config/lists.rs", "reads what a setting names"),
    ("config/secrets.rs", "reads what a setting names"),
    ("config/values.rs", "addresses are values"),
    ("config/vars.rs", "addresses are values"),
    ("hosts/http/proxies.rs", "addresses are values"),
    ("hosts/http/several.rs", "several readings at once are its subject"),
    ("hosts/http/tls.rs", "reads the machine's authorities once"),
    ("status/process.rs", "asks for the process's memory"),
    ("store/actor.rs", "asks the kernel who speaks"),
    ("store/owner.rs", "gives files back to their owner"),
];
/// The production sides of the seams, and what runs the process.
const IS_THE_MACHINE: [&str; 6] =
    ["clock.rs", "store/files.rs", "store/state_dir.rs", "service/", "cli/", "fuzz.rs"];

/// The floor of a room, or of a file's first folder; the ground is the last one.
fn floor(name: &str) -> usize {
    ROOMS.iter().position(|room| *room == name).unwrap_or(ROOMS.len())
}

/// The part of a source that is compiled into the program, without comments.
fn program(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

/// The rooms above its own that a file of `src` takes something from.
fn upward(path: &str, text: &str) -> BTreeSet<String> {
    let own = floor(path.split('/').next().unwrap_or_default());
    let program = program(text);
    let first = |path: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        path.trim().split(|c| !is_part(c)).next().unwrap_or_default().to_string()
    };
    let named = program.split("crate::").skip(1).flat_map(|rest| {
        let group = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
        group.map_or_else(|| vec![first(rest)], |group| group.split(',').map(first).collect())
    });
    named.filter(|name| floor(name) < own).collect()
}

/// The files of the program below `src`, without those that hold tests alone.
fn files() -> Vec<(String, String)> {
    let is_test = |path: &str| path.ends_with("tests.rs") || path.contains("/tests/");
    let all = sources().into_iter();
    let all = all.filter_map(|(path, text)| Some((path.strip_prefix("src/")?.to_string(), text)));
    all.filter(|(path, _)| !is_test(path)).collect()
}

#[test]
fn imports_go_down() {
    let is_of_the_whole = |path: &str| ["fuzz.rs", "lib.rs", "main.rs"].contains(&path);
    let files = files();
    let upward: Vec<_> = files
        .iter()
        .filter(|(path, _)| !is_of_the_whole(path))
        .flat_map(|(path, text)| upward(path, text).into_iter().map(move |room| (path, room)))
        .collect();
    assert!(upward.is_empty(), "imports that run up, to be turned round: {upward:#?}");
}

/// The modules that a source names behind `start`: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(start: &str, rest: &str, found: &mut BTreeSet<String>) {
    if let Some(group) = rest.strip_prefix('{') {
        let (mut depth, mut item) = (1, String::new());
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || depth == 1 && c == ',' {
                paths(start, item.trim(), found);
                item.clear();
            } else {
                item.push(c);
            }
            if depth == 0 {
                return;
            }
        }
        return;
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name: String = rest.chars().take_while(|c| is_part(*c)).collect();
    let path = if name == "self" { start.to_string() } else { format!("{start}::{name}") };
    match rest[name.len()..].strip_prefix("::") {
        Some(rest) if !name.is_empty() => paths(&path, rest, found),
        _ => drop(found.insert(path)),
    }
}

/// Which files import which, by their modules' paths.
fn imports(files: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let module = |path: &str| {
        let path = path.trim_end_matches(".rs").replace('/', "::");
        path.strip_suffix("::mod").map_or(path.clone(), String::from)
    };
    let modules: BTreeSet<_> = files.iter().map(|(path, _)| module(path)).collect();
    // A name in a module is that module's.
    let file_of = |path: &str| {
        let mut path = path.trim_start_matches("::");
        while !modules.contains(path) {
            path = path.rsplit_once("::")?.0;
        }
        Some(path.to_string())
    };
    let one = |(path, text): &(String, String)| {
        let (own, program) = (module(path), program(text));
        let mut found = BTreeSet::new();
        program.split("crate::").skip(1).for_each(|rest| paths("", rest, &mut found));
        for rest in program.split("super::").skip(1) {
            paths(own.rsplit_once("::").map_or("", |(above, _)| above), rest, &mut found);
        }
        let imported = found.iter().filter_map(|path| file_of(path)).filter(|path| *path != own);
        (own.clone(), imported.collect())
    };
    files.iter().map(one).collect()
}

/// Files that import each other in a loop: whatever is left when all are taken away that import nobody, or that nobody
/// imports, again and again.
fn circles(files: &[(String, String)]) -> Vec<String> {
    let mut left = imports(files);
    loop {
        let imported: BTreeSet<String> = left.values().flatten().cloned().collect();
        let is_in_between =
            |own: &String, imports: &BTreeSet<String>| !imports.is_empty() && imported.contains(own);
        let n = left.len();
        left.retain(|own, imports| is_in_between(own, imports));
        let there: BTreeSet<String> = left.keys().cloned().collect();
        left.values_mut().for_each(|imports| imports.retain(|path| there.contains(path)));
        if left.len() == n {
            return left.into_iter().map(|(own, imports)| format!("{own} -> {imports:?}")).collect();
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_loop() {
    let is_of_the_whole = |path: &str| ["fuzz.rs", "lib.rs", "main.rs"].contains(&path);
    let files: Vec<_> = files().into_iter().filter(|(path, _)| !is_of_the_whole(path)).collect();
    let found = circles(&files);
    assert!(found.is_empty(), "part of a circle, or between two: {found:#?}");
    let file = |path: &str, text: &str| (path.to_string(), text.to_string());
    let turned = [
        file("a/b.rs", "use crate::{\n    c,\n    d::{self, E},\n};\n"),
        file("c.rs", "fn f() {}\n"),
        file("d.rs", "use super::a::b::F;\n"),
    ];
    assert_eq!(circles(&turned), ["a::b -> {\"d\"}", "d -> {\"a::b\"}"]);
}

/// Where a source asks the machine what time it is.
fn asks_the_time(path: &str, text: &str) -> Vec<String> {
    let calls: Vec<_> = TIME.iter().map(|(begin, end)| format!("{begin}{end}")).collect();
    let program = program(text);
    let lines = program.lines().enumerate();
    let asks = lines.filter(|(_, line)| calls.iter().any(|call| line.contains(call.as_str())));
    asks.map(|(n, line)| format!("src/{path}:{}: ask the clock: {}", n + 1, line.trim())).collect()
}

#[test]
fn only_the_clock_and_the_process_know_what_time_it_is() {
    let may = |path: &str| ASKS_THE_TIME.iter().any(|place| path.starts_with(place));
    let found: Vec<_> = files()
        .iter()
        .filter(|(path, _)| !may(path))
        .flat_map(|(path, text)| asks_the_time(path, text))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    let asks = format!("fn f() {{\n    let at = {}{}();\n}}\n", TIME[0].0, TIME[0].1);
    assert_eq!(asks_the_time("work/apply.rs", &asks).len(), 1);
}

#[test]
fn only_the_listed_files_reach_for_the_machine() {
    let marks: Vec<_> = MACHINE.iter().map(|(begin, end)| format!("{begin}{end}")).collect();
    let reaches = |text: &str| marks.iter().any(|mark| program(text).contains(mark.as_str()));
    let is_the_machine = |path: &str| IS_THE_MACHINE.iter().any(|place| path.starts_with(place));
    let files = files();
    let others = files.iter().filter(|(path, _)| !is_the_machine(path));
    let found: BTreeSet<_> =
        others.filter(|(_, text)| reaches(text)).map(|(path, _)| path.as_str()).collect();
    let listed: BTreeSet<_> = REACHES.iter().map(|(path, _)| *path).collect();
    assert_eq!(found, listed, "files, sockets and threads are the seams': give them what they need");
    assert!(reaches(&format!("use {}::File;\n", marks[0])));
}

/// The functions of a source that are longer than a screen.
fn long(path: &str, text: &str) -> Vec<String> {
    const MOST: usize = 60;
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let begins = |line: &str| {
        let words = line.split('(').next().unwrap_or_default().split_whitespace();
        words.take_while(|word| *word != "=").any(|word| word == "fn") && !line.ends_with(';')
    };
    let functions =
        lines.iter().enumerate().filter(|(_, line)| begins(line) && !line.trim_start().starts_with("//"));
    let length = |(at, line): (usize, &&str)| {
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = lines[at..].iter().position(|line| line.strip_prefix(indent) == Some("}"))?;
        Some((at, end + 1)).filter(|(_, length)| *length > MOST && !line.ends_with('}'))
    };
    functions.filter_map(length).map(|(at, n)| format!("src/{path}:{}: {n} lines", at + 1)).collect()
}

#[test]
fn no_function_needs_scrolling() {
    // A trait's declarations have no body; fuzz is a test.
    let files =
        files().into_iter().filter(|(path, _)| !["store/files.rs", "fuzz.rs"].contains(&path.as_str()));
    let found: Vec<_> = files.flat_map(|(path, text)| long(&path, &text)).collect();
    assert!(found.is_empty(), "split them by what they do: {found:#?}");
    let text = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(60));
    assert_eq!(long("a.rs", &text).len(), 1);
}

#[test]
fn the_top_of_the_house_has_its_rooms_and_nothing_else() {
    let entries = std::fs::read_dir(root().join("src")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut expected = [&ROOMS[..], &GROUND[..]].concat();
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn an_import_that_is_turned_round_is_found() {
    let up = |path: &str, text: &str| upward(path, text).into_iter().collect::<Vec<_>>();
    assert_eq!(up("state/teams.rs", "use crate::work::apply;\n"), ["work"]);
    assert_eq!(up("config/fault.rs", "use crate::{\n    clock,\n    work::{apply, guard},\n};\n"), ["work"]);
    assert_eq!(up("work/apply.rs", "use crate::state::teams;\n"), [""; 0]);
    assert_eq!(up("clock.rs", "fn f() {\n    crate::store::disk::f();\n}\n"), ["store"]);
    assert_eq!(up("state/mod.rs", "use crate::clock;\n// crate::work\n"), [""; 0]);
    assert_eq!(up("state/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::work;\n}\n"), [""; 0]);
}
