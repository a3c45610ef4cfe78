use super::*;

const ORG: &str = r#""organization":{"id":1,"login":"acme"}"#;

fn parse_text(name: &str, fields: &str) -> Result<Meaning, String> {
    parse(name, format!("{{{fields},{ORG}}}").as_bytes()).map(|parsed| parsed.meaning)
}

fn team(id: u64, slug: Option<&str>) -> TeamRef {
    TeamRef { id: GithubTeamId(id), name: "T".into(), slug: slug.map(GithubSlug::from), parent: None }
}

#[test]
fn fault_no_slug_on_a_deleted_team_is_a_deletion_by_id() {
    let deleted =
        r#""action":"removed","member":{"id":5,"login":"x"},"team":{"id":7,"name":"T","deleted":true}"#;
    let expected = Meaning::Change(Event::TeamDeleted { team: team(7, None) });
    assert_eq!(parse_text("membership", deleted), Ok(expected));
}

#[test]
fn whoever_joins_or_leaves_the_organisation_is_told() {
    let person = Some(Person { id: GithubUserId(5), login: Login::from("x"), bot: false });
    let told = |action: &str| {
        let user = r#""membership":{"user":{"id":5,"login":"x"}}"#;
        parse_text("organization", &format!(r#""action":"{action}",{user}"#))
    };
    assert_eq!(told("member_added"), Ok(Meaning::Change(Event::MemberAdded { person: person.clone() })));
    assert_eq!(told("member_removed"), Ok(Meaning::Change(Event::MemberRemoved { person })));
}

/// GitHub's own ping has a sentence and the webhook. A body with an action that lacks either is another event.
#[test]
fn a_ping_is_no_other_event() {
    let is_ping = |fields: &str| matches!(parse_text("ping", fields), Ok(Meaning::Ping(_)));
    assert!(is_ping(r#""zen":"z","hook":{}"#) && is_ping(r#""zen":"z""#));
    assert!(is_ping(r#""action":"a","zen":"z","hook":{}"#));
    assert!(!is_ping(r#""action":"a","zen":"z""#) && !is_ping(r#""action":"a","hook":{}"#));
    assert!(!is_ping(r#""zen":"z","team":{"id":1,"name":"T"}"#));
}

#[test]
fn what_can_not_be_read_is_told_apart() {
    let told = |body: &str| parse("team", body.as_bytes()).unwrap_err();
    assert!(told("{").starts_with("the body is not JSON: "), "{}", told("{"));
    assert!(told("[]").starts_with("the body is not an event of GitHub: "), "{}", told("[]"));
}

#[test]
fn a_rename_tells_the_slug_of_the_old_name() {
    let renamed =
        r#""action":"edited","team":{"id":7,"name":"T","slug":"t"},"changes":{"name":{"from":"Old Näme"}}"#;
    let slug_before = Some(GithubSlug::from("old-name"));
    let expected = Meaning::Change(Event::TeamEdited { team: team(7, Some("t")), slug_before });
    assert_eq!(parse_text("team", renamed), Ok(expected));
    let edited = r#""action":"edited","team":{"id":7,"name":"T","slug":"t"},"changes":{}"#;
    let expected = Meaning::Change(Event::TeamEdited { team: team(7, Some("t")), slug_before: None });
    assert_eq!(parse_text("team", edited), Ok(expected));
}

#[test]
fn a_membership_may_name_nobody_and_a_bot() {
    let nobody = r#""action":"added","member":null,"team":{"id":7,"name":"T"}"#;
    let expected = Event::Membership { team: team(7, None), person: None, change: Change::Added };
    assert_eq!(parse_text("membership", nobody), Ok(Meaning::Change(expected)));
    let bot = r#""action":"added","member":{"id":5,"login":"b","type":"Bot"},"team":{"id":7,"name":"T"}"#;
    let person = Some(Person { id: GithubUserId(5), login: Login::from("b"), bot: true });
    let expected = Event::Membership { team: team(7, None), person, change: Change::Added };
    assert_eq!(parse_text("membership", bot), Ok(Meaning::Change(expected)));
}

#[test]
fn an_app_is_told_of_its_installation_with_or_without_an_organisation() {
    let news = |is_gone| Ok(Meaning::Installation(InstallationNews { id: InstallationId(9), is_gone }));
    for (action, is_gone) in [
        ("deleted", true),
        ("suspend", true),
        ("created", false),
        ("unsuspend", false),
        ("new_permissions_accepted", false),
    ] {
        let body = format!(r#""action":"{action}","installation":{{"id":9}}"#);
        assert_eq!(parse_text("installation", &body), news(is_gone), "{action}");
    }
    let alone = br#"{"action":"suspend","installation":{"id":9,"account":{"id":1,"login":"acme","type":"Organization"}}}"#;
    let parsed = parse("installation", alone).unwrap();
    assert_eq!(parsed.org, Some(OrgRef { id: GithubOrgId(1), login: Login::from("acme") }));
    let renamed = br#"{"action":"renamed","target_type":"Organization","account":{"id":1,"login":"new"},
        "changes":{"login":{"from":"acme"}},"installation":{"id":9}}"#;
    let parsed = parse("installation_target", renamed).unwrap();
    assert_eq!(parsed.meaning, Meaning::Change(Event::OrgRenamed { login: Login::from("new") }));
    assert_eq!(parsed.org.map(|org| org.id), Some(GithubOrgId(1)));
    let person = br#"{"action":"renamed","account":{"id":1,"login":"new","type":"User"}}"#;
    assert!(matches!(parse("installation_target", person).unwrap().meaning, Meaning::Ignored(_)));
}

#[test]
fn a_ping_may_say_nothing_of_its_hook() {
    for hook in [r#""hook":{"type":null,"events":null,"config":null}"#, r#""hook":null"#, r#""zen":"z""#] {
        assert_eq!(parse_text("ping", hook), Ok(Meaning::Ping(Ping::default())), "{hook}");
    }
}

#[test]
fn fault_no_look_at_the_event_name_a_body_under_another_name_is_refused() {
    let membership = r#""action":"added","member":{"id":5,"login":"x"},"team":{"id":7,"name":"T"}"#;
    let team = r#""action":"deleted","team":{"id":7,"name":"T","slug":"t"}"#;
    let organization = r#""action":"member_added","membership":{"user":{"id":5,"login":"x"}}"#;
    for (name, body) in [
        ("team", membership),
        ("organization", membership),
        ("membership", team),
        ("organization", team),
        ("membership", organization),
        ("team", organization),
        ("ping", team),
        ("ping", membership),
    ] {
        assert!(parse_text(name, body).is_err(), "{name} {body}");
    }
}

#[test]
fn what_changes_no_team_is_ignored() {
    for (name, body) in [
        ("push", r#""ref":"x""#),
        ("team", r#""action":"added_to_repository","team":{"id":7,"name":"T"}"#),
        ("team", r#""action":"new_in_2030","team":{"id":7,"name":"T"}"#),
        ("organization", r#""action":"member_invited","invitation":{}"#),
        ("membership", r#""action":"sighed","member":null,"team":{"id":7,"name":"T"}"#),
    ] {
        assert!(matches!(parse_text(name, body), Ok(Meaning::Ignored(_))), "{name} {body}");
    }
}

#[test]
fn missing_parts_are_named() {
    let error = parse("team", br#"{"action":"created","organization":{"id":1,"login":"a"}}"#).unwrap_err();
    assert_eq!(error.to_string(), "the body of this `team` event has no `team`");
    let error = parse("team", br#"{"action":"created","team":{"id":1,"name":"a"}}"#).unwrap_err();
    assert_eq!(error.to_string(), "the body of this `team` event has no `organization`");
    for body in ["", "[]", "{", "7", r#"{"team":{"id":"7","name":"x"}}"#, r#"{"team":{"id":-7,"name":"x"}}"#]
    {
        assert!(parse("team", body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn events_survive_the_journal_and_stay_small() {
    let team = TeamRef {
        id: GithubTeamId(u64::MAX),
        name: "🦀".repeat(64).into(),
        slug: Some(GithubSlug::from("s".repeat(255))),
        parent: Some(GithubTeamId(u64::MAX)),
    };
    let event = Event::TeamEdited { team, slug_before: Some(GithubSlug::from("s".repeat(255))) };
    let text = serde_json::to_string(&event).unwrap();
    assert!(text.len() < 1024, "{}", text.len());
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
}
