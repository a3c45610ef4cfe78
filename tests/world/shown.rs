//! Commands as the program shows them to whoever reads in a world.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{bounds, World};

impl World {
    /// `approve 1f2e3d4c`, as log, page and other commands show it.
    pub fn shown(&self, command: &str) -> String {
        shown(command, Some(&self.env["SYNC_STATE_DIR"]))
    }

    /// Pastes a command that was shown into a fresh shell in another folder: exit code, stdout, stderr.
    pub fn paste(&self, command: &str) -> (i32, String, String) {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).env_clear().current_dir("/").stdin(Stdio::null());
        let output = bounds::output(&mut shell).expect("a shell");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }
}

/// The same for whoever has named that state directory, or none.
pub fn shown(command: &str, state_dir: Option<&str>) -> String {
    let (name, rest) = command.split_at(command.find(' ').unwrap_or(command.len()));
    let dir = state_dir.map(|dir| format!(" --state-dir {dir}")).unwrap_or_default();
    format!("{} {name}{dir}{rest}", program())
}

/// The program, as it is typed.
pub fn program() -> String {
    let program = World::program();
    std::path::absolute(&program).as_deref().unwrap_or(Path::new(&program)).display().to_string()
}
