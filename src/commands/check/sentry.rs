//! The Sentry token: whose it is, which scopes it has and lacks, and the settings of the organisation that limit the
//! mirror.

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
/// The host of a Sentry region does not answer `/api/0/`, which would show the scopes.
const UNTOLD: &str = "not checked: whether SENTRY_TOKEN has Team: Admin. This host does not show a token's scopes. Set \
                      SENTRY_URL=https://sentry.io to check them; otherwise the first refused call names a missing one";
const FORM: &str = "Sentry: Settings → Custom Integrations → the integration → Permissions";

/// The results that other areas need.
#[derive(Default)]
pub(super) struct Seen {
    pub findings: Vec<Finding>,
    pub moment: Option<Moment>,
    pub members: Option<Vec<Member>>,
}

pub(super) fn look(patient: &Patient, github: &github::Seen) -> Seen {
    let mut seen = Seen::default();
    let Some(sentry) = &patient.sentry else {
        seen.findings.push(AREA.warning("Sentry was not asked", "correct the settings first"));
        return seen;
    };
    let (mut reply, holder) = sentry.holder();
    let tells_scopes = reply.verdict != Verdict::Nowhere;
    if !tells_scopes {
        // This is a region's own host. Test the token with a call that every suitable token may make.
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

/// `is_index` means that this answers whose token it is (`/api/0/`), not a call in the organisation.
fn trouble_with_token(patient: &Patient, sentry: &Sentry, reply: &Reply, is_index: bool) -> Option<Finding> {
    let make = "make or copy a token in Sentry: Settings → Custom Integrations → Internal Integration; replace the old one, then \
                reload or restart the service";
    let said = reply.answer.brief();
    let url = &patient.settings.sentry_url;
    if sentry.host().token_begins("sntrys_") {
        let what = "SENTRY_TOKEN is an organisation token (sntrys_…), which can upload releases but not change teams";
        return Some(AREA.failed(what, make));
    }
    Some(match &reply.verdict {
        Verdict::Done => return None,
        // `organisation` reports these.
        Verdict::Denied(_) | Verdict::Missing | Verdict::Postponed(_) if !is_index => return None,
        Verdict::Refused(_) if is_no_organisation(reply) => return None,
        Verdict::Refused(_) if verdict::named_cause(&reply.answer).is_some() => {
            let (code, fix) = verdict::named_cause(&reply.answer)?;
            AREA.failed(format!("Sentry rejected SENTRY_TOKEN: `{}`: {said}", crate::text::plain(&code, 60)), fix)
        }
        Verdict::Refused(_) if reply.answer.status == 401 => {
            let what = format!("Sentry rejected SENTRY_TOKEN ({said}): it was revoked, has expired, belongs to another region, or was not copied completely");
            AREA.failed(what, format!("{make}; for another region or your own server, set SENTRY_URL"))
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
            format!("Sentry's rate limit is used up, so the rest was not checked: {said}"),
            format!("check again in {}", short(*wait)),
        ),
        verdict if (200..500).contains(&reply.answer.status) => AREA.failed(
            format!("the answer at {url} is not from Sentry's API: {}", unusable(verdict, reply)),
            format!("correct SENTRY_URL: {SENTRY_ADDRESS}; if it is right, check for a proxy or firewall in between"),
        ),
        verdict => AREA.failed(
            format!("failed to reach Sentry at {url}: {}", unusable(verdict, reply)),
            "check the network, the proxy and SENTRY_URL, and status.sentry.io for outages; deliveries are kept meanwhile",
        ),
    })
}

/// Reports each missing scope, with what cannot be done without it and where to grant it.
fn lacks(holder: &Holder, findings: &mut Vec<Finding>) -> Vec<Needed> {
    let Some(own) = &holder.scopes else {
        findings.push(AREA.note("not checked: Sentry does not show the token's scopes"));
        return Vec::new();
    };
    let lacking = scopes::lacking(own);
    findings.extend(lacking.iter().map(|needed| lacks_one(needed, holder)));
    if lacking.is_empty() {
        let mut own = own.clone();
        own.sort();
        findings.push(AREA.ok(format!("SENTRY_TOKEN has every scope that it needs: {}", own.join(", "))));
    }
    lacking
}

fn lacks_one(needed: &Needed, holder: &Holder) -> Finding {
    let what = format!("SENTRY_TOKEN lacks {}: {} ({})", needed.scope, needed.purpose, needed.calls);
    AREA.failed(what, tick(holder, needed.tick, needed.scope))
}

/// Reports that the organisation is not here. For a region's own host, it asks sentry.io which region is right.
fn not_here(patient: &Patient, sentry: &Sentry, reply: &Reply) -> Finding {
    let (org, url) = (&patient.settings.sentry_org, &patient.settings.sentry_url);
    let region = inspect::gateway_of(url).and_then(|gateway| sentry.region_named_by(&gateway));
    match region.filter(|at| at != url.origin()) {
        Some(at) => AREA.failed(
            format!("the organisation `{org}` is at {at}, not at {url}"),
            format!("set SENTRY_URL to {at}"),
        ),
        // No answer from there has ever shown that it is Sentry's API.
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
        format!("choose {permission} in {FORM}, then Save Changes")
    } else {
        format!("make a token with {scope}, best in an internal integration ({permission})")
    }
}

/// Sentry has no such organisation; an empty 404 has been confirmed by a second call.
fn is_no_organisation(reply: &Reply) -> bool {
    reply.answer.status == 404 && matches!(reply.verdict, Verdict::Refused(_) | Verdict::Missing)
}

/// Whether the organisation is found. `reply` answers the one call that every suitable token may make.
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
            let region = there.map_or(String::new(), |at| format!("; its region is {at}"));
            AREA.ok(format!("the organisation `{org}` is found{region}"))
        }
        _ if is_no_organisation(&reply) => not_here(patient, sentry, &reply),
        // `lacks` has reported this already, with the permission to grant.
        Verdict::Denied(_) if lacking.iter().any(|needed| needed.scope == "member:read") => return false,
        Verdict::Denied(_) if lacked.is_some() => {
            findings.extend(lacked.iter().map(|needed| lacks_one(needed, holder)));
            return false;
        }
        Verdict::Denied(_) if holder.scopes.is_none() => AREA.failed(
            format!("SENTRY_TOKEN cannot read the members of `{org}`: it lacks member:read or belongs to another organisation ({said})"),
            format!("{}; or correct the token or SENTRY_ORG_SLUG", tick(holder, "Member: Read & Write", "member:read")),
        ),
        Verdict::Denied(_) => AREA.failed(
            format!("SENTRY_TOKEN has no access to `{org}`: it belongs to another organisation ({said})"),
            "correct the token or SENTRY_ORG_SLUG",
        ),
        _ => AREA.unread("the organisation", &reply.into_trouble()),
    };
    let is_good = finding.level == super::finding::Level::Ok;
    findings.push(finding);
    is_good
}

/// Checks what only *Organization: Read* shows: all teams, Open Membership, locks.
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
        (Some(Mode::Payload), _) => {
            "in read mode, a comparison reads each team with a call of its own".into()
        }
        (_, 0) => "a comparison reads each team with a call of its own".into(),
        (_, n) => format!("a comparison reads {n} teams with {n} calls instead of {}", n.div_ceil(100)),
    };
    AREA.warning(
        format!("SENTRY_TOKEN lacks org:read, which is optional: {saved}; older servers do not find teams that were renamed by hand; Open Membership and locked teams are not checked"),
        tick(holder, "Organization: Read", "org:read"),
    )
}

/// Warns about teams that an identity provider manages and that the mirror would change.
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
    let what = format!(
        "your identity provider manages these teams, so their members cannot be changed here: {names}"
    );
    let fix = "change them in the identity provider, or exclude them: SYNC_TEAMS=*,!SLUG";
    (!locked.is_empty()).then(|| AREA.warning(what, fix))
}

/// Reports whether everybody may join every team, and what follows from that.
fn open_membership(open: bool, holder: &Holder) -> Finding {
    let may_write = holder.scopes.as_ref().is_none_or(|own| own.iter().any(|scope| scope == "team:write"));
    match (open, may_write) {
        (true, _) => AREA.ok(
            "Open Membership is on: people can join Sentry teams on their own; SYNC_REMOVE_MEMBERS decides whether a comparison removes them",
        ),
        (false, true) => AREA.ok("Open Membership is off: only this service and managers add people to teams"),
        (false, false) => AREA.failed(
            "Open Membership is off, and without team:write Sentry only files a request (202) instead of adding a person",
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
        let what = format!("SYNC_INVITE is `{role}`, but nobody can be invited: {}", why.what);
        return Some(AREA.warning(what, why.fix));
    }
    let Some(own) = &holder.scopes else {
        return Some(AREA.note(format!(
            "not checked: whether SENTRY_TOKEN can invite people (SYNC_INVITE is `{role}`); an integration's token can invite with the role `member` only"
        )));
    };
    let (older, newer) = scopes::may_invite(own);
    let fix = "use the user token of an owner or manager with member:admin, or set SYNC_INVITE=never";
    Some(match (older, newer, holder.is_integration) {
        (_, false, _) => AREA.failed("SYNC_INVITE is set, but nobody can be invited: SENTRY_TOKEN lacks member:admin", fix),
        (_, _, true) if role != "member" => AREA.failed(
            format!("SYNC_INVITE is `{role}`, but an integration's token can invite only with the role `member`, and only in newer Sentry versions"),
            fix,
        ),
        (_, _, true) => AREA.warning("SYNC_INVITE is set: newer Sentry versions let an integration invite people, 23.7 does not", fix),
        (false, ..) => AREA.warning("SYNC_INVITE is set: Sentry 23.7 requires member:admin to invite people, and the token lacks it", fix),
        (true, true, false) => AREA.ok(format!("SYNC_INVITE is `{role}`, and the token can invite people")),
    })
}

fn retired(sentry: &Sentry) -> Vec<Finding> {
    let fix = "look for a newer version of sentry-team-sync; work that needs such a call is tried again later, and not lost";
    let calls = sentry.host().retired().into_iter();
    calls.map(|call| AREA.warning(format!("Sentry says: {call}"), fix)).collect()
}

fn budget(reply: &Reply) -> Option<Finding> {
    let headers = &reply.answer.headers;
    let (left, limit) = (headers.remaining?, headers.limit?);
    Some(AREA.ok(format!("rate limit: {left} of {limit} calls left in this window")))
}
