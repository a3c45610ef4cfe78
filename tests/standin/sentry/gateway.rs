//! What stands before the interface at sentry.io: a gateway that knows which organisation lives in which region.
//!
//! Facts: `GET /api/0/` and the list of integrations are answered by the control silo alone, elsewhere by a 404 without a
//! body; an organisation that does not exist, or lives in another region than that of the host, is such a 404 too, before
//! anybody looks at the token; the control silo passes everything else on to the region, and names its address. By the
//! source a region's own host may as well answer by itself, in the interface's usual words: a test can ask for that.

use super::era::Silo;
use super::route::Route;
use super::world::{Org, World};
use crate::standin::http::{Request, Response};
use std::collections::BTreeMap;

const NAMES_REGION: &str = "X-Sentry-Proxy-URL";

/// The answer of a gateway that passes the call on to nobody.
pub(crate) fn turn_away(world: &World, silo: &Silo, route: &Route) -> Option<Response> {
    let rules = silo.rules();
    let here = match route {
        Route::Index => rules.index,
        // The control silo looks for the organisation itself, and says so in the usual words.
        Route::Integrations { .. } => rules.integrations,
        _ => {
            !rules.gateway
                || answers_itself(world, silo)
                || route.org().is_none_or(|org| lives_here(world, silo, org))
        }
    };
    (!here).then(|| Response::new(404, "text/html; charset=utf-8", ""))
}

fn answers_itself(world: &World, silo: &Silo) -> bool {
    matches!(silo, Silo::Region(_)) && !world.gateway_everywhere
}

/// The organisations that a region's host can not know, where it answers by itself; to be put back.
pub(crate) fn take_elsewhere(world: &mut World, silo: &Silo) -> BTreeMap<u64, Org> {
    let Silo::Region(name) = silo else { return BTreeMap::new() };
    let (here, elsewhere) =
        std::mem::take(&mut world.orgs).into_iter().partition(|(_, org)| org.region == *name);
    world.orgs = here;
    elsewhere
}

fn lives_here(world: &World, silo: &Silo, org: &str) -> bool {
    let org = world.org_by_key(org).and_then(|id| world.orgs.get(&id));
    org.is_some_and(|org| match silo {
        Silo::Region(name) => org.region == *name,
        Silo::Monolith | Silo::Control => true,
    })
}

/// Names the region's own address on what came from there.
pub(crate) fn mark(
    world: &World,
    silo: &Silo,
    route: &Route,
    request: &Request,
    response: Response,
) -> Response {
    let passed_on = silo.rules().names_region && !matches!(route, Route::Integrations { .. });
    let org = route.org().filter(|_| passed_on).and_then(|key| world.org_by_key(key));
    match org.and_then(|id| world.orgs.get(&id)) {
        Some(org) => {
            response.with(NAMES_REGION, format!("{}{}", world.region_url(&org.region), request.path()))
        }
        None => response,
    }
}
