//! The configuration: flags over environment over defaults, read once into one checked [`Config`].
//!
//! All faults are reported at once, each with its fix. No other module reads the environment. Secrets have no flags,
//! because everybody on the machine can see a command line; they come from `X`, from the file named by `X_FILE`, or
//! from a systemd credential of the same name in lower case.

pub mod app_key;
mod fault;
pub mod lists;
pub mod live;
pub mod secret;
mod secrets;
pub mod sign_in;
pub mod values;
mod vars;

use std::cmp::Ordering::{Equal, Greater, Less};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::secret::Secret;
use crate::error::Result;
use crate::state::ids::{IntegrationId, Login};
use crate::state::values::Source;
pub use fault::{refuse, Fault, Unknown, Wrong};
use lists::{Protected, TeamFilter};
use secrets::Secrets;
use sign_in::{AppAccess, SignIn};
use values::{BaseUrl, Limit, Listen};
pub use vars::{Setting, SETTINGS};

#[derive(Clone, Debug)]
pub struct Config {
    /// `GH_TOKEN`, or `GH_APP_ID` and `GH_APP_KEY`.
    pub github: SignIn,
    /// `GH_WEBHOOK_TOKEN`, then `GH_WEBHOOK_TOKEN_PREVIOUS` if set.
    pub webhook_secrets: Vec<Secret>,
    pub sentry_token: Secret,
    pub settings: Settings,
    /// Variables that look like ours but are unknown.
    pub unknown: Vec<Unknown>,
    /// Values that are allowed but probably mistakes: reported at start and by `check`.
    pub warnings: Vec<Fault>,
    /// Where each secret came from, by its variable.
    pub origins: Vec<(&'static str, Origin)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Variable,
    /// The file that its `_FILE` variable or flag names.
    File(PathBuf),
    Credential(PathBuf),
}

/// All settings that are not secret. A field without a comment is `SYNC_` plus its own name.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `SENTRY_ORG_SLUG`.
    pub sentry_org: String,
    /// `GH_APP_ID`: a number or a client id.
    pub app_id: Option<Box<str>>,
    /// `GH_ORG`.
    pub github_org: Option<Login>,
    /// `GH_API_URL`.
    pub github_url: BaseUrl,
    /// `SENTRY_URL`.
    pub sentry_url: BaseUrl,
    pub listen: Listen,
    pub admin_listen: Option<Listen>,
    /// Host names after the address in `SYNC_ADMIN_LISTEN`, in lower case: allowed in `Host` besides addresses.
    pub admin_names: Vec<String>,
    pub state_dir: PathBuf,
    pub interval: Option<Duration>,
    pub teams: TeamFilter,
    /// `SYNC_INVITE`: the role; `None` is `never`.
    pub invite: Option<String>,
    pub max_invites: usize,
    pub protect: Protected,
    pub slug_prefix: String,
    pub identity: Vec<Source>,
    pub user_map: Option<PathBuf>,
    pub trust_unverified: Trust,
    pub remove_members: RemoveMembers,
    pub delete_teams: DeleteTeams,
    /// `SYNC_FIRST`: a service's first comparison needs approval if Sentry already has teams.
    pub hold_first: bool,
    /// `SYNC_CHILD_MEMBERS`: members of child teams count as members.
    pub child_members: bool,
    /// `SYNC_CODEOWNERS`: links the names in CODEOWNERS to the Sentry teams.
    pub links: bool,
    /// `SYNC_CODEOWNERS_INTEGRATION`.
    pub integration: Option<IntegrationId>,
    pub max_team_removals: Limit,
    pub max_removals: Limit,
    pub max_deletions: Limit,
    pub workers: usize,
    pub audit_keep: Duration,
    /// `RUST_LOG`.
    pub log: String,
}

impl Settings {
    /// Whether both GitHub and Sentry run on this machine.
    pub fn is_all_local(&self) -> bool {
        self.github_url.is_loopback() && self.sentry_url.is_loopback()
    }
}

/// The people that a comparison removes from Sentry teams. A person named by an event is removed unless it is `Never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveMembers {
    /// People who were seen in the GitHub team and have left it.
    Left,
    Known,
    /// Also people who match no GitHub account.
    All,
    Never,
}

impl RemoveMembers {
    pub const WORDS: [(&'static str, RemoveMembers); 4] = [
        ("left", RemoveMembers::Left),
        ("known", RemoveMembers::Known),
        ("all", RemoveMembers::All),
        ("never", RemoveMembers::Never),
    ];

    /// Its value in `SYNC_REMOVE_MEMBERS`.
    pub fn name(self) -> &'static str {
        values::word_of(self, &Self::WORDS)
    }

    /// Whether a comparison may remove people never seen in the GitHub team. It then matches the whole organisation.
    pub fn is_about_everybody(self) -> bool {
        matches!(self, RemoveMembers::Known | RemoveMembers::All)
    }
}

/// Which of a Sentry user's addresses count although Sentry does not show them as verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    Never,
    /// The primary one, if no other member has it.
    Primary,
    /// Also a secondary one, if a search finds exactly one member with it.
    Any,
}

impl Trust {
    /// From the strictest to the most lenient.
    pub const WORDS: [(&'static str, Trust); 3] =
        [("never", Trust::Never), ("primary", Trust::Primary), ("any", Trust::Any)];

    /// Its value in `SYNC_TRUST_UNVERIFIED`.
    pub fn name(self) -> &'static str {
        values::word_of(self, &Self::WORDS)
    }
}

/// How to treat the Sentry team of a deleted GitHub team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteTeams {
    Delete,
    /// Delete it, but hold the deletion if it owns projects or if that cannot be read.
    UnlessProjects,
    /// Keep it, without its members.
    Empty,
    /// Keep it as it is.
    Keep,
}

/// Variables and their values: the process's environment, or a test's.
pub type Environment = BTreeMap<String, String>;

/// The process's environment. Bytes that are not UTF-8 become U+FFFD, which no setting accepts. Without such a value, a
/// list would seem to be unset.
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .collect()
}

/// Which values are required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `serve` and `check`: all four.
    Everything,
    /// Commands that ask GitHub and Sentry without a service: both tokens and the Sentry organisation.
    Tokens,
    /// Commands that ask a running service, or read its files: only the state directory.
    StateDir,
}

/// Reads the configuration. `flags` maps a variable's name to the value given on the command line.
pub fn load(flags: &Environment, env: &Environment, need: Need) -> Result<Config> {
    let (config, faults) = read(flags, env, need);
    refuse(faults.iter(), &config.unknown).map(|()| config)
}

/// Reads as much as possible, for callers that continue in spite of faults. A setting with a fault has its default, a
/// secret with a fault is empty. The caller must not use a value whose variable has a fault.
pub fn read(flags: &Environment, env: &Environment, need: Need) -> (Config, Vec<Fault>) {
    let mut faults = Vec::new();
    let settings = read_settings(flags, env, &mut faults);
    let asks = need != Need::StateDir;
    let mut secrets = Secrets::new(flags, env, faults);
    let github = sign_in(&mut secrets, settings.app_id.as_deref(), asks);
    let serves = need == Need::Everything;
    let webhook = secrets.webhook("GH_WEBHOOK_TOKEN", serves, "the secret typed into GitHub's webhook form");
    let previous = secrets.webhook("GH_WEBHOOK_TOKEN_PREVIOUS", false, "");
    let sentry_token = secrets.token(
        "SENTRY_TOKEN",
        asks,
        "the token of a Sentry internal integration with Team: Admin and Member: Read & Write",
    );
    let Secrets { mut faults, mut warnings, origins, .. } = secrets;
    let slug = flags.get("SENTRY_ORG_SLUG").or_else(|| env.get("SENTRY_ORG_SLUG"));
    if asks && slug.is_none_or(String::is_empty) {
        faults.push(missing("SENTRY_ORG_SLUG", "set it to the slug in your Sentry address", env));
    }
    if settings.user_map.is_some() && !settings.identity.contains(&Source::Map) {
        warnings.push(Fault::new(
            "SYNC_USER_MAP",
            "SYNC_USER_MAP is set, and SYNC_IDENTITY leaves the source `map` out: nobody is matched by the map",
            "put map into SYNC_IDENTITY, or unset SYNC_USER_MAP",
        ));
    }
    let none = || Secret::new("");
    let config = Config {
        github: github.unwrap_or_else(|| SignIn::Token(none())),
        webhook_secrets: webhook.into_iter().chain(previous).collect(),
        sentry_token: sentry_token.unwrap_or_else(none),
        settings,
        unknown: fault::unknown(env),
        warnings,
        origins,
    };
    (config, faults)
}

/// Reads how to sign in to GitHub: with a token or as an App, not with parts of both.
fn sign_in(secrets: &mut Secrets, app_id: Option<&str>, required: bool) -> Option<SignIn> {
    let faults = secrets.faults.len();
    let id_is_wrong = secrets.faults.iter().any(|fault| fault.var == "GH_APP_ID");
    let key = secrets.app_key("GH_APP_KEY");
    let is_app = app_id.is_some() || key.is_some() || id_is_wrong || secrets.faults.len() > faults;
    let token = secrets.token(
        "GH_TOKEN",
        required && !is_app,
        "a GitHub token of the organisation; or set GH_APP_ID and GH_APP_KEY of a GitHub App",
    );
    let is_told = secrets.faults.len() > faults;
    let (var, what, fix) = match (app_id, key) {
        (None, None) => return token.map(SignIn::Token),
        _ if token.is_some() => (
            "GH_APP_ID",
            "GH_TOKEN is set, and so is a GitHub App (GH_APP_ID, GH_APP_KEY)",
            "keep one of the two ways to sign in, and unset the other",
        ),
        (Some(id), Some(key)) => return Some(SignIn::App(AppAccess { id: id.into(), key })),
        (Some(_), None) if !is_told => (
            "GH_APP_KEY",
            "GH_APP_ID is set, but GH_APP_KEY is not",
            "set it, or GH_APP_KEY_FILE, or a systemd credential: a private key of the App, as GitHub hands it out",
        ),
        (None, Some(_)) if !id_is_wrong => (
            "GH_APP_ID",
            "GH_APP_KEY is set, but GH_APP_ID is not",
            "set it to the App ID or the Client ID on the App's settings page",
        ),
        _ => return None,
    };
    secrets.faults.push(Fault::new(var, what, fix));
    None
}

fn missing(var: &'static str, fix: &str, env: &Environment) -> Fault {
    let what = match fault::typed_for(var, env) {
        Some(typed) => format!("{var} is not set, but {typed} is"),
        None => format!("{var} is not set"),
    };
    Fault::new(var, &what, fix)
}

fn read_settings(flags: &Environment, env: &Environment, faults: &mut Vec<Fault>) -> Settings {
    let mut settings = Settings::defaults(env);
    for setting in SETTINGS.iter().filter(|setting| !setting.secret) {
        let value = non_empty(flags, setting.var).or_else(|| non_empty(env, setting.var));
        if let Some(list) = setting.var.strip_suffix("_FILE").filter(|_| value.is_some()) {
            match weight(flags, env, list).cmp(&weight(flags, env, setting.var)) {
                Less => {}
                Greater => continue,
                Equal => {
                    let what = format!("{list} and {} are both set", setting.var);
                    faults.push(Fault::new(setting.var, &what, "keep one of them"));
                    continue;
                }
            }
        }
        let Some(value) = value else { continue };
        let set = values::seen(value).and_then(|value| (setting.set)(&mut settings, value));
        if let Err(Wrong { why, fix }) = set {
            let fix = fix.unwrap_or_else(|| {
                format!(
                    "set {}={}: {} (default: {})",
                    setting.var, setting.value, setting.help, setting.default
                )
            });
            faults.push(Fault::new(setting.var, &format!("{} {why}", setting.var), &fix));
        }
    }
    settings
}

/// An empty variable counts as unset: in a unit file, people switch a variable off with `Environment=X=`. So does an
/// empty flag, as in `--protect "$UNSET"`: it must not switch off what the variable protects.
fn non_empty<'a>(values: &'a Environment, var: &str) -> Option<&'a str> {
    values.get(var).map(String::as_str).filter(|value| !value.is_empty())
}

/// The rank of where a variable is set. The command line wins, even over another variable with the same meaning.
fn weight(flags: &Environment, env: &Environment, var: &str) -> u8 {
    match (non_empty(flags, var).is_some(), non_empty(env, var).is_some()) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

/// Where packages and the units keep the state.
pub const PACKAGED_STATE_DIR: &str = "/var/lib/sentry-team-sync";

/// The default state directory: systemd's, else the package's if it exists, else `state` in the current folder.
fn default_state_dir(env: &Environment) -> PathBuf {
    let packaged = Path::new(PACKAGED_STATE_DIR);
    match env.get("STATE_DIRECTORY").and_then(|dirs| dirs.split(':').next()).filter(|dir| !dir.is_empty()) {
        Some(dir) => dir.into(),
        // Use it even if this user cannot read it: an error is better than taking another folder for it.
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
        assert_eq!(config.github, SignIn::Token(Secret::new("g")));
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
        let empty = env(&[("SYNC_WORKERS", "")]);
        assert_eq!(
            load(&empty, &both, Need::Everything).unwrap().settings.workers,
            7,
            "as if it were left out"
        );
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
        let filter = |text: &str| lists::List::of(text).and_then(|list| TeamFilter::read(&list)).unwrap();
        let listed = filter("pay*,!*-bots,!pay-old");
        assert_eq!(teams(&[], &[("SYNC_TEAMS_FILE", path)]).unwrap(), listed);
        assert_eq!(teams(&[("SYNC_TEAMS_FILE", path)], &[("SYNC_TEAMS", "x")]).unwrap(), listed);
        let x = filter("x");
        assert_eq!(teams(&[("SYNC_TEAMS", "x")], &[("SYNC_TEAMS_FILE", path)]).unwrap(), x);
        let both = teams(&[], &[("SYNC_TEAMS", "x"), ("SYNC_TEAMS_FILE", path)]).unwrap_err().to_string();
        assert!(both.contains("SYNC_TEAMS and SYNC_TEAMS_FILE are both set"), "{both}");
        std::fs::write(&file, "# nothing\n").unwrap();
        let empty = teams(&[], &[("SYNC_TEAMS_FILE", path)]).unwrap_err().to_string();
        assert!(empty.contains("which holds no entry"), "{empty}");
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_list_in_a_file_is_told_by_its_line_and_may_have_a_byte_order_mark() {
        let file = std::env::temp_dir().join(format!("config-line-{}", std::process::id()));
        let path = file.to_str().unwrap();
        let protect = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let all = env(&[&FOUR[..], &[("SYNC_PROTECT_FILE", path)]].concat());
            load(&BTreeMap::new(), &all, Need::Everything).map(|config| config.settings.protect)
        };
        let good = protect("\u{feff}boss@example.com\r\nCore # the team\r\n").unwrap();
        assert!(good.covers_any(["boss@example.com"].into_iter()));
        assert!(good.covers_team(&crate::state::ids::SentrySlug::from("core")));
        let told =
            protect("# ours\nfine@example.com\nBoss <boss@exa\u{200b}mple.com>\n").unwrap_err().to_string();
        let line =
            format!("SYNC_PROTECT_FILE has `Boss <boss@exa\\u{{200b}}mple.com>` in line 3 of `{path}`");
        assert!(told.contains(&line), "{told}");
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn no_setting_takes_what_nobody_can_see_or_what_a_shell_has_left_over() {
        for setting in SETTINGS.iter().filter(|setting| !setting.secret) {
            for value in ["\u{200b}x", "x\u{a0}", "\"x\"", "'x'", "x\u{fffd}", "x\r"] {
                let all = env(&[&FOUR[..], &[(setting.var, value)]].concat());
                let (_, faults) = read(&BTreeMap::new(), &all, Need::Everything);
                let told: Vec<_> = faults.iter().filter(|fault| fault.var == setting.var).collect();
                assert_eq!(told.len(), 1, "{} {value:?}: {faults:?}", setting.var);
                let shown = told[0].what.clone() + &told[0].fix;
                assert!(!shown.contains(crate::text::is_hidden), "{shown:?}");
            }
        }
    }

    #[test]
    fn a_token_with_something_odd_is_a_fault_that_shows_it_and_not_the_token() {
        let dir = std::env::temp_dir().join(format!("config-odd-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("token").to_str().unwrap().to_string();
        let from_file = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut all = env(&FOUR);
            all.remove("GH_TOKEN");
            all.insert("GH_TOKEN_FILE".into(), path.clone());
            load(&BTreeMap::new(), &all, Need::Everything).map(|config| match config.github {
                SignIn::Token(token) => token.expose().to_string(),
                SignIn::App(_) => unreachable!(),
            })
        };
        for fine in ["ghp_abc", "ghp_abc\n", "ghp_abc\r\n", "\u{feff}ghp_abc\r\n"] {
            assert_eq!(from_file(fine).unwrap(), "ghp_abc", "{fine:?}");
        }
        for (odd, told) in [
            ("\u{feff}\u{feff}ghp_abc", "begins with \\u{feff}"),
            ("ghp_abc\n\n", "ends with \\u{a}"),
            ("ghp_abc \n", "ends with a blank"),
            ("\"ghp_abc\"\n", "is in quotes"),
            ("gh\u{200b}p_abc", "has \\u{200b}"),
        ] {
            let error = from_file(odd).unwrap_err().to_string();
            assert!(error.contains(&format!("GH_TOKEN {told}")) && !error.contains("abc"), "{error}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_webhooks_secret_with_something_odd_is_taken_and_warned_of() {
        let mut all = env(&FOUR);
        all.insert("GH_WEBHOOK_TOKEN".into(), "\u{feff}quite a secret".into());
        all.insert("GH_WEBHOOK_TOKEN_PREVIOUS".into(), "the one before ".into());
        let config = load(&BTreeMap::new(), &all, Need::Everything).unwrap();
        assert_eq!(config.webhook_secrets[0].expose(), "\u{feff}quite a secret");
        let told: Vec<_> = config.warnings.iter().map(|warning| warning.what.as_str()).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].starts_with("GH_WEBHOOK_TOKEN begins with \\u{feff}, which cannot be seen: "));
        assert!(told[1].starts_with("GH_WEBHOOK_TOKEN_PREVIOUS ends with a blank: "));
        assert!(!told.concat().contains("quite") && !told.concat().contains("before"));
    }

    #[test]
    fn a_user_map_that_no_source_reads_is_warned_of() {
        let warnings = |pairs: &[(&str, &str)]| {
            let all = env(&[&FOUR[..], pairs].concat());
            load(&BTreeMap::new(), &all, Need::Everything).unwrap().warnings
        };
        assert_eq!(warnings(&[("SYNC_USER_MAP", "/x")]), []);
        let told = warnings(&[("SYNC_USER_MAP", "/x"), ("SYNC_IDENTITY", "saml,public")]);
        assert!(told[0].what.contains("SYNC_IDENTITY leaves the source `map` out"), "{told:?}");
    }

    #[test]
    fn a_missing_variable_is_told_with_what_was_typed_for_it() {
        let mut all = env(&FOUR);
        all.remove("SENTRY_TOKEN");
        all.insert("SENTRY_TOKNE".into(), "s".into());
        all.insert("SYNC_PROTETC".into(), "boss@x".into());
        let error = load(&BTreeMap::new(), &all, Need::Everything).unwrap_err().to_string();
        assert!(
            error.contains("SENTRY_TOKEN is not set, but SENTRY_TOKNE is\n    fix: set it, or"),
            "{error}"
        );
        assert!(error.contains("\n  also: the variable SYNC_PROTETC is not known"), "{error}");
        assert!(error.ends_with("did you mean SYNC_PROTECT?"), "{error}");
    }

    #[test]
    fn variables_that_look_like_ours_are_told() {
        let mut all = env(&FOUR);
        all.extend(env(&[("SYNC_LISTN", "x"), ("SYNC_TEST_X", "1"), ("GH_TOKEN_FILE", "")]));
        let unknown = load(&BTreeMap::new(), &all, Need::Everything).unwrap().unknown;
        assert_eq!(unknown.iter().map(|unknown| unknown.name.as_str()).collect::<Vec<_>>(), ["SYNC_LISTN"]);
    }
}
