//! Adapts the commands in texts for people, so that readers can paste them as they are.
//!
//! Texts say `sentry-team-sync approve 1f2e3d4c`, wherever they are made and however long they are kept: state
//! directories move, and several people read one text. The log, the page and a command's output each fill in, in one
//! place, how their reader starts the program, whether that needs sudo, and which state directory the text is about.
//! This must never change a text that only mentions the program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::commands::grammar::{CommandHelp, COMMANDS};
use crate::config::{Environment, PACKAGED_STATE_DIR};

/// The program's name in every text.
const NAME: &str = "sentry-team-sync";
/// The search path under sudo, and for a reader without `PATH`.
const STANDARD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a reader starts the program for one state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The program, with sudo in front if the reader needs it.
    program: String,
    /// The program without sudo, for commands that anybody may run.
    bare: String,
    /// The value for `--state-dir`; `None` if the reader's default is the right one.
    state_dir: Option<String>,
}

impl Invocation {
    /// For the user who typed the running command. `state_dir` is the directory that they gave on the command line.
    pub fn of_reader(state_dir: Option<&str>, env: &Environment) -> Self {
        let has = |name: &str| env.get(name).filter(|value| !value.is_empty());
        let sudo = has("SUDO_UID").is_some() && rustix::process::getuid().is_root();
        // Write out a directory from a variable: the next command may lack the variable, and sudo drops it.
        let by_variable = has("SYNC_STATE_DIR").or_else(|| has("STATE_DIRECTORY")).map(String::as_str);
        Self::new(sudo, env, state_dir.or(by_variable).map(Path::new))
    }

    /// For readers of a service's log and page, who may be in another folder and may be another user.
    pub fn of_service(state_dir: &Path, env: &Environment) -> Self {
        let is_managed = ["NOTIFY_SOCKET", "STATE_DIRECTORY"].iter().any(|name| env.contains_key(*name));
        let sudo = needs_sudo(rustix::process::getuid().as_raw(), is_managed);
        Self::new(sudo, env, Some(state_dir))
    }

    fn new(sudo: bool, env: &Environment, state_dir: Option<&Path>) -> Self {
        let typed = std::env::args_os().next().unwrap_or_default();
        let path = env.get("PATH").map(String::as_str).filter(|_| !sudo).unwrap_or(STANDARD_PATH);
        let bare = program(&typed, path);
        let program = if sudo { format!("sudo {bare}") } else { bare.clone() };
        // Make it absolute: it may be relative to another folder than the reader's.
        let state_dir = state_dir.filter(|dir| !is_same(dir, Path::new(PACKAGED_STATE_DIR)));
        let state_dir = state_dir.map(|dir| quoted(&absolute(dir).to_string_lossy()));
        Self { program, bare, state_dir }
    }

    /// One command, as the reader types it.
    pub fn command(&self, rest: &str) -> String {
        self.in_text(&format!("{NAME} {rest}"))
    }

    /// How the reader types the program, without sudo.
    pub fn bare(&self) -> &str {
        &self.bare
    }

    pub fn needs_sudo(&self) -> bool {
        self.program != self.bare
    }

    /// Adapts a text so that this reader can paste its commands.
    pub fn in_text(&self, text: &str) -> String {
        self.put_into(text, &|piece| piece.into())
    }

    /// The same for finished JSON.
    pub fn in_json(&self, text: &str) -> String {
        self.put_into(text, &|piece| {
            let quoted = serde_json::to_string(piece).unwrap_or_default();
            quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().into()
        })
    }

    /// The same for a finished page.
    pub fn in_html(&self, text: &str) -> String {
        self.put_into(text, &|piece| crate::text::Html(piece).to_string())
    }

    fn put_into(&self, text: &str, escape: &dyn Fn(&str) -> String) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(NAME) {
            let (before, behind) = (&rest[..at], &rest[at + NAME.len()..]);
            out.push_str(before);
            match Shown::read(before, behind) {
                Some(Shown::Help) => out.push_str(&escape(&self.bare)),
                Some(Shown::Command(command)) => {
                    let dir = self.state_dir.as_ref().map(|dir| format!(" --state-dir {dir}"));
                    let dir = dir.filter(|_| command.has_state()).unwrap_or_default();
                    let program = if command.has_state() { &self.program } else { &self.bare };
                    out.push_str(&escape(&format!("{program} {}{dir}", command.name)));
                    rest = &behind[1 + command.name.len()..];
                    continue;
                }
                None => out.push_str(NAME),
            }
            rest = behind;
        }
        out + rest
    }
}

/// A use of the program in a text.
enum Shown {
    Command(&'static CommandHelp),
    Help,
}

impl Shown {
    /// `None` for a mere mention, such as a file's or a unit's name.
    fn read(before: &str, behind: &str) -> Option<Self> {
        let is_part = |c: char| c.is_alphanumeric() || "/._@-".contains(c);
        if before.ends_with(is_part) {
            return None;
        }
        let words = behind.strip_prefix(' ')?;
        if words.starts_with("--help") || words.starts_with("--version") {
            return Some(Shown::Help);
        }
        let end = words.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(words.len());
        let command = COMMANDS.iter().find(|command| command.name == &words[..end])?;
        if words[end..].starts_with(" --help") {
            Some(Shown::Help)
        } else {
            Some(Shown::Command(command))
        }
    }
}

/// How to type the program: its name if the shell finds this very file by it, otherwise its path.
fn program(typed: &OsStr, path: &str) -> String {
    let file = Path::new(typed);
    let name = file.file_name().map_or_else(|| NAME.into(), |name| name.to_string_lossy());
    let has_folder = file.parent().is_some_and(|parent| !parent.as_os_str().is_empty());
    let found = path.split(':').map(|dir| Path::new(dir).join(name.as_ref())).find(|found| found.is_file());
    match found {
        Some(found) if !has_folder || is_same(&found, file) => quoted(&name),
        // A bare name started it, but not through this path: a shell function, or another search path.
        _ if !has_folder => match std::env::current_exe() {
            Ok(exe) if exe.is_file() => quoted(&exe.to_string_lossy()),
            _ => quoted(&name),
        },
        _ => quoted(&absolute(file).to_string_lossy()),
    }
}

/// The absolute form of a path.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// Whether both paths lead to the same file, following symbolic links.
pub fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Whether people need sudo to reach a service that runs as this user. A person's own account runs it for its owner. So
/// does root, unless a service manager started the service.
pub fn needs_sudo(uid: u32, is_managed: bool) -> bool {
    match uid {
        0 => is_managed,
        // Accounts of people: the range in `login.defs`, and the higher ids that directory services assign.
        1000..=60_000 | 65_536.. => false,
        _ => true,
    }
}

/// Quotes a word for the shell if needed.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn for_dir(dir: &str) -> Invocation {
        let bare = String::from(NAME);
        Invocation { program: bare.clone(), bare, state_dir: Some(quoted(dir)) }
    }

    fn with_sudo() -> Invocation {
        Invocation { program: format!("sudo {NAME}"), bare: NAME.into(), state_dir: None }
    }

    #[test]
    fn commands_name_the_directory_that_they_are_about() {
        let shown = |text: &str, dir| for_dir(dir).in_text(text);
        assert_eq!(
            shown("to leave it: sentry-team-sync reject 1f\n", "/var/lib/x"),
            "to leave it: sentry-team-sync reject --state-dir /var/lib/x 1f\n"
        );
        assert_eq!(
            shown("`sentry-team-sync status`", "a b'c"),
            r"`sentry-team-sync status --state-dir 'a b'\''c'`"
        );
    }

    #[test]
    fn only_commands_are_taken_for_commands() {
        for text in [
            "sentry-team-sync 0.1.0",
            "systemctl reload sentry-team-sync",
            "/usr/bin/sentry-team-sync status",
            "sudo install sentry-team-sync.service /etc",
            "sentry-team-sync statuses",
            "sentry-team-sync",
        ] {
            assert_eq!(for_dir("/x").in_text(text), text);
        }
        // Commands without state get no directory, and need no sudo.
        let help = "sentry-team-sync --help; sentry-team-sync sync --help; sentry-team-sync completions bash";
        assert_eq!(for_dir("/x").in_text(help), help);
        assert_eq!(with_sudo().in_text(help), help);
    }

    #[test]
    fn sudo_stands_where_the_reader_needs_it() {
        let text = "`sentry-team-sync status`, then sentry-team-sync replay --failed";
        let shown = "`sudo sentry-team-sync status`, then sudo sentry-team-sync replay --failed";
        assert_eq!(with_sudo().in_text(text), shown);
        assert_eq!(with_sudo().command("undo 6"), "sudo sentry-team-sync undo 6");
        let by_user =
            [0, 1, 999, 1000, 60_000, 61_184, 65_534, 65_536].map(|uid| (uid, needs_sudo(uid, false)));
        let needing: Vec<_> = by_user.into_iter().filter(|(_, needs)| *needs).map(|(uid, _)| uid).collect();
        assert_eq!(needing, [1, 999, 61_184, 65_534]);
        assert!(needs_sudo(0, true) && !needs_sudo(1000, true));
    }

    #[test]
    fn json_and_pages_stay_what_they_are() {
        let json = "{\"fix\":\"`sentry-team-sync check` says more\"}";
        let shown = for_dir("/a\"b").in_json(json);
        let fix = serde_json::from_str::<serde_json::Value>(&shown).unwrap()["fix"].clone();
        assert_eq!(fix, "`sentry-team-sync check --state-dir '/a\"b'` says more");
        let shown = for_dir("/a<b").in_html("<code>sentry-team-sync check</code>");
        assert_eq!(shown, "<code>sentry-team-sync check --state-dir &#39;/a&lt;b&#39;</code>");
    }

    #[test]
    fn the_program_is_typed_as_it_is_found() {
        let dir = std::env::temp_dir().join(format!("paste-{}", std::process::id()));
        let (bin, other) = (dir.join("bin"), dir.join("other"));
        for folder in [&bin, &other] {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join("sync"), "").unwrap();
        }
        let path = format!("/nowhere:{}", bin.display());
        let typed = |text: &Path| program(text.as_os_str(), &path);
        assert_eq!(typed(&bin.join("sync")), "sync");
        assert_eq!(typed(Path::new("sync")), "sync");
        // Another file of the same name is another program.
        assert_eq!(typed(&other.join("sync")), other.join("sync").display().to_string());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
