//! Calls that a signal has interrupted: Linux ends a wait on a socket with a time limit that way, also when the whole
//! process is stopped and goes on. The standard library repeats some of its calls itself, and not the ones used here.

use std::io;

/// Makes a call until it is not interrupted.
pub fn retried<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_interrupted_is_called_again() {
        let kinds = [io::ErrorKind::Interrupted, io::ErrorKind::Interrupted, io::ErrorKind::WouldBlock];
        let mut kinds = kinds.into_iter();
        let mut call = || -> io::Result<()> { kinds.next().map_or(Ok(()), |kind| Err(kind.into())) };
        assert_eq!(retried(&mut call).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(retried(call).is_ok());
    }
}
