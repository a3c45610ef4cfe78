//! The world in which a true Sentry was recorded, rebuilt in the stand-in: same ids, same people.

use crate::standin::sentry::{InviteStatus, NewMember, NewToken, SentryStandin};
use std::collections::BTreeMap;

pub(super) const TEAM: [&str; 3] = ["team:read", "team:write", "team:admin"];
pub(super) const MEMBER: [&str; 3] = ["member:read", "member:write", "member:admin"];
const ORG: [&str; 2] = ["org:read", "org:write"];
const PROJECT: [&str; 3] = ["project:read", "project:write", "project:admin"];

/// The rebuilt world.
pub(super) struct Seeded {
    pub sentry: SentryStandin,
    pub tokens: BTreeMap<String, String>,
    pub revoked: String,
}

impl Seeded {
    /// The `Authorization` header of a recorded caller.
    pub fn authorization(&self, who: &str) -> Option<String> {
        if who == "no token" {
            return None;
        }
        if let Some(header) = who.strip_prefix("Authorization: ") {
            let header = header.replace("(the revoked token)", &self.revoked);
            return Some(match header.split_once('$') {
                Some((before, name)) => format!("{before}{}", self.tokens[name]),
                None => header,
            });
        }
        Some(format!("Bearer {}", self.tokens[who]))
    }
}

fn person(email: &str, name: &str) -> NewMember {
    NewMember::new(email).name(name).unverified()
}

fn people_of_acme(acme: &SentryStandin) {
    acme.add_member(person("owner@acme.test", "Olive Owner").role("owner"));
    acme.add_member(person("manager@acme.test", "Max Manager").role("manager"));
    acme.add_member(person("admin@acme.test", "Ada Admin").role("admin"));
    for i in 1..=30 {
        let mut new = person(&format!("u{i:02}@acme.test"), &format!("User {i:02}"));
        if i == 5 {
            new = new.also("u05.alias@acme.test", true);
        }
        if i == 6 {
            new = new.also("u06.unverified@acme.test", false);
        }
        acme.add_member(new);
    }
    acme.add_member(person("Mixed.Case@Acme.test", "Mixed Case"));
    acme.add_member(person("nick@acme.test", "Nick Name").username("nickname"));
    acme.add_member(person("twin@acme.test", "Twin One").username("twin1"));
    acme.add_member(person("twin@acme.test", "Twin Two").username("twin2"));
    acme.add_member(person("", "No Mail").username("nomail"));
    acme.add_member(person("gone@acme.test", "Gone Person"));
    acme.add_member(NewMember::new("pending1@acme.test").pending());
    acme.add_member(NewMember::new("pending2@acme.test").pending());
    acme.add_member(NewMember::new("expired@acme.test").expired());
    acme.add_member(NewMember::new("join.request@acme.test").request(InviteStatus::RequestedToJoin));
    acme.add_member(NewMember::new("invite.request@acme.test").request(InviteStatus::RequestedToBeInvited));
}

fn teams_of_acme(acme: &SentryStandin) {
    let u = |n: u64| n + 3;
    let fill = |slug: &str, name: &str, members: Vec<u64>| {
        let team = acme.add_team(slug, name);
        members.into_iter().for_each(|member| {
            acme.join(team, member);
        });
        team
    };
    fill("platform", "Platform", (1..=10).map(u).chain([1, 40, 42, 39]).collect());
    fill("backend", "Backend", (6..=15).map(u).collect());
    fill("empty", "Empty", Vec::new());
    let managed = fill("idp-managed", "IdP managed", (1..=2).map(u).collect());
    acme.set_idp_provisioned(managed, true);
    let owns = fill("owns-projects", "Owns projects", (1..=3).map(u).chain([3]).collect());
    acme.add_project(owns, "Shop");
    acme.set_active(39, false);
}

fn tokens_of_acme(acme: &SentryStandin) -> BTreeMap<String, String> {
    let all: Vec<&str> = ORG.iter().chain(&TEAM).chain(&MEMBER).chain(&PROJECT).copied().collect();
    let wide: Vec<&str> = all.iter().copied().chain(["org:admin"]).collect();
    let read = ["org:read", "team:read", "member:read"];
    let with =
        |more: &[&'static str]| -> Vec<&str> { TEAM.iter().copied().chain(more.iter().copied()).collect() };
    let mut tokens = BTreeMap::new();
    let mut add = |name: &str, new: NewToken| {
        tokens.insert(name.to_owned(), acme.add_token(new));
    };
    add("RS_TOKEN", NewToken::integration(&all));
    for (name, member) in [("OWNER", 1), ("MANAGER", 2), ("ADMINROLE", 3), ("MEMBERROLE", 4)] {
        add(&format!("RS_TOKEN_{name}"), NewToken::user(member, &wide));
    }
    add("RS_TOKEN_READ", NewToken::user(1, &read));
    add("RS_INT_READ", NewToken::integration(&read));
    add("RS_INT_TEAM_ADMIN", NewToken::integration(&TEAM));
    add("RS_INT_TEAM_MEMBERREAD", NewToken::integration(&with(&["member:read"])));
    add("RS_INT_TEAM_MEMBERREAD_ORGREAD", NewToken::integration(&with(&["member:read", "org:read"])));
    add("RS_INT_MEMBER_ADMIN", NewToken::integration(&MEMBER));
    let single = ["org:read", "org:write", "org:admin", "org:integrations", "project:read", "project:write"];
    for scope in single.iter().chain(&TEAM).chain(&MEMBER) {
        let key = scope.to_uppercase().replace(':', "_");
        add(&format!("RS_U_{key}"), NewToken::user(1, &[scope]));
        add(&format!("RS_I_{key}"), NewToken::integration(&[scope]));
    }
    add("RS_TOKEN_EXPIRED", NewToken::user(1, &["org:read"]).expired());
    add("RS_ORG_AUTH_TOKEN", NewToken::org());
    tokens
}

/// Builds it: acme, and other and big beside it.
pub(super) fn seeded() -> Seeded {
    let acme = SentryStandin::start("acme").expect("a loopback port");
    acme.add_integration("github", "github.com/acme-gh");
    people_of_acme(&acme);
    teams_of_acme(&acme);
    let mut tokens = tokens_of_acme(&acme);
    let all: Vec<&str> = ORG.iter().chain(&TEAM).chain(&MEMBER).chain(&PROJECT).copied().collect();
    let other = acme.add_org("other");
    let owner = other.add_member(person("owner@other.test", "Otto Other").role("owner"));
    let team = other.add_team("other-team", "Other team");
    other.join(team, owner);
    tokens.insert("RS_TOKEN_OTHER_ORG".to_owned(), other.add_token(NewToken::user(owner, &all)));
    let big = acme.add_org("big");
    big.add_member(person("owner@big.test", "Berta Big").role("owner"));
    let people: Vec<u64> = (1..=250)
        .map(|i| big.add_member(person(&format!("b{i:03}@big.test"), &format!("Big {i:03}"))))
        .collect();
    for i in 1..=230 {
        big.add_team(&format!("t{i:03}"), &format!("Team {i:03}"));
    }
    let everyone = big.add_team("everyone", "Everyone");
    people.into_iter().for_each(|member| {
        big.join(everyone, member);
    });
    tokens.insert("RS_TOKEN_BIG".to_owned(), big.add_token(NewToken::integration(&all)));
    let scim = acme.add_org("scim");
    scim.set_scim(true);
    let owner = scim.add_member(person("owner@scim.test", "Sam Scim").role("owner"));
    let people: Vec<u64> =
        (1..=3).map(|i| scim.add_member(person(&format!("s{i}@scim.test"), "S"))).collect();
    let one = scim.add_team("one", "One");
    people.iter().for_each(|member| assert!(scim.join(one, *member)));
    let two = scim.add_team("two", "Two");
    scim.join(two, people[0]);
    let provisioning: Vec<&str> = MEMBER.iter().chain(&TEAM).copied().collect();
    tokens.insert("RS_TOKEN_SCIM".to_owned(), scim.add_token(NewToken::integration(&provisioning)));
    tokens.insert("RS_TOKEN_SCIM_OWNER".to_owned(), scim.add_token(NewToken::user(owner, &all)));
    let revoked = acme.add_token(NewToken::user(1, &["org:read"]));
    acme.revoke(&revoked);
    Seeded { sentry: acme, tokens, revoked }
}
