//! The forms that a setting's value can have, each with its reader. Pure.
//!
//! A reader's error is the second half of a sentence that begins with the setting's name.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::fault::Wrong;
use crate::state::ids::IntegrationId;
use crate::text::is_hidden;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(addr) => addr.fmt(f),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads `ADDR:PORT` or `unix:PATH`.
pub fn listen(text: &str) -> Result<Listen, String> {
    match text.strip_prefix("unix:") {
        Some("") => Err("lacks the path behind `unix:`".into()),
        Some(path) => Ok(Listen::Unix(path.into())),
        None => text
            .replacen("localhost:", "127.0.0.1:", 1)
            .parse()
            .map(Listen::Tcp)
            .map_err(|_| refused(text, "write ADDR:PORT (127.0.0.1:8080, [::1]:8080) or unix:PATH")),
    }
}

/// Reads a host's name without a port, and returns it in lower case.
pub fn host_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if text.is_empty() || !text.chars().all(fits) {
        let fix = "write a host's name without a port, such as status.example.com";
        Err(format!("has the name `{}`; {fix}", brief(text)))
    } else {
        Ok(text.to_ascii_lowercase())
    }
}

/// An API's base address, without a slash at its end. `http` only on loopback, because every call carries a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    loopback: bool,
}

impl BaseUrl {
    /// `https://host[:port][/path]`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address of GitHub's web pages, derived from its API's address.
    pub fn pages(&self) -> String {
        match self.host().strip_prefix("api.") {
            Some(site) => format!("https://{site}"),
            None => self.origin().to_string(),
        }
    }

    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        host_of(self.authority())
    }

    pub fn port(&self) -> u16 {
        let behind = self.authority().rsplit_once(':').map_or("", |(_, port)| port);
        behind.parse().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    fn authority(&self) -> &str {
        self.origin().split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The path after host and port: empty, or with a slash at its start.
    pub fn path(&self) -> &str {
        let rest = self.text.split_once("://").map_or("", |(_, rest)| rest);
        rest.find('/').map_or("", |at| &rest[at..])
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.text[..self.text.len() - self.path().len()]
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

pub fn base_url(text: &str) -> Result<BaseUrl, String> {
    let text = text.trim_end_matches('/');
    let (scheme, rest) = text.split_once("://").ok_or_else(|| refused(text, "begin it with https://"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("holds a user name or password; put the token into its own setting".into());
    }
    let fits = |c: char| c.is_ascii_graphic() && !"?#\"<>\\^`{|}".contains(c);
    if authority.is_empty() || !rest.chars().all(fits) {
        return Err(format!("is `{}`, which is no address of an API", brief(text)));
    }
    let host = host_of(authority);
    let loopback = is_loopback(host);
    match scheme {
        "https" => {}
        "http" if loopback => {}
        "http" => {
            let fix = format!("http is only for this machine itself: write https://{rest}");
            return Err(refused(text, &fix));
        }
        _ => return Err(refused(text, "begin it with https://")),
    }
    Ok(BaseUrl { text: text.into(), loopback })
}

/// Reads Sentry's address. `/api` or `/api/0` at its end is removed, because the API is always there.
pub fn sentry_url(text: &str) -> Result<BaseUrl, String> {
    let text = without_end(text, "/0").filter(|text| text.ends_with("/api")).unwrap_or(text);
    base_url(without_end(text, "/api").unwrap_or(text))
}

/// Reads the address of GitHub's API. `/graphql` at its end is removed; `/api` at its end means `/api/v3`.
pub fn github_url(text: &str) -> Result<BaseUrl, String> {
    let text = without_end(text, "/graphql").unwrap_or(text);
    match without_end(text, "/api") {
        Some(host) => base_url(&format!("{host}/api/v3")),
        None => base_url(text),
    }
}

fn without_end<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let rest = text.trim_end_matches('/').strip_suffix(end)?.trim_end_matches('/');
    // The name may be the host itself, as in `https://api`.
    rest.contains("://").then_some(rest)
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`, without brackets.
pub fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Reads an organisation's slug in Sentry.
pub fn slug(text: &str) -> Result<&str, String> {
    name(text, "a slug has only letters, digits, - and _")
}

pub fn organisation(text: &str) -> Result<&str, String> {
    name(text, "write only the organisation's login, the part after github.com/")
}

/// Reads a GitHub App's number, or its client id such as `Iv23liABCDEF`.
pub fn app_id(text: &str) -> Result<Box<str>, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_';
    if text.len() <= 64 && text.chars().all(fits) {
        return Ok(text.into());
    }
    Err(refused(text, "give the App ID or the Client ID, as the App's settings page shows it"))
}

fn name<'a>(text: &'a str, fix: &str) -> Result<&'a str, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.chars().all(fits) {
        Ok(text)
    } else {
        Err(refused(text, fix))
    }
}

/// Reads a log filter: levels, `TARGET=LEVEL`, or a module of this program. Any other single word is refused, because
/// it would silence everything. `trace` shows no more than `debug`.
pub fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| LEVELS.contains(&word.trim().to_ascii_lowercase().as_str());
    let directives = text.split('/').next().unwrap_or_default().split(',');
    let fits = |part: &str| match part.split_once('=') {
        Some((target, level)) => !target.trim().is_empty() && is_level(level),
        None => part.trim().is_empty() || part.contains("sentry_team_sync") || is_level(part),
    };
    match directives.clone().find(|part| !fits(part)) {
        Some(part) => {
            let fix = "write error, warn, info or debug, or TARGET=LEVEL, with commas between several";
            Err(format!("has `{}`; {fix}", brief(part)))
        }
        None => Ok(text.into()),
    }
}

/// Reads `90s`, `5m`, `1h`, `400d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || refused(text, "write a number and a unit, such as 30s, 5m, 1h or 400d");
    let unit = text.chars().last().ok_or_else(bad)?;
    let number = text.get(..text.len() - unit.len_utf8()).ok_or_else(bad)?;
    let secs = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(bad()),
    };
    let number: u32 = number.parse().map_err(|_| bad())?;
    match number {
        0 => Err(refused(text, "write at least 1s")),
        n => Ok(Duration::from_secs(u64::from(n) * secs)),
    }
}

/// Reads `off` as `None`, and anything else with `read`.
pub fn or_off<T>(text: &str, read: fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    (text != "off").then(|| read(text)).transpose()
}

/// `25%,3`: a share of the whole or a number, whichever is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    percent: u32,
    at_least: u32,
}

impl Limit {
    /// How many of `whole` are allowed.
    pub fn of(self, whole: usize) -> usize {
        (whole.saturating_mul(self.percent as usize) / 100).max(self.at_least as usize)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%,{}", self.percent, self.at_least)
    }
}

pub fn limit(text: &str) -> Result<Limit, String> {
    let read = || {
        let (percent, at_least) = text.split_once(',')?;
        let percent = percent.trim().strip_suffix('%')?.parse().ok().filter(|p| *p <= 100)?;
        Some(Limit { percent, at_least: at_least.trim().parse().ok()? })
    };
    read().ok_or_else(|| refused(text, "write a share and a number, such as 5%,2"))
}

/// Reads a prefix that keeps slugs valid.
pub fn slug_prefix(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if text.len() <= 20 && text.bytes().all(fits) {
        return Ok(text.into());
    }
    Err(refused(text, "use at most 20 of a-z, 0-9, - and _"))
}

pub fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        refused(text, &format!("write one of: {}", words.join(", ")))
    })
}

pub fn role_or_never(text: &str) -> Result<Option<String>, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b == b'-' || b == b'_';
    match text {
        "never" => Ok(None),
        role if (1..=32).contains(&role.len()) && role.bytes().all(fits) => Ok(Some(role.into())),
        _ => Err(refused(text, "write never or a role of the Sentry organisation, such as member")),
    }
}

pub(super) fn word_of<T: PartialEq>(value: T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

pub fn count(text: &str) -> Result<usize, String> {
    text.parse::<u32>().map(|n| n as usize).map_err(|_| refused(text, "write a number"))
}

/// Reads an integration's number, which is also the end of its page's address in Sentry.
pub fn integration(text: &str) -> Result<Option<IntegrationId>, String> {
    let number = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let id = number.parse().map(Some);
    id.map_err(|_| refused(text, "write its number, from the address of the integration's page in Sentry"))
}

pub fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=64) => Ok(n),
        _ => Err(refused(text, "write a number from 1 to 64")),
    }
}

/// The message about a value that is not accepted.
fn refused(text: &str, fix: &str) -> String {
    format!("is `{}`; {fix}", brief(text))
}

/// The first 100 characters: enough to recognise a value, but not a screenful.
pub(super) fn brief(text: &str) -> String {
    const SHOWN: usize = 100;
    let cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        cut + "…"
    } else {
        cut
    }
}

/// A setting's value without a byte order mark before it. It is refused if it probably differs from what people see:
/// invisible characters, quotes that a shell would have removed, or bytes that are not UTF-8.
pub(super) fn seen(text: &str) -> Result<&str, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Wrong::new(format!("is `{}`, which is not UTF-8", brief(text)), "save it as UTF-8"));
    }
    if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
        let fix = format!("remove {hidden}, which cannot be seen, or type the value anew");
        return Err(Wrong::new(format!("is `{}`", brief(text)), fix));
    }
    let is_quoted = |quote| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if is_quoted('"') || is_quoted('\'') {
        Err(Wrong::new(
            format!("is `{}`: the quotes are part of the value", brief(text)),
            "leave the quotes out; only shells and systemd take them away",
        ))
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles() {
        assert_eq!(role_or_never("never"), Ok(None));
        assert_eq!(role_or_never("member"), Ok(Some("member".into())));
        for bad in ["", "Member", "a b", "x\"y", &"a".repeat(33)] {
            assert!(role_or_never(bad).is_err(), "{bad}");
        }
        assert!(count("-1").is_err() && count("20") == Ok(20));
    }

    #[test]
    fn listeners() {
        assert_eq!(listen("127.0.0.1:0").unwrap().to_string(), "127.0.0.1:0");
        assert_eq!(listen("localhost:8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(listen("unix:/run/x").unwrap(), Listen::Unix("/run/x".into()));
        assert_eq!(or_off("off", listen).unwrap(), None);
        for bad in ["", "8080", ":8080", "unix:", "host:1", "1.2.3.4"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
        assert_eq!(host_name("Status.Example").unwrap(), "status.example");
        assert!(host_name("").is_err() && host_name("a:1").is_err() && host_name("a b").is_err());
    }

    #[test]
    fn tokens_never_leave_the_machine_unencrypted() {
        for good in ["https://sentry.io", "http://127.0.0.1:9000/", "http://localhost", "http://[::1]:80/x"] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://sentry.io",
            "sentry.io",
            "ftp://x",
            "https://",
            "https://u:p@x",
            "https://a b",
            "https://a?b",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
        assert_eq!(
            base_url("http://127.0.0.1.evil.example").unwrap_err().split(';').next(),
            Some("is `http://127.0.0.1.evil.example`")
        );
        let url = base_url("https://ghes.example/api/v3/").unwrap();
        assert_eq!((url.origin(), url.path()), ("https://ghes.example", "/api/v3"));
        assert_eq!(base_url("https://x").unwrap().path(), "");
        for (text, host, port) in [
            ("https://x", "x", 443),
            ("https://x:8443/y", "x", 8443),
            ("http://localhost", "localhost", 80),
            ("https://[::1]", "::1", 443),
            ("https://[::1]:9/y", "::1", 9),
        ] {
            let url = base_url(text).unwrap();
            assert_eq!((url.host(), url.port()), (host, port), "{text}");
        }
    }

    #[test]
    fn the_apis_own_path_is_taken_for_what_it_means() {
        for (text, meant) in [
            ("https://sentry.io", "https://sentry.io"),
            ("https://sentry.io/api", "https://sentry.io"),
            ("https://sentry.io/api/", "https://sentry.io"),
            ("https://sentry.io/api/0", "https://sentry.io"),
            ("https://sentry.io//api//0//", "https://sentry.io"),
            ("https://corp.example/sentry/api/0/", "https://corp.example/sentry"),
            ("https://corp.example/0", "https://corp.example/0"),
            ("https://api", "https://api"),
            ("https://api.corp.example/", "https://api.corp.example"),
        ] {
            assert_eq!(sentry_url(text).unwrap().as_str(), meant, "{text}");
        }
        for (text, meant) in [
            ("https://api.github.com/", "https://api.github.com"),
            ("https://api.github.com/graphql", "https://api.github.com"),
            ("https://ghe.example/api/v3/", "https://ghe.example/api/v3"),
            ("https://ghe.example/api", "https://ghe.example/api/v3"),
            ("https://ghe.example/api/graphql", "https://ghe.example/api/v3"),
            ("https://ghe.example", "https://ghe.example"),
        ] {
            assert_eq!(github_url(text).unwrap().as_str(), meant, "{text}");
        }
        assert!(sentry_url("https:///api/").is_err() && github_url("/api").is_err());
    }

    #[test]
    fn durations() {
        assert_eq!(duration("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("400d").unwrap(), Duration::from_secs(400 * 86_400));
        for bad in ["", "5", "h", "-1h", "0s", "1.5h", "1ü"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_larger_of_share_and_number_goes_through() {
        let five = limit("5%, 2").unwrap();
        assert_eq!([0, 10, 39, 40, 60, 1000].map(|n| five.of(n)), [2, 2, 2, 2, 3, 50]);
        for bad in ["", "5", "5%", "101%,1", "5,2", "x%,1"] {
            assert!(limit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_that_is_not_what_it_seems_to_be_is_a_fault() {
        assert_eq!(seen("\u{feff}a b").unwrap(), "a b");
        assert_eq!(seen("o'neil@x").unwrap(), "o'neil@x");
        for (bad, fix) in [
            ("a\u{feff}", "remove \u{feff}"),
            ("a\u{200b}b", "remove \u{200b}"),
            ("a\u{a0}", "remove \u{a0}"),
            ("a\r", "remove \r"),
            ("\"a,b\"", "leave the quotes out"),
            ("'a'", "leave the quotes out"),
            ("m\u{fffd}ller@x", "save it as UTF-8"),
        ] {
            let wrong = seen(bad).unwrap_err();
            assert!(wrong.fix.as_ref().is_some_and(|told| told.starts_with(fix)), "{bad:?}: {wrong:?}");
        }
        assert_eq!(brief(&"ü".repeat(101)).chars().count(), 101);
    }
}
