//! Passes the arguments to the library, and returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    sentry_team_sync::main(std::env::args_os().skip(1))
}
