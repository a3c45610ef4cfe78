//! The forms that a setting's value can have, each with its reader. Pure.
//!
//! A reader's error is the second half of a sentence that begins with the setting's name.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::ids::{GithubSlug, SentrySlug};
use crate::state::record::Source;

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `ADDR:PORT`.
    Tcp(SocketAddr),
    /// `unix:PATH`.
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
        None => {
            text.replacen("localhost:", "127.0.0.1:", 1).parse().map(Listen::Tcp).map_err(|_| {
                format!("is `{text}`; write ADDR:PORT (127.0.0.1:8080, [::1]:8080) or unix:PATH")
            })
        }
    }
}

/// Reads a listener's address, or `off`.
pub fn listen_or_off(text: &str) -> Result<Option<Listen>, String> {
    if text == "off" {
        return Ok(None);
    }
    listen(text).map(Some)
}

/// Reads the name of a host, without a port; in lower case.
pub fn host_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    match text.is_empty() || !text.chars().all(fits) {
        true => Err(format!(
            "has the name `{text}`; write a host's name without a port, such as status.example.com"
        )),
        false => Ok(text.to_ascii_lowercase()),
    }
}

/// An API's base address, without a slash at its end. `http` only on loopback: a token goes with every call.
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

    /// Whether it stays on this machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether it is encrypted.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// The path behind host and port; empty or with a slash at its start.
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

/// Reads an API's base address.
pub fn base_url(text: &str) -> Result<BaseUrl, String> {
    let text = text.trim_end_matches('/');
    let (scheme, rest) =
        text.split_once("://").ok_or_else(|| format!("is `{text}`; begin it with https://"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("holds a user name or password; put the token into its own setting".into());
    }
    let fits = |c: char| c.is_ascii_graphic() && !"?#\"<>\\^`{|}".contains(c);
    if authority.is_empty() || !rest.chars().all(fits) {
        return Err(format!("is `{}`, which is no address of an API", crate::escape::plain(text, 100)));
    }
    let host = host_of(authority);
    let loopback = is_loopback(host);
    match scheme {
        "https" => {}
        "http" if loopback => {}
        "http" => {
            return Err(format!("is `{text}`; http is only for this machine itself: write https://{rest}"))
        }
        _ => return Err(format!("is `{text}`; begin it with https://")),
    }
    Ok(BaseUrl { text: text.into(), loopback })
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

/// Reads the login of an organisation.
pub fn organisation(text: &str) -> Result<&str, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match text.chars().all(fits) {
        true => Ok(text),
        false => Err(format!(
            "is `{}`; write the organisation's login alone, as it stands behind github.com/",
            crate::escape::plain(text, 100)
        )),
    }
}

/// Reads a log filter: levels, or `TARGET=LEVEL`. A word alone that is no level would silence everything.
pub fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| LEVELS.contains(&word.trim().to_ascii_lowercase().as_str());
    let directives = text.split('/').next().unwrap_or_default().split(',');
    let fits = |part: &str| match part.split_once('=') {
        Some((target, level)) => !target.trim().is_empty() && is_level(level),
        None => part.trim().is_empty() || part.contains("sentry_team_sync") || is_level(part),
    };
    match directives.clone().find(|part| !fits(part)) {
        Some(part) => Err(format!(
            "has `{}`; write error, warn, info, debug or trace, or TARGET=LEVEL, with commas between several",
            crate::escape::plain(part, 100)
        )),
        None => Ok(text.into()),
    }
}

/// Reads `90s`, `5m`, `1h`, `400d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("is `{text}`; write a number and a unit, such as 30s, 5m, 1h or 400d");
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
        0 => Err(format!("is `{text}`; write at least 1s")),
        n => Ok(Duration::from_secs(u64::from(n) * secs)),
    }
}

/// Reads a duration, or `off`.
pub fn duration_or_off(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    duration(text).map(Some)
}

/// `25%,3`: the larger of a share of the whole and a number goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    percent: u32,
    at_least: u32,
}

impl Limit {
    /// How many of `whole` go through.
    pub fn of(self, whole: usize) -> usize {
        (whole.saturating_mul(self.percent as usize) / 100).max(self.at_least as usize)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%,{}", self.percent, self.at_least)
    }
}

/// Reads a limit.
pub fn limit(text: &str) -> Result<Limit, String> {
    let read = || {
        let (percent, at_least) = text.split_once(',')?;
        let percent = percent.trim().strip_suffix('%')?.parse().ok().filter(|p| *p <= 100)?;
        Some(Limit { percent, at_least: at_least.trim().parse().ok()? })
    };
    read().ok_or_else(|| format!("is `{text}`; write a share and a number, such as 5%,2"))
}

/// Which GitHub teams are mirrored: globs over their slugs, `!` excludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamFilter {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl TeamFilter {
    /// Whether a team of this slug is mirrored.
    pub fn matches(&self, slug: &GithubSlug) -> bool {
        let any = |globs: &[String]| globs.iter().any(|glob| glob_matches(glob, slug.as_str()));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

impl TeamFilter {
    /// What keeps a team of this slug from being mirrored, if anything does.
    pub fn why_not(&self, slug: &GithubSlug) -> Option<String> {
        let excludes = self.exclude.iter().find(|glob| glob_matches(glob, slug.as_str()));
        match excludes {
            Some(glob) => Some(format!("`!{glob}` excludes it")),
            None if self.matches(slug) => None,
            None => Some(format!("`{}` does not match it", self.include.join(","))),
        }
    }
}

impl fmt::Display for TeamFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let excludes = self.exclude.iter().map(|glob| format!("!{glob}"));
        let globs: Vec<_> = self.include.iter().cloned().chain(excludes).collect();
        f.write_str(&globs.join(","))
    }
}

/// Reads a comma list of globs.
pub fn team_filter(text: &str) -> Result<TeamFilter, String> {
    let mut filter = TeamFilter { include: Vec::new(), exclude: Vec::new() };
    let fits = |c: char| c.is_alphanumeric() || "-_:.*?!".contains(c);
    for glob in list(text) {
        if let Some(odd) = glob.chars().find(|c| !fits(*c)) {
            return Err(format!(
                "has {odd:?} in `{}`; a glob is a slug in which * stands for any characters and ? for one",
                crate::escape::plain(glob, 100)
            ));
        }
        match glob.strip_prefix('!') {
            Some("") => return Err("has a `!` without a glob behind it".into()),
            Some(glob) => filter.exclude.push(glob.to_ascii_lowercase()),
            None => filter.include.push(glob.to_ascii_lowercase()),
        }
    }
    Ok(filter)
}

/// Reads a list from a file, for what reads it from a variable. A file without an entry is taken for one that was cut
/// short: it would lift a filter or a protection.
pub fn list_file(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|why| format!("names `{path}`, which can not be read: {why}"))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let entries: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    match entries.is_empty() {
        true => Err(format!("names `{path}`, which holds no entry")),
        false => Ok(entries.join(",")),
    }
}

/// `*` stands for any characters, `?` for one. Linear in pattern times text: no pattern makes it explode.
fn glob_matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some('*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                g += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    g = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|c| *c == '*')
}

/// E-mail addresses and Sentry team slugs that are never removed or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    entries: Vec<String>,
}

impl Protected {
    /// Whether one of these addresses is protected.
    pub fn covers_any<'a>(&self, mut addresses: impl Iterator<Item = &'a str>) -> bool {
        addresses.any(|address| self.entries.iter().any(|entry| entry.eq_ignore_ascii_case(address)))
    }

    /// Whether nobody and nothing is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a Sentry team is protected.
    pub fn covers_team(&self, slug: &SentrySlug) -> bool {
        self.entries.iter().any(|entry| entry == slug.as_str())
    }
}

/// Reads a comma list of addresses and slugs.
pub fn protected(text: &str) -> Result<Protected, String> {
    Ok(Protected { entries: list(text).map(String::from).collect() })
}

/// Reads the order of identity sources.
pub fn sources(text: &str) -> Result<Vec<Source>, String> {
    const ALL: [Source; 5] = [Source::Map, Source::Sentry, Source::Saml, Source::Verified, Source::Public];
    let mut sources = Vec::new();
    for name in list(text) {
        let source = ALL
            .into_iter()
            .find(|source| source.name() == name)
            .ok_or_else(|| format!("names `{name}`; the sources are {}", ALL.map(Source::name).join(", ")))?;
        if sources.contains(&source) {
            return Err(format!("names `{name}` twice"));
        }
        sources.push(source);
    }
    Ok(sources)
}

/// Reads a prefix that leaves a slug valid.
pub fn slug_prefix(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if text.len() <= 20 && text.bytes().all(fits) {
        return Ok(text.into());
    }
    Err(format!("is `{text}`; use at most 20 of a-z, 0-9, - and _"))
}

/// Reads one of a few words.
pub fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("is `{text}`; write one of: {}", words.join(", "))
    })
}

/// Reads a Sentry role, or `never`.
pub fn role_or_never(text: &str) -> Result<Option<String>, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b == b'-' || b == b'_';
    match text {
        "never" => Ok(None),
        role if (1..=32).contains(&role.len()) && role.bytes().all(fits) => Ok(Some(role.into())),
        _ => Err(format!(
            "is `{}`; write never or a role of the Sentry organisation, such as member",
            crate::escape::plain(text, 60)
        )),
    }
}

/// Reads a number of things.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse::<u32>().map(|n| n as usize).map_err(|_| format!("is `{text}`; write a number"))
}

/// Reads a number of threads.
pub fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=64) => Ok(n),
        _ => Err(format!("is `{text}`; write a number from 1 to 64")),
    }
}

/// The parts of a comma list, trimmed, without empty ones.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
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
        assert_eq!(listen_or_off("off").unwrap(), None);
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
    fn filters_include_and_exclude() {
        let matches =
            |filter: &str, slug: &str| team_filter(filter).unwrap().matches(&GithubSlug::from(slug));
        for (filter, slug, expected) in [
            ("*", "anything", true),
            ("*", "", true),
            ("team-*, !team-x", "team-a", true),
            ("team-*, !team-x", "team-x", false),
            ("!ent:*", "backend", true),
            ("!ent:*", "ent:backend", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*a*", "banana", true),
            ("", "x", true),
            ("TEAM", "team", true),
        ] {
            assert_eq!(matches(filter, slug), expected, "{filter} {slug}");
        }
        assert!(!matches(&"*a".repeat(40), &"a".repeat(39)));
        assert!(team_filter("!").is_err());
    }

    #[test]
    fn protection_is_by_address_without_case_and_by_slug() {
        let protected = protected("Boss@Example.com, core").unwrap();
        assert!(protected.covers_any(["x@y", "boss@example.COM"].into_iter()));
        assert!(!protected.covers_any(["x@y"].into_iter()));
        assert!(protected.covers_team(&SentrySlug::from("core")));
        assert!(!protected.covers_team(&SentrySlug::from("Core")));
    }

    #[test]
    fn sources_keep_their_order() {
        assert_eq!(sources("public, map").unwrap(), [Source::Public, Source::Map]);
        assert!(sources("map,map").is_err() && sources("email").is_err());
    }
}
