//! How a comparison reads who is in Sentry's teams.

use super::finding::{Area, Finding};
use super::patient::Patient;
use crate::hosts::sentry::Sentry;
use crate::state::values::Mode;

const AREA: Area = Area::Sentry;

/// Looks, where there are comparisons at all. A running service learns of it, too: whoever has just switched SCIM on need
/// not wait for the day's end.
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
            "SCIM is switched on: a comparison reads who is in Sentry's teams with one call for 100 teams, where that saves calls",
        ),
        Ok(false) => AREA.note(
            "SCIM is not switched on in Sentry, or not for this token: a comparison reads who is in Sentry's teams team by team",
        ),
        Err(trouble) => AREA.warning(
            format!("what SCIM says can not be used: {trouble}; a comparison reads who is in Sentry's teams team by team"),
            "check again in a minute; each comparison tries SCIM again by itself",
        ),
    })
}
