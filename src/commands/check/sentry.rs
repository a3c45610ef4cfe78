//! The Sentry token: whose it is, which scopes it has and lacks, and the settings of the organisation that decide what
//! the mirror can do.

use super::clock::Moment;
use super::finding::{some_of, unusable, Area, Finding};
use super::patient::Patient;
use super::{github, groups};
use crate::clock::short;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::first_answer::Heard;
use crate::hosts::http::redirect::{self, SENTRY_ADDRESS};
use crate::hosts::http::verdict::{self, Verdict};
use crate::hosts::http::Reply;
use crate::hosts::sentry::inspect::{self, Holder, TeamRow};
use crate::hosts::sentry::scopes::{self, Needed};
use crate::hosts::sentry::{Member, Sentry, NO_ORGANISATION};
use crate::reconcile::read::wanted_slugs;
use crate::state::values::{Mode, Source};
use crate::text::counted;

const AREA: Area = Area::Sentry;
/// A region's own host answers no `/api/0/`.
const UNTOLD: &str = "not checked: whether SENTRY_TOKEN has Team: Admin. This host does not tell a token's scopes; with \
                      SENTRY_URL=https://sentry.io they are checked, and a lacking one is named by the first call that is refused";
const FORM: &str = "Sentry: Settings → Custom Integrations → the integration → Permissions";

/// What was seen of Sentry, for the other areas.
#[derive(Default)]
pub(super) struct Seen {
    pub findings: Vec<Finding>,
    pub moment: Option<Moment>,
    pub members: Option<Vec<Member>>,
}

pub(super) fn look(patient: &Patient, github: &github::Seen) -> Seen {
    let mut seen = Seen::default();
    let Some(sentry) = &patient.sentry else {
        seen.findings.push(AREA.warning("Sentry is not asked", "mend the configuration first"));
        return seen;
    };
    let (mut reply, holder) = sentry.holder();
    let tells_scopes = reply.verdict != Verdict::Nowhere;
    if !tells_scopes {
        // The own host of a region: whether the token is good is told by what every fitting one may read.
        reply = sentry.look_at_members();
    }
    seen.moment = reply.answer.headers.date.map(|there| Moment { there, here: patient.clock.wall() });
    if let Some(finding) = trouble_with_token(patient, sentry, &reply, tells_scopes) {
        seen.findings.push(finding);
        return seen;
    }
    let budget = budget(&reply);
    let holder = holder.unwrap_or_default();
    let lacking = if tells_scopes {
        let whose = if holder.is_integration { "an integration's" } else { "a person's" };
        seen.findings.push(AREA.ok(format!("SENTRY_TOKEN is valid: {whose}")));
        reply = sentry.look_at_members();
        lacks(&holder, &mut seen.findings)
    } else {
        seen.findings.push(AREA.note(UNTOLD));
        Vec::new()
    };
    if organisation(patient, sentry, reply, &lacking, &holder, &mut seen.findings) {
        settings(patient, sentry, github, &holder, &mut seen.findings);
        members(patient, sentry, &mut seen);
        seen.findings.extend(groups::look(patient, github.mode, sentry));
    }
    seen.findings.extend(invites(patient, &holder));
    seen.findings.extend(retired(sentry));
    seen.findings.extend(budget);
    seen
}

/// `is_index`: it is the answer to who the token's holder is, not to a call in the organisation.
fn trouble_with_token(patient: &Patient, sentry: &Sentry, reply: &Reply, is_index: bool) -> Option<Finding> {
    let make = "Sentry: Settings → Custom Integrations → Internal Integration: make or copy a token, put it in place of \
                the old one; a running service takes it over with a reload or a restart";
    let said = reply.answer.brief();
    let url = &patient.settings.sentry_url;
    if sentry.host().token_begins("sntrys_") {
        let what = "SENTRY_TOKEN is an organisation token (sntrys_…): those may upload releases, and nothing that is needed here";
        return Some(AREA.failed(what, make));
    }
    Some(match &reply.verdict {
        Verdict::Done => return None,
        // The organisation's own finding.
        Verdict::Denied(_) | Verdict::Missing | Verdict::Postponed(_) if !is_index => return None,
        Verdict::Refused(_) if is_no_organisation(reply) => return None,
        Verdict::Refused(_) if verdict::named_cause(&reply.answer).is_some() => {
            let (code, fix) = verdict::named_cause(&reply.answer)?;
            AREA.failed(format!("SENTRY_TOKEN is refused: `{}`: {said}", crate::text::plain(&code, 60)), fix)
        }
        Verdict::Refused(_) if reply.answer.status == 401 => {
            let what = format!("SENTRY_TOKEN is refused ({said}): revoked, expired, of another region, or pasted incompletely");
            AREA.failed(what, format!("{make}; for another region or a server of your own, set SENTRY_URL"))
        }
        Verdict::Refused(_) if reply.answer.is_redirect() => AREA.failed(
            format!("Sentry at {url} answered with a redirect to {}", reply.answer.redirects_to()),
            redirect::fix(Asked::Sentry, &reply.answer),
        ),
        Verdict::Refused(why) => {
            let fix = "correct SENTRY_URL, or name your certificate authority in SSL_CERT_FILE";
            AREA.failed(format!("Sentry at {url} {why}"), fix)
        }
        Verdict::Wait(wait) => AREA.warning(
            format!("Sentry's rate limit is used up, so nothing more is asked: {said}"),
            format!("check again in {}", short(*wait)),
        ),
        verdict if (200..500).contains(&reply.answer.status) => AREA.failed(
            format!("what answers at {url} is not Sentry's API: {}", unusable(verdict, reply)),
            format!("correct SENTRY_URL: {SENTRY_ADDRESS}; if it is right, look for a proxy or firewall in between"),
        ),
        verdict => AREA.failed(
            format!("Sentry at {url} can not be asked: {}", unusable(verdict, reply)),
            "look at the network, the proxy and SENTRY_URL; status.sentry.io tells of outages; deliveries wait",
        ),
    })
}

/// Each scope that is lacking, with what can not be done without it and where it is ticked.
fn lacks(holder: &Holder, findings: &mut Vec<Finding>) -> Vec<Needed> {
    let Some(own) = &holder.scopes else {
        findings.push(AREA.note("not checked: Sentry does not tell the token's scopes"));
        return Vec::new();
    };
    let lacking = scopes::lacking(own);
    findings.extend(lacking.iter().map(|needed| lacks_one(needed, holder)));
    if lacking.is_empty() {
        let mut own = own.clone();
        own.sort();
        findings.push(AREA.ok(format!("it has every scope that is needed: {}", own.join(", "))));
    }
    lacking
}

fn lacks_one(needed: &Needed, holder: &Holder) -> Finding {
    let what = format!("SENTRY_TOKEN lacks {}: {} ({})", needed.scope, needed.purpose, needed.calls);
    AREA.failed(what, tick(holder, needed.tick, needed.scope))
}

/// The organisation is not at this address. Of a region's own host, sentry.io is asked which region it is.
fn not_here(patient: &Patient, sentry: &Sentry, reply: &Reply) -> Finding {
    let (org, url) = (&patient.settings.sentry_org, &patient.settings.sentry_url);
    let region = inspect::gateway_of(url).and_then(|gateway| sentry.region_named_by(&gateway));
    match region.filter(|at| at != url.origin()) {
        Some(at) => AREA.failed(
            format!("the organisation `{org}` lives at {at}, not at {url}"),
            format!("set SENTRY_URL to {at}"),
        ),
        // Nothing that the API alone would say has ever come from there.
        None if reply.answer.body.is_empty() && sentry.host().heard() != Heard::TheApi => AREA.failed(
            format!(
                "Sentry knows no organisation `{org}` at {url}, or what answers there is not Sentry's API (404 without a body)"
            ),
            format!("{NO_ORGANISATION}; or correct SENTRY_URL: {SENTRY_ADDRESS}"),
        ),
        None => AREA.failed(format!("Sentry knows no organisation `{org}` at {url}"), NO_ORGANISATION),
    }
}

fn tick(holder: &Holder, permission: &str, scope: &str) -> String {
    if holder.is_integration || holder.scopes.is_none() {
        format!("{FORM} → {permission}, then Save Changes")
    } else {
        format!("make a token with {scope}, best that of an internal integration ({permission})")
    }
}

/// Sentry has answered twice that it has no such organisation.
fn is_no_organisation(reply: &Reply) -> bool {
    reply.answer.status == 404 && matches!(reply.verdict, Verdict::Refused(_) | Verdict::Missing)
}

/// Whether the organisation is found, by the one call that every fitting token may make.
fn organisation(
    patient: &Patient,
    sentry: &Sentry,
    reply: Reply,
    lacking: &[Needed],
    holder: &Holder,
    findings: &mut Vec<Finding>,
) -> bool {
    let (org, said) = (&patient.settings.sentry_org, reply.answer.brief());
    let lacked = scopes::lacked(&reply.answer.headers.sufficient_scopes);
    let finding = match &reply.verdict {
        Verdict::Done => {
            let there = inspect::region(&reply).filter(|at| *at != patient.settings.sentry_url.origin());
            let region = there.map_or(String::new(), |at| format!("; it lives at {at}"));
            AREA.ok(format!("the organisation `{org}` is found{region}"))
        }
        _ if is_no_organisation(&reply) => not_here(patient, sentry, &reply),
        // Told above, with what to tick.
        Verdict::Denied(_) if lacking.iter().any(|needed| needed.scope == "member:read") => return false,
        Verdict::Denied(_) if lacked.is_some() => {
            findings.extend(lacked.iter().map(|needed| lacks_one(needed, holder)));
            return false;
        }
        Verdict::Denied(_) if holder.scopes.is_none() => AREA.failed(
            format!("SENTRY_TOKEN may not read the members of `{org}`: it lacks member:read, or belongs to another organisation ({said})"),
            format!("{}; or correct the token or SENTRY_ORG_SLUG", tick(holder, "Member: Read & Write", "member:read")),
        ),
        Verdict::Denied(_) => AREA.failed(
            format!("SENTRY_TOKEN may do nothing in `{org}`: it belongs to another organisation ({said})"),
            "correct the token or SENTRY_ORG_SLUG",
        ),
        _ => AREA.unread("the organisation", &reply.into_trouble()),
    };
    let is_good = finding.level == super::finding::Level::Ok;
    findings.push(finding);
    is_good
}

/// What only *Organization: Read* shows: all teams, Open Membership, locks.
fn settings(
    patient: &Patient,
    sentry: &Sentry,
    github: &github::Seen,
    holder: &Holder,
    findings: &mut Vec<Finding>,
) {
    let rows = match sentry.team_rows() {
        Ok(Some(rows)) => rows,
        Ok(None) => return findings.push(no_listing(patient, github, holder)),
        Err(trouble) => return findings.push(AREA.unread("the teams", &trouble)),
    };
    findings.push(AREA.ok(format!("{} can be listed", counted(rows.len(), "team", "teams"))));
    findings.extend(locks(patient, github, &rows));
    match sentry.open_membership() {
        Ok(open) => findings.extend(open.map(|open| open_membership(open, holder))),
        Err(trouble) => findings.push(AREA.unread("the organisation's settings", &trouble)),
    }
}

fn no_listing(patient: &Patient, github: &github::Seen, holder: &Holder) -> Finding {
    let shown = github.snapshot.as_ref().map(|read| read.teams.len());
    let bound = patient.known.as_ref().map_or(0, |known| known.state.teams.n_bound());
    let n = shown.unwrap_or(bound).max(bound);
    let saved = match (github.mode, n) {
        (Some(Mode::Payload), _) => "in read mode, a comparison asks for each team by itself".into(),
        (_, 0) => "a comparison asks for each team by itself".into(),
        (_, n) => format!("a comparison asks for {n} teams with {n} calls, not {}", n.div_ceil(100)),
    };
    AREA.warning(
        format!("SENTRY_TOKEN lacks org:read, which is not required: {saved}; teams renamed by hand are not found again on older servers, Open Membership and locks are not told"),
        tick(holder, "Organization: Read", "org:read"),
    )
}

/// Teams that an identity provider manages, and that the mirror would change.
fn locks(patient: &Patient, github: &github::Seen, rows: &[TeamRow]) -> Option<Finding> {
    let wanted =
        github.snapshot.as_ref().map(|read| wanted_slugs(patient.settings, read)).unwrap_or_default();
    let is_bound = |row: &TeamRow| {
        let known = patient.known.as_ref();
        row.id().is_some_and(|id| known.is_some_and(|known| known.state.teams.of_sentry(id).is_some()))
    };
    let locked: Vec<_> = rows
        .iter()
        .filter(|row| row.is_locked() && (is_bound(row) || wanted.contains(&row.slug)))
        .map(|row| row.slug.as_str())
        .collect();
    let names = some_of(locked.iter().copied());
    let what =
        format!("managed by your identity provider, so that nobody else may change who is in them: {names}");
    let fix = "change them in the identity provider, or leave them out: SYNC_TEAMS=*,!SLUG";
    (!locked.is_empty()).then(|| AREA.warning(what, fix))
}

/// Whether everybody may join every team, and what follows.
fn open_membership(open: bool, holder: &Holder) -> Finding {
    let may_write = holder.scopes.as_ref().is_none_or(|own| own.iter().any(|scope| scope == "team:write"));
    match (open, may_write) {
        (true, _) => AREA.ok(
            "Open Membership is on: people in Sentry may join teams by themselves; SYNC_REMOVE_MEMBERS says whether a comparison takes them out",
        ),
        (false, true) => AREA.ok("Open Membership is off: people come into teams through the mirror or a manager"),
        (false, false) => AREA.failed(
            "Open Membership is off, and without team:write Sentry only files a request (202) for each person to be added",
            tick(holder, "Team: Admin", "team:write"),
        ),
    }
}

fn members(patient: &Patient, sentry: &Sentry, seen: &mut Seen) {
    let linked = patient.settings.identity.contains(&Source::Sentry);
    match sentry.members(linked) {
        Ok(members) => {
            let n = counted(members.len(), "member or invite", "members and invites");
            seen.findings.push(AREA.ok(format!("{n} can be read")));
            seen.members = Some(members);
        }
        Err(trouble) => seen.findings.push(AREA.unread("the members", &trouble)),
    }
}

fn invites(patient: &Patient, holder: &Holder) -> Option<Finding> {
    let role = patient.settings.invite.as_deref()?;
    if let Some(why) = patient.service.and_then(|service| service.reconciler.invite_trouble()) {
        let what = format!("SYNC_INVITE is `{role}`, and nobody can be invited: {}", why.what);
        return Some(AREA.warning(what, why.fix));
    }
    let Some(own) = &holder.scopes else {
        return Some(AREA.note(format!(
            "not checked: whether SENTRY_TOKEN may invite, for SYNC_INVITE `{role}`; an integration's may with the role `member` alone"
        )));
    };
    let (older, newer) = scopes::may_invite(own);
    let fix = "use the user token of an owner or manager with member:admin, or set SYNC_INVITE=never";
    Some(match (older, newer, holder.is_integration) {
        (_, false, _) => AREA.failed("SYNC_INVITE is set, and SENTRY_TOKEN lacks member:admin: nobody can be invited", fix),
        (_, _, true) if role != "member" => AREA.failed(
            format!("SYNC_INVITE is `{role}`, and an integration's token may invite with no role but `member`, on newer Sentry only"),
            fix,
        ),
        (_, _, true) => AREA.warning("SYNC_INVITE is set: newer Sentry lets an integration invite, 23.7 does not", fix),
        (false, ..) => AREA.warning("SYNC_INVITE is set: Sentry 23.7 wants member:admin for invites, and the token lacks it", fix),
        (true, true, false) => AREA.ok(format!("SYNC_INVITE is `{role}`, and the token may invite")),
    })
}

fn retired(sentry: &Sentry) -> Vec<Finding> {
    let fix = "look for a newer version of sentry-team-sync; what meets such a call is tried again later, and not lost";
    let calls = sentry.host().retired().into_iter();
    calls.map(|call| AREA.warning(format!("Sentry says: {call}"), fix)).collect()
}

fn budget(reply: &Reply) -> Option<Finding> {
    let headers = &reply.answer.headers;
    let (left, limit) = (headers.remaining?, headers.limit?);
    Some(AREA.ok(format!("rate budget: {left} of {limit} calls left in this window")))
}
