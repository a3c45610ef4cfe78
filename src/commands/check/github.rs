//! The GitHub token: its kind, expiry and organisation, the resulting mode, and what a wider permission would show.

use serde_json::Value;

use super::app;
use super::clock::Moment;
use super::finding::{unusable, Area, Finding};
use super::incomplete;
use super::patient::Patient;
use super::token::Kind;
use crate::clock::{parse_spaced, short, Timestamp};
use crate::config::values::BaseUrl;
use crate::hosts::github::facts::Wanted;
use crate::hosts::github::inspect::AppFacts;
use crate::hosts::github::Github;
use crate::hosts::http::answer::Headers;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::redirect::{self, GITHUB_ADDRESS};
use crate::hosts::http::refusal::{Policy, Refusal};
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::Reply;
use crate::hosts::snapshot::GithubSnapshot;
use crate::state::event::OrgRef;
use crate::state::values::{Mode, Source};
use crate::text::{counted, path_part, Quoted};

const AREA: Area = Area::Github;
/// A token that expires sooner is a warning.
const SOON: std::time::Duration = std::time::Duration::from_secs(14 * 86_400);

/// The results that other areas need.
#[derive(Default)]
pub(super) struct Seen {
    pub findings: Vec<Finding>,
    pub moment: Option<Moment>,
    /// The GitHub App, if the service signs in as one.
    pub app: Option<AppFacts>,
    pub org: Option<OrgRef>,
    pub mode: Option<Mode>,
    pub snapshot: Option<GithubSnapshot>,
    /// The sources of addresses that the token cannot read.
    pub refused: Vec<Source>,
}

pub(super) fn look(patient: &Patient) -> Seen {
    let mut seen = Seen::default();
    let Some(github) = &patient.github else {
        seen.findings.push(AREA.warning("GitHub was not asked", "correct the settings first"));
        return seen;
    };
    if let Some(app) = github.app() {
        seen.app = app::look(patient, github, &app, &mut seen.findings);
        if seen.app.is_none() {
            return seen;
        }
    }
    let reply = github.look("/rate_limit");
    seen.moment = reply.answer.headers.date.map(|there| Moment { there, here: patient.clock.wall() });
    let kind = Kind::of(github, &reply.answer.headers);
    if let Some(finding) = trouble_with_token(patient, github, &reply, kind) {
        seen.findings.push(finding);
        return seen;
    }
    let scopes = reply.answer.headers.oauth_scopes.as_deref();
    seen.findings.push(AREA.ok(format!("{} is valid: {}", github.signed_as(), kind.told(scopes))));
    seen.findings.extend(expiry(reply.answer.headers.token_expires.as_deref(), patient.clock.wall()));
    seen.findings.extend(budget(&reply));
    seen.org = organisation(patient, github, &mut seen.findings);
    let Some(org) = seen.org.clone() else { return seen };
    seen.mode = mode(patient, github, &org, kind, &mut seen.findings);
    if seen.mode == Some(Mode::Read) {
        snapshot(patient, github, &org, kind, &mut seen);
    }
    seen
}

/// Reports an unusable host or token. All further checks would only repeat that.
fn trouble_with_token(patient: &Patient, github: &Github, reply: &Reply, kind: Kind) -> Option<Finding> {
    let who = github.signed_as();
    let url = &patient.settings.github_url;
    let said = reply.answer.brief();
    Some(match &reply.verdict {
        Verdict::Done => return None,
        // An Enterprise Server without rate limits has no such page. It answers this only if it accepted the token.
        Verdict::Missing if said.contains("Rate limiting is not enabled") => return None,
        Verdict::Missing => no_api(url, &said),
        Verdict::Unknown(_) if reply.answer.status == 404 => no_api(url, &said),
        Verdict::Refused(_) if reply.policy().is_some() => blocked(who, reply),
        Verdict::Refused(_) if reply.answer.status == 401 => {
            let known = patient.service.and_then(|service| service.mirror().github.host().token_expires());
            let known = known.map(|at| format!("; GitHub said that it would expire on {at}")).unwrap_or_default();
            let what = format!("GitHub rejected {who} ({said}): it was revoked, has expired, or was not copied completely{known}");
            AREA.failed(what, format!("{} and replace the old one, then reload or restart the service", kind.make()))
        }
        Verdict::Refused(_) if reply.answer.is_redirect() => AREA.failed(
            format!("GitHub at {url} answered with a redirect to {}", reply.answer.redirects_to()),
            redirect::fix(Asked::Github, &reply.answer),
        ),
        Verdict::Refused(why) => {
            let fix = "correct GH_API_URL, or name your certificate authority in SSL_CERT_FILE";
            AREA.failed(format!("GitHub at {url} {why}"), fix)
        }
        Verdict::Wait(wait) => AREA.warning(
            format!("GitHub's rate limit is used up, so the rest was not checked: {said}"),
            format!("check again in {}; other programs share this account's rate limit", short(*wait)),
        ),
        Verdict::Denied(why) => AREA.failed(
            format!("GitHub at {url} refuses this machine or token: {why}"),
            "check whether a policy of the organisation or enterprise blocks this token",
        ),
        verdict => AREA.failed(
            format!("failed to reach GitHub at {url}: {}", unusable(verdict, reply)),
            "check the network, the proxy and GH_API_URL, and githubstatus.com for outages; deliveries are kept meanwhile",
        ),
    })
}

fn no_api(url: &BaseUrl, said: &str) -> Finding {
    AREA.failed(
        format!("there is no GitHub API at {url}: {said}"),
        format!("correct GH_API_URL: {GITHUB_ADDRESS}"),
    )
}

/// Reports a policy that blocks the token, whatever permissions it has.
fn blocked(who: &str, reply: &Reply) -> Finding {
    let what = reply.policy().map(|policy| policy.to_string()).unwrap_or_default();
    let fix = reply.policy().map_or("", Policy::fix);
    AREA.failed(format!("{who} is blocked: {what} ({})", reply.answer.brief()), fix)
}

/// Reports when the token expires. GitHub writes `2026-11-30 21:55:14 UTC`, or an offset such as `+0200` for `UTC`.
fn expiry(told: Option<&str>, now: Timestamp) -> Option<Finding> {
    let told = told?;
    let Some(at) = parse_spaced(told) else {
        return Some(AREA.note(format!("not checked: when the token expires; GitHub says {}", Quoted(told))));
    };
    let fix =
        "make a new token with the same permissions and replace this one, then reload or restart the service";
    Some(match at.0.checked_sub(now.0).filter(|left| *left > 0) {
        None => AREA.failed(format!("the token expired at {at}"), fix),
        Some(_) if at.since(now) < SOON => {
            AREA.warning(format!("the token expires in {}, at {at}", short(at.since(now))), fix)
        }
        Some(_) => AREA.ok(format!("the token expires in {}, at {at}", short(at.since(now)))),
    })
}

fn budget(reply: &Reply) -> Option<Finding> {
    let body: Value = serde_json::from_slice(&reply.answer.body).ok()?;
    let of = |name: &str| {
        let row = body.get("resources")?.get(name)?;
        Some((row.get("remaining")?.as_u64()?, row.get("limit")?.as_u64()?))
    };
    let (core, graphql) = (of("core")?, of("graphql")?);
    let what = format!(
        "rate limit: {} of {} REST calls left, {} of {} for GraphQL",
        core.0, core.1, graphql.0, graphql.1
    );
    let is_low = |(left, limit): (u64, u64)| left < limit / 10;
    let fix = "give this token an account of its own: all tokens of an account share the limit, and another program uses it up";
    Some(if is_low(core) || is_low(graphql) { AREA.warning(what, fix) } else { AREA.ok(what) })
}

fn organisation(patient: &Patient, github: &Github, findings: &mut Vec<Finding>) -> Option<OrgRef> {
    let pinned = patient.known.as_ref().and_then(|known| known.state.org.clone());
    let configured = patient.settings.github_org.as_ref();
    let asked = configured.or(pinned.as_ref().map(|org| &org.login));
    let found = match (asked.map(|login| github.org(login)), &pinned) {
        (None, _) => github.only_org(),
        // It was renamed: the service follows it by its id.
        (Some(Ok(None)), Some(pinned)) => github.org_by_id(pinned.id),
        (Some(found), _) => found,
    };
    let finding = match (&found, asked, &pinned) {
        (Err(trouble), ..) => AREA.unread("the organisation", trouble),
        (Ok(None), Some(login), _) => AREA.failed(
            format!("GitHub knows no organisation {}", Quoted(login.as_str())),
            "correct GH_ORG: the name in github.com/NAME",
        ),
        (Ok(None), None, _) => AREA.warning(
            "the organisation is not known: the token belongs to several or does not show any",
            "set GH_ORG to its name; otherwise the first signed team or membership event decides",
        ),
        (Ok(Some(OrgRef { id, login })), _, Some(pinned)) if *id != pinned.id => {
            let (login, other) = (Quoted(login.as_str()), Quoted(pinned.login.as_str()));
            AREA.failed(
                format!(
                    "GH_ORG is {login} ({id}), but the state directory belongs to {other} ({})",
                    pinned.id
                ),
                "give each organisation its own SYNC_STATE_DIR, or correct GH_ORG",
            )
        }
        (Ok(Some(org)), _, Some(pinned)) if pinned.deleted => AREA.failed(
            format!("GitHub reported that the organisation {} was deleted", Quoted(org.login.as_str())),
            "all writes have stopped; move the state directory away to mirror another one",
        ),
        (Ok(Some(org)), Some(login), _) if !login.is(org.login.as_str()) => AREA.warning(
            format!(
                "GitHub has no organisation {}; the one that the state directory belongs to is {}",
                Quoted(login.as_str()),
                Quoted(org.login.as_str())
            ),
            "it was renamed, and the service follows it by its id; set GH_ORG to the new name if you set GH_ORG at all",
        ),
        (Ok(Some(org)), _, pinned) => {
            let pinned =
                if pinned.is_some() { ", and the state directory belongs to it" } else { "" };
            AREA.ok(format!("the organisation {} ({}) is found{pinned}", Quoted(org.login.as_str()), org.id))
        }
    };
    let is_good = finding.level != super::finding::Level::Failed;
    findings.push(finding);
    found.ok().flatten().filter(|_| is_good)
}

/// Determines the mode, and reports the permission that decides it.
fn mode(
    patient: &Patient,
    github: &Github,
    org: &OrgRef,
    kind: Kind,
    findings: &mut Vec<Finding>,
) -> Option<Mode> {
    let reply = github.look(&format!("/orgs/{}/teams?per_page=1", path_part(org.login.as_str())));
    let login = Quoted(org.login.as_str()).to_string();
    let headers = &reply.answer.headers;
    let lacking = match &reply.verdict {
        Verdict::Done => {
            findings.push(AREA.ok(format!("read mode: the token can read the teams of {login}")));
            return Some(Mode::Read);
        }
        _ if reply.refusal() == Some(Refusal::Permission) => refusal(&reply, kind),
        verdict => {
            findings.push(match verdict {
                Verdict::Missing | Verdict::Denied(_) => untold(patient, &reply, kind, &login),
                Verdict::Refused(_) if headers.sso.is_some() => not_authorised(headers, &login),
                Verdict::Refused(_) if reply.policy().is_some() => blocked(github.signed_as(), &reply),
                _ => AREA.unread("the teams", &reply.into_trouble()),
            });
            return None;
        }
    };
    let fix = kind.members_read(&login, headers, reply.answer.status);
    let finding = if known_mode(patient) == Some(Mode::Read) {
        AREA.failed(format!("{} has lost its permission ({lacking})", github.signed_as()), fix)
    } else {
        let what = "payload mode: the token cannot read teams and members, so webhook payloads are trusted as they are";
        AREA.warning(format!("{what} ({lacking})"), format!("for read mode, {fix}"))
    };
    findings.push(finding);
    Some(Mode::Payload)
}

/// The mode that the state has recorded for this very token.
fn known_mode(patient: &Patient) -> Option<Mode> {
    let known = patient.known.as_ref()?.state.mode.as_ref();
    known.filter(|(_, fingerprint)| **fingerprint == *patient.github_fingerprint).map(|(mode, _)| *mode)
}

/// GitHub's answer does not show what the token is allowed to do, so it decides no mode.
fn untold(patient: &Patient, reply: &Reply, kind: Kind, login: &str) -> Finding {
    let said = refusal(reply, kind);
    let fix = kind.members_read(login, &reply.answer.headers, reply.answer.status);
    match known_mode(patient) {
        Some(Mode::Payload) => AREA.warning(
            format!("payload mode, as before: GitHub does not say what the token may do now ({said})"),
            format!("for read mode, {fix}"),
        ),
        _ => AREA.failed(
            format!(
                "GitHub does not say what the token may do ({said}); deliveries are queued until it does"
            ),
            fix,
        ),
    }
}

/// The refused call, and the permission that GitHub says it needs.
fn refusal(reply: &Reply, kind: Kind) -> String {
    let wants = match (&reply.answer.headers.accepted_permissions, kind) {
        (Some(permissions), _) => format!(", it needs {}", Quoted(permissions)),
        (None, Kind::Classic) => ", it needs the scope read:org".into(),
        (None, _) => String::new(),
    };
    format!("{}: {}{wants}", reply.exchange.call, reply.answer.brief())
}

/// Reports a token that is not authorised for the organisation's single sign-on.
fn not_authorised(headers: &Headers, login: &str) -> Finding {
    let at = headers.sso.as_deref().and_then(|told| told.split("url=").nth(1));
    let at = at.map(|url| format!(", at {}", Quoted(url))).unwrap_or_default();
    AREA.failed(
        format!("the organisation {login} enforces single sign-on, and the token is not authorised for it"),
        format!("authorise it in Settings → Developer settings → Personal access tokens → the token → Configure SSO → Authorize{at}"),
    )
}

/// Reads the whole organisation, as a comparison does, and reports what the token cannot see.
fn snapshot(patient: &Patient, github: &Github, org: &OrgRef, kind: Kind, seen: &mut Seen) {
    let order = &patient.settings.identity;
    let wanted = Wanted { saml: order.contains(&Source::Saml), verified: order.contains(&Source::Verified) };
    let read = match github.snapshot(&org.login, wanted) {
        Ok(Some(read)) => read,
        Ok(None) => {
            let fix = "add the token's account to the organisation";
            seen.findings.push(AREA.failed("GitHub does not show the organisation's teams by GraphQL", fix));
            return;
        }
        Err(trouble) => {
            seen.findings.push(AREA.unread("the teams and people, as a comparison does", &trouble));
            return;
        }
    };
    let by_rest = !read.teams.is_empty() && read.teams.iter().all(|team| team.facts.node_id.is_empty());
    let n_teams = counted(read.teams.len(), "team is", "teams are");
    seen.findings.push(match (by_rest, read.sees_secret) {
        (true, _) => AREA.warning(
            format!("GraphQL is blocked: {n_teams} read with one call each, and without anyone's addresses"),
            "allow GraphQL for this token; a firewall or proxy may block it",
        ),
        (false, true) => AREA.ok(format!("{n_teams} visible, including secret ones: the token belongs to an owner")),
        // An App's token sees secret teams, but GitHub does not say so.
        (false, false) if kind == Kind::Installation => AREA.ok(format!("{n_teams} visible")),
        (false, false) => AREA.warning(
            format!("{n_teams} visible; the token sees only those secret teams that its account is in, so a missing team is not taken for deleted"),
            "use the token of an organisation owner to mirror secret teams and to notice missed deletions",
        ),
    });
    let slug =
        |id| read.teams.iter().find(|team| team.facts.id == id).map(|team| team.facts.slug.to_string());
    let known = patient.service.map(|service| service.reconciler.incomplete.known());
    seen.findings.extend(incomplete::look(&read.gaps, slug, known.as_ref(), patient.clock.wall()));
    seen.refused = github.refused_sources();
    if !by_rest {
        let told = order.iter().filter_map(|source| addresses(*source, &read, &seen.refused, kind));
        seen.findings.extend(told);
    }
    seen.snapshot = Some(read);
}

/// Reports whether the token can read one of GitHub's sources of addresses.
fn addresses(source: Source, read: &GithubSnapshot, refused: &[Source], kind: Kind) -> Option<Finding> {
    let (name, has): (_, fn(&crate::hosts::github::facts::Claims) -> bool) = match source {
        Source::Saml => ("single sign-on identities", |claims| !claims.saml.is_empty()),
        Source::Verified => ("addresses on verified domains", |claims| !claims.verified.is_empty()),
        Source::Public => ("public addresses", |claims| claims.public.is_some()),
        Source::Map | Source::Sentry | Source::SentryLogin => return None,
    };
    if refused.contains(&source) {
        let what = format!("this token cannot read {name} (`{}`)", source.name());
        return Some(AREA.warning(what, kind.addresses(source)));
    }
    let people = read.people.values().filter(|person| !person.bot);
    let (n, all) = people.fold((0, 0), |(n, all), person| (n + usize::from(has(&person.claims)), all + 1));
    let what = format!("{name} (`{}`) are known for {n} of {all} people", source.name());
    // Either there are none, or the token cannot see them.
    let why = match (source, n) {
        (Source::Saml, 0) => "the organisation has none, or shows them only to owners and Apps",
        (Source::Verified, 0) => {
            "the organisation must verify a domain, and people must add an address on it"
        }
        _ => return Some(AREA.ok(what)),
    };
    Some(AREA.note(format!("{what}; {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::finding::Level;

    #[test]
    fn expiry_is_read_in_both_forms_and_judged_by_the_clock() {
        let at = Timestamp::parse("2026-11-30T21:55:14Z");
        assert_eq!(parse_spaced("2026-11-30 21:55:14 UTC"), at);
        assert_eq!(parse_spaced("2026-11-30 23:55:14 +0200"), at);
        assert_eq!(parse_spaced("2026-11-30 16:25:14 -0530"), at);
        for text in ["", "soon", "2026-11-30", "2026-11-30 21:55:14 x", "2026-11-30 21:55:14 +2"] {
            assert_eq!(parse_spaced(text), None, "{text}");
        }
        let level = |now: &str| {
            expiry(Some("2026-11-30 21:55:14 UTC"), Timestamp::parse(now).unwrap()).unwrap().level
        };
        assert_eq!(level("2026-11-16T21:55:14Z"), Level::Ok);
        assert_eq!(level("2026-11-16T21:55:15Z"), Level::Warning);
        assert_eq!(level("2026-11-30T21:55:14Z"), Level::Failed);
    }
}
