//! Secrets in a type that cannot be printed.
//!
//! No other module may keep a token as a `String`: `Debug` prints `***`, there is no `Display` and no serialisation,
//! and the bytes are reached only through [`Secret::expose`], which is easy to search for.

use std::fmt;

use sha2::{Digest, Sha256};

#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Takes the text unchanged: GitHub signs with the exact bytes of the secret.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for a header or a signature.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// 8 hex digits that distinguish two tokens without revealing them.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"sentry-team-sync fingerprint\0");
        hash.update(self.0.as_bytes());
        hex::encode(&hash.finalize()[..4])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_secret() {
        let secret = Secret::new("ghp_abc");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
    }

    #[test]
    fn fingerprints_differ_and_hide() {
        let one = Secret::new("ghp_one").fingerprint();
        assert_ne!(one, Secret::new("ghp_two").fingerprint());
        assert_eq!(one.len(), 8);
    }
}
