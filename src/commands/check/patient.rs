//! The subject of a check: the running service with its own credentials, or this command with what it was given.

use std::path::Path;
use std::time::Duration;

use rustix::process::geteuid;

use crate::clock::{Clock, Timestamp};
use crate::commands::paste::{self, Invocation};
use crate::config::secret::Secret;
use crate::config::{Config, Environment, Fault, Origin, Settings, Unknown};
use crate::hosts::github::Github;
use crate::hosts::http::proxies::Proxies;
use crate::hosts::http::tls::Way;
use crate::hosts::sentry::Sentry;
use crate::state::State;
use crate::status::Observer;

/// Environment variables that describe a process, apart from the settings. None of them is secret.
const TOLD: [&str; 5] =
    ["CREDENTIALS_DIRECTORY", "INVOCATION_ID", "NOTIFY_SOCKET", "SSL_CERT_FILE", "SYSTEMD_EXEC_PID"];

/// Facts about the process under examination: where its secrets came from, how it reaches others, what runs it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// How a reader of the process's texts types a command.
    pub reader: Invocation,
    /// How often the service notifies systemd's watchdog; `None` without a watchdog.
    pub(super) watchdog: Option<Duration>,
    /// Where trusted authorities come from, for people; empty if authorities and proxy could not be determined.
    pub authorities: String,
    pub(super) proxies: Proxies,
    pub(super) origins: Vec<(&'static str, Origin)>,
    pub(super) unknown: Vec<Unknown>,
    pub(super) warnings: Vec<Fault>,
    pub(super) webhook_secrets: Vec<Secret>,
    pub(super) env: Environment,
}

impl Surroundings {
    pub fn new(config: &Config, env: &Environment, way: &Way, reader: Invocation) -> Self {
        let told = TOLD.iter().filter_map(|name| Some((name.to_string(), env.get(*name)?.clone())));
        Self {
            reader,
            watchdog: None,
            authorities: way.roots.from.clone(),
            proxies: way.proxies.clone(),
            origins: config.origins.clone(),
            unknown: config.unknown.clone(),
            warnings: config.warnings.clone(),
            webhook_secrets: config.webhook_secrets.clone(),
            env: told.collect(),
        }
    }

    /// Sets how often the service notifies systemd's watchdog.
    pub fn watched(self, watchdog: Option<Duration>) -> Self {
        Self { watchdog, ..self }
    }

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

/// The contents of the state directory.
pub(super) struct Known {
    /// Without the deliveries.
    pub state: State,
    pub n_queued: usize,
    pub oldest: Option<Timestamp>,
    pub n_failed: usize,
}

impl Known {
    pub fn of(state: &State) -> Self {
        Self {
            state: state.without_deliveries(),
            n_queued: state.deliveries.n_queued(),
            oldest: state.deliveries.queued().next().map(|delivery| delivery.at),
            n_failed: state.deliveries.n_failed(),
        }
    }
}

pub(super) struct Patient<'a> {
    pub settings: &'a Settings,
    pub around: &'a Surroundings,
    pub faults: &'a [Fault],
    pub clock: Clock,
    pub service: Option<&'a Observer>,
    pub known: Option<Known>,
    /// A client without memory of earlier refusals; `None` offline, or if its settings have a fault.
    pub github: Option<Github>,
    pub github_fingerprint: String,
    pub sentry: Option<Sentry>,
}

impl Patient<'_> {
    /// A command about a file, which a reader can type in any folder. `root` means that only root may run it.
    pub fn typed(&self, root: bool, command: &str, path: &Path) -> String {
        let sudo = if self.around.reader.needs_sudo() || root && !geteuid().is_root() { "sudo " } else { "" };
        format!("`{sudo}{command} {}`", paste::quoted(&paste::absolute(path).to_string_lossy()))
    }
}
