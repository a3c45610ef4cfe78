//! The recorded tables of scopes, asked again: each call with each single scope, for a person's
//! token and an integration's, with open membership on and off.

use super::replay::scope_tables;
use super::seed::{seeded, Seeded};
use super::sentry;
use serde_json::json;

/// One call of the tables, prepared and made.
fn status(world: &Seeded, call: &str, token: &str) -> Option<u16> {
    let url = world.sentry.url();
    let acme = "/organizations/acme";
    let ask = |method: &str, path: &str, body| sentry(&url, token, method, path, body).status;
    let member_team = format!("{acme}/members/24/teams/backend/");
    Some(match call {
        "list teams" => ask("GET", &format!("{acme}/teams/"), None),
        "create team" => ask("POST", &format!("{acme}/teams/"), Some(json!({"slug": "scoped"}))),
        "get team" => ask("GET", "/teams/acme/backend/", None),
        "update team" => ask("PUT", "/teams/acme/backend/", Some(json!({"name": "Backend"}))),
        "delete team" => ask("DELETE", "/teams/acme/empty/", None),
        "list team members" => ask("GET", "/teams/acme/backend/members/", None),
        "list members" => ask("GET", &format!("{acme}/members/"), None),
        "get member" => ask("GET", &format!("{acme}/members/4/"), None),
        "get member-team" => {
            world.sentry.join(3, 24);
            ask("GET", &member_team, None)
        }
        "add member to team" => ask("POST", &member_team, None),
        "remove member from team" => {
            world.sentry.join(3, 24);
            ask("DELETE", &member_team, None)
        }
        "set team role" => {
            world.sentry.join(3, 24);
            ask("PUT", &member_team, Some(json!({"teamRole": "admin"})))
        }
        "set a member's teams" => {
            ask("PUT", &format!("{acme}/members/23/"), Some(json!({"teams": ["empty"]})))
        }
        "invite" => ask("POST", &format!("{acme}/members/"), Some(json!({"email": "scoped@acme.test"}))),
        "remove member" => ask("DELETE", &format!("{acme}/members/25/"), None),
        "organization details" => ask("GET", &format!("{acme}/"), None),
        _ => return None,
    })
}

#[test]
fn single_scopes_suffice_as_recorded() {
    let (mut asked, mut faults) = (0, Vec::new());
    for (title, rows) in scope_tables() {
        let person = title.starts_with("owner");
        let open = title.contains("membership on");
        let (scopes, rows) = rows.split_first().expect("a head row");
        for (column, scope) in scopes.iter().enumerate().skip(1) {
            let key = scope.to_uppercase().replace(':', "_");
            let name = format!("RS_{}_{key}", if person { "U" } else { "I" });
            let world = seeded();
            world.sentry.set_open_membership(open);
            for row in rows {
                world.sentry.leave(3, 24);
                let Some(own) = status(&world, &row[0], &world.tokens[&name]) else {
                    continue;
                };
                asked += 1;
                if own.to_string() != row[column] {
                    faults
                        .push(format!("{title}: {} with {scope}: {own} instead of {}", row[0], row[column]));
                }
            }
        }
    }
    assert_eq!(asked, 4 * 12 * 16);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
