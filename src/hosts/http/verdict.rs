//! Decides what an answer means for the work: done, already so, again or never. No other module decides that. Pure.
//!
//! The facts come from Sentry 23.7.1 as observed, newer Sentry as published, and GitHub's documentation. The tests at
//! the end have a table of every known status.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::hosts::http::answer::Answer;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::graphql::{self, Whole};
use crate::hosts::http::redirect;
use crate::hosts::http::refusal::{github_message, is_rate_limit, Policy, Refusal};
use crate::text::Quoted;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The change was made, or the body is what was asked for.
    Done,
    /// Nothing had to be done: the person was already in the team.
    Already,
    /// Sentry only filed an access request: the person is *not* in the team.
    Requested,
    /// The slug belongs to another team.
    Taken,
    /// The thing doesn't exist, or the token may not see it.
    Missing,
    /// A 404 without a body: a gateway doesn't know where to pass the call. It says nothing about the thing asked for.
    Nowhere,
    /// The team is managed by an identity provider.
    Locked,
    /// Not carried out; try again after this time.
    Wait(Duration),
    /// Not carried out, for a reason that concerns only this call: try again later. Other calls don't wait for it.
    Postponed(String),
    /// It may or may not have taken place: read the current state, then repeat.
    Unknown(String),
    /// The token or the address is wrong: nothing works until somebody fixes it.
    Refused(String),
    /// The token may not do this. That says nothing about other calls.
    Denied(String),
    Never(String),
}

/// GitHub asks clients to wait at least a minute after a secondary rate limit that names no time.
const GITHUB_DEFAULT_WAIT: Duration = Duration::from_secs(60);
/// Sentry's windows are whole seconds.
const SENTRY_DEFAULT_WAIT: Duration = Duration::from_secs(1);
/// A longer wait is cut to this, and then the host is asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Judges an answer. `token` is the name that messages use for the call's token, such as `GH_TOKEN`.
pub fn judge(asked: Asked, answer: &Answer, token: &str, now: Timestamp) -> Verdict {
    match by_status(asked, answer, token, now) {
        // The caller reads other lists next, which show whether the token is bad. If only SCIM fails, nothing waits.
        Verdict::Refused(why) if asked == Asked::Groups => Verdict::Unknown(why),
        verdict => verdict,
    }
}

fn by_status(asked: Asked, answer: &Answer, token: &str, now: Timestamp) -> Verdict {
    use Verdict::*;
    let said = || answer.brief();
    match answer.status {
        _ if answer.is_redirect() => redirected(asked, answer),
        // Sentry limits invitations per day. That limit concerns no other calls, so they don't wait.
        429 if asked == Asked::Invite && answer.said().contains("invitations") => Never(said()),
        429 => Wait(wait(asked, answer, now)),
        408 | 425 | 500..=599 => Unknown(said()),
        200 if asked == Asked::Graphql && answer.headers.json => graphql(answer, token, now),
        200..=299 => success(asked, answer),
        _ if asked.is_github() => github_refusal(answer, token, now),
        _ => sentry_refusal(asked, answer, token),
    }
}

/// Whether this answer, whatever it says, came from the expected API. At a wrong address, a web page, a proxy or
/// another program may answer.
pub fn is_of_the_api(asked: Asked, verdict: &Verdict, answer: &Answer) -> bool {
    match verdict {
        // A gateway in front of the API may have answered, or a server that isn't the API at all.
        Verdict::Unknown(_) | Verdict::Nowhere => false,
        Verdict::Wait(_) | Verdict::Refused(_) | Verdict::Never(_) => {
            let is_graphqls = asked == Asked::Graphql && answer.status == 200;
            let is_sentrys = || answer.json().is_some_and(|body| body.get("detail").is_some());
            is_graphqls || if asked.is_github() { github_message(answer).is_some() } else { is_sentrys() }
        }
        _ => true,
    }
}

/// A redirect is not followed, because the token would go elsewhere. It means that an address or a slug is wrong.
fn redirected(asked: Asked, answer: &Answer) -> Verdict {
    let to = answer.redirects_to();
    // A renamed project says nothing about the organisation.
    if asked == Asked::LinkProject && redirect::is_to_new_slug(answer) {
        return Verdict::Never(format!("the project has another slug now: {to}"));
    }
    Verdict::Refused(format!("answered with a redirect to {to}: {}", redirect::fix(asked, answer)))
}

/// A proxy, a firewall or a login wall answered instead of the API. That is treated as an outage, never as a fact.
fn not_the_api(answer: &Answer) -> Verdict {
    Verdict::Unknown(match answer.said() {
        said if said.is_empty() => format!("{} that is no answer of the API", answer.status),
        said => format!("{} that is no answer of the API: {said}", answer.status),
    })
}

fn success(asked: Asked, answer: &Answer) -> Verdict {
    use Verdict::*;
    match (asked, answer.status) {
        (Asked::AddMember, 202) => Requested,
        (Asked::AddMember, 204) => Already,
        (Asked::RemoveMember | Asked::DeleteTeam | Asked::UnlinkOwner, 204) => Done,
        // An HTML page with status 200 comes from a proxy or a login wall. It is no data and proves no change.
        (Asked::App | Asked::SendAgain, 200..=202) if answer.headers.json => Done,
        (Asked::Github | Asked::Sentry | Asked::Groups | Asked::UpdateTeam | Asked::RemoveMember, 200)
        | (
            Asked::CreateTeam | Asked::AddMember | Asked::Invite | Asked::LinkProject | Asked::LinkOwner,
            200 | 201,
        )
        | (Asked::DeleteTeam, 200 | 202)
            if answer.headers.json =>
        {
            Done
        }
        _ => not_the_api(answer),
    }
}

/// GraphQL reports rate limits and policies with status 200. The caller handles all other errors.
fn graphql(answer: &Answer, token: &str, now: Timestamp) -> Verdict {
    match graphql::whole(answer) {
        None => Verdict::Done,
        Some(Whole::Limit) => Verdict::Wait(wait(Asked::Graphql, answer, now)),
        Some(Whole::Policy(policy, said)) => blocked(token, policy, &Quoted(&said).to_string()),
    }
}

fn blocked(token: &str, policy: Policy, said: &str) -> Verdict {
    Verdict::Refused(format!("{token} is blocked: {policy} ({said}): {}", policy.fix()))
}

fn github_refusal(answer: &Answer, token: &str, now: Timestamp) -> Verdict {
    use Verdict::*;
    if is_rate_limit(answer) {
        return Wait(wait(Asked::Github, answer, now));
    }
    match (answer.status, Refusal::of(answer)) {
        (_, Some(Refusal::NotTheApi)) => not_the_api(answer),
        (_, Some(Refusal::Policy(policy))) => blocked(token, policy, &answer.brief()),
        (404, _) => Missing,
        (403, _) => Denied(answer.brief()),
        _ if github_message(answer).is_none() => not_the_api(answer),
        (401, _) => refused_token(token, answer),
        (410, _) => Refused(format!("no longer has this version of its API: {}", answer.brief())),
        _ => Never(answer.brief()),
    }
}

fn refused_token(token: &str, answer: &Answer) -> Verdict {
    Verdict::Refused(match named_cause(answer) {
        Some((code, fix)) => {
            format!("{token} was refused with `{}`: {}: {fix}", crate::text::plain(&code, 60), answer.brief())
        }
        None => {
            let host = if token.starts_with("SENTRY") { "Sentry" } else { "GitHub" };
            format!("{host} rejected {token}: {}", answer.brief())
        }
    })
}

/// The code in a 401 from Sentry that names the cause, and the fix. The token itself may still be valid.
pub fn named_cause(answer: &Answer) -> Option<(String, &'static str)> {
    let code = answer.code().filter(|_| answer.status == 401)?;
    let fix = match code.as_str() {
        "sso-required" => "the organisation wants single sign-on: use the token of an internal integration, or have its owner sign in",
        "2fa-required" => {
            "the organisation wants two-factor authentication: use the token of an internal integration, or have its owner \
             enable it"
        }
        code if code.contains("email-verification") => "its owner has to verify their e-mail address in Sentry",
        "member-disabled-over-limit" => "its owner is disabled because Sentry's plan has too few seats: use the token of an internal integration",
        _ => "use the token of an internal integration of this organisation",
    };
    Some((code, fix))
}

fn sentry_refusal(asked: Asked, answer: &Answer, token: &str) -> Verdict {
    use Verdict::*;
    let Some(body) = answer.json() else {
        // sentry.io answers with an empty 404 for an organisation that it doesn't have, and for a call that its
        // region's host doesn't have.
        return if answer.status == 404 && answer.body.is_empty() { Nowhere } else { not_the_api(answer) };
    };
    let detail = body.get("detail");
    // If Sentry's plan forbids invites, the message is in another field.
    let is_sentrys = detail.is_some() || asked == Asked::Invite;
    let detail = detail.and_then(|detail| match detail {
        serde_json::Value::String(text) => Some(text.to_ascii_lowercase()),
        // `{"code": …, "message": …}`
        detail => Some(detail.get("message")?.as_str()?.to_ascii_lowercase()),
    });
    let detail = detail.unwrap_or_default();
    match (asked, answer.status) {
        // Sentry answers so during announced hours. Afterwards the call works again, until Sentry removes it for good.
        (_, 410) => Postponed(retired(answer)),
        (_, 401 | 403) if !is_sentrys => not_the_api(answer),
        (_, 401) => refused_token(token, answer),
        (_, 403) if detail.contains("identity provider") => Locked,
        // Newer Sentry reports the same lock with 400 and another message.
        (Asked::RemoveMember, 400) if detail.contains("identity provider") => Locked,
        (_, 403) => Denied(answer.brief()),
        (Asked::RemoveMember, 400) if detail.contains("permission") => Denied(answer.brief()),
        // Sentry's own 404 has a detail. Others come from a missing slash or a proxy, and say nothing about a team.
        (_, 404) if detail.is_empty() => not_the_api(answer),
        (Asked::CreateTeam, 404) => no_organisation(answer),
        (_, 404) => Missing,
        (Asked::CreateTeam, 409) => Taken,
        (Asked::CreateTeam | Asked::UpdateTeam | Asked::LinkOwner, 400 | 409) if slug_in_use(answer) => Taken,
        (_, 409) => Unknown(answer.brief()),
        _ => Never(answer.brief()),
    }
}

/// The sentence for a call that Sentry is retiring: since when, and what replaces it.
fn retired(answer: &Answer) -> String {
    let quoted = |text: &Option<String>| text.as_deref().map(|text| crate::text::Quoted(text).to_string());
    let since = quoted(&answer.headers.retired_since).map_or(String::new(), |at| format!(" since {at}"));
    let instead = quoted(&answer.headers.replacement)
        .map_or(String::new(), |call| format!(", and names {call} in its place"));
    format!(
        "{}: Sentry is retiring this call{since}{instead}: look for a newer version of sentry-team-sync",
        answer.brief()
    )
}

fn no_organisation(answer: &Answer) -> Verdict {
    Verdict::Refused(format!("knows no such organisation: {}", answer.brief()))
}

/// Matches `{"slug": ["The slug \"x\" is already in use."]}`, and the messages for new teams and external teams.
fn slug_in_use(answer: &Answer) -> bool {
    let said = answer.said().to_ascii_lowercase();
    said.contains("already in use") || said.contains("already exists")
}

fn wait(asked: Asked, answer: &Answer, now: Timestamp) -> Duration {
    let headers = &answer.headers;
    // GitHub's reset is that of the primary limit, so it means nothing while calls are left.
    let exhausted = !asked.is_github() || headers.remaining == Some(0);
    let until_reset = headers.until_reset(now).filter(|_| exhausted);
    let named = headers.retry_after.or(until_reset).map(Duration::from_secs);
    let default = if asked.is_github() { GITHUB_DEFAULT_WAIT } else { SENTRY_DEFAULT_WAIT };
    // If the reset has passed meanwhile, still wait a moment: the call was refused in the old window.
    named.unwrap_or(default).clamp(Duration::from_millis(200), LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::http::answer::Headers;

    fn ask(asked: Asked, status: u16, body: &str) -> Verdict {
        let headers = Headers { json: body.starts_with(['{', '[']), ..Headers::default() };
        judge(asked, &Answer { status, headers, body: body.into() }, asked.token(), Timestamp(0))
    }

    const GONE: &str = r#"{"detail":"The requested resource does not exist"}"#;
    const NO: &str = r#"{"detail":"You do not have permission to perform this action."}"#;
    const NOT_HIS: &str = r#"{"detail":"You do not have permission to edit that user's membership."}"#;
    const IDP: &str = r#"{"detail":"This team is managed through your organization's identity provider."}"#;
    const EXISTS: &str = r#"{"non_field_errors":["A team with this slug already exists."],"detail":"A team with this slug already exists."}"#;
    const IN_USE: &str = r#"{"slug":["The slug \"platform\" is already in use."]}"#;
    const GATEWAY: &str = r#"{"message":"Forbidden"}"#;
    const BAD_SLUG: &str = r#"{"slug":["This value does not match the required pattern."]}"#;

    /// The kind of verdict, without its text.
    fn kind(verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Done => "done",
            Verdict::Already => "already",
            Verdict::Requested => "requested",
            Verdict::Taken => "taken",
            Verdict::Missing => "missing",
            Verdict::Nowhere => "nowhere",
            Verdict::Postponed(_) => "postponed",
            Verdict::Locked => "locked",
            Verdict::Wait(_) => "wait",
            Verdict::Unknown(_) => "unknown",
            Verdict::Refused(_) => "refused",
            Verdict::Denied(_) => "denied",
            Verdict::Never(_) => "never",
        }
    }

    #[test]
    fn fault_202_taken_for_done() {
        assert_eq!(ask(Asked::AddMember, 202, ""), Verdict::Requested);
    }

    #[test]
    fn a_401_with_a_code_names_its_cause_and_one_without_the_token() {
        let told = |body: &str| match ask(Asked::Sentry, 401, body) {
            Verdict::Refused(why) => why,
            other => panic!("{other:?}"),
        };
        for (code, message, fix) in [
            ("2fa-required", "Organization requires two-factor authentication to be enabled", "two-factor"),
            ("sso-required", "Must login via SSO", "single sign-on"),
            ("email-verification-required", "Email verification required.", "verify their e-mail"),
            ("member-disabled-over-limit", "Organization over member limit", "too few seats"),
            ("new-in-2030", "No", "internal integration"),
        ] {
            let why =
                told(&format!(r#"{{"detail":{{"code":"{code}","message":"{message}","extra":{{}}}}}}"#));
            assert!(why.contains(code) && why.contains(message) && why.contains(fix), "{why}");
            assert!(!why.contains("rejected"), "{why}");
        }
        assert_eq!(
            told(r#"{"detail":"Invalid token"}"#),
            "Sentry rejected SENTRY_TOKEN: 401 \"Invalid token\""
        );
    }

    #[test]
    fn an_apis_own_answer_is_told_from_anything_else() {
        let is = |asked, status, body: &str, is_json| {
            let headers = Headers { json: is_json, ..Headers::default() };
            let answer = Answer { status, headers, body: body.into() };
            is_of_the_api(asked, &judge(asked, &answer, asked.token(), Timestamp(0)), &answer)
        };
        const GITHUBS: &str = r#"{"message":"m","documentation_url":"https://docs.github.com/rest"}"#;
        assert!(is(Asked::Sentry, 200, "[]", true) && is(Asked::Github, 200, "{}", true));
        for status in [401, 403, 404, 429, 422] {
            assert!(is(Asked::Github, status, GITHUBS, true), "{status}");
            assert!(!is(Asked::Github, status, GATEWAY, true), "{status}");
            assert!(!is(Asked::Github, status, "<html>", false), "{status}");
        }
        for status in [401, 403, 404, 429] {
            assert!(is(Asked::Sentry, status, NO, true), "{status}");
            assert!(!is(Asked::Sentry, status, GATEWAY, true), "{status}");
            assert!(!is(Asked::Sentry, status, "<html>", false), "{status}");
        }
        for status in [200, 500, 502, 302] {
            assert!(!is(Asked::Sentry, status, "<html>", false), "{status}");
            assert!(!is(Asked::Github, status, "<html>", false), "{status}");
        }
        assert!(is(Asked::Graphql, 200, r#"{"errors":[{"type":"RATE_LIMITED","message":"m"}]}"#, true));
    }

    #[test]
    fn sentrys_answers_to_every_call() {
        use Asked::*;
        for (asked, status, body, expected) in [
            (AddMember, 201, "{}", "done"),
            (AddMember, 200, "<html>", "unknown"),
            (AddMember, 201, "<html>", "unknown"),
            (RemoveMember, 200, "<html>", "unknown"),
            (RemoveMember, 204, "", "done"),
            (DeleteTeam, 200, "<html>", "unknown"),
            (AddMember, 204, "", "already"),
            (AddMember, 202, "", "requested"),
            (AddMember, 403, IDP, "locked"),
            (AddMember, 403, NO, "denied"),
            (AddMember, 403, "<html>", "unknown"),
            (AddMember, 403, "", "unknown"),
            (AddMember, 403, GATEWAY, "unknown"),
            (AddMember, 400, "<html>", "unknown"),
            (AddMember, 404, GONE, "missing"),
            (AddMember, 404, "", "nowhere"),
            (AddMember, 400, r#"{"detail":"x"}"#, "never"),
            (RemoveMember, 200, "{}", "done"),
            (RemoveMember, 403, IDP, "locked"),
            (RemoveMember, 400, NOT_HIS, "denied"),
            (RemoveMember, 404, GONE, "missing"),
            (CreateTeam, 201, "{}", "done"),
            (CreateTeam, 201, "<html>", "unknown"),
            (CreateTeam, 409, EXISTS, "taken"),
            (CreateTeam, 400, EXISTS, "taken"),
            (CreateTeam, 400, BAD_SLUG, "never"),
            (CreateTeam, 404, GONE, "refused"),
            (CreateTeam, 404, "", "nowhere"),
            (CreateTeam, 404, "<html>", "unknown"),
            (CreateTeam, 409, "<html>", "unknown"),
            (CreateTeam, 403, NO, "denied"),
            (UpdateTeam, 200, "{}", "done"),
            (UpdateTeam, 400, IN_USE, "taken"),
            (UpdateTeam, 400, BAD_SLUG, "never"),
            (UpdateTeam, 403, IDP, "locked"),
            (UpdateTeam, 404, GONE, "missing"),
            (DeleteTeam, 204, "", "done"),
            (DeleteTeam, 404, GONE, "missing"),
            (DeleteTeam, 403, IDP, "locked"),
            (DeleteTeam, 500, r#"{"detail":"Internal Error"}"#, "unknown"),
            (LinkProject, 201, "{}", "done"),
            (LinkProject, 201, "<html>", "unknown"),
            (LinkProject, 403, NO, "denied"),
            (LinkProject, 403, r#"{"detail":["no"]}"#, "denied"),
            (LinkProject, 404, r#"{"detail":"Team does not exist."}"#, "missing"),
            (Sentry, 200, "[]", "done"),
            (Sentry, 200, "<html>", "unknown"),
            (Sentry, 204, "", "unknown"),
            (Sentry, 404, GONE, "missing"),
            (Sentry, 404, "<html>", "unknown"),
            (Sentry, 404, r#"{"info":"Route not found"}"#, "unknown"),
            (Sentry, 401, r#"{"detail":"Invalid token"}"#, "refused"),
            (Sentry, 401, "<html>", "unknown"),
            (Sentry, 401, GATEWAY, "unknown"),
            (Sentry, 403, NO, "denied"),
            (Sentry, 403, "<html>", "unknown"),
            (Sentry, 403, GATEWAY, "unknown"),
            (Sentry, 404, "", "nowhere"),
            (Sentry, 404, GATEWAY, "unknown"),
            (Sentry, 410, r#"{"message":"This API no longer exists."}"#, "postponed"),
            (AddMember, 410, r#"{"detail":"gone"}"#, "postponed"),
            (Sentry, 410, "<html>", "unknown"),
            (Sentry, 410, "", "unknown"),
            (
                Invite,
                403,
                r#"{"organization":"Your organization is not allowed to invite members"}"#,
                "denied",
            ),
            (Sentry, 301, "", "refused"),
            (Sentry, 302, "", "refused"),
            (Sentry, 429, "\"slow\"", "wait"),
            (Sentry, 408, "", "unknown"),
            (Sentry, 502, "<html>", "unknown"),
            (Sentry, 503, "", "unknown"),
            (Sentry, 418, "", "unknown"),
            (Sentry, 418, r#"{"detail":"x"}"#, "never"),
        ] {
            assert_eq!(kind(ask(asked, status, body)), expected, "{asked:?} {status} {body}");
        }
    }

    #[test]
    fn githubs_answers() {
        let github =
            |message: &str| format!(r#"{{"message":"{message}","documentation_url":"https://docs"}}"#);
        for (status, message, expected) in [
            (401, "Bad credentials", "refused"),
            (403, "Resource not accessible by personal access token", "denied"),
            (403, "Resource protected by organization SAML enforcement.", "refused"),
            (403, "the organization has an IP allow list enabled", "refused"),
            (403, "Must have admin rights to Repository.", "denied"),
            (403, "You have exceeded a secondary rate limit", "wait"),
            (404, "Not Found", "missing"),
            (410, "gone", "refused"),
            (422, "Validation Failed", "never"),
            (429, "slow", "wait"),
            (451, "blocked", "refused"),
        ] {
            for asked in [Asked::Github, Asked::Graphql] {
                assert_eq!(kind(ask(asked, status, &github(message))), expected, "{status} {message}");
            }
        }
        for (status, body, expected) in [
            (200, "{}", "done"),
            (200, "<html>", "unknown"),
            (204, "", "unknown"),
            (301, "", "refused"),
            (429, "", "wait"),
            (500, "", "unknown"),
            (504, "", "unknown"),
        ] {
            assert_eq!(kind(ask(Asked::Github, status, body)), expected, "{status} {body}");
        }
        // An answer from a firewall, load balancer or gateway is never a fact about a token, a team or a person.
        for status in [400, 401, 403, 404, 407, 410, 418, 422, 451] {
            for body in ["<html>Access denied</html>", "", "denied", GATEWAY, "{}"] {
                for asked in [Asked::Github, Asked::Graphql] {
                    assert_eq!(kind(ask(asked, status, body)), "unknown", "{status} {body}");
                }
            }
        }
    }

    #[test]
    fn a_policy_is_quoted_with_what_to_do() {
        let body = r#"{"message":"`acme` forbids access via a personal access token (classic).","documentation_url":"x"}"#;
        let Verdict::Refused(why) = ask(Asked::Github, 403, body) else { panic!("not refused") };
        assert!(why.contains("forbids access via a personal access token (classic)"), "{why}");
        assert!(why.ends_with("a fine-grained personal token, or a GitHub App"), "{why}");
    }

    #[test]
    fn what_an_address_with_a_way_around_says_stops_nothing_else() {
        for (status, body, expected) in [
            (200, "{}", "done"),
            (200, "<html>", "unknown"),
            (302, "", "unknown"),
            (401, r#"{"detail":"Invalid token"}"#, "unknown"),
            (403, NO, "denied"),
            (403, "<html>", "unknown"),
            (404, GONE, "missing"),
            (404, "", "nowhere"),
            (410, r#"{"detail":"gone"}"#, "postponed"),
            (429, "", "wait"),
            (500, "{}", "unknown"),
        ] {
            assert_eq!(kind(ask(Asked::Groups, status, body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn waits_are_the_named_ones() {
        let with = |asked, status, headers| {
            let answer = Answer { status, headers, body: Vec::new() };
            judge(asked, &answer, asked.token(), Timestamp::from_secs(100))
        };
        let secs = |n| Verdict::Wait(Duration::from_secs(n));
        let retry = Headers { retry_after: Some(7), ..Headers::default() };
        assert_eq!(with(Asked::Sentry, 429, retry.clone()), secs(7));
        assert_eq!(with(Asked::Github, 403, retry), secs(7));
        assert_eq!(with(Asked::Sentry, 429, Headers::default()), secs(1));
        assert_eq!(with(Asked::Github, 429, Headers::default()), secs(60));
        let reset = Headers { reset: Some(103), remaining: Some(0), ..Headers::default() };
        assert_eq!(with(Asked::Sentry, 429, reset.clone()), secs(3));
        assert_eq!(with(Asked::Github, 403, reset.clone()), secs(3));
        // The server's clock counts, not ours.
        let ahead = Headers { date: Some(Timestamp::from_secs(102)), ..reset.clone() };
        assert_eq!(with(Asked::Sentry, 429, ahead), secs(1));
        let past = Headers { reset: Some(90), ..reset };
        assert_eq!(with(Asked::Sentry, 429, past), Verdict::Wait(Duration::from_millis(200)));
        let secondary = Headers { reset: Some(3000), remaining: Some(4000), ..Headers::default() };
        assert_eq!(with(Asked::Github, 429, secondary), secs(60));
    }

    #[test]
    fn a_limit_of_graphql_is_waited_for_as_long_as_it_names() {
        let with = |error: &str, headers| {
            let headers = Headers { json: true, reset: Some(3100), ..headers };
            let body = format!(r#"{{"data":null,"errors":[{error}]}}"#).into();
            judge(
                Asked::Graphql,
                &Answer { status: 200, headers, body },
                "GH_TOKEN",
                Timestamp::from_secs(100),
            )
        };
        let typed = r#"{"type":"RATE_LIMITED","message":"m"}"#;
        let untyped = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        let secs = |n| Verdict::Wait(Duration::from_secs(n));
        for error in [typed, untyped] {
            let near = Headers { retry_after: Some(3), remaining: Some(0), ..Headers::default() };
            assert_eq!(with(error, near), secs(3), "nearer than the window's end");
            let used_up = Headers { remaining: Some(0), ..Headers::default() };
            assert_eq!(with(error, used_up), secs(3000));
            let left = Headers { remaining: Some(4000), ..Headers::default() };
            assert_eq!(with(error, left), secs(60));
        }
        let forbidden = r#"{"type":"FORBIDDEN","path":["organization"],"message":"no"}"#;
        assert_eq!(with(forbidden, Headers::default()), Verdict::Done);
    }
}
