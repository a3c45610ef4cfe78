//! The webhook's settings at GitHub, and the results of the last deliveries. If the token cannot see them, the report
//! lists what to check by hand.

use std::collections::BTreeSet;

use super::finding::{Area, Finding};
use super::github::Seen;
use super::patient::Patient;
use crate::config::values;
use crate::hosts::github::facts::Sent;
use crate::hosts::github::inspect::Hook;
use crate::hosts::github::sent::SentBy;
use crate::hosts::github::Github;
use crate::intake::ping::{self, Weight};
use crate::state::ids::HookId;
use crate::text::{counted, Quoted};

const AREA: Area = Area::Hook;
const FORM: &str = "Organization settings → Webhooks → Edit";
const APP_FORM: &str = "the App's settings → General → Webhook, and Permissions & events";

pub(super) fn look(patient: &Patient, seen: &Seen, url: Option<&str>) -> Vec<Finding> {
    let twins = patient.service.map(|service| &service.mirror().queue.twins);
    let both = twins.and_then(|twins| twins.both(patient.clock.wall())).map(|[one, other]| {
        let what = format!("two webhooks send the same events here, {one} and {other}; each change is carried out once");
        let fix = "keep one of them, the App's or the organisation's, and delete the other or untick its Active box";
        AREA.warning(what, fix)
    });
    both.into_iter().chain(hooks(patient, seen, url)).collect()
}

fn hooks(patient: &Patient, seen: &Seen, url: Option<&str>) -> Vec<Finding> {
    // Without a mode, an earlier finding has already reported what is wrong with the token.
    let (Some(github), Some(org), Some(_)) = (&patient.github, &seen.org, seen.mode) else {
        return Vec::new();
    };
    if let Some(app) = &seen.app {
        match github.app_hook(&app.events) {
            Ok(Some(hook)) => {
                let name = format!("the App's webhook to {}", Quoted(&hook.url));
                let mut findings = judge(github, &SentBy::App, APP_FORM, &name, &hook);
                if !hook.has_secret {
                    let what = format!("{name} has no secret, so its deliveries are refused");
                    let fix = "enter the value of GH_WEBHOOK_TOKEN in the App's settings → General → Webhook secret";
                    findings.push(AREA.failed(what, fix));
                }
                return findings;
            }
            // The App has no webhook, so the organisation's own must send here.
            Ok(None) => {}
            Err(trouble) => {
                let what = format!("failed to read the App's webhook: {trouble}");
                return vec![AREA.warning(what, "check again in a minute")];
            }
        }
    }
    let hooks = match github.hooks(&org.login) {
        Ok(Some(hooks)) => hooks,
        Ok(None) => {
            return vec![AREA.note(format!(
                "not checked: the token cannot see webhooks (an owner's can, with Webhooks: Read-only or classic admin:org_hook). \
                 Look yourself: {FORM}: application/json, SSL verification on, the events Memberships, Organizations \
                 and Teams, Active; Recent Deliveries shows the answers"
            ))]
        }
        Err(trouble) => {
            let what = format!("failed to read the webhooks: {trouble}");
            return vec![AREA.warning(what, "check again in a minute")];
        }
    };
    let known = patient.known.as_ref().map(|known| &known.state.hooks);
    let ours = ours(&hooks, known, url);
    if ours.is_empty() {
        let n = hooks.iter().filter(|hook| hook.active).count();
        let others = counted(n, "other active webhook", "other active webhooks");
        let what = format!("no webhook of the organisation sends here (it has {others})");
        let fix =
            "add one in Organization settings → Webhooks → Add webhook; the README says what to fill in";
        return vec![AREA.failed(what, fix)];
    }
    let judged = ours.into_iter().flat_map(|hook| {
        let name = format!("webhook {} to {}", hook.id, Quoted(&hook.url));
        judge(github, &SentBy::Organisation(org.login.clone(), hook.id), FORM, &name, hook)
    });
    judged.collect()
}

/// The webhooks that have sent something here; otherwise those at the given address; otherwise those that send all
/// needed events; otherwise those that send some of them.
fn ours<'a>(hooks: &'a [Hook], known: Option<&BTreeSet<HookId>>, url: Option<&str>) -> Vec<&'a Hook> {
    let missing = |hook: &Hook| ping::missing_events(&hook.settings).len();
    let ways: [&dyn Fn(&Hook) -> bool; 4] = [
        &|hook| known.is_some_and(|known| known.contains(&hook.id)),
        &|hook| url == Some(hook.url.as_str()),
        &|hook| missing(hook) == 0,
        &|hook| missing(hook) < 3,
    ];
    let found = ways.iter().map(|way| hooks.iter().filter(|hook| way(hook)).collect::<Vec<_>>());
    found.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// `form` says where to change its settings.
fn judge(github: &Github, list: &SentBy, form: &str, name: &str, hook: &Hook) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !hook.active {
        findings.push(AREA.failed(format!("{name} is not active"), format!("tick Active in {form}")));
    }
    // The service's own rule allows http within this machine.
    if hook.url.to_ascii_lowercase().starts_with("http://") && values::base_url(&hook.url).is_err() {
        let what = format!("{name} does not use https: others on the network can read the deliveries");
        findings.push(AREA.warning(what, format!("set the Payload URL to an https address in {form}")));
    }
    for advice in ping::advice(&hook.settings) {
        let what = format!("{name}: {}", advice.text);
        findings.push(match advice.weight {
            Weight::Missed => AREA.failed(what, format!("change it in {form}")),
            Weight::Unsafe => AREA.warning(what, format!("change it in {form}")),
            Weight::Taste => AREA.note(what),
        });
    }
    if findings.is_empty() {
        let what =
            format!("{name} sends Memberships, Organizations and Teams as JSON and verifies certificates");
        findings.push(AREA.ok(what));
    }
    match github.last_sent(list) {
        Ok(sent) => findings.extend(sent.map(|sent| deliveries(name, form, &sent))),
        Err(trouble) => {
            let what = format!("failed to read the last deliveries of {name}: {trouble}");
            findings.push(AREA.warning(what, "check again in a minute"));
        }
    }
    findings
}

/// `sent` is newest first.
fn deliveries(name: &str, form: &str, sent: &[Sent]) -> Finding {
    let Some(last) = sent.first() else {
        return AREA.note(format!("{name}: no deliveries in the last few days"));
    };
    let took = |sent: &Sent| (200..300).contains(&sent.status);
    let code = |status| if status == 0 { "no answer".to_string() } else { format!("{status}") };
    let at = last.at.map(|at| format!(" at {at}")).unwrap_or_default();
    let n_failed = sent.iter().filter(|sent| !took(sent)).count();
    let (answer, n) = (code(last.status), sent.len());
    let what = format!("{name}: the last delivery{at} got {answer}; {n_failed} of the last {n} failed");
    let fix = format!(
        "{form} → Recent Deliveries shows each answer; `sentry-team-sync check --url` tests the path to this service"
    );
    match (took(last), n_failed) {
        (true, 0) => AREA.ok(what),
        (true, _) => AREA.warning(
            what,
            format!("{fix}; `sentry-team-sync replay --github` fetches what was missed, or press Redeliver"),
        ),
        (false, _) => AREA.failed(what, fix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::event::Ping;

    #[test]
    fn our_webhook_is_known_by_what_it_sent_then_by_its_address_then_by_its_events() {
        let hook = |id: u64, events: &[&str]| {
            let events = Some(events.iter().map(|event| event.to_string()).collect());
            let content_type = "json".into();
            let settings = Ping { hook_type: "Organization".into(), events, content_type, insecure: false };
            Hook {
                id: HookId(id),
                active: true,
                url: format!("https://{id}.test/"),
                settings,
                has_secret: true,
            }
        };
        let hooks = [hook(1, &["push"]), hook(2, &["team"]), hook(3, &["*"])];
        let ids = |hooks: &[Hook], known: &[u64], url| -> Vec<u64> {
            let known = known.iter().map(|id| HookId(*id)).collect();
            ours(hooks, Some(&known), url).iter().map(|hook| hook.id.0).collect()
        };
        assert_eq!(ids(&hooks, &[1, 9], Some("https://2.test/")), [1]);
        assert_eq!(ids(&hooks, &[9], Some("https://2.test/")), [2]);
        assert_eq!(ids(&hooks, &[], None), [3]);
        assert_eq!(ids(&hooks[..2], &[], None), [2]);
        assert_eq!(ids(&hooks[..1], &[], None), [0; 0]);
    }
}
