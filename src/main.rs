//! Arguments in, exit code out; everything else is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    sentry_team_sync::main(std::env::args_os().skip(1))
}
