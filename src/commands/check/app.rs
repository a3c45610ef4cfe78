//! The GitHub App that the service signs in as: its key, its permissions, and where it is installed.

use super::finding::{Area, Finding};
use super::patient::Patient;
use crate::hosts::github::app::App;
use crate::hosts::github::inspect::AppFacts;
use crate::hosts::github::Github;
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Reply, TroubleKind};
use crate::text::{base64, Quoted};

const AREA: Area = Area::Github;
/// The permission that the App needs, and the one that every App has.
const NEEDED: [&str; 2] = ["members", "metadata"];

/// Checks the App by its key alone. `None` if further checks make no sense.
pub(super) fn look(
    patient: &Patient,
    github: &Github,
    app: &App,
    findings: &mut Vec<Finding>,
) -> Option<AppFacts> {
    let key = format!("SHA256:{}", base64(&app.key_print()));
    let facts = match github.app_itself() {
        Ok(Some(facts)) => facts,
        Ok(None) => {
            let url = &patient.settings.github_url;
            let what = format!("there is no GitHub App {} at {url}", Quoted(app.id()));
            findings.push(AREA.failed(what, "correct GH_APP_ID or GH_API_URL"));
            return None;
        }
        Err(trouble) if trouble.kind == TroubleKind::Refused => {
            let what = format!("{} (GH_APP_ID {}, the key {key})", trouble.why, Quoted(app.id()));
            let fix = "open the App's settings → General → Private keys; if this key is not listed, generate a new one and use it; \
                       the same page shows the App ID";
            findings.push(AREA.failed(what, fix));
            return None;
        }
        Err(trouble) => {
            findings.push(AREA.unread("the GitHub App", &trouble));
            return None;
        }
    };
    findings.push(AREA.ok(format!(
        "the GitHub App {} ({}) signs in with the key {key}",
        Quoted(&facts.slug),
        facts.id
    )));
    let more: Vec<_> =
        facts.permissions.iter().filter(|(name, _)| !NEEDED.contains(&name.as_str())).collect();
    let more: Vec<_> = more.iter().map(|(name, level)| format!("{name}: {level}")).collect();
    if !more.is_empty() {
        let what = format!("the App has more permissions than it needs: {}", Quoted(&more.join(", ")));
        let fix = "keep Members: Read-only alone in the App's settings → Permissions & events; tokens are limited to it anyway";
        findings.push(AREA.note(format!("{what}; {fix}")));
    }
    if facts.permissions.iter().any(|(name, level)| name == "members" && level == "write") {
        let fix =
            "set Members: Read-only in the App's settings → Permissions & events → Organization permissions";
        findings
            .push(AREA.warning("the App may change the organisation's members, which it never needs", fix));
    }
    match github.app_installed(app) {
        Ok(found) => {
            let login = Quoted(found.account.login.as_str());
            findings.push(AREA.ok(format!("the App is installed on {login} (installation {})", found.id)));
            Some(facts)
        }
        Err(reply) => {
            findings.push(not_installed(&reply));
            None
        }
    }
}

fn not_installed(reply: &Reply) -> Finding {
    match &reply.verdict {
        Verdict::Refused(why) => {
            let (what, fix) =
                why.split_once(": ").unwrap_or((why, "install it: the App's settings → Install App"));
            AREA.failed(what, fix)
        }
        _ => AREA.failed(
            format!(
                "failed to look for the App's installation: {}: {}",
                reply.exchange.call, reply.exchange.answer
            ),
            "check again in a minute",
        ),
    }
}
