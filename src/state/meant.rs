//! Finds the team or person that somebody meant by what they typed, in the same way for every command. Pure.
//!
//! People paste what they see: a slug in capitals, `@acme/crew` from a CODEOWNERS file, Sentry's `#crew`, the address
//! of a team's page, or `id:` with GitHub's number.

use std::collections::BTreeSet;

use crate::state::address::Address;
use crate::state::ids::{GithubTeamId, GithubUserId, Login};
use crate::state::{names, State};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TeamName {
    Id(GithubTeamId),
    /// A slug on GitHub or in Sentry, in lower case, and the organisation if the text names one.
    Slug(String, Option<Login>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonName {
    Id(GithubUserId),
    Login(Login),
    /// An e-mail address, in lower case.
    Mail(Address),
}

impl TeamName {
    pub fn read(text: &str) -> Self {
        let text = bare(text);
        if let Some(id) = number(text) {
            return TeamName::Id(GithubTeamId(id));
        }
        if let Some((before, behind)) = text.split_once("/teams/") {
            let slug = behind.split(['/', '?', '#']).next().unwrap_or_default();
            let org = before.rsplit_once("/orgs/").map(|(_, org)| Login::from(org));
            return TeamName::Slug(slug.to_ascii_lowercase(), org);
        }
        let name = text.trim_start_matches(['@', '#']);
        match name.split_once('/') {
            Some((org, slug)) if !org.is_empty() && !slug.is_empty() => {
                TeamName::Slug(slug.to_ascii_lowercase(), Some(Login::from(org)))
            }
            _ => TeamName::Slug(name.to_ascii_lowercase(), None),
        }
    }

    /// The slug, if one was typed.
    pub fn slug(&self) -> Option<&str> {
        match self {
            TeamName::Slug(slug, _) => Some(slug),
            TeamName::Id(_) => None,
        }
    }

    /// The error text if the team was named with another organisation than the mirrored one.
    pub fn stranger(&self, org: Option<&Login>) -> Option<String> {
        match (self, org) {
            (TeamName::Slug(_, Some(named)), Some(org)) if !named.is(org.as_str()) => Some(format!(
                "`{}` is another organisation than `{}`, whose teams are mirrored here",
                crate::text::plain(named.as_str(), 60),
                crate::text::plain(org.as_str(), 60)
            )),
            _ => None,
        }
    }

    /// The teams that the state knows by this name. All slugs in Sentry begin with `prefix`.
    pub fn in_state(&self, state: &State, prefix: &str) -> BTreeSet<GithubTeamId> {
        match self {
            TeamName::Id(team) => names::is_known(state, *team).then_some(*team).into_iter().collect(),
            TeamName::Slug(slug, _) => names::by_slug(state, prefix, slug),
        }
    }
}

impl PersonName {
    pub fn read(text: &str) -> Self {
        let text = bare(text).trim_start_matches('<').trim_end_matches('>');
        if let Some(id) = number(text) {
            return PersonName::Id(GithubUserId(id));
        }
        let text = text.strip_prefix("mailto:").unwrap_or(text);
        let page = text.strip_prefix("https://").filter(|page| !page.contains('@'));
        let name = match page {
            Some(page) => account_of(page).unwrap_or(page),
            None => text.trim_start_matches('@'),
        };
        match Address::read(&name.to_ascii_lowercase()) {
            Ok(address) => PersonName::Mail(address),
            Err(_) => PersonName::Login(Login::from(name)),
        }
    }

    /// The accounts that the state knows by this name. It knows nobody by address; only Sentry does.
    pub fn in_state(&self, state: &State) -> BTreeSet<GithubUserId> {
        match self {
            PersonName::Id(user) => {
                let is_known = state.people.matched(*user).is_some() || state.people.wish(*user).is_some();
                is_known.then_some(*user).into_iter().collect()
            }
            PersonName::Login(login) => {
                let is_it = |known: &Login| known.is(login.as_str());
                let matched = state.people.matches().filter(|(_, found)| is_it(&found.login));
                let wanted = state.people.wanted().filter(|(_, wish)| is_it(&wish.login));
                matched.map(|(user, _)| user).chain(wanted.map(|(user, _)| user)).collect()
            }
            PersonName::Mail(_) => BTreeSet::new(),
        }
    }
}

/// The login in the address of a profile, or of a person in an organisation's list.
fn account_of(page: &str) -> Option<&str> {
    let path = page.split(['?', '#']).next().unwrap_or(page);
    let mut parts = path.split('/').skip(1);
    match parts.next()? {
        "orgs" => parts.nth(2),
        login => Some(login),
    }
}

/// `text` without the quotes and punctuation that pasting adds.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || "`'\",".contains(c))
}

/// The number in `id:NUMBER`.
fn number(text: &str) -> Option<u64> {
    let (word, number) = text.split_once(':')?;
    word.eq_ignore_ascii_case("id").then(|| number.trim().parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_is_meant_however_it_is_written() {
        let slug = |org: Option<&str>| TeamName::Slug("night-crew".into(), org.map(Login::from));
        for (text, org) in [
            ("night-crew", None),
            ("Night-Crew", None),
            ("`night-crew`", None),
            ("#night-crew", None),
            ("@acme/night-crew", Some("acme")),
            ("acme/Night-Crew", Some("acme")),
            ("https://github.com/orgs/acme/teams/night-crew/members", Some("acme")),
            ("https://acme.sentry.io/settings/teams/night-crew/", None),
            (" night-crew\n", None),
        ] {
            assert_eq!(TeamName::read(text), slug(org), "{text}");
        }
        for text in ["id:7", "ID:7", "id: 7"] {
            assert_eq!(TeamName::read(text), TeamName::Id(GithubTeamId(7)), "{text}");
        }
        // Slugs of enterprise teams contain a colon, and only `id:` introduces a number.
        for text in ["ent:hands", "id:", "id:x", "7", ""] {
            assert_eq!(TeamName::read(text), TeamName::Slug(text.into(), None), "{text}");
        }
    }

    #[test]
    fn a_team_of_another_organisation_is_told() {
        let acme = Login::from("Acme");
        assert_eq!(TeamName::read("@acme/crew").stranger(Some(&acme)), None);
        assert_eq!(TeamName::read("@acme/crew").stranger(None), None);
        let why = TeamName::read("@other/crew").stranger(Some(&acme)).unwrap();
        assert_eq!(why, "`other` is another organisation than `Acme`, whose teams are mirrored here");
    }

    #[test]
    fn a_person_is_meant_however_they_are_written() {
        let pages = [
            "https://github.com/zoe",
            "https://github.com/zoe?tab=repositories",
            "https://github.com/orgs/acme/people/zoe",
        ];
        for text in ["zoe", "@zoe", " zoe ", "`zoe`"].into_iter().chain(pages) {
            assert_eq!(PersonName::read(text), PersonName::Login(Login::from("zoe")), "{text}");
        }
        for text in ["zoe@acme.test", "Zoe@Acme.test", "<zoe@acme.test>", "mailto:zoe@acme.test"] {
            assert_eq!(
                PersonName::read(text),
                PersonName::Mail(Address::read("zoe@acme.test").unwrap()),
                "{text}"
            );
        }
        assert_eq!(PersonName::read("Id:5"), PersonName::Id(GithubUserId(5)));
    }
}
