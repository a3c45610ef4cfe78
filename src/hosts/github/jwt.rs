//! The JSON Web Token that a GitHub App identifies itself with (RFC 7515 and 7519), signed with RS256. Pure, except
//! that signing blinds the key with random numbers.

use serde_json::json;

use crate::clock::Timestamp;
use crate::config::secret::Secret;
use crate::config::sign_in::AppAccess;
use crate::text::base64;

/// How many seconds the token is backdated, in case our clock is ahead; GitHub advises this.
const BACK: u64 = 60;
/// The token expires this many seconds from now. GitHub refuses tokens that expire more than 10 minutes ahead.
const AHEAD: u64 = 540;

/// A token that is valid from a minute before `now` until nine minutes after. Empty if the machine has no randomness to
/// give; GitHub refuses an empty token.
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

/// Base64 without padding, in the URL-safe alphabet (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    base64(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10, and RFC 7515, appendix A.2: the header of an RS256 token.
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
