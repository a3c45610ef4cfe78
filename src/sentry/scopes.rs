//! Which scopes the mirror needs of its Sentry token, what for, and where each is ticked. Pure.
//!
//! Scopes do not include one another in Sentry's checks, so each is asked for by its own name; the organisation scopes
//! that stand for the same right are accepted.

/// A right that the mirror needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The scope that gives it.
    pub scope: &'static str,
    /// Scopes of which one suffices.
    any: &'static [&'static str],
    /// What can not be done without it.
    pub purpose: &'static str,
    /// The calls that Sentry refuses without it.
    pub calls: &'static str,
    /// What to choose in the integration's permissions.
    pub tick: &'static str,
}

/// All that are needed.
const NEEDED: [Needed; 3] = [
    Needed {
        scope: "team:write",
        any: &["team:write"],
        purpose: "teams can not be created or renamed, and nobody can be put into one",
        calls: "POST /organizations/{org}/teams/, POST /organizations/{org}/members/{id}/teams/{slug}/",
        tick: "Team: Admin",
    },
    Needed {
        scope: "team:admin",
        any: &["team:admin"],
        purpose: "teams can not be deleted, and newer Sentry lets nobody be taken out of one",
        calls: "DELETE /teams/{org}/{slug}/, DELETE /organizations/{org}/members/{id}/teams/{slug}/",
        tick: "Team: Admin",
    },
    Needed {
        scope: "member:read",
        any: &["member:read", "member:write", "member:admin"],
        purpose: "it can not be told who is in Sentry, so nobody is matched",
        calls: "GET /organizations/{org}/members/",
        tick: "Member: Read & Write",
    },
];

/// The scopes of which one lets a token list teams.
const LISTS_TEAMS: [&str; 3] = ["org:read", "org:write", "org:admin"];

fn has(scopes: &[String], any: &[&str]) -> bool {
    any.iter().any(|name| scopes.iter().any(|scope| scope == name))
}

/// What a token with these scopes lacks.
pub fn lacking(scopes: &[String]) -> Vec<Needed> {
    NEEDED.into_iter().filter(|needed| !has(scopes, needed.any)).collect()
}

/// Whether such a token may list all teams, and read the organisation's settings.
pub fn may_list_teams(scopes: &[String]) -> bool {
    has(scopes, &LISTS_TEAMS)
}

/// Whether such a token may invite: on Sentry 23.7 and on newer servers.
pub fn may_invite(scopes: &[String]) -> (bool, bool) {
    (has(scopes, &["member:admin"]), has(scopes, &["member:admin", "member:write"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permissions_of_the_original_lack_nothing() {
        let scopes = |list: &[&str]| list.iter().map(|scope| scope.to_string()).collect::<Vec<_>>();
        let original = ["team:read", "team:write", "team:admin", "member:read", "member:write"];
        assert!(lacking(&scopes(&original)).is_empty());
        let lacks: Vec<_> =
            lacking(&scopes(&["team:admin", "org:read"])).into_iter().map(|needed| needed.scope).collect();
        assert_eq!(lacks, ["team:write", "member:read"]);
        assert!(may_list_teams(&scopes(&["org:read"])) && !may_list_teams(&scopes(&original)));
        assert_eq!(may_invite(&scopes(&original)), (false, true));
    }
}
