//! Events about the organisation: it was renamed or deleted, or somebody whom the event doesn't name joined or left.

use super::{nameless, SECOND_LOOK};
use crate::queue::job::{Hint, Outcome};
use crate::state::event::Event;
use crate::state::record::Record;
use crate::state::values::Mode;
use crate::state::Org;
use crate::work::mirror::Mirror;

pub fn run(mirror: &Mirror, hint: &Hint, org: &Org, mode: Mode) -> Option<Outcome> {
    Some(match hint.event() {
        Some(Event::OrgRenamed { login }) => {
            let record = Record::Org { id: org.id, login: login.clone(), deleted: org.deleted };
            match mirror.keep(record) {
                Ok(()) => Outcome::Done(format!("the organisation is now `{login}`")),
                Err(outcome) => outcome,
            }
        }
        Some(Event::OrgDeleted) => deleted(mirror, hint, org).unwrap_or_else(|outcome| outcome),
        _ if nameless::is_it(hint) => nameless::look(mirror, hint, mode),
        _ => Outcome::Done("nothing to do".into()),
    })
}

/// Stops all writes and deletes nothing. GitHub is asked first: every token may read an organisation's public profile.
fn deleted(mirror: &Mirror, hint: &Hint, org: &Org) -> Result<Outcome, Outcome> {
    let shown = mirror.github.org(&org.login).map_err(|trouble| mirror.github_trouble(trouble))?;
    if shown.is_some_and(|shown| shown.id == org.id) {
        return Ok(match hint.looks {
            0 => Outcome::LookAgain("GitHub still shows the organisation".into(), SECOND_LOOK),
            _ => Outcome::Done("GitHub still shows the organisation; nothing was stopped".into()),
        });
    }
    mirror.keep(Record::Org { id: org.id, login: org.login.clone(), deleted: true })?;
    log::error!("the GitHub organisation `{}` was deleted: writes to Sentry have stopped", org.login);
    Ok(Outcome::Done(
        "the organisation was deleted: writes have stopped, and nothing was deleted in Sentry".into(),
    ))
}
