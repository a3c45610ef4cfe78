//! What a GitHub App says of itself with each call: a JSON Web Token, signed by RS256 (RFC 7515 and 7519). Pure but for
//! the blinding of the key.

use serde_json::json;

use crate::clock::Timestamp;
use crate::config::secret::Secret;
use crate::config::sign_in::AppAccess;

/// It is dated back, for a clock that is somewhat ahead; GitHub's own advice.
const BACK: u64 = 60;
/// GitHub takes none that ends more than 10 minutes ahead.
const AHEAD: u64 = 540;

/// One that begins a minute before `now` and lasts nine more. Empty if the machine has no randomness to give: GitHub
/// refuses that.
pub fn signed(app: &AppAccess, now: Timestamp) -> Secret {
    let now = now.0 / 1000;
    let claims = json!({ "iat": now.saturating_sub(BACK), "exp": now + AHEAD, "iss": app.id });
    let head = json!({ "alg": "RS256", "typ": "JWT" });
    let said = [head, claims].map(|part| base64url(part.to_string().as_bytes())).join(".");
    match app.key.sign(said.as_bytes()) {
        Some(signature) => Secret::new(format!("{said}.{}", base64url(&signature))),
        None => Secret::new(""),
    }
}

/// Base64 with the letters for addresses, without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        out.extend((0..=chunk.len()).map(|i| char::from(LETTERS[(word >> (18 - 6 * i)) as usize & 63])));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10, and RFC 7515, appendix A.2: the header of a token by RS256.
    #[test]
    fn base64url_is_that_of_the_standard() {
        let of = |text: &str| base64url(text.as_bytes());
        assert_eq!(
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(of),
            ["", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"]
        );
        assert_eq!(of(r#"{"alg":"RS256"}"#), "eyJhbGciOiJSUzI1NiJ9");
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
    }
}
