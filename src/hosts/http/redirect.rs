//! The fix for a redirect. No redirect is followed, and each means that an address or a slug is wrong. Pure.

use super::answer::Answer;
use crate::hosts::http::asked::Asked;
use crate::text::Quoted;

/// The address that `GH_API_URL` needs.
pub const GITHUB_ADDRESS: &str =
    "the API's address, not that of the web pages: https://api.github.com, https://HOST/api/v3 \
                                  on Enterprise Server, https://api.SUB.ghe.com with data residency";
/// The address that `SENTRY_URL` needs.
pub const SENTRY_ADDRESS: &str =
    "the address at which Sentry begins, such as https://sentry.io, without /api and without the path of a page";

pub fn fix(asked: Asked, answer: &Answer) -> String {
    if asked.is_github() {
        return format!("correct GH_API_URL: {GITHUB_ADDRESS}");
    }
    let Some(body) = answer.json().filter(|_| is_to_new_slug(answer)) else {
        return format!("correct SENTRY_URL: {SENTRY_ADDRESS}");
    };
    match body.pointer("/detail/extra/slug").and_then(serde_json::Value::as_str) {
        Some(slug) => {
            format!("the organisation has another slug now, set SENTRY_ORG_SLUG to {}", Quoted(slug))
        }
        None => "the organisation has another slug now, correct SENTRY_ORG_SLUG".into(),
    }
}

/// Whether Sentry says that the slug in the call's path has changed.
pub fn is_to_new_slug(answer: &Answer) -> bool {
    answer.code().as_deref() == Some("resource-moved")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::hosts::http::answer::Headers;
    use crate::hosts::http::verdict::{is_of_the_api, judge, Verdict};

    #[test]
    fn a_redirect_says_which_setting_is_wrong() {
        let to = |asked, location: &str, body: &str| {
            let headers =
                Headers { json: !body.is_empty(), location: Some(location.into()), ..Headers::default() };
            let answer = Answer { status: 302, headers, body: body.into() };
            let verdict = judge(asked, &answer, asked.token(), Timestamp(0));
            let is_the_apis = is_of_the_api(asked, &verdict, &answer);
            match verdict {
                Verdict::Refused(why) => (why, is_the_apis),
                Verdict::Never(why) => (format!("never: {why}"), is_the_apis),
                other => panic!("{other:?}"),
            }
        };
        let (why, is_the_apis) = to(Asked::Github, "https://ghe.example/login", "");
        assert!(why.contains("correct GH_API_URL") && why.contains("https://HOST/api/v3"), "{why}");
        assert!(!is_the_apis);
        let (why, is_the_apis) = to(Asked::Sentry, "/auth/login/", "");
        assert!(why.contains("correct SENTRY_URL") && why.contains("without /api"), "{why}");
        assert!(!is_the_apis);
        let moved = |extra: &str| {
            format!(r#"{{"detail":{{"code":"resource-moved","message":"m","extra":{extra}}}}}"#)
        };
        let (why, is_the_apis) = to(Asked::Sentry, "/x", &moved(r#"{"slug":"acme-inc"}"#));
        assert!(why.ends_with("set SENTRY_ORG_SLUG to \"acme-inc\""), "{why}");
        assert!(is_the_apis);
        assert!(to(Asked::UpdateTeam, "/x", &moved("{}")).0.ends_with("correct SENTRY_ORG_SLUG"));
        let (why, _) = to(Asked::LinkProject, "/x", &moved(r#"{"slug":"web-2"}"#));
        assert!(why.starts_with("never: the project has another slug now"), "{why}");
    }
}
