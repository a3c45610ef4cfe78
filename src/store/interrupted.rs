//! Repeats calls that a signal interrupted. Linux also interrupts a socket wait that has a timeout when the process is
//! stopped and continued. The standard library repeats some of its calls, but not the ones used here.

use std::io;

/// Repeats a call until it isn't interrupted.
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
