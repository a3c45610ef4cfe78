//! The private key of a GitHub App: read from PEM, used for signatures alone.
//!
//! It must never be printed, nor told in an error: what is wrong with one is told by its kind.

use std::fmt;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{RsaKeyPair, RSA_PKCS1_SHA256};
use sha2::{Digest, Sha256};
use ureq::tls::PrivateKey;

/// An RSA key as GitHub hands it out (PKCS#1), or as people convert it (PKCS#8).
#[derive(Clone)]
pub struct AppKey(Arc<RsaKeyPair>);

impl AppKey {
    /// Reads PEM. A literal `\n` counts as a line's end: a variable has no other in many places. The error is the second
    /// half of a sentence.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let pem = text.trim().trim_matches(['"', '\'']).replace("\\n", "\n");
        if pem.contains("ENCRYPTED") {
            return Err("is encrypted with a passphrase");
        }
        if pem.contains("PUBLIC KEY") || pem.contains("BEGIN CERTIFICATE") {
            return Err("is not the private key");
        }
        let key = PrivateKey::from_pem(pem.as_bytes())
            .map_err(|_| "is no PEM: its first line has to be -----BEGIN RSA PRIVATE KEY-----")?;
        let pair = RsaKeyPair::from_der(key.der()).or_else(|_| RsaKeyPair::from_pkcs8(key.der()));
        // GitHub's have 2048 bits.
        pair.map(|pair| Self(Arc::new(pair))).map_err(|_| "is no RSA key of 2048 bits or more, or is cut")
    }

    /// A signature by RS256; `None` if the machine has no randomness to give, which blinds the key's use.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }

    /// The public half's SHA-256, as GitHub shows it beside each key of an App, in base64.
    fn print(&self) -> [u8; 32] {
        Sha256::digest(self.0.public().as_ref()).into()
    }
}

impl PartialEq for AppKey {
    fn eq(&self, other: &Self) -> bool {
        self.print() == other.print()
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
