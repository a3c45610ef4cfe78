//! The webhook's signature: HMAC-SHA256 over the raw body, compared in constant time. Pure.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::secret::Secret;

/// The index of the secret that signed the body. `None` if none did, or if the header is not `sha256=` and 64 hex
/// digits. Nobody learns how close a wrong signature came.
pub fn signed_by(secrets: &[Secret], header: &str, body: &[u8]) -> Option<usize> {
    let given = hex::decode(header.strip_prefix("sha256=")?).ok().filter(|sum| sum.len() == 32)?;
    // `verify_slice` compares in constant time.
    secrets.iter().position(|secret| mac(secret, body).is_some_and(|mac| mac.verify_slice(&given).is_ok()))
}

/// The header's value as GitHub sends it: `sha256=` and 64 hex digits.
pub fn sign(secret: &Secret, body: &[u8]) -> String {
    let sum = mac(secret, body).map(|mac| hex::encode(mac.finalize().into_bytes()));
    format!("sha256={}", sum.unwrap_or_default())
}

/// HMAC accepts keys of any length, so this is always `Some`.
fn mac(secret: &Secret, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn secret() -> Secret {
        Secret::new("It's a Secret to Everybody")
    }

    #[test]
    fn githubs_published_vector_fits() {
        assert_eq!(signed_by(&[secret()], GIVEN, b"Hello, World!"), Some(0));
        assert_eq!(signed_by(&[Secret::new("other"), secret()], GIVEN, b"Hello, World!"), Some(1));
    }

    #[test]
    fn everything_else_does_not() {
        assert_eq!(signed_by(&[secret()], GIVEN, b"Hello, World"), None);
        assert_eq!(signed_by(&[Secret::new("other")], GIVEN, b"Hello, World!"), None);
        for bad in [
            "",
            "sha256=",
            "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59",
            &GIVEN[7..],
            &GIVEN[..70],
            "sha256=zz",
        ] {
            assert_eq!(signed_by(&[secret()], bad, b"Hello, World!"), None, "{bad}");
        }
    }
}
