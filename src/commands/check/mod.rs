//! The doctor: the command `check`, which examines this installation.
//!
//! Each area has a file that returns [`Finding`]s; a [`Report`] has all of them in a fixed order. Checks ask and never
//! change anything: no write to Sentry or GitHub, no record, no new state directory. A host that does not answer
//! affects its own area only. The only thing that is sent is a signed ping, to the address in `--url`.

mod app;
mod clock;
mod codeowners;
mod configuration;
mod finding;
mod github;
mod groups;
mod hook;
mod identity;
mod incomplete;
mod machine;
mod patient;
mod ping;
mod sentry;
mod state;
mod token;

use crate::clock::{Clock, Timestamp};
use crate::commands::paste::Invocation;
use crate::commands::{Live, Reply};
use crate::config::{self, Environment, Need, Settings};
use crate::error::Result;
use crate::hosts::github::app::Whose;
use crate::hosts::github::Github;
use crate::hosts::http::tls::{self, Way};
use crate::hosts::sentry::Sentry;
use crate::reconcile::Progress;
use crate::store::journal::Journal;
use crate::text;
use finding::{Area, By, Finding, Report};
use patient::{Known, Patient};

pub use finding::Shape;
pub use patient::Surroundings;

/// Examines the running service.
pub fn beside(live: &Live, asked: &Asked, progress: Progress) -> Reply {
    let mirror = live.mirror();
    let settings = mirror.settings();
    let patient = Patient {
        clock: mirror.clock.clone(),
        settings: &settings,
        around: live.around,
        faults: &[],
        service: Some(live.observer),
        known: Some(mirror.state(Known::of)),
        github: Some(mirror.github.afresh()),
        github_fingerprint: mirror.github_token.fingerprint(),
        sentry: Some(mirror.sentry.afresh()),
    };
    Report::new(examine(&patient, asked.url, progress), By::Service, false).reply(asked.shape)
}

pub struct Asked<'a> {
    pub shape: Shape,
    /// A public address to send a ping to.
    pub url: Option<&'a str>,
    /// The settings only: no host is contacted, and no state is read.
    pub offline: bool,
}

/// Examines this command's own settings, if no service runs. It skips what has a fault, and checks the rest.
pub fn alone(flags: &Environment, env: &Environment, asked: &Asked, progress: Progress) -> Reply {
    let &Asked { shape, url, offline } = asked;
    let clock = Clock::System;
    let (config, faults) = config::read(flags, env, Need::Everything);
    let mut findings = Vec::new();
    let way = noted(tls::way(env, config.settings.is_all_local()), Area::Machine, &mut findings);
    let misconfigured = !faults.is_empty() || way.is_none();
    let is_whole = |vars: &[&str]| !faults.iter().any(|fault| vars.contains(&fault.var));
    let settings = &config.settings;
    let known = if offline { None } else { known_of(settings, clock.wall(), &mut findings) };
    let whose = Whose::of(settings, known.as_ref().and_then(|known| known.state.org.as_ref()));
    let (github, sentry) = match &way {
        Some(way) if !offline => {
            let github = || Github::new(&settings.github_url, &config.github, whose, way, &clock);
            let (org, token) = (&settings.sentry_org, &config.sentry_token);
            let sentry = || Sentry::new(&settings.sentry_url, org, token, &settings.github_url, way, &clock);
            (
                is_whole(&["GH_TOKEN", "GH_APP_ID", "GH_APP_KEY", "GH_API_URL", "GH_ORG"]).then(github),
                is_whole(&["SENTRY_TOKEN", "SENTRY_URL", "SENTRY_ORG_SLUG"]).then(sentry),
            )
        }
        _ => (None, None),
    };
    let url = match (url, &way) {
        (Some(url), None) => {
            let what = format!("{} was not tried", text::Quoted(url));
            findings.push(Area::Url.warning(what, "correct the proxy variable or SSL_CERT_FILE first"));
            None
        }
        (url, _) => url,
    };
    let no_way = Way { roots: tls::Roots { from: String::new(), ..tls::Roots::none() }, ..Way::local() };
    let way = way.unwrap_or(no_way);
    let around = Surroundings::new(&config, env, &way, Invocation::of_reader(None, env));
    let patient = Patient {
        clock,
        settings,
        around: &around,
        faults: &faults,
        service: None,
        known,
        github,
        github_fingerprint: config.github.fingerprint(),
        sentry,
    };
    if offline {
        findings.extend(configuration::look(&patient));
        findings.extend(machine::look(&patient, None));
        identity::user_map(&patient, &mut findings);
        return Report::new(findings, By::Offline, misconfigured).reply(shape);
    }
    findings.extend(examine(&patient, url, progress));
    Report::new(findings, By::Command, misconfigured).reply(shape)
}

fn known_of(settings: &Settings, now: Timestamp, findings: &mut Vec<Finding>) -> Option<Known> {
    if !settings.state_dir.join("journal").is_dir() {
        return None;
    }
    let (state, remarks) = noted(Journal::look(&settings.state_dir, now), Area::State, findings)?;
    let fix = "start the service: it keeps the file aside, uses the intact part, and puts removals on hold until you approve them";
    findings.extend(remarks.iter().map(|remark| Area::State.failed(remark, fix)));
    Some(Known::of(&state))
}

fn noted<T>(result: Result<T>, area: Area, findings: &mut Vec<Finding>) -> Option<T> {
    result
        .map_err(|error| {
            let (what, fix) = error.parts();
            findings.push(area.failed(what, fix));
        })
        .ok()
}

fn examine(patient: &Patient, url: Option<&str>, progress: Progress) -> Vec<Finding> {
    let mut findings = configuration::look(patient);
    findings.extend(machine::look(patient, url));
    findings.extend(state::look(patient));
    progress("asking GitHub");
    let github = github::look(patient);
    findings.extend(hook::look(patient, &github, url));
    progress("asking Sentry");
    let mut sentry = sentry::look(patient, &github);
    if let Some(host) = patient.sentry.as_ref().filter(|_| sentry.members.is_some()) {
        sentry.findings.extend(codeowners::look(patient, github.snapshot.as_ref(), host));
    }
    findings.extend(identity::look(patient, &github, &sentry));
    findings.extend(configuration::unused(patient, &github, &sentry));
    findings.extend(clock::look("GitHub", github.moment));
    findings.extend(clock::look("Sentry", sentry.moment));
    findings.extend(state::ready(patient));
    if let Some(url) = url {
        progress("sending a ping");
        findings.push(ping::look(patient, url));
    }
    findings.extend(github.findings);
    findings.extend(sentry.findings);
    findings
}
