//! Puts described people into the world of the pretend Sentry.
//!
//! Only inserts; no rule of the interface is asked.

use super::build::NewMember;
use super::world::{Email, External, User, World};
use std::time::SystemTime;

pub(super) fn insert_user(world: &mut World, new: &NewMember) -> u64 {
    let id = World::next_id(&mut world.ids.user);
    let mut emails = Vec::new();
    for (address, verified) in std::iter::once(&(new.email.clone(), new.verified)).chain(&new.more) {
        let id = World::next_id(&mut world.ids.email);
        emails.push(Email { id, address: address.clone(), verified: *verified });
    }
    let mut external = Vec::new();
    for (provider, name) in &new.external {
        let id = World::next_id(&mut world.ids.external);
        external.push(External { id, provider: provider.clone(), name: name.clone() });
    }
    let user = User {
        id,
        name: new.name.clone(),
        username: new.username.clone().unwrap_or_else(|| new.email.clone()),
        email: new.email.clone(),
        emails,
        active: new.active,
        created: SystemTime::now(),
        external,
        app: false,
    };
    world.users.insert(id, user);
    id
}

/// The user that an integration acts as.
pub(super) fn insert_proxy(world: &mut World) -> u64 {
    let name = format!("integration-{}", world.rng.hex(6));
    let id = insert_user(world, &NewMember::new("").name(&name).username(&name));
    if let Some(user) = world.users.get_mut(&id) {
        user.app = true;
        user.emails.iter_mut().for_each(|email| email.verified = false);
    }
    id
}
