//! Who is examined: the running service with its own credentials, or what this command was given.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rustix::process::geteuid;

use super::{clock, configuration, github, hook, identity, machine, ping, sentry, state};
use super::{Area, By, Finding, Report};
use crate::clock::{Clock, Timestamp};
use crate::commands::paste::{self, Invocation};
use crate::commands::Reply;
use crate::config::secret::Secret;
use crate::config::{self, Config, Environment, Fault, Need, Origin, Settings, Unknown};
use crate::error::Result;
use crate::hosts::github::Github;
use crate::hosts::http::proxies::Proxies;
use crate::hosts::http::tls::{self, Way};
use crate::hosts::sentry::Sentry;
use crate::reconcile::read::Progress;
use crate::state::ids::HookId;
use crate::state::people::People;
use crate::state::teams::Teams;
use crate::state::values::Mode;
use crate::state::{Org, Pause, State};
use crate::store::journal::Journal;
use crate::text;
use crate::work::engine::Engine;

/// What is told of a process by its environment, beyond the settings; none of it is secret.
const TOLD: [&str; 7] = [
    "CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "NOTIFY_SOCKET",
    "SSL_CERT_FILE",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// What the doctor has to know of a process: where its secrets came from, how it reaches others, what runs it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where trusted authorities come from, for people; empty where neither they nor the proxy could be found out.
    pub authorities: String,
    pub(super) proxies: Proxies,
    pub(super) origins: Vec<(&'static str, Origin)>,
    pub(super) unknown: Vec<Unknown>,
    pub(super) warnings: Vec<Fault>,
    pub(super) webhook_secrets: Vec<Secret>,
    pub(super) env: Environment,
}

impl Surroundings {
    /// Of a process with this configuration and environment.
    pub fn new(config: &Config, env: &Environment, way: &Way) -> Self {
        let told = TOLD.iter().filter_map(|name| Some((name.to_string(), env.get(*name)?.clone())));
        Self {
            authorities: way.roots.from.clone(),
            proxies: way.proxies.clone(),
            origins: config.origins.clone(),
            unknown: config.unknown.clone(),
            warnings: config.warnings.clone(),
            webhook_secrets: config.webhook_secrets.clone(),
            env: told.collect(),
        }
    }

    /// The same process after it took over another configuration.
    pub fn after_reload(&self, config: &Config) -> Self {
        Self {
            origins: config.origins.clone(),
            unknown: config.unknown.clone(),
            warnings: config.warnings.clone(),
            webhook_secrets: config.webhook_secrets.clone(),
            ..self.clone()
        }
    }
}

/// What the state directory knows.
pub(super) struct Known {
    pub org: Option<Org>,
    pub mode: Option<(Mode, Box<str>)>,
    pub hooks: BTreeSet<HookId>,
    pub teams: Arc<Teams>,
    pub people: Arc<People>,
    pub damaged: Option<Timestamp>,
    pub paused: Option<Pause>,
    pub n_queued: usize,
    pub oldest: Option<Timestamp>,
    pub n_failed: usize,
    pub n_undecided: usize,
}

impl Known {
    pub fn of(state: &State) -> Self {
        Self {
            org: state.org.clone(),
            mode: state.mode.clone(),
            hooks: state.hooks.clone(),
            teams: state.teams.clone(),
            people: state.people.clone(),
            damaged: state.damaged,
            paused: state.paused.clone(),
            n_queued: state.deliveries.n_queued(),
            oldest: state.deliveries.queued().next().map(|delivery| delivery.at),
            n_failed: state.deliveries.n_failed(),
            n_undecided: state.holds.iter().filter(|hold| hold.decision.is_none()).count(),
        }
    }
}

/// Everything that is looked at.
pub(super) struct Patient<'a> {
    pub settings: &'a Settings,
    pub around: &'a Surroundings,
    pub faults: &'a [Fault],
    pub clock: Clock,
    pub service: Option<&'a Engine>,
    /// What the state directory knows, where there is one.
    pub known: Option<Known>,
    /// A client that knows nothing of what was refused before; `None` where the configuration has a fault.
    pub github: Option<Github>,
    pub github_fingerprint: String,
    /// The same for Sentry.
    pub sentry: Option<Sentry>,
}

impl Patient<'_> {
    /// A command about a file, as whoever reads the report types it from wherever they are. `root`: nobody else may.
    pub fn typed(&self, root: bool, command: &str, path: &Path) -> String {
        let needs_sudo = match self.service {
            Some(engine) => engine.reader.needs_sudo(),
            None => Invocation::of_reader(None, &config::environment()).needs_sudo(),
        };
        let sudo = if needs_sudo || root && !geteuid().is_root() { "sudo " } else { "" };
        format!("{sudo}{command} {}", paste::quoted(&paste::absolute(path).to_string_lossy()))
    }
}

/// Examines the running service.
pub fn beside(engine: &Engine, json: bool, url: Option<&str>, progress: Progress) -> Reply {
    let (settings, around) = (engine.settings(), engine.surroundings());
    let patient = Patient {
        clock: engine.clock.clone(),
        settings: &settings,
        around: &around,
        faults: &[],
        service: Some(engine),
        known: Some(engine.state(Known::of)),
        github: Some(engine.github.afresh()),
        github_fingerprint: engine.github_token.fingerprint(),
        sentry: Some(engine.sentry.afresh()),
    };
    Report::new(examine(&patient, url, progress), By::Service, false).reply(json)
}

/// What was asked for.
pub struct Asked<'a> {
    /// The report as JSON.
    pub json: bool,
    /// A public address to send a ping to.
    pub url: Option<&'a str>,
    /// The configuration alone: nobody is asked, and no state is looked at.
    pub offline: bool,
}

/// Examines what this command was given, where no service runs. Whatever has a fault is left out, the rest is looked at.
pub fn alone(flags: &Environment, env: &Environment, asked: &Asked, progress: Progress) -> Reply {
    let &Asked { json, url, offline } = asked;
    let clock = Clock::System;
    let (config, faults) = config::read(flags, env, Need::Everything);
    let mut findings = Vec::new();
    let way = noted(tls::way(env, config.settings.is_all_local()), Area::Machine, &mut findings);
    let misconfigured = !faults.is_empty() || way.is_none();
    let is_whole = |vars: &[&str]| !faults.iter().any(|fault| vars.contains(&fault.var));
    let settings = &config.settings;
    let (github, sentry) = match &way {
        Some(way) if !offline => {
            let github = || Github::new(&settings.github_url, &config.github_token, way, &clock);
            let (org, token) = (&settings.sentry_org, &config.sentry_token);
            let sentry = || Sentry::new(&settings.sentry_url, org, token, &settings.github_url, way, &clock);
            (
                is_whole(&["GH_TOKEN", "GH_API_URL", "GH_ORG"]).then(github),
                is_whole(&["SENTRY_TOKEN", "SENTRY_URL", "SENTRY_ORG_SLUG"]).then(sentry),
            )
        }
        _ => (None, None),
    };
    let url = match (url, &way) {
        (Some(url), None) => {
            let what = format!("{} was not tried", text::Quoted(url));
            findings.push(Area::Url.warning(what, "mend the proxy variable or SSL_CERT_FILE first"));
            None
        }
        (url, _) => url,
    };
    let no_way = Way { roots: tls::Roots { from: String::new(), ..tls::Roots::none() }, ..Way::local() };
    let way = way.unwrap_or(no_way);
    let around = Surroundings::new(&config, env, &way);
    let known = if offline { None } else { known_of(settings, clock.wall(), &mut findings) };
    let patient = Patient {
        clock,
        settings,
        around: &around,
        faults: &faults,
        service: None,
        known,
        github,
        github_fingerprint: config.github_token.fingerprint(),
        sentry,
    };
    if offline {
        findings.extend(configuration::look(&patient));
        findings.extend(machine::look(&patient, None));
        identity::user_map(&patient, &mut findings);
        return Report::new(findings, By::Offline, misconfigured).reply(json);
    }
    findings.extend(examine(&patient, url, progress));
    Report::new(findings, By::Command, misconfigured).reply(json)
}

fn known_of(settings: &Settings, now: Timestamp, findings: &mut Vec<Finding>) -> Option<Known> {
    if !settings.state_dir.join("journal").is_dir() {
        return None;
    }
    let (state, remarks) = noted(Journal::look(&settings.state_dir, now), Area::State, findings)?;
    let fix = "start the service: it keeps the file aside, takes what verifies, and holds removals until you approve";
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
    let sentry = sentry::look(patient, &github);
    findings.extend(identity::look(patient, &github, &sentry));
    findings.extend(configuration::unused(patient, &github, &sentry));
    findings.extend(clock::look("GitHub", github.moment));
    findings.extend(clock::look("Sentry", sentry.moment));
    if let Some(url) = url {
        progress("sending a ping");
        findings.push(ping::look(patient, url));
    }
    findings.extend(github.findings);
    findings.extend(sentry.findings);
    findings
}
