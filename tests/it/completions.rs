//! Completions and the manual page, tried by the programs that read them. One that is not installed is named.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::world::{bounds, Truth, World};

fn printed(args: &[&str]) -> String {
    let output = bounds::output(Command::new(World::program()).args(args).env_clear()).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a program says of a script; `None` if there is no such program.
fn said_by(program: &str, args: &[&str], script: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: `{program}` is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = bounds::output_of(child);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{program}: {errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn bash_completes_commands_their_flags_and_what_these_take() {
    let script = printed(&["completions", "bash"]);
    let tried = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        // Outside of a completion, bash refuses options for one.
        let ask = format!(
            "compopt() {{ :; }}\n{script}\nCOMP_WORDS=(sentry-team-sync {})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _sentry_team_sync\necho \"${{COMPREPLY[@]}}\"\n",
            words.join(" ")
        );
        said_by("bash", &["--norc"], &ask).unwrap().trim().to_string()
    };
    assert_eq!(tried(&["st"]), "status");
    assert!(tried(&["sync", "--"]).starts_with("--json --team --save --apply "));
    assert_eq!(tried(&["--state-dir", "sync", "status", "--j"]), "--json");
    assert_eq!(tried(&["--state-dir", "=", "sync", "status", "--ap"]), "");
    assert_eq!(tried(&["--first", ""]), "hold apply");
    assert_eq!(tried(&["--first", "=", "a"]), "apply");
    assert_eq!(tried(&["completions", "f"]), "fish");
    assert_eq!(tried(&["--listen", ""]), "");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sr");
    assert_eq!(tried(&["--state-dir", folder]), format!("{folder}c"));
}

/// The names that somebody decides by, whether a service runs or not; where they cannot be read, nothing is said.
#[test]
fn bash_completes_the_names_of_holds_that_nobody_has_decided() {
    let (mut world, name) = World::new(Truth::Deliveries).with_held_deletion();
    let script = printed(&["completions", "bash"]);
    let tried = |dir: &str, command: &str| {
        let words = format!("'{}' --state-dir {dir} {command} {}", World::program().display(), &name[..2]);
        let ask = format!(
            "{script}\nCOMP_WORDS=({words})\nCOMP_CWORD=4\n_sentry_team_sync\necho \"${{COMPREPLY[@]}}\"\n"
        );
        said_by("bash", &["--norc"], &ask).unwrap().trim().to_string()
    };
    let dir = world.env["SYNC_STATE_DIR"].clone();
    for command in ["approve", "reject"] {
        assert_eq!(tried(&dir, command), name, "{command}");
    }
    assert_eq!((tried(&dir, "whois"), tried("/nowhere", "approve")), (String::new(), String::new()));
    world.take_service().stop("-TERM");
    assert_eq!(tried(&dir, "approve"), name);
    assert_eq!(world.command(&["reject", &name]).0, 0);
    assert_eq!(tried(&dir, "approve"), "");
}

#[test]
fn zsh_takes_its_script() {
    said_by("zsh", &["-f", "-n"], &printed(&["completions", "zsh"]));
}

#[test]
fn fish_completes_commands_their_flags_and_what_these_take() {
    let script = printed(&["completions", "fish"]);
    let tried = |line: &str| {
        said_by("fish", &["-N"], &format!("{script}\ncomplete -C 'sentry-team-sync {line}'\n")).map(|said| {
            said.lines().map(|line| line.split('\t').next().unwrap().into()).collect::<Vec<String>>()
        })
    };
    for (line, expected) in [
        ("st", &["status"][..]),
        ("sync --ap", &["--apply"]),
        ("status --ap", &[]),
        ("--first ", &["apply", "hold"]),
        ("completions z", &["zsh"]),
    ] {
        if let Some(said) = tried(line) {
            assert_eq!(said, expected, "{line}");
        }
    }
}

#[test]
fn man_shows_the_manual_page_without_a_complaint() {
    let page = printed(&["manual"]);
    let Some(shown) = said_by("groff", &["-ww", "-man", "-Tascii", "-P-c", "-P-b", "-P-u"], &page) else {
        return;
    };
    for words in
        ["SYNOPSIS", "sync [--json] [--team TEAM]...", "GH_TOKEN or GH_TOKEN_FILE", "EXIT STATUS", "64"]
    {
        assert!(shown.contains(words), "{words} in {shown}");
    }
}
