//! What an answer means for the work: the one place that decides "done, already so, again or never". Pure.
//!
//! Facts are those of Sentry 23.7.1 as observed, of newer Sentry as published, and of GitHub's documentation. The test
//! at the end is the table of every status that is known.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::upstream::answer::Answer;

/// What was asked; the same status means different things to different questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A GET of GitHub's REST API.
    Github,
    /// A query of GitHub's GraphQL API.
    Graphql,
    /// A GET of Sentry's API.
    Sentry,
    /// `POST /organizations/{org}/teams/`.
    CreateTeam,
    /// `PUT /teams/{org}/{slug}/`.
    UpdateTeam,
    /// `DELETE /teams/{org}/{slug}/`.
    DeleteTeam,
    /// `POST /organizations/{org}/members/{id}/teams/{slug}/`.
    AddMember,
    /// `DELETE /organizations/{org}/members/{id}/teams/{slug}/`.
    RemoveMember,
    /// `POST /organizations/{org}/members/`.
    Invite,
    /// `POST /projects/{org}/{project}/teams/{slug}/`.
    LinkProject,
}

impl Asked {
    /// Whether GitHub was asked.
    pub fn is_github(self) -> bool {
        matches!(self, Asked::Github | Asked::Graphql)
    }

    /// The token that goes with it, by its setting.
    fn token(self) -> &'static str {
        if self.is_github() {
            "GH_TOKEN"
        } else {
            "SENTRY_TOKEN"
        }
    }
}

/// What it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It took place, or the body is the thing asked for.
    Done,
    /// Nothing had to be done: the person was in the team.
    Already,
    /// Sentry only filed an access request: the person is *not* in the team.
    Requested,
    /// The slug belongs to another team.
    Taken,
    /// The thing is not there, or may not be seen.
    Missing,
    /// The team is managed by an identity provider.
    Locked,
    /// Not carried out; to be asked again after this time.
    Wait(Duration),
    /// It may or may not have taken place: look, then repeat.
    Unknown(String),
    /// The token or the address is wrong: nothing will work until somebody changes it.
    Refused(String),
    /// The token may not do this; whether it may do anything else is another question.
    Denied(String),
    /// It will never work.
    Never(String),
}

/// GitHub asks for at least a minute after a secondary rate limit that names no time.
const GITHUB_DEFAULT_WAIT: Duration = Duration::from_secs(60);
/// Sentry's windows are whole seconds.
const SENTRY_DEFAULT_WAIT: Duration = Duration::from_secs(1);
/// No wait is longer than this without another look.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Judges one answer.
pub fn judge(asked: Asked, answer: &Answer, now: Timestamp) -> Verdict {
    use Verdict::*;
    let said = || answer.brief();
    match answer.status {
        300..=399 => {
            let to = answer.headers.location.as_deref().unwrap_or("nowhere");
            Refused(format!("answered with a redirect to {}", crate::escape::Quoted(to)))
        }
        401 => Refused(format!("{} is not accepted: {}", asked.token(), said())),
        // A limit of this kind of call alone, and of a day: no reason to wait with others.
        429 if asked == Asked::Invite && answer.said().contains("invitations") => Never(said()),
        429 => Wait(wait(asked, answer, now)),
        408 | 425 | 500..=599 => Unknown(said()),
        200..=299 => success(asked, answer),
        _ if asked.is_github() => github_refusal(answer, now),
        _ => sentry_refusal(asked, answer),
    }
}

fn success(asked: Asked, answer: &Answer) -> Verdict {
    use Verdict::*;
    match (asked, answer.status) {
        (Asked::AddMember, 202) => Requested,
        (Asked::AddMember, 204) => Already,
        (Asked::RemoveMember | Asked::DeleteTeam, 204) => Done,
        // A page of HTML with status 200 comes from a proxy or a login wall: never data, and never done.
        (Asked::Github | Asked::Graphql | Asked::Sentry | Asked::UpdateTeam | Asked::RemoveMember, 200)
        | (Asked::CreateTeam | Asked::AddMember | Asked::Invite | Asked::LinkProject, 200 | 201)
        | (Asked::DeleteTeam, 200 | 202)
            if answer.headers.json =>
        {
            Done
        }
        (_, status) => Unknown(format!("{status} that is no answer of the API: {}", answer.said())),
    }
}

fn github_refusal(answer: &Answer, now: Timestamp) -> Verdict {
    use Verdict::*;
    match answer.status {
        403 if is_rate_limit(answer) => Wait(wait(Asked::Github, answer, now)),
        403 if answer.headers.sso.is_some() => {
            Refused("wants the token authorised for single sign-on of the organisation".into())
        }
        403 => Denied(answer.brief()),
        404 => Missing,
        410 => Refused(format!("no longer has this version of its API: {}", answer.brief())),
        _ => Never(answer.brief()),
    }
}

/// A 403 of GitHub's rate limits, primary or secondary, tells itself by one of these signs.
fn is_rate_limit(answer: &Answer) -> bool {
    let said = answer.said().to_ascii_lowercase();
    answer.headers.remaining == Some(0)
        || answer.headers.retry_after.is_some()
        || said.contains("rate limit")
        || said.contains("abuse detection")
}

fn sentry_refusal(asked: Asked, answer: &Answer) -> Verdict {
    use Verdict::*;
    let detail = serde_json::from_slice::<serde_json::Value>(&answer.body)
        .ok()
        .and_then(|body| Some(body.get("detail")?.as_str()?.to_ascii_lowercase()))
        .unwrap_or_default();
    match (asked, answer.status) {
        (_, 403) if detail.contains("identity provider") => Locked,
        // Newer Sentry says so with 400, and with other words for the same lock.
        (Asked::RemoveMember, 400) if detail.contains("identity provider") => Locked,
        (_, 403) => Denied(answer.brief()),
        (Asked::RemoveMember, 400) if detail.contains("permission") => Denied(answer.brief()),
        // Sentry's own 404 has a detail. Others come from a missing slash or a proxy, and say nothing about a team.
        (Asked::CreateTeam, 404) => Refused(format!("knows no such organisation: {}", answer.brief())),
        (_, 404) if !detail.is_empty() => Missing,
        (_, 404) => Unknown(format!("404 that is no answer of the API: {}", answer.said())),
        (Asked::CreateTeam, 409) => Taken,
        (Asked::CreateTeam | Asked::UpdateTeam, 400 | 409) if slug_in_use(answer) => Taken,
        (_, 409) => Unknown(answer.brief()),
        _ => Never(answer.brief()),
    }
}

/// `{"slug": ["The slug \"x\" is already in use."]}`, and the sentences of the create call.
fn slug_in_use(answer: &Answer) -> bool {
    let said = answer.said().to_ascii_lowercase();
    said.contains("already in use") || said.contains("already exists")
}

fn wait(asked: Asked, answer: &Answer, now: Timestamp) -> Duration {
    let headers = &answer.headers;
    // GitHub's reset is that of the primary limit: it says nothing while calls are left.
    let exhausted = !asked.is_github() || headers.remaining == Some(0);
    let until_reset = headers.until_reset(now).filter(|_| exhausted);
    let named = headers.retry_after.or(until_reset).map(Duration::from_secs);
    let default = if asked.is_github() { GITHUB_DEFAULT_WAIT } else { SENTRY_DEFAULT_WAIT };
    // A reset that has just passed still means "not in this window": a moment more.
    named.unwrap_or(default).clamp(Duration::from_millis(200), LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::answer::Headers;

    fn ask(asked: Asked, status: u16, body: &str) -> Verdict {
        let headers = Headers { json: body.starts_with(['{', '[']), ..Headers::default() };
        judge(asked, &Answer { status, headers, body: body.into() }, Timestamp(0))
    }

    const GONE: &str = r#"{"detail":"The requested resource does not exist"}"#;
    const NO: &str = r#"{"detail":"You do not have permission to perform this action."}"#;
    const NOT_HIS: &str = r#"{"detail":"You do not have permission to edit that user's membership."}"#;
    const IDP: &str = r#"{"detail":"This team is managed through your organization's identity provider."}"#;
    const EXISTS: &str = r#"{"non_field_errors":["A team with this slug already exists."],"detail":"A team with this slug already exists."}"#;
    const IN_USE: &str = r#"{"slug":["The slug \"platform\" is already in use."]}"#;
    const BAD_SLUG: &str = r#"{"slug":["This value does not match the required pattern."]}"#;

    /// The kind of verdict, without its text.
    fn kind(verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Done => "done",
            Verdict::Already => "already",
            Verdict::Requested => "requested",
            Verdict::Taken => "taken",
            Verdict::Missing => "missing",
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
            (AddMember, 404, GONE, "missing"),
            (AddMember, 404, "", "unknown"),
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
            (Sentry, 403, NO, "denied"),
            (Sentry, 301, "", "refused"),
            (Sentry, 302, "", "refused"),
            (Sentry, 429, "\"slow\"", "wait"),
            (Sentry, 408, "", "unknown"),
            (Sentry, 502, "<html>", "unknown"),
            (Sentry, 503, "", "unknown"),
            (Sentry, 418, "", "never"),
        ] {
            assert_eq!(kind(ask(asked, status, body)), expected, "{asked:?} {status} {body}");
        }
    }

    #[test]
    fn githubs_answers() {
        for (status, body, expected) in [
            (200, "{}", "done"),
            (200, "<html>", "unknown"),
            (204, "", "unknown"),
            (301, "", "refused"),
            (401, "{}", "refused"),
            (403, r#"{"message":"Resource not accessible by personal access token"}"#, "denied"),
            (403, r#"{"message":"You have exceeded a secondary rate limit"}"#, "wait"),
            (404, "{}", "missing"),
            (410, "{}", "refused"),
            (422, "{}", "never"),
            (429, "{}", "wait"),
            (500, "", "unknown"),
            (504, "", "unknown"),
        ] {
            assert_eq!(kind(ask(Asked::Github, status, body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn waits_are_the_named_ones() {
        let with = |asked, status, headers| {
            let answer = Answer { status, headers, body: Vec::new() };
            judge(asked, &answer, Timestamp::from_secs(100))
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
}
