//! The private key of a GitHub App: read from PEM, used only for signatures.
//!
//! It must never be printed, nor appear in an error. Errors name only the kind of problem.

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
    /// Reads PEM. A literal `\n` counts as the end of a line, because in many places a variable can have no other. The
    /// error is the second half of a sentence.
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
        // GitHub's keys have 2048 bits.
        pair.map(|pair| Self(Arc::new(pair))).map_err(|_| "is no RSA key of 2048 bits or more, or is cut")
    }

    /// Signs with RS256. `None` if the machine provides no randomness, which blinding needs.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }

    /// The SHA-256 of the public key (its SubjectPublicKeyInfo, RFC 5280). GitHub shows it in base64 beside each of an
    /// App's keys.
    pub fn print(&self) -> [u8; 32] {
        const RSA: [u8; 15] = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
        let bits = [&[0], self.0.public().as_ref()].concat();
        let inner = [RSA.to_vec(), der(0x03, &bits)].concat();
        Sha256::digest(der(0x30, &inner)).into()
    }
}

/// Encodes a value in DER, with its tag and a length of two bytes: a key is shorter than 64 KiB.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let [.., high, low] = value.len().to_be_bytes();
    [&[tag, 0x82, high, low], value].concat()
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = include_str!("../../tests/standin/github/keys/app.pem");
    const PKCS8: &str = include_str!("../../tests/standin/github/keys/app.pkcs8.pem");
    const OTHER: &str = include_str!("../../tests/standin/github/keys/other.pem");

    /// From `openssl rsa -in app.pem -pubout -outform DER | openssl sha256`.
    const PRINT: &str = "2bc6a9bf0cf457c32b6c87b83280569a7f7938f90872223bdaf987888ee70078";

    #[test]
    fn a_key_is_read_in_every_form_that_people_have_it_in() {
        let print = |text: &str| hex::encode(AppKey::read(text).unwrap().print());
        for text in [
            KEY,
            PKCS8,
            &KEY.replace('\n', "\\n"),
            &KEY.replace('\n', "\r\n"),
            &format!("\"{}\"", KEY.trim()),
        ] {
            assert_eq!(print(text), PRINT, "{}", &text[..40]);
        }
        assert!(AppKey::read(KEY).unwrap() == AppKey::read(PKCS8).unwrap());
        assert!(AppKey::read(KEY).unwrap() != AppKey::read(OTHER).unwrap());
    }

    #[test]
    fn what_is_no_key_is_told_without_its_content() {
        let told = |text: &str| AppKey::read(text).unwrap_err();
        assert!(told("").starts_with("is no PEM") && told("ghp_abc").starts_with("is no PEM"));
        assert!(told(&KEY[..600]).starts_with("is no"));
        assert_eq!(
            told("-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----"),
            "is not the private key"
        );
        assert!(told("-----BEGIN ENCRYPTED PRIVATE KEY-----").contains("passphrase"));
        let cut: String =
            KEY.lines().enumerate().filter(|(n, _)| *n != 3).map(|(_, line)| format!("{line}\n")).collect();
        assert!(told(&cut).starts_with("is no RSA key"));
        assert_eq!(format!("{:?}", AppKey::read(KEY)), "Ok(***)");
    }
}
