//! How a comparison reads the members of Sentry's teams: through SCIM, or with a call for each team.

use super::finding::{Area, Finding};
use super::patient::Patient;
use crate::hosts::sentry::Sentry;
use crate::state::values::Mode;

const AREA: Area = Area::Sentry;

/// Checks SCIM in read mode, because payload mode compares nothing. A running service learns the result: otherwise it
/// could take a day to notice that SCIM was switched on.
pub(super) fn look(patient: &Patient, mode: Option<Mode>, sentry: &Sentry) -> Option<Finding> {
    if mode != Some(Mode::Read) {
        return None;
    }
    let is_on = sentry.has_groups();
    if let (Some(service), Ok(is_on)) = (patient.service, &is_on) {
        service.reconciler.scim.learn(*is_on, patient.clock.now());
    }
    Some(match is_on {
        Ok(true) => AREA.ok(
            "SCIM is on: a comparison can read the members of 100 Sentry teams with one call",
        ),
        Ok(false) => AREA.note(
            "SCIM is off in Sentry, or not available to this token: a comparison reads the members of each Sentry team with a call",
        ),
        Err(trouble) => AREA.warning(
            format!("failed to use SCIM: {trouble}; a comparison reads the members of each Sentry team with a call"),
            "nothing needs to be done: each comparison tries SCIM again",
        ),
    })
}
