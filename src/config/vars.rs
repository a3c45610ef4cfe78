//! The one table of settings: variables, flags, help and the README's table are made from it.

use super::lists::{self, List, Protected, TeamFilter};
use super::values::{self, Listen};
use super::{default_state_dir, DeleteTeams, Environment, RemoveMembers, Settings, Trust, Wrong};
use crate::state::ids::Login;
use crate::state::values::Source;

type Set = fn(&mut Settings, &str) -> Result<(), Wrong>;

pub struct Setting {
    pub var: &'static str,
    /// The value's placeholder in help texts.
    pub value: &'static str,
    /// The default, as people read it.
    pub default: &'static str,
    pub help: &'static str,
    /// Read from `X`, `X_FILE` or a systemd credential; its flag takes a file.
    pub secret: bool,
    pub(super) set: Set,
}

impl Setting {
    const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    const fn set(self, set: Set) -> Self {
        Self { set, ..self }
    }

    /// The flag's name without `--`: `SYNC_MAX_DELETIONS` is `max-deletions`, `GH_TOKEN` is `gh-token-file`.
    pub fn flag(&self) -> String {
        let name = self.var.strip_prefix("SYNC_").unwrap_or(self.var);
        let name = match name {
            "RUST_LOG" => "log".into(),
            name => name.to_ascii_lowercase().replace('_', "-"),
        };
        if self.secret {
            format!("{name}-file")
        } else {
            name
        }
    }

    pub fn flag_var(&self) -> String {
        if self.secret {
            format!("{}_FILE", self.var)
        } else {
            self.var.into()
        }
    }
}

const fn secret(var: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { secret: true, ..setting(var, "FILE", default).help(help) }
}

const fn setting(var: &'static str, value: &'static str, default: &'static str) -> Setting {
    Setting { var, value, default, help: "", secret: false, set: |_, _| Ok(()) }
}

/// All settings, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    secret("GH_TOKEN", "required without an App", "GitHub token, or use a GitHub App; with Members: read-only every event is verified with GitHub, without it webhook payloads are trusted as they are"),
    setting("GH_APP_ID", "ID", "none")
        .help("instead of GH_TOKEN: the App ID or client ID of a GitHub App that is installed on the organisation")
        .set(|s, v| put(&mut s.app_id, values::app_id(v).map(Some))),
    secret("GH_APP_KEY", "none", "a private key of that App: the PEM file from GitHub"),
    secret("GH_WEBHOOK_TOKEN", "required", "the webhook's secret"),
    secret("GH_WEBHOOK_TOKEN_PREVIOUS", "none", "the previous secret, also accepted while you rotate it"),
    secret("SENTRY_TOKEN", "required", "token of a Sentry internal integration with Team: Admin and Member: Read & Write"),
    setting("SENTRY_ORG_SLUG", "SLUG", "required")
        .help("slug of the Sentry organisation")
        .set(|s, v| put(&mut s.sentry_org, values::slug(v).map(String::from))),
    setting("GH_ORG", "LOGIN", "the token's only organisation, else that of the first signed team or membership event")
        .help("login of the GitHub organisation")
        .set(|s, v| put(&mut s.github_org, values::organisation(v).map(|org| Some(Login::from(org))))),
    setting("GH_API_URL", "URL", "https://api.github.com")
        .help("GitHub's API: https://HOST/api/v3 for Enterprise Server, https://api.SUB.ghe.com for data residency")
        .set(|s, v| put(&mut s.github_url, values::github_url(v))),
    setting("SENTRY_URL", "URL", "https://sentry.io")
        .help("address of your Sentry region or self-hosted Sentry, without /api")
        .set(|s, v| put(&mut s.sentry_url, values::sentry_url(v))),
    setting("SYNC_LISTEN", "ADDR", "127.0.0.1:8080")
        .help("where to receive deliveries: ADDR:PORT or unix:PATH; a socket inherited from systemd takes precedence")
        .set(|s, v| put(&mut s.listen, values::listen(v))),
    setting("SYNC_ADMIN_LISTEN", "ADDR", "127.0.0.1:8081")
        .help("where to serve the status page, metrics and readiness: ADDR:PORT, unix:PATH or off; after a comma, other host names for the page")
        .set(|s, v| {
            let mut parts = v.split(',').map(str::trim);
            put(&mut s.admin_listen, values::or_off(parts.next().unwrap_or_default(), values::listen))?;
            put(&mut s.admin_names, parts.map(values::host_name).collect())
        }),
    setting("SYNC_STATE_DIR", "DIR", "$STATE_DIRECTORY, else /var/lib/sentry-team-sync if it exists, else ./state")
        .help("where the queue, bindings, holds and audit log are kept")
        .set(|s, v| put(&mut s.state_dir, fine(v.into()))),
    setting("SYNC_INTERVAL", "TIME", "1h")
        .help("how often to compare everything (read mode) or to read Sentry's members again (payload mode); or off")
        .set(|s, v| put(&mut s.interval, values::or_off(v, values::duration))),
    setting("SYNC_FIRST", "hold|apply", "hold")
        .help("the first comparison of a new service, if Sentry already has teams: hold it for your approval, or apply it")
        .set(|s, v| put(&mut s.hold_first, values::word(v, &[("hold", true), ("apply", false)]))),
    setting("SYNC_TEAMS", "GLOBS", "*")
        .help("which GitHub teams to mirror: slug globs separated by commas; ! excludes")
        .set(|s, v| put(&mut s.teams, List::of(v).and_then(|list| TeamFilter::read(&list)))),
    setting("SYNC_TEAMS_FILE", "FILE", "none")
        .help("the same from a file: one glob per line, # starts a comment; read again on SIGHUP")
        .set(|s, v| put(&mut s.teams, List::of_file(v).and_then(|list| TeamFilter::read(&list)))),
    setting("SYNC_PROTECT", "LIST", "none")
        .help("e-mail addresses and Sentry team slugs, separated by commas, that are never removed or deleted")
        .set(|s, v| put(&mut s.protect, List::of(v).and_then(|list| Protected::read(&list)))),
    setting("SYNC_PROTECT_FILE", "FILE", "none")
        .help("the same from a file: one per line, # starts a comment; read again on SIGHUP")
        .set(|s, v| put(&mut s.protect, List::of_file(v).and_then(|list| Protected::read(&list)))),
    setting("SYNC_SLUG_PREFIX", "TEXT", "none")
        .help("put in front of every team slug in Sentry")
        .set(|s, v| put(&mut s.slug_prefix, values::slug_prefix(v))),
    setting("SYNC_CHILD_MEMBERS", "direct|all", "direct")
        .help("who counts as a member of a team: direct members, or all, including those of child teams (read mode only)")
        .set(|s, v| put(&mut s.child_members, values::word(v, &[("direct", false), ("all", true)]))),
    setting("SYNC_IDENTITY", "LIST", "map,sentry,saml,verified,public")
        .help("how to match people: the first source that answers decides; a source that is not listed is off")
        .set(|s, v| put(&mut s.identity, List::of(v).and_then(|list| lists::sources(&list)))),
    setting("SYNC_USER_MAP", "FILE", "none")
        .help("JSON or CSV file that maps GitHub logins, or id:NUMBER, to e-mail addresses")
        .set(|s, v| put(&mut s.user_map, fine(Some(v.into())))),
    setting("SYNC_TRUST_UNVERIFIED", "primary|any|never", "primary")
        .help("which addresses count although Sentry doesn't show them as verified: primary: a user's primary address, if no other member has it; any: also a secondary address, if a search finds exactly one member with it; never: none")
        .set(|s, v| put(&mut s.trust_unverified, values::word(v, &Trust::WORDS))),
    setting("SYNC_INVITE", "ROLE", "never")
        .help("invite people who are missing in Sentry with this role (member, admin, …), if map, saml or verified knows their address; or never")
        .set(|s, v| put(&mut s.invite, values::role_or_never(v))),
    setting("SYNC_MAX_INVITES", "N", "20")
        .help("how many people to invite per day")
        .set(|s, v| put(&mut s.max_invites, values::count(v))),
    setting("SYNC_REMOVE_MEMBERS", "left|known|all|never", "left")
        .help("whom a comparison removes from a team: people who left the GitHub team (left), everyone matched who is not in it (known), also people who match nobody (all), or no one (never); a person whom an event names is removed unless it is never")
        .set(|s, v| put(&mut s.remove_members, values::word(v, &RemoveMembers::WORDS))),
    setting("SYNC_DELETE_TEAMS", "delete|unless-projects|empty|keep", "unless-projects")
        .help("what happens in Sentry when GitHub deletes a team: delete it, hold it if it owns projects (unless-projects), remove its members (empty), or keep it")
        .set(|s, v| put(&mut s.delete_teams, values::word(v, DELETE_TEAMS))),
    setting("SYNC_CODEOWNERS", "link|never", "never")
        .help("link: @org/team in a CODEOWNERS file resolves to the Sentry team of that mirrored team; or never")
        .set(|s, v| put(&mut s.links, values::word(v, &[("link", true), ("never", false)]))),
    setting("SYNC_CODEOWNERS_INTEGRATION", "ID", "detected automatically")
        .help("id of Sentry's GitHub integration, if it cannot be detected")
        .set(|s, v| put(&mut s.integration, values::integration(v))),
    setting("SYNC_MAX_TEAM_REMOVALS", "LIMIT", "25%,3")
        .help("how many people a comparison may remove from one team: a share or a number, whichever is larger; more are put on hold")
        .set(|s, v| put(&mut s.max_team_removals, values::limit(v))),
    setting("SYNC_MAX_REMOVALS", "LIMIT", "5%,10")
        .help("how many different people a comparison may remove from teams; more are put on hold")
        .set(|s, v| put(&mut s.max_removals, values::limit(v))),
    setting("SYNC_MAX_DELETIONS", "LIMIT", "5%,2")
        .help("how many teams a comparison, or one hour of events, may delete: a share or a number, whichever is larger; more are put on hold")
        .set(|s, v| put(&mut s.max_deletions, values::limit(v))),
    setting("SYNC_WORKERS", "N", "4")
        .help("how many teams to work on at the same time")
        .set(|s, v| put(&mut s.workers, values::workers(v))),
    setting("SYNC_AUDIT_KEEP", "TIME", "400d")
        .help("how long to keep the audit log, which has one file per month")
        .set(|s, v| put(&mut s.audit_keep, values::duration(v))),
    setting("RUST_LOG", "FILTER", "info")
        .help("log filter: error, warn, info or debug")
        .set(|s, v| put(&mut s.log, values::log_filter(v))),
];

const DELETE_TEAMS: &[(&str, DeleteTeams)] = &[
    ("delete", DeleteTeams::Delete),
    ("unless-projects", DeleteTeams::UnlessProjects),
    ("empty", DeleteTeams::Empty),
    ("keep", DeleteTeams::Keep),
];

fn put<T, E: Into<Wrong>>(place: &mut T, value: Result<T, E>) -> Result<(), Wrong> {
    *place = value.map_err(Into::into)?;
    Ok(())
}

/// Accepts any value.
fn fine<T>(value: T) -> Result<T, Wrong> {
    Ok(value)
}

impl Settings {
    /// The table's defaults, as typed values. A test compares the texts above with them.
    #[allow(clippy::expect_used)] // Every text is a constant that the tests read.
    pub(super) fn defaults(env: &Environment) -> Self {
        let local = |port| Listen::Tcp((std::net::Ipv4Addr::LOCALHOST, port).into());
        Self {
            sentry_org: String::new(),
            app_id: None,
            github_org: None,
            github_url: values::base_url("https://api.github.com").expect("constant"),
            sentry_url: values::base_url("https://sentry.io").expect("constant"),
            listen: local(8080),
            admin_listen: Some(local(8081)),
            admin_names: Vec::new(),
            state_dir: default_state_dir(env),
            interval: Some(std::time::Duration::from_secs(3600)),
            teams: TeamFilter::all(),
            protect: Protected::default(),
            slug_prefix: String::new(),
            identity: [Source::Map, Source::Sentry, Source::Saml, Source::Verified, Source::Public].into(),
            user_map: None,
            trust_unverified: Trust::Primary,
            invite: None,
            max_invites: 20,
            remove_members: RemoveMembers::Left,
            delete_teams: DeleteTeams::UnlessProjects,
            hold_first: true,
            child_members: false,
            links: false,
            integration: None,
            max_team_removals: values::limit("25%,3").expect("constant"),
            max_removals: values::limit("5%,10").expect("constant"),
            max_deletions: values::limit("5%,2").expect("constant"),
            workers: 4,
            audit_keep: std::time::Duration::from_secs(400 * 86_400),
            log: "info".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_the_defaults_are_the_defaults() {
        let fresh = || Settings::defaults(&Environment::new());
        for setting in SETTINGS.iter().filter(|setting| !setting.secret) {
            let words = ["required", "none"].contains(&setting.default) || setting.default.contains(' ');
            if words {
                continue;
            }
            let mut settings = fresh();
            (setting.set)(&mut settings, setting.default).unwrap();
            assert_eq!(format!("{settings:?}"), format!("{:?}", fresh()), "{}", setting.var);
        }
    }

    #[test]
    fn every_setting_has_a_flag_of_its_own() {
        let mut flags: Vec<_> = SETTINGS.iter().map(Setting::flag).collect();
        assert_eq!(flags[..4], ["gh-token-file", "gh-app-id", "gh-app-key-file", "gh-webhook-token-file"]);
        assert!(flags.contains(&"max-deletions".into()) && flags.contains(&"log".into()));
        flags.sort();
        flags.dedup();
        assert_eq!(flags.len(), SETTINGS.len());
    }

    #[test]
    fn sentrys_address_may_be_pasted_with_its_path() {
        let mut settings = Settings::defaults(&Environment::new());
        let setting = SETTINGS.iter().find(|setting| setting.var == "SENTRY_URL").unwrap();
        (setting.set)(&mut settings, "https://de.sentry.io/api/0/").unwrap();
        assert_eq!(settings.sentry_url.as_str(), "https://de.sentry.io");
    }
}
