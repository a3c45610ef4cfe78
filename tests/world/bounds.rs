//! What keeps a test from waiting for ever: a program that does not end is ended, and a thread ends with whoever needs it.

use std::io;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{kill_process, Pid, Signal};

/// How long a program may take to its end: much longer than any does on a slow machine.
pub const TO_THE_END: Duration = Duration::from_secs(300);

/// Sets a flag at the end of its scope, also when that is a failure: a thread that runs until then would else keep the
/// scope, and with it the test, from ending.
pub struct SetAtEnd<'a>(pub &'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a program to its end, with nothing to read.
#[track_caller]
pub fn output(command: &mut Command) -> io::Result<Output> {
    let (output, in_time) = output_or_end(command)?;
    assert!(in_time, "{command:?} did not end: {output:?}");
    Ok(output)
}

/// The same, and whether it ended by itself.
pub fn output_or_end(command: &mut Command) -> io::Result<(Output, bool)> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    Ok(all_of(child))
}

fn all_of(child: Child) -> (Output, bool) {
    within(child.id(), || child.wait_with_output().expect("a child"))
}

/// What a program said until its end.
#[track_caller]
pub fn output_of(child: Child) -> Output {
    let (output, in_time) = all_of(child);
    assert!(in_time, "it did not end: {output:?}");
    output
}

/// Waits for a program's end; `None` if it had to be killed.
pub fn end_of(child: &mut Child) -> Option<ExitStatus> {
    let (status, in_time) = within(child.id(), || child.wait().expect("a child"));
    in_time.then_some(status)
}

/// Waits for something that ends with the process `id`, and kills that if it takes too long; whether it did not.
pub fn within<T>(id: u32, wait: impl FnOnce() -> T) -> (T, bool) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id");
    let (waiting, ended) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let too_long = ended.recv_timeout(TO_THE_END) == Err(RecvTimeoutError::Timeout);
        if too_long {
            let _ = kill_process(pid, Signal::KILL);
        }
        !too_long
    });
    let value = wait();
    drop(waiting);
    (value, watch.join().expect("it only waits"))
}
