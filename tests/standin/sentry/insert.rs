//! Puts described people into the world of the pretend Sentry.
//!
//! Only inserts; no rule of the interface is asked.

use super::build::NewMember;
use super::world::{Email, External, User, World};
use crate::standin::time;

pub(super) fn insert_user(world: &mut World, org: u64, new: &NewMember) -> u64 {
    let id = World::next_id(&mut world.ids.user);
    let mut emails = Vec::new();
    for (address, verified) in std::iter::once(&(new.email.clone(), new.verified)).chain(&new.more) {
        let id = World::next_id(&mut world.ids.email);
        emails.push(Email { id, address: address.clone(), verified: *verified });
    }
    let mut external = Vec::new();
    for row in &new.external {
        let integration = row.integration.unwrap_or_else(|| world.github_of(org));
        external.push(External {
            id: World::next_id(&mut world.ids.external),
            provider: row.provider.clone(),
            name: row.name.clone(),
            external_id: row.external_id.clone(),
            integration,
        });
    }
    let user = User {
        id,
        name: new.name.clone(),
        username: new.username.clone().unwrap_or_else(|| new.email.clone()),
        email: new.email.clone(),
        emails,
        active: new.active,
        suspended: new.suspended,
        created: time::now(),
        external,
        app: false,
    };
    world.users.insert(id, user);
    id
}

/// The user that an integration acts as.
pub(super) fn insert_proxy(world: &mut World, org: u64) -> u64 {
    let name = format!("integration-{}", world.rng.hex(6));
    let id = insert_user(world, org, &NewMember::new("").name(&name).username(&name));
    let address =
        if world.rules().proxy_address { format!("{id}@proxy-user.sentry.io") } else { String::new() };
    if let Some(user) = world.users.get_mut(&id) {
        user.app = true;
        for email in &mut user.emails {
            email.verified = false;
            email.address = address.clone();
        }
        user.email = address;
    }
    id
}
