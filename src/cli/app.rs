//! `app`: writes a page from which a GitHub App is created in a browser, then fetches the App's id, key and webhook
//! secret into files.
//!
//! It needs no service, and uses nothing that came over the webhook. It writes only new files, which only this user can
//! read, and nothing about an App that belongs to somebody else. Source: GitHub's documentation, "Registering a GitHub
//! App from a manifest".

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{json, Value};

use crate::clock::Clock;
use crate::commands::paste::{absolute, quoted};
use crate::config::app_key::AppKey;
use crate::config::secret::Secret;
use crate::config::sign_in::SignIn;
use crate::config::{self, Environment, Need, Settings};
use crate::error::{Context, Error, Result};
use crate::hosts::github::app::Whose;
use crate::hosts::github::Github;
use crate::hosts::http::tls;
use crate::hosts::http::verdict::Verdict;
use crate::text::{path_part, Html, Safe};

/// The page, and the files, which have the names of the systemd credentials.
const PAGE: &str = "github-app.html";
const FILES: [&str; 3] = ["gh_app_id", "gh_app_key", "gh_webhook_token"];
/// GitHub redirects the browser here. Nothing needs to listen: the user only copies the address.
const BACK: &str = "http://127.0.0.1:8279/github-app";
/// GitHub refuses longer names for Apps.
const LONGEST_NAME: usize = 34;
/// A code, or the whole address with it, is shorter than this.
const LONGEST_CODE: u64 = 2048;

/// The arguments of `app`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppAsked {
    /// The login of the organisation that will own the App.
    pub org: String,
    pub step: Step,
    /// The folder for page and files.
    pub into: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the page. `url` is the address that deliveries go to.
    Page { url: String },
    /// Fetch what GitHub created. `-` reads the code from stdin.
    Fetch { code: String },
}

pub fn run(asked: &AppAsked, flags: &Environment) -> Result<ExitCode> {
    let env = config::environment();
    let (config, faults) = config::read(flags, &env, Need::StateDir);
    let counts = ["GH_API_URL", "GH_APP_ID"];
    config::refuse(faults.iter().filter(|fault| counts.contains(&fault.var)), &[])?;
    let said = match &asked.step {
        Step::Page { url } => write_page(asked, url, &config.settings)?,
        Step::Fetch { code } => fetch(asked, code, &config.settings, &env)?,
    };
    print!("{said}");
    Ok(ExitCode::SUCCESS)
}

fn write_page(asked: &AppAsked, url: &str, settings: &Settings) -> Result<String> {
    let mut state = [0; 16];
    SystemRandom::new()
        .fill(&mut state)
        .map_err(|_| Error::failed("this machine has no randomness to give"))?;
    let state = hex::encode(state);
    let path = asked.into.join(PAGE);
    new_file(&path)?
        .write_all(page(&asked.org, url, &state, settings).as_bytes())
        .context("failed to write", path.display())?;
    let (org, into) = (quoted(&asked.org), quoted(&asked.into.display().to_string()));
    Ok(format!(
        "1. open {} in the browser of an owner of {}, and press the button\n\
         2. GitHub shows the App's name and permissions: press Create GitHub App\n\
         3. the browser is led to {BACK}?code=…, where nothing answers: copy that address\n\
         4. within an hour, here: sentry-team-sync app --org {org} --into {into} --code -\n   and paste it\n",
        absolute(&path).display(),
        Safe(&asked.org)
    ))
}

/// A form that sends the App's manifest to GitHub, where a person reviews the permissions and confirms.
fn page(org: &str, url: &str, state: &str, settings: &Settings) -> String {
    let name: String = format!("sentry-team-sync-{org}").chars().take(LONGEST_NAME).collect();
    let site = url.split('/').take(3).collect::<Vec<_>>().join("/");
    let manifest = json!({
        "name": name,
        "description": "Keeps Sentry's teams following GitHub's",
        "url": site,
        "hook_attributes": { "url": url, "active": true },
        "redirect_url": BACK,
        "public": false,
        "default_permissions": { "members": "read" },
        "default_events": ["membership", "organization", "team"],
    });
    let action = format!(
        "{}/organizations/{}/settings/apps/new?state={state}",
        settings.github_url.pages(),
        path_part(org)
    );
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>A GitHub App for sentry-team-sync</title>\n\
         <h1>A GitHub App for {org}</h1>\n\
         <p>It may read the organisation's members and teams, and nothing else. It is told of changes to them at {url}.</p>\n\
         <form action=\"{action}\" method=\"post\">\n\
         <input type=\"hidden\" name=\"manifest\" value=\"{manifest}\">\n\
         <button>Go to GitHub to create it</button>\n</form>\n\
         <!-- state={state} -->\n</html>\n",
        org = Html(org),
        url = Html(url),
        action = Html(&action),
        manifest = Html(&manifest.to_string()),
    )
}

fn fetch(asked: &AppAsked, code: &str, settings: &Settings, env: &Environment) -> Result<String> {
    let code = match code {
        "-" => read_line()?,
        code => code.to_string(),
    };
    let code = code_of(code.trim(), &asked.into)?;
    // Open the files before the call: the code works only once, and GitHub shows the key only once.
    let files = NewFiles::open(&asked.into)?;
    let made = convert(&code, settings, env)?;
    let of = |place: &str| made.pointer(place).and_then(Value::as_str).unwrap_or_default();
    let owner = of("/owner/login");
    let pages = settings.github_url.pages();
    if !owner.eq_ignore_ascii_case(&asked.org) {
        return Err(Error::failed(format!(
            "the App belongs to `{}`, and not to `{}`: nothing was written",
            Safe(owner),
            Safe(&asked.org)
        ))
        .fix("delete that App at GitHub, and press the button of the page in a browser of the organisation's owner"));
    }
    let (id, pem, secret) = (made["id"].as_u64(), of("/pem"), of("/webhook_secret"));
    let (Some(id), Ok(_), false) = (id, AppKey::read(pem), secret.is_empty()) else {
        let why = "GitHub has given no key that can be read, or no webhook secret: nothing was written";
        return Err(Error::failed(why)
            .fix("generate a key, and set a secret, on the App's settings page, and put both into files"));
    };
    files.keep([&format!("{id}\n"), pem, &format!("{secret}\n")])?;
    let slug = of("/slug");
    let install = format!(
        "{pages}/organizations/{}/settings/apps/{}/installations",
        path_part(&asked.org),
        path_part(slug)
    );
    Ok(next_steps(&asked.into, id, &install))
}

/// `systemd/github-app.conf` without its comments. A credential whose file is missing would prevent the start.
const DROP_IN: &str = "     [Service]
     LoadCredential=
     LoadCredential=gh_app_key:/etc/sentry-team-sync/gh_app_key
     LoadCredential=gh_webhook_token:/etc/sentry-team-sync/gh_webhook_token
     LoadCredential=sentry_token:/etc/sentry-team-sync/sentry_token
";

/// Says where to put the key and the secret, with systemd and without.
fn next_steps(into: &Path, id: u64, install: &str) -> String {
    let dir = absolute(into);
    let dir = dir.display();
    format!(
        "written to {dir}, for this user alone: {}\n\
         1. install the App on the organisation: {install}\n\
         2. GH_TOKEN goes. With the systemd unit:\n\
         \x20  sudo install -m 0600 {dir}/gh_app_key {dir}/gh_webhook_token /etc/sentry-team-sync/\n\
         \x20  echo GH_APP_ID={id} | sudo tee -a /etc/sentry-team-sync/environment\n\
         \x20  sudo systemctl edit sentry-team-sync    # and put in:\n\
         {DROP_IN}\
         \x20  sudo systemctl restart sentry-team-sync\n\
         \x20  Without it: GH_APP_ID={id} GH_APP_KEY_FILE={dir}/gh_app_key GH_WEBHOOK_TOKEN_FILE={dir}/gh_webhook_token\n\
         3. sentry-team-sync check\n",
        FILES.join(", ")
    )
}

fn read_line() -> Result<String> {
    let mut line = String::new();
    let mut stdin = io::Read::take(io::stdin().lock(), LONGEST_CODE);
    stdin.read_line(&mut line).context("failed to read", "stdin")?;
    Ok(line)
}

/// Reads the code, alone or from the address that GitHub redirected to. The address must have the `state` of the page.
fn code_of(given: &str, into: &Path) -> Result<String> {
    let code = match given.split_once('?') {
        None => given,
        Some((_, query)) => {
            let of = |name: &str| {
                query
                    .split('&')
                    .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
                    .map(|(_, v)| v)
            };
            let page = fs::read_to_string(into.join(PAGE)).unwrap_or_default();
            let is_ours = of("state")
                .is_some_and(|state| state.len() == 32 && page.contains(&format!("<!-- state={state} -->")));
            if !is_ours {
                return Err(Error::usage("the address is not that of an App which this page has asked for")
                    .fix(format!(
                        "paste the address that the button of {PAGE} has led to, in the folder of --into"
                    )));
            }
            of("code").unwrap_or_default()
        }
    };
    let fits = !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits {
        return Ok(code.into());
    }
    Err(Error::usage("that is no code of GitHub's, nor an address with one")
        .fix("paste the whole address that GitHub led the browser to: …?code=…&state=…"))
}

fn convert(code: &str, settings: &Settings, env: &Environment) -> Result<Value> {
    let way = tls::way(env, settings.is_all_local())?;
    let nobody = SignIn::Token(Secret::new(""));
    let github = Github::new(&settings.github_url, &nobody, Whose::default(), &way, &Clock::System);
    let reply = github.convert_manifest(code);
    match (&reply.verdict, reply.answer.json()) {
        (Verdict::Done, Some(made)) => Ok(made),
        (Verdict::Missing, _) => Err(Error::failed("GitHub does not know this code")
            .fix("it is good for an hour, and once: write the page again, and press its button")),
        _ => Err(Error::failed("GitHub did not give the App's key").why(&reply.exchange.answer).fix(
            "try again with the same code within the hour; `sentry-team-sync check` looks at the way to GitHub",
        )),
    }
}

/// New files, which are removed again unless they are kept.
struct NewFiles(Vec<(PathBuf, File)>);

impl NewFiles {
    fn open(into: &Path) -> Result<Self> {
        let mut files = Self(Vec::new());
        for name in FILES {
            let path = into.join(name);
            let file = new_file(&path)?;
            files.0.push((path, file));
        }
        Ok(files)
    }

    fn keep(mut self, contents: [&str; FILES.len()]) -> Result<()> {
        for ((path, file), content) in self.0.iter_mut().zip(contents) {
            let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
            written.context("failed to write", path.display())?;
        }
        self.0.clear();
        Ok(())
    }
}

impl Drop for NewFiles {
    fn drop(&mut self) {
        for (path, _) in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// Creates a file for this user alone. It fails if the path exists, and follows no link.
fn new_file(path: &Path) -> Result<File> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.context("failed to make", path.display()).map_err(|error| {
        error.fix("move the file away if it is there, or name another folder with --into, that this user may write to")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_for_the_unit_are_those_of_its_file() {
        let file = include_str!("../../systemd/github-app.conf");
        let lines = |text: &'static str| -> Vec<&str> {
            text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect()
        };
        assert_eq!(lines(DROP_IN), lines(file));
    }

    #[test]
    fn a_code_is_taken_alone_or_from_the_address_of_this_page() {
        let dir = std::env::temp_dir().join(format!("app-code-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let state = "0123456789abcdef0123456789abcdef";
        fs::write(dir.join(PAGE), format!("<!-- state={state} -->")).unwrap();
        let code = |text: &str| code_of(text, &dir).ok();
        assert_eq!(code("abc123").as_deref(), Some("abc123"));
        assert_eq!(code(&format!("{BACK}?code=abc&state={state}")).as_deref(), Some("abc"));
        for bad in
            ["", "a/b", "a b", "http://x/?code=abc", &format!("{BACK}?code=abc&state={}", "f".repeat(32))]
        {
            assert_eq!(code(bad), None, "{bad}");
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}
