//! What a person has configured: flags over environment over defaults, read once into one checked [`Config`].
//!
//! All faults are reported at once, each with its fix. Nothing behind this module reads the environment. Secrets
//! have no flags, because a command line is visible to everybody on the machine; they come from `X`, from the file
//! named by `X_FILE`, or from a systemd credential of the same name in lower case.

pub mod values;
mod vars;

use std::cmp::Ordering::{Equal, Greater, Less};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ids::Login;
use crate::secret::Secret;
use crate::state::record::Source;
use values::{BaseUrl, Limit, Listen, Protected, TeamFilter};
pub use vars::{Setting, SETTINGS};

/// Everything configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// `GH_TOKEN`.
    pub github_token: Secret,
    /// `GH_WEBHOOK_TOKEN`, then `GH_WEBHOOK_TOKEN_PREVIOUS` if set.
    pub webhook_secrets: Vec<Secret>,
    /// `SENTRY_TOKEN`.
    pub sentry_token: Secret,
    /// The rest.
    pub settings: Settings,
    /// Variables that look like ours and are not known.
    pub unknown: Vec<String>,
    /// Where each secret that is there came from, by its variable.
    pub origins: Vec<(&'static str, Origin)>,
}

/// Where a secret came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its variable.
    Variable,
    /// The file that its `_FILE` variable or flag names.
    File(PathBuf),
    /// A systemd credential.
    Credential(PathBuf),
}

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable.
    pub var: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// Everything configured that is no secret.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `SENTRY_ORG_SLUG`.
    pub sentry_org: String,
    /// `GH_ORG`.
    pub github_org: Option<Login>,
    /// `GH_API_URL`.
    pub github_url: BaseUrl,
    /// `SENTRY_URL`.
    pub sentry_url: BaseUrl,
    /// `SYNC_LISTEN`.
    pub listen: Listen,
    /// `SYNC_ADMIN_LISTEN`.
    pub admin_listen: Option<Listen>,
    /// Names behind the address in `SYNC_ADMIN_LISTEN`, in lower case: what `Host` may say beside addresses.
    pub admin_names: Vec<String>,
    /// `SYNC_STATE_DIR`.
    pub state_dir: PathBuf,
    /// `SYNC_INTERVAL`.
    pub interval: Option<Duration>,
    /// `SYNC_TEAMS`.
    pub teams: TeamFilter,
    /// `SYNC_INVITE`: the role; `None` is `never`.
    pub invite: Option<String>,
    /// `SYNC_MAX_INVITES`.
    pub max_invites: usize,
    /// `SYNC_PROTECT`.
    pub protect: Protected,
    /// `SYNC_SLUG_PREFIX`.
    pub slug_prefix: String,
    /// `SYNC_IDENTITY`.
    pub identity: Vec<Source>,
    /// `SYNC_USER_MAP`.
    pub user_map: Option<PathBuf>,
    /// `SYNC_TRUST_UNVERIFIED`: primary addresses count although Sentry has not verified them.
    pub trust_unverified: bool,
    /// `SYNC_REMOVE_MEMBERS`.
    pub remove_members: RemoveMembers,
    /// `SYNC_DELETE_TEAMS`.
    pub delete_teams: DeleteTeams,
    /// `SYNC_FIRST`: the first reconcile of a service waits for a person if Sentry has teams already.
    pub hold_first: bool,
    /// `SYNC_CHILD_MEMBERS`: members of child teams count as members.
    pub child_members: bool,
    /// `SYNC_MAX_TEAM_REMOVALS`.
    pub max_team_removals: Limit,
    /// `SYNC_MAX_REMOVALS`.
    pub max_removals: Limit,
    /// `SYNC_MAX_DELETIONS`.
    pub max_deletions: Limit,
    /// `SYNC_WORKERS`.
    pub workers: usize,
    /// `SYNC_AUDIT_KEEP`.
    pub audit_keep: Duration,
    /// `RUST_LOG`.
    pub log: String,
}

impl Settings {
    /// Whether GitHub and Sentry are this machine itself.
    pub fn is_all_local(&self) -> bool {
        self.github_url.is_loopback() && self.sentry_url.is_loopback()
    }
}

/// Whether people are taken out of Sentry teams. Removals that an event names are carried out under all but `Never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveMembers {
    /// People known to have been in the GitHub team.
    Left,
    /// Every matched person.
    Known,
    /// Also people whom no source matched.
    All,
    /// Nobody.
    Never,
}

impl RemoveMembers {
    /// Whether somebody may be taken out of a team who was never seen in it: whoever is in the organisation counts then.
    pub fn is_about_everybody(self) -> bool {
        matches!(self, RemoveMembers::Known | RemoveMembers::All)
    }
}

/// What becomes of a Sentry team whose GitHub team was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteTeams {
    /// It is deleted.
    Delete,
    /// It is deleted, but held if it owns projects or if that can not be read.
    UnlessProjects,
    /// It stays, without its members.
    Empty,
    /// It stays as it is.
    Keep,
}

/// Where values come from: the process's environment, or a test's.
pub type Environment = BTreeMap<String, String>;

/// The process's environment. A value that is not UTF-8 is left out; no setting of ours needs one.
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// How much must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `serve`: all four.
    Everything,
    /// Commands that ask GitHub and Sentry by themselves: both tokens and the organisation.
    Tokens,
    /// Commands that talk to a running service, or look at its files: only the state directory.
    StateDir,
}

/// Reads the configuration. `flags` maps a variable's name to the value given on the command line.
pub fn load(flags: &Environment, env: &Environment, need: Need) -> Result<Config> {
    let (config, faults) = read(flags, env, need);
    refuse(faults.iter()).map(|()| config)
}

/// An error that names all of these faults, if there are any.
pub fn refuse<'a>(faults: impl Iterator<Item = &'a Fault>) -> Result<()> {
    let all: Vec<_> = faults.map(|Fault { what, fix, .. }| format!("  {what}\n    fix: {fix}")).collect();
    let what = match all.len() {
        0 => return Ok(()),
        1 => "the configuration has a fault".into(),
        n => format!("the configuration has {n} faults"),
    };
    Err(Error::usage(format!("{what}:\n{}", all.join("\n"))))
}

/// Reads the configuration as far as it can be read, for whoever goes on in spite of faults. A setting with a fault has
/// its default, a secret with a fault is empty: what a fault's variable stands for must not be used.
pub fn read(flags: &Environment, env: &Environment, need: Need) -> (Config, Vec<Fault>) {
    let mut faults = Vec::new();
    let settings = read_settings(flags, env, &mut faults);
    let asks = need != Need::StateDir;
    let mut secrets = Secrets { flags, env, faults, origins: Vec::new() };
    let github_token = secrets.read("GH_TOKEN", asks, "a GitHub token of the organisation");
    let serves = need == Need::Everything;
    let webhook = secrets.read("GH_WEBHOOK_TOKEN", serves, "the secret typed into GitHub's webhook form");
    let previous = secrets.read("GH_WEBHOOK_TOKEN_PREVIOUS", false, "");
    let sentry_token = secrets.read(
        "SENTRY_TOKEN",
        asks,
        "the token of a Sentry internal integration with Team: Admin and Member: Read & Write",
    );
    let Secrets { mut faults, origins, .. } = secrets;
    let slug = flags.get("SENTRY_ORG_SLUG").or_else(|| env.get("SENTRY_ORG_SLUG"));
    if asks && slug.is_none_or(String::is_empty) {
        let (what, fix) = ("SENTRY_ORG_SLUG is not set", "set it to the slug in your Sentry address");
        faults.push(Fault { var: "SENTRY_ORG_SLUG", what: what.into(), fix: fix.into() });
    }
    let none = || Secret::new("");
    let config = Config {
        github_token: github_token.unwrap_or_else(none),
        webhook_secrets: webhook.into_iter().chain(previous).collect(),
        sentry_token: sentry_token.unwrap_or_else(none),
        settings,
        unknown: unknown(env),
        origins,
    };
    (config, faults)
}

fn read_settings(flags: &Environment, env: &Environment, faults: &mut Vec<Fault>) -> Settings {
    let mut settings = Settings::defaults(env);
    for setting in SETTINGS.iter().filter(|setting| !setting.secret) {
        // An empty variable counts as not set: a unit file's `Environment=X=` is how people switch one off.
        let value = flags.get(setting.var).or_else(|| env.get(setting.var)).filter(|value| !value.is_empty());
        if let Some(list) = setting.var.strip_suffix("_FILE").filter(|_| value.is_some()) {
            match weight(flags, env, list).cmp(&weight(flags, env, setting.var)) {
                Less => {}
                Greater => continue,
                Equal => {
                    let what = format!("{list} and {} are both set", setting.var);
                    faults.push(Fault { var: setting.var, what, fix: "keep one of them".into() });
                    continue;
                }
            }
        }
        if let Some(Err(why)) = value.map(|value| (setting.set)(&mut settings, value)) {
            let what = format!("{} {why}", setting.var);
            let fix = format!(
                "set {}={}: {} (default: {})",
                setting.var, setting.value, setting.help, setting.default
            );
            faults.push(Fault { var: setting.var, what, fix });
        }
    }
    settings
}

/// Where a variable is set: the command line wins over the environment, also where two variables mean the same.
fn weight(flags: &Environment, env: &Environment, var: &str) -> u8 {
    let is_set = |values: &Environment| values.get(var).is_some_and(|value| !value.is_empty());
    match (is_set(flags), is_set(env)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

/// What is said of a name that begins like ours and is none.
pub fn not_known(name: &str) -> String {
    format!("the variable {name} is not known to this version and ignored")
}

/// Names that begin like ours and mean nothing: most likely a typing error.
fn unknown(env: &Environment) -> Vec<String> {
    let known = |name: &str| {
        SETTINGS.iter().any(|setting| {
            name == setting.var || (setting.secret && name.strip_suffix("_FILE") == Some(setting.var))
        })
    };
    // Set by test harnesses and installers, not for us to read.
    let foreign = |name: &str| name.starts_with("SYNC_TEST_");
    env.keys().filter(|name| name.starts_with("SYNC_") && !known(name) && !foreign(name)).cloned().collect()
}

struct Secrets<'a> {
    flags: &'a Environment,
    env: &'a Environment,
    faults: Vec<Fault>,
    origins: Vec<(&'static str, Origin)>,
}

impl Secrets<'_> {
    fn read(&mut self, var: &'static str, required: bool, what: &str) -> Option<Secret> {
        let mut fault = |what: String, fix: String| {
            self.faults.push(Fault { var, what, fix });
            None
        };
        let (value, origin) = match find(self.flags, self.env, var) {
            Ok(Some(found)) => found,
            Ok(None) if required => {
                let fix = format!("set it, or {var}_FILE, or a systemd credential: {what}");
                return fault(format!("{var} is not set"), fix);
            }
            Ok(None) => return None,
            Err((what, fix)) => return fault(what, fix),
        };
        if value.chars().any(|c| c.is_control())
            || (!var.contains("WEBHOOK") && value.contains(char::is_whitespace))
        {
            let what = format!("{var} holds blanks or control characters");
            return fault(what, "paste the token alone".into());
        }
        self.origins.push((var, origin));
        Some(Secret::new(value))
    }
}

/// A secret's value and where it was, or why it can not be had and what to do.
fn find(
    flags: &Environment,
    env: &Environment,
    var: &str,
) -> std::result::Result<Option<(String, Origin)>, (String, String)> {
    let file_var = format!("{var}_FILE");
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty());
    // A flag wins over the environment, whatever form that has.
    let (value, file) = match flags.get(&file_var) {
        Some(path) => (None, Some(path)),
        None => (set(var), set(&file_var)),
    };
    match (value, file) {
        (Some(_), Some(_)) => {
            Err((format!("{var} and {file_var} are both set"), format!("unset one of them: `unset {var}`")))
        }
        (Some(value), None) => Ok(Some((value.clone(), Origin::Variable))),
        (None, Some(path)) => match read_file(Path::new(path)) {
            Ok(value) => Ok(Some((value, Origin::File(path.into())))),
            Err(why) => Err((
                format!("{file_var}: {why}"),
                "name a file that this user can read, with the value and nothing else in it".into(),
            )),
        },
        (None, None) => {
            let credential = set("CREDENTIALS_DIRECTORY")
                .map(|dir| Path::new(dir).join(var.to_ascii_lowercase()))
                .filter(|path| path.exists());
            let Some(path) = credential else { return Ok(None) };
            match read_file(&path) {
                Ok(value) => Ok(Some((value, Origin::Credential(path)))),
                Err(why) => Err((
                    format!("the systemd credential of {var}: {why}"),
                    "put the value into the file that LoadCredential= names, and restart".into(),
                )),
            }
        }
    }
}

/// A secret's file: its content without the line end that editors put there.
fn read_file(path: &Path) -> std::result::Result<String, String> {
    let text =
        std::fs::read_to_string(path).map_err(|e| format!("failed to read `{}`: {e}", path.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(format!("`{}` is empty", path.display()));
    }
    Ok(text.into())
}

/// Where packages and the units keep the state.
pub const PACKAGED_STATE_DIR: &str = "/var/lib/sentry-team-sync";

/// Where state lies if nobody says: where systemd put it, where a package put it, else beside the caller.
fn default_state_dir(env: &Environment) -> PathBuf {
    let packaged = Path::new(PACKAGED_STATE_DIR);
    match env.get("STATE_DIRECTORY").and_then(|dirs| dirs.split(':').next()).filter(|dir| !dir.is_empty()) {
        Some(dir) => dir.into(),
        // Also where this user may not look into it: then that is told, and no other folder taken for it.
        None if packaged.symlink_metadata().is_ok() => packaged.into(),
        None => "state".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    const FOUR: [(&str, &str); 4] =
        [("GH_TOKEN", "g"), ("GH_WEBHOOK_TOKEN", "w"), ("SENTRY_TOKEN", "s"), ("SENTRY_ORG_SLUG", "acme")];

    #[test]
    fn four_variables_are_enough() {
        let config = load(&env(&[]), &env(&FOUR), Need::Everything).unwrap();
        assert_eq!(config.github_token.expose(), "g");
        assert_eq!(config.webhook_secrets.len(), 1);
        assert_eq!(config.settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.settings.state_dir, Path::new("state"));
        assert!(config.unknown.is_empty());
    }

    #[test]
    fn all_faults_are_told_at_once_with_their_fix() {
        let env = env(&[("GH_TOKEN", "a b"), ("SYNC_LISTEN", "x"), ("SENTRY_URL", "http://sentry.io")]);
        let error = load(&BTreeMap::new(), &env, Need::Everything).unwrap_err().to_string();
        assert!(error.starts_with("the configuration has 6 faults:\n"), "{error}");
        for var in [
            "GH_TOKEN ",
            "GH_WEBHOOK_TOKEN ",
            "SENTRY_TOKEN ",
            "SENTRY_ORG_SLUG ",
            "SYNC_LISTEN ",
            "SENTRY_URL ",
        ] {
            assert!(error.contains(&format!("\n  {var}")), "{var} in {error}");
        }
        assert_eq!(error.matches("\n    fix: ").count(), 6);
    }

    #[test]
    fn flags_win_over_the_environment() {
        let flags = env(&[("SYNC_LISTEN", "127.0.0.1:1")]);
        let mut both = env(&FOUR);
        both.extend(env(&[("SYNC_LISTEN", "127.0.0.1:2"), ("SYNC_WORKERS", "7")]));
        let settings = load(&flags, &both, Need::Everything).unwrap().settings;
        assert_eq!((settings.listen.to_string().as_str(), settings.workers), ("127.0.0.1:1", 7));
    }

    #[test]
    fn looking_at_a_state_directory_needs_no_secret() {
        let config = load(&env(&[]), &env(&[("SYNC_STATE_DIR", "/x")]), Need::StateDir).unwrap();
        assert_eq!(config.settings.state_dir, Path::new("/x"));
    }

    #[test]
    fn secrets_come_from_files_and_credentials_too() {
        let dir = std::env::temp_dir().join(format!("config-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("token"), "from file\r\n").unwrap();
        std::fs::write(dir.join("gh_webhook_token"), "from credential\n").unwrap();
        std::fs::write(dir.join("sentry_token"), "").unwrap();
        let dir_text = dir.to_str().unwrap();
        let file = format!("{dir_text}/token");
        let mut all =
            env(&[("GH_TOKEN", "g"), ("SENTRY_ORG_SLUG", "acme"), ("CREDENTIALS_DIRECTORY", dir_text)]);
        all.insert("GH_WEBHOOK_TOKEN_PREVIOUS_FILE".into(), file.clone());
        all.insert("SENTRY_TOKEN".into(), "s".into());
        let config = load(&BTreeMap::new(), &all, Need::Everything).unwrap();
        let webhook: Vec<_> = config.webhook_secrets.iter().map(Secret::expose).collect();
        assert_eq!(webhook, ["from credential", "from file"]);
        all.remove("SENTRY_TOKEN");
        all.insert("GH_TOKEN_FILE".into(), file);
        let error = load(&BTreeMap::new(), &all, Need::Everything).unwrap_err().to_string();
        assert!(error.contains("GH_TOKEN and GH_TOKEN_FILE are both set"), "{error}");
        assert!(error.contains("the systemd credential of SENTRY_TOKEN: `"), "{error}");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_flag_names_a_secrets_file_and_wins() {
        let file = std::env::temp_dir().join(format!("config-flag-{}", std::process::id()));
        std::fs::write(&file, "from flag\n").unwrap();
        let flags = env(&[("GH_WEBHOOK_TOKEN_FILE", file.to_str().unwrap())]);
        let config = load(&flags, &env(&FOUR), Need::Everything).unwrap();
        assert_eq!(config.webhook_secrets[0].expose(), "from flag");
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_list_may_come_from_a_file_that_has_an_entry() {
        let file = std::env::temp_dir().join(format!("config-list-{}", std::process::id()));
        let path = file.to_str().unwrap();
        std::fs::write(&file, "# ours\npay*\n\n!*-bots, !pay-old # gone\n").unwrap();
        let with = |pairs: &[(&str, &str)]| env(&[&FOUR[..], pairs].concat());
        let teams = |flags: &[(&str, &str)], pairs: &[(&str, &str)]| {
            load(&env(flags), &with(pairs), Need::Everything).map(|config| config.settings.teams)
        };
        let listed = values::team_filter("pay*,!*-bots,!pay-old").unwrap();
        assert_eq!(teams(&[], &[("SYNC_TEAMS_FILE", path)]).unwrap(), listed);
        assert_eq!(teams(&[("SYNC_TEAMS_FILE", path)], &[("SYNC_TEAMS", "x")]).unwrap(), listed);
        let x = values::team_filter("x").unwrap();
        assert_eq!(teams(&[("SYNC_TEAMS", "x")], &[("SYNC_TEAMS_FILE", path)]).unwrap(), x);
        let both = teams(&[], &[("SYNC_TEAMS", "x"), ("SYNC_TEAMS_FILE", path)]).unwrap_err().to_string();
        assert!(both.contains("SYNC_TEAMS and SYNC_TEAMS_FILE are both set"), "{both}");
        std::fs::write(&file, "# nothing\n").unwrap();
        let empty = teams(&[], &[("SYNC_TEAMS_FILE", path)]).unwrap_err().to_string();
        assert!(empty.contains("which holds no entry"), "{empty}");
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn variables_that_look_like_ours_are_told() {
        let mut all = env(&FOUR);
        all.extend(env(&[("SYNC_LISTN", "x"), ("SYNC_TEST_X", "1"), ("GH_TOKEN_FILE", "")]));
        assert_eq!(load(&BTreeMap::new(), &all, Need::Everything).unwrap().unknown, ["SYNC_LISTN"]);
    }
}
