//! Rate limits, expiry and lag of the pretend GitHub.

use super::github_rest::Org;
use super::{json as body_of, texts};
use crate::standin::client::ask;
use crate::standin::fault::{Fault, Rule};
use crate::standin::github::{GithubToken, Limits};
use crate::standin::http::Response;
use std::time::{Duration, Instant, SystemTime};

#[test]
fn the_hourly_limit_is_shared_by_a_users_tokens() {
    let org = Org::start();
    org.github.set_limits(Limits { core: 3, ..Limits::default() });
    let (first, second) = (org.reader(), org.reader());
    let left = |response: &Response| response.header("x-ratelimit-remaining").unwrap_or("").to_owned();
    assert_eq!(left(&org.get(&first, "/users/ana")), "2");
    assert_eq!(left(&org.get(&second, "/users/ana")), "1");
    assert_eq!(org.get(&first, "/rate_limit").status, 200, "free");
    assert_eq!(left(&org.get(&first, "/users/ana")), "0");
    let refused = org.get(&second, "/users/ana");
    assert_eq!((refused.status, left(&refused)), (403, "0".to_owned()));
    assert!(refused.header("x-ratelimit-reset").is_some() && refused.header("retry-after").is_none());
    assert_eq!(org.get(&first, "/rate_limit").status, 200, "still free");
    let other = org.github.add_token(GithubToken::members_read(org.people[0]));
    assert_eq!(org.get(&other, "/users/ana").status, 200, "another user's count");
}

#[test]
fn an_unchanged_answer_is_304_and_free() {
    let org = Org::start();
    let token = format!("Bearer {}", org.reader());
    let url = format!("{}/orgs/Octocoders/teams", org.github.url());
    let get = |tag: &str| {
        let headers = [("Authorization", token.as_str()), ("User-Agent", "x"), ("If-None-Match", tag)];
        ask(&url, "GET", &headers, b"").expect("an answer")
    };
    let first = get("");
    let tag = first.header("etag").unwrap_or("").to_owned();
    let again = get(&tag);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(first.header("x-ratelimit-used"), again.header("x-ratelimit-used"));
    org.github.add_team("New");
    assert_eq!(get(&tag).status, 200);
}

#[test]
fn limits_by_fault_look_like_githubs() {
    let org = Org::start();
    let token = org.reader();
    let get = || org.get(&token, "/orgs/Octocoders/teams");
    org.github.wire.script(Rule::new("GET /orgs/{org}/teams", Fault::SecondaryLimit { retry_after: 7 }));
    let secondary = get();
    assert_eq!((secondary.status, secondary.header("retry-after")), (403, Some("7")));
    let documentation = body_of(&secondary)["documentation_url"].as_str().unwrap_or("").to_owned();
    assert!(documentation.ends_with("secondary-rate-limits"), "{documentation}");
    org.github.wire.script(Rule::new("GET *", Fault::PrimaryLimit { status: 429, reset_in: 30 }));
    let primary = get();
    assert_eq!((primary.status, primary.header("x-ratelimit-remaining")), (429, Some("0")));
    assert_eq!(get().status, 200);
}

#[test]
fn the_secondary_limit_counts_points_a_minute() {
    let org = Org::start();
    org.github.set_limits(Limits { per_minute: Some((2, 2)), ..Limits::default() });
    let token = org.reader();
    let statuses: Vec<u16> = (0..3).map(|_| org.get(&token, "/users/ana").status).collect();
    assert_eq!(statuses, [200, 200, 403]);
}

#[test]
fn tokens_expire_and_are_revoked() {
    let org = Org::start();
    let soon = SystemTime::now() + Duration::from_secs(86_400);
    let token = org.github.add_token(GithubToken::members_read(org.owner).expires(soon));
    let told = org.get(&token, "/user").header("github-authentication-token-expiration").map(str::to_owned);
    assert!(told.is_some_and(|text| text.ends_with(" UTC")));
    let past = SystemTime::now() - Duration::from_secs(1);
    org.github.set_token(&token, GithubToken::members_read(org.owner).expires(past));
    assert_eq!(org.get(&token, "/user").status, 401);
    let other = org.reader();
    org.github.revoke(&other);
    assert_eq!(org.get(&other, "/user").status, 401);
}

#[test]
fn reads_lag_behind() {
    let org = Org::start();
    let token = org.reader();
    let logins = || {
        let path = "/orgs/Octocoders/teams/platform/members";
        texts(&body_of(&org.get(&token, path)), "login").join(" ")
    };
    let lag = Duration::from_millis(400);
    org.github.set_lag(lag);
    org.github.add_member(org.parent, org.people[2]);
    let mut seen = vec![logins()];
    std::thread::sleep(lag / 2);
    let last_change = Instant::now();
    org.github.remove_member(org.parent, org.people[0]);
    while seen.last().is_some_and(|last| last != "bo cy") {
        assert!(last_change.elapsed() < 20 * lag, "never seen: {seen:?}");
        seen.push(logins());
    }
    assert!(last_change.elapsed() >= lag, "seen too early");
    seen.dedup();
    assert_eq!(seen, ["ana bo", "ana bo cy", "bo cy"], "each change in its turn");
}
