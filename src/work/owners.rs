//! Which of Sentry's integrations CODEOWNERS links are made with, and what prevents links. Kept in memory, and found
//! out again after a restart.
//!
//! Nothing here may stop other work. If something prevents links, that is logged once, with its fix.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::config::values::BaseUrl;
use crate::hosts::sentry::external::{ExternalTeam, Integration};
use crate::lock::Mutex;
use crate::state::ids::{ExternalTeamId, IntegrationId, Login, OwnerName};

/// A reason that prevents all links is checked again after this time: a plan or an integration may be new.
const AGAIN: Duration = Duration::from_secs(3600);

/// How long somebody else's row is assumed to be unchanged.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// The integration in use, and other facts about links, as far as they are known.
#[derive(Debug, Default)]
pub struct Owners(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    integration: Option<Integration>,
    barred: Option<(String, Instant)>,
    /// Rows of others that have a mirrored team's name, and when each was found.
    elsewhere: HashMap<OwnerName, (ExternalTeam, Instant)>,
    /// Rows that are being changed.
    at_work: Vec<ExternalTeamId>,
}

/// A row that only one team may change, for as long as this value exists.
pub struct Claim<'a> {
    owners: &'a Owners,
    row: ExternalTeamId,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.owners.0.lock().at_work.retain(|row| *row != self.row);
    }
}

impl Owners {
    /// Why no link can be made, with its fix, as far as that is known.
    pub fn barred(&self, clock: &Clock) -> Option<String> {
        let known = self.0.lock();
        let barred = known.barred.as_ref().filter(|(_, at)| clock.since(*at) < AGAIN);
        barred.map(|(why, _)| why.clone())
    }

    /// Keeps others from changing a row; `None` if somebody is changing it. Facts known before may be outdated.
    pub fn claim(&self, row: ExternalTeamId) -> Option<Claim<'_>> {
        let mut known = self.0.lock();
        let is_free = !known.at_work.contains(&row);
        is_free.then(|| {
            known.at_work.push(row);
            Claim { owners: self, row }
        })
    }

    /// The integration that links are made with, if it is known.
    pub fn integration(&self) -> Option<Integration> {
        self.0.lock().integration.clone()
    }

    /// Notes which integration was found, or why none was.
    pub fn learn(&self, found: Result<Integration, String>, clock: &Clock) -> Option<Integration> {
        match found {
            Ok(found) => {
                self.0.lock().integration = Some(found.clone());
                Some(found)
            }
            Err(why) => {
                self.bar(why, clock);
                None
            }
        }
    }

    /// Records that no link can be made, and logs the reason if it is new.
    pub fn bar(&self, why: String, clock: &Clock) {
        let mut known = self.0.lock();
        let is_news = known.barred.as_ref().is_none_or(|(before, _)| *before != why);
        if is_news {
            log::warn!("CODEOWNERS links are not made: {why}");
        }
        known.barred = Some((why, clock.now()));
        known.integration = None;
    }

    /// Records that a name is linked to another team. Returns whether that is news.
    pub fn is_elsewhere(&self, row: &ExternalTeam, clock: &Clock) -> bool {
        let mut known = self.0.lock();
        known.elsewhere.retain(|_, (_, at)| clock.since(*at) < A_DAY);
        known.elsewhere.insert(row.name.clone(), (row.clone(), clock.now())).is_none()
    }

    /// Whether that was found within the last hour, so that an event need not ask again.
    pub fn was_elsewhere(&self, name: &OwnerName, clock: &Clock) -> bool {
        self.0.lock().elsewhere.get(name).is_some_and(|(_, at)| clock.since(*at) < AGAIN)
    }

    /// Rows of others that were found within a day. Where rows cannot be listed, only answers to writes show them.
    pub fn elsewhere(&self, clock: &Clock) -> Vec<ExternalTeam> {
        let known = self.0.lock();
        let known = known.elsewhere.values().filter(|(_, at)| clock.since(*at) < A_DAY);
        known.map(|(row, _)| row.clone()).collect()
    }

    /// Forgets what was found, because the token or a setting has changed.
    pub fn forget(&self) {
        let mut known = self.0.lock();
        let at_work = std::mem::take(&mut known.at_work);
        *known = Known { at_work, ..Known::default() };
    }
}

const GITHUB: &str = "github";
const ENTERPRISE: &str = "github_enterprise";

/// The integration whose number the operator has set.
pub fn of_setting(id: IntegrationId, github: &BaseUrl) -> Integration {
    let is_enterprise = github.path() == "/api/v3" || github.host().ends_with(".ghe.com");
    let provider = if is_enterprise { ENTERPRISE } else { GITHUB };
    Integration { id, domain: "".into(), provider: provider.into() }
}

/// Sentry's name for the GitHub organisation that an integration is with.
pub fn domain(github: &BaseUrl, org: &Login) -> String {
    let pages = github.pages();
    let site = pages.split_once("://").map_or(pages.as_str(), |(_, site)| site);
    format!("{site}/{org}")
}

/// Rows that may show which integration to use.
pub struct Rows<'a> {
    /// The service's own.
    pub ours: Vec<&'a ExternalTeam>,
    pub all: &'a [ExternalTeam],
}

/// The integration with the organisation, or what to do because there is none.
pub fn choose(
    listed: Option<&[Integration]>,
    rows: &Rows,
    domain: &str,
    org: &Login,
) -> Result<Integration, String> {
    // If the integration was installed twice, the later one is in use.
    let ours = listed.unwrap_or_default().iter().filter(|found| found.domain.eq_ignore_ascii_case(domain));
    if let Some(found) = ours.max_by_key(|found| found.id) {
        return Ok(found.clone());
    }
    // Sentry may know the organisation by its previous login.
    let named = rows.all.iter().filter(|row| org.is(row.name.org()));
    if let Some(found) = of_rows(rows.ours.iter().copied()).or_else(|| of_rows(named)) {
        return Ok(found);
    }
    Err(match listed {
        None => {
            "SENTRY_TOKEN may not list the integrations in Sentry, or SENTRY_URL is a region's own address, which has no such \
             list: give the token Organization: Read, or set SYNC_CODEOWNERS_INTEGRATION to the number at the end of the \
             address of the integration's page in Sentry (Settings, Integrations, GitHub, Configure)"
                .into()
        }
        Some(others) => {
            let others: Vec<_> = others.iter().map(|other| &*other.domain).collect();
            let has = if others.is_empty() { String::new() } else { format!(" (it has {})", others.join(", ")) };
            format!(
                "Sentry has no integration with {domain}{has}: install GitHub's for that organisation (Settings, Integrations, \
                 GitHub), or set SYNC_CODEOWNERS_INTEGRATION"
            )
        }
    })
}

/// The integration that rows belong to, if all of them belong to one.
fn of_rows<'a>(rows: impl Iterator<Item = &'a ExternalTeam>) -> Option<Integration> {
    let mut told = rows.filter_map(|row| {
        Some(Integration { id: row.integration?, domain: "".into(), provider: row.provider.clone() })
    });
    let first = told.next()?;
    told.all(|other| other.id == first.id).then_some(first)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Hand, Timestamp};
    use crate::config::values::base_url;
    use crate::state::ids::SentryTeamId;

    fn found(id: u64, domain: &str) -> Integration {
        Integration { id: IntegrationId(id), domain: domain.into(), provider: GITHUB.into() }
    }

    fn row(id: u64, name: &str, integration: Option<u64>) -> ExternalTeam {
        ExternalTeam {
            id: ExternalTeamId(id),
            name: name.into(),
            team: SentryTeamId(1),
            provider: GITHUB.into(),
            integration: integration.map(IntegrationId),
        }
    }

    #[test]
    fn an_integration_is_told_by_its_domain_or_by_rows_that_agree() {
        let org = Login::from("Acme");
        let ask = |listed: Option<&[Integration]>, rows: &[ExternalTeam]| {
            let rows = Rows { ours: rows.iter().filter(|row| row.id.0 > 100).collect(), all: rows };
            choose(listed, &rows, "github.com/Acme", &org).map(|found| found.id.0)
        };
        let all =
            [found(1, "github.com/acme-labs"), found(2, "github.com/acme"), found(3, "github.com/acme")];
        assert_eq!(ask(Some(&all), &[]), Ok(3));
        let rows = [row(1, "@acme/a", Some(7)), row(2, "@other/a", Some(8)), row(3, "@Acme/b", Some(7))];
        assert_eq!(ask(None, &rows), Ok(7));
        assert_eq!(ask(Some(&all[..1]), &rows), Ok(7));
        let before_a_rename = [row(1, "@acme/a", Some(7)), row(101, "@emca/b", Some(8))];
        assert_eq!(ask(Some(&all[..1]), &before_a_rename), Ok(8));
        let torn = [row(1, "@acme/a", Some(7)), row(2, "@acme/b", Some(8))];
        assert!(ask(None, &torn).unwrap_err().contains("SYNC_CODEOWNERS_INTEGRATION"));
        let told = ask(Some(&all[..1]), &[row(1, "@acme/a", None)]).unwrap_err();
        assert!(told
            .starts_with("Sentry has no integration with github.com/Acme (it has github.com/acme-labs): "));
    }

    #[test]
    fn the_provider_of_an_integration_is_told_by_the_apis_address() {
        let of = |api: &str| of_setting(IntegrationId(7), &base_url(api).unwrap()).provider.to_string();
        assert_eq!(of("https://api.github.com"), GITHUB);
        assert_eq!(of("https://ghes.example/api/v3"), ENTERPRISE);
        assert_eq!(of("https://api.acme.ghe.com"), ENTERPRISE);
    }

    #[test]
    fn what_bars_links_or_belongs_to_others_is_news_once_and_known_for_a_while() {
        let hand = Arc::new(Hand::at(Timestamp(0)));
        let (owners, clock) = (Owners::default(), Clock::Hand(hand.clone()));
        assert_eq!(owners.barred(&clock), None);
        owners.bar("no integration".into(), &clock);
        assert_eq!(owners.barred(&clock).as_deref(), Some("no integration"));
        let theirs = row(5, "@acme/theirs", None);
        assert!(owners.is_elsewhere(&theirs, &clock), "it is news");
        hand.pass(AGAIN);
        assert_eq!(owners.barred(&clock), None);
        assert!(!owners.was_elsewhere(&theirs.name, &clock) && owners.elsewhere(&clock).len() == 1);
        assert!(!owners.is_elsewhere(&theirs, &clock), "it is none within a day");
        hand.pass(A_DAY);
        assert!(owners.elsewhere(&clock).is_empty() && owners.is_elsewhere(&theirs, &clock));
    }

    #[test]
    fn the_domain_is_where_people_go() {
        let of = |api: &str| domain(&base_url(api).unwrap(), &Login::from("acme"));
        assert_eq!(of("https://api.github.com"), "github.com/acme");
        assert_eq!(of("https://ghes.example/api/v3"), "ghes.example/acme");
        assert_eq!(of("https://api.acme.ghe.com"), "acme.ghe.com/acme");
    }
}
