//! Settings that are lists: teams, protected people, identity sources. Pure, except for reading a list from its file.
//!
//! These lists limit what may happen, and who is affected. An entry that can match nothing would protect nobody, or
//! leave out nothing, without a warning. So each entry has a grammar, and an entry that does not fit is a fault that
//! names its place. Entries that could match something but do not are found by [`Protected::unused`] and
//! [`TeamFilter::unused`].

use std::fmt;

use super::fault::Wrong;
use super::values::brief;
use crate::state::address::Address;
use crate::state::ids::{GithubSlug, SentrySlug};
use crate::state::values::Source;

/// The longest slug that Sentry allows.
const LONGEST_SLUG: usize = 50;

/// The entries of a list, each with its place.
pub struct List(Vec<Entry>);

struct Entry {
    text: String,
    /// ` in line 3 of the file`, or nothing.
    place: String,
}

impl List {
    /// Reads a variable: entries separated by commas.
    pub fn of(text: &str) -> Result<Self, Wrong> {
        let entries = parts(text).map(|part| Entry { text: part.into(), place: String::new() }).collect();
        Self::some(entries, "has no entry, only separators".into())
    }

    /// Reads a file: one entry per line, or several with commas; `#` at the beginning of a word starts a comment. A
    /// file without entries is refused as cut short, because it would lift a filter or a protection.
    pub fn of_file(path: &str) -> Result<Self, Wrong> {
        let text = std::fs::read_to_string(path)
            .map_err(|why| Wrong::from(format!("names `{path}`, which cannot be read: {why}")))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut entries = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let place = format!(" in line {} of `{path}`", n + 1);
            let line = without_remark(line);
            entries.extend(parts(line).map(|part| Entry { text: part.into(), place: place.clone() }));
        }
        Self::some(entries, format!("names `{path}`, which holds no entry"))
    }

    fn some(entries: Vec<Entry>, none: String) -> Result<Self, Wrong> {
        if entries.is_empty() {
            Err(none.into())
        } else {
            Ok(Self(entries))
        }
    }
}

fn without_remark(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| line[..*at].ends_with(char::is_whitespace) || *at == 0;
    let remark = line.match_indices('#').find(begins);
    remark.map_or(line, |(at, _)| &line[..at])
}

/// The non-empty parts of a comma-separated list, trimmed.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty())
}

impl Entry {
    /// The error for an entry that is not accepted: the reason, and what to write instead.
    fn wrong(&self, why: &str, fix: impl Into<String>) -> Wrong {
        Wrong::new(format!("has `{}`{}, which is {why}", brief(&self.text), self.place), fix)
    }
}

/// Which GitHub teams are mirrored: globs over their slugs, `!` excludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamFilter {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl TeamFilter {
    pub fn read(list: &List) -> Result<Self, Wrong> {
        let mut filter = Self { include: Vec::new(), exclude: Vec::new() };
        for entry in &list.0 {
            let excludes = entry.text.strip_prefix('!');
            let glob = excludes.unwrap_or(&entry.text);
            let fits = |c: char| c.is_alphanumeric() || "-_:.*?".contains(c);
            if glob.is_empty() || !glob.chars().all(fits) {
                let fix = slug_advice(glob).unwrap_or_else(|| {
                    "write a slug; * matches any characters, ? matches one, and ! in front excludes".into()
                });
                return Err(entry.wrong("no glob", fix));
            }
            let place = if excludes.is_some() { &mut filter.exclude } else { &mut filter.include };
            place.push(glob.to_ascii_lowercase());
        }
        Ok(filter)
    }

    pub fn all() -> Self {
        Self { include: vec!["*".into()], exclude: Vec::new() }
    }

    pub fn matches(&self, slug: &GithubSlug) -> bool {
        let any = |globs: &[String]| globs.iter().any(|glob| glob_matches(glob, slug.as_str()));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }

    /// The reason why a team with this slug is not mirrored; `None` if it is.
    pub fn why_not(&self, slug: &GithubSlug) -> Option<String> {
        let excludes = self.exclude.iter().find(|glob| glob_matches(glob, slug.as_str()));
        match excludes {
            Some(glob) => Some(format!("`!{glob}` excludes it")),
            None if self.matches(slug) => None,
            None => Some(format!("`{}` does not match it", self.include.join(","))),
        }
    }

    /// The globs that match none of the teams. `*` always counts as matching, and without any team the result is empty.
    pub fn unused(&self, teams: &[&GithubSlug]) -> Vec<String> {
        let fits = |glob: &str| {
            glob.bytes().all(|b| b == b'*') || teams.iter().any(|slug| glob_matches(glob, slug.as_str()))
        };
        let globs =
            self.include.iter().map(|glob| (glob, "")).chain(self.exclude.iter().map(|glob| (glob, "!")));
        let unused = globs.filter(|(glob, _)| !teams.is_empty() && !fits(glob));
        unused.map(|(glob, mark)| format!("{mark}{glob}")).collect()
    }
}

impl fmt::Display for TeamFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let excludes = self.exclude.iter().map(|glob| format!("!{glob}"));
        let globs: Vec<_> = self.include.iter().cloned().chain(excludes).collect();
        f.write_str(&globs.join(","))
    }
}

/// `*` matches any characters, `?` matches one. The glob must be lower case, the slug can be either. It takes time
/// linear in pattern times text, so no pattern can stall it.
fn glob_matches(glob: &str, text: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let text: Vec<char> = text.chars().map(|c| c.to_ascii_lowercase()).collect();
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
    addresses: Vec<Address>,
    slugs: Vec<SentrySlug>,
}

impl Protected {
    pub fn read(list: &List) -> Result<Self, Wrong> {
        let mut protected = Self::default();
        for entry in &list.0 {
            let slug = entry.text.to_ascii_lowercase();
            match Address::read(&entry.text) {
                Ok(address) => protected.addresses.push(address),
                Err(_) if is_slug(&slug) => protected.slugs.push(SentrySlug::from(slug)),
                Err(why) => {
                    let fix = slug_advice(&entry.text).unwrap_or_else(|| {
                        format!("write plain addresses and Sentry team slugs, with commas between: {why}")
                    });
                    return Err(entry.wrong("neither an e-mail address nor a team's slug in Sentry", fix));
                }
            }
        }
        Ok(protected)
    }

    pub fn covers_any<'a>(&self, mut addresses: impl Iterator<Item = &'a str>) -> bool {
        addresses.any(|address| self.addresses.iter().any(|entry| entry.is(address)))
    }

    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.slugs.is_empty()
    }

    pub fn covers_team(&self, slug: &SentrySlug) -> bool {
        self.slugs.contains(slug)
    }

    /// The entries that protect nothing: no member has the address, or no team has the slug.
    ///
    /// `has_member` is called for each address. It must also know what a search found, because Sentry's list shows only
    /// primary addresses.
    pub fn unused(
        &self,
        has_member: impl Fn(&Address) -> bool,
        has_team: impl Fn(&SentrySlug) -> bool,
    ) -> Vec<String> {
        let addresses = self.addresses.iter().filter(|address| !has_member(address)).map(Address::to_string);
        let slugs = self.slugs.iter().filter(|slug| !has_team(slug)).map(SentrySlug::to_string);
        addresses.chain(slugs).collect()
    }
}

/// Whether it could be a slug in Sentry. Servers from before 2023 also have slugs of digits alone.
fn is_slug(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=LONGEST_SLUG).contains(&text.len()) && text.bytes().all(fits)
}

/// The fix for what people often type in place of a slug.
fn slug_advice(text: &str) -> Option<String> {
    let last = text.rsplit('/').next().unwrap_or_default();
    let bare = last.trim_start_matches(['@', '#', '!']);
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_*?".contains(c))
    };
    match text {
        _ if text.contains([';', '|']) => Some("separate entries with commas".into()),
        _ if text.contains('/') && plain(bare) => Some(format!("write the team's slug alone: {bare}")),
        _ if text.starts_with('#') && plain(bare) => Some(format!("write the slug without #: {bare}")),
        _ if text.starts_with('@') && plain(bare) => Some(
            "that is how GitHub names people; write the address that Sentry has, or a team's slug".into(),
        ),
        _ => None,
    }
}

/// Reads the order of identity sources.
pub fn sources(list: &List) -> Result<Vec<Source>, Wrong> {
    const ALL: [Source; 5] = [Source::Map, Source::Sentry, Source::Saml, Source::Verified, Source::Public];
    let mut sources = Vec::new();
    for Entry { text: name, .. } in &list.0 {
        let source = ALL.into_iter().find(|source| source.name() == name).ok_or_else(|| {
            format!("names `{}`; the sources are {}", brief(name), ALL.map(Source::name).join(", "))
        })?;
        if sources.contains(&source) {
            return Err(format!("names `{name}` twice").into());
        }
        sources.push(source);
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Result<TeamFilter, Wrong> {
        TeamFilter::read(&List::of(text)?)
    }

    fn protected(text: &str) -> Result<Protected, Wrong> {
        Protected::read(&List::of(text)?)
    }

    #[test]
    fn filters_include_and_exclude() {
        let matches = |text: &str, slug: &str| filter(text).unwrap().matches(&GithubSlug::from(slug));
        for (text, slug, expected) in [
            ("*", "anything", true),
            ("*", "", true),
            ("team-*, !team-x", "team-a", true),
            ("team-*, !team-x", "team-x", false),
            ("!ent:*", "backend", true),
            ("!ent:*", "ent:backend", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*a*", "banana", true),
            ("TEAM", "team", true),
            ("team", "TEAM", true),
        ] {
            assert_eq!(matches(text, slug), expected, "{text} {slug}");
        }
        assert!(!matches(&"*a".repeat(40), &"a".repeat(39)));
    }

    #[test]
    fn a_glob_that_can_fit_nothing_is_a_fault_with_its_fix() {
        for (text, fix) in [
            ("!", "write a slug"),
            ("a!b", "write a slug"),
            ("two words", "write a slug"),
            ("[ab]*", "write a slug"),
            ("<crew>", "write a slug"),
            ("@acme/crew", "write the team's slug alone: crew"),
            ("!acme/crew-*", "write the team's slug alone: crew-*"),
            ("#crew", "write the slug without #: crew"),
            ("crew;search", "separate entries with commas"),
        ] {
            let told = filter(text).unwrap_err();
            assert!(told.fix.as_ref().is_some_and(|told| told.contains(fix)), "{text}: {told:?}");
        }
        for nothing in [",", " , ,"] {
            assert!(filter(nothing).unwrap_err().why.contains("has no entry"));
        }
    }

    #[test]
    fn globs_that_fit_no_team_are_found() {
        let slugs = ["crew", "search", "old-a"].map(GithubSlug::from);
        let teams: Vec<_> = slugs.iter().collect();
        let unused = |text: &str| filter(text).unwrap().unused(&teams);
        assert_eq!(unused("*,!old-*"), [""; 0]);
        assert_eq!(unused("CREW,serach,pay*,!odl-*,!search"), ["serach", "pay*", "!odl-*"]);
        assert_eq!(filter("crew").unwrap().unused(&[]), [""; 0], "of no teams nothing can be said");
    }

    #[test]
    fn protection_is_by_address_without_case_and_by_slug() {
        let protected = protected("Boss@Example.com, core, Team-0,2024").unwrap();
        assert!(protected.covers_any(["x@y", "boss@example.COM"].into_iter()));
        assert!(!protected.covers_any(["x@y"].into_iter()));
        for slug in ["core", "team-0", "2024"] {
            assert!(protected.covers_team(&SentrySlug::from(slug)), "{slug}");
        }
        assert!(!protected.covers_team(&SentrySlug::from("other")));
        assert!(!protected.covers_any(["\u{212a}boss@example.com"].into_iter()));
    }

    #[test]
    fn an_entry_that_can_protect_nobody_is_a_fault_with_its_fix() {
        for (text, fix) in [
            ("<a@b>", "leave out the name and the angle brackets"),
            ("Ada <a@b>", "leave out the name and the angle brackets"),
            ("a@b;c@d", "separate entries with commas"),
            ("a@b c@d", "write one address only"),
            ("mailto:a@b", "leave out `mailto:`"),
            ("@acme/team-0", "write the team's slug alone: team-0"),
            ("acme/team-0", "write the team's slug alone: team-0"),
            ("#team-0", "write the slug without #: team-0"),
            ("@octocat", "that is how GitHub names people"),
            ("Team Zero", "write plain addresses and Sentry team slugs"),
            ("größe", "write plain addresses and Sentry team slugs"),
            ("team-*", "write plain addresses and Sentry team slugs"),
            (&"a".repeat(51), "write plain addresses and Sentry team slugs"),
        ] {
            let told = protected(&format!("fine@example.com,{text}")).unwrap_err();
            assert!(told.fix.as_ref().is_some_and(|told| told.contains(fix)), "{text}: {told:?}");
            assert!(told.why.contains("neither an e-mail address nor a team's slug"), "{told:?}");
        }
        assert!(protected(",").is_err());
    }

    #[test]
    fn entries_that_protect_nobody_are_found() {
        let protected = protected("boss@x,Gone@x,core,cor").unwrap();
        let unused = protected.unused(|address| address.is("BOSS@x"), |slug| slug.as_str() == "core");
        assert_eq!(unused, ["Gone@x", "cor"]);
    }

    #[test]
    fn remarks_begin_with_a_word() {
        for (line, rest) in [("# a", ""), ("a # b", "a "), ("a#b@x", "a#b@x"), ("a\t#b", "a\t"), ("a", "a")] {
            assert_eq!(without_remark(line), rest);
        }
    }

    #[test]
    fn sources_keep_their_order() {
        let sources = |text: &str| List::of(text).and_then(|list| sources(&list));
        assert_eq!(sources("public, map").unwrap(), [Source::Public, Source::Map]);
        for bad in ["map,map", "email", "Map", ",", "map;public"] {
            assert!(sources(bad).is_err(), "{bad}");
        }
    }
}
