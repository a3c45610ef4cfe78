//! Trouble: tokens that may not, teams that are locked, Sentry away, Sentry slow.

use super::field::{Field, ORIGINAL};

pub fn a_team_that_the_identity_provider_manages_fails_by_name(field: &mut Field) {
    let ana = field.person("ana");
    let ben = field.person("ben");
    field.start();
    let crew = field.team("Crew");
    field.add(crew, ben);
    field.site.set_idp_provisioned(field.id("crew"), true);
    for (status, why) in [field.add(crew, ana), field.remove(crew, ben)] {
        assert_eq!(status, "failed", "{why}");
        assert!(why.contains("managed by your identity provider"), "{why}");
    }
    let (code, out, _) = field.command(&["status", "-v"]);
    assert_eq!((code, out.matches("managed by your identity provider").count() >= 2), (0, true), "{out}");
    field.wait_for_people("crew", &["ben@acme.test"]);
    // Once it is not, a replay does both.
    field.site.set_idp_provisioned(field.id("crew"), false);
    assert_eq!(field.command(&["replay", "--failed"]).0, 0);
    field.wait_for_rest();
    field.wait_for_people("crew", &["ana@acme.test"]);
}

pub fn the_permissions_of_the_original_suffice(field: &mut Field) {
    let ana = field.person("ana");
    field.start();
    field.wait_until("ready", || field.get_admin("/readyz").0 == 200);
    let crew = field.team("Crew");
    field.add(crew, ana);
    field.settle(&field.github.rename_team(crew, "Night Crew"));
    field.remove(crew, ana);
    assert_eq!(field.settle(&field.github.delete_team(crew)).0, "done");
    assert!(field.teams().is_empty());
    let refused: Vec<_> =
        field.exchanges().into_iter().filter(|exchange| exchange.contains("-> 403")).collect();
    assert!(
        refused.iter().all(|exchange| exchange.starts_with("GET /organizations/{org}/teams/ ")),
        "{refused:?}"
    );
}

pub fn a_missing_scope_is_named_and_nothing_is_lost(field: &mut Field) {
    let ana = field.person("ana");
    field.start();
    let crew = field.team("Crew");
    field.site.set_scopes(&field.token, &["team:read", "team:admin", "member:read"]);
    field.send(&field.github.add_member(crew, ana));
    field.wait_until("not ready", || field.get_admin("/readyz").0 == 503);
    let (_, body) = field.get_admin("/readyz");
    assert!(body.contains("SENTRY_TOKEN lacks team:write"), "{body}");
    assert_eq!((field.status()["failed"].as_u64(), field.status()["queued"].as_u64()), (Some(0), Some(1)));
    field.site.set_scopes(&field.token, &ORIGINAL);
    field.crash_and_restart();
    field.wait_for_people("crew", &["ana@acme.test"]);
}

pub fn a_token_without_a_scope_from_the_start_is_named(field: &mut Field) {
    field.use_token(&["team:read", "team:write", "team:admin"]);
    let ana = field.person("ana");
    field.start();
    let (crew, created) = field.github.create_team("Crew", field.olive);
    field.send(&created);
    field.send(&field.github.add_member(crew, ana));
    field.wait_until("not ready", || field.get_admin("/readyz").1.contains("SENTRY_TOKEN lacks member:read"));
    assert_eq!(field.status()["failed"], 0);
}

pub fn an_access_request_is_not_taken_for_done(field: &mut Field) {
    field.site.set_open_membership(false);
    field.use_token(&["org:read", "member:read", "team:read", "team:admin"]);
    let ana = field.person("ana");
    let crew = field.old_team("Crew");
    field.site.add_team("crew", "Crew");
    field.start();
    let (status, why) = field.add(crew, ana);
    assert_eq!(status, "failed");
    assert!(why.contains("Sentry only filed an access request; give SENTRY_TOKEN Team: Admin"), "{why}");
    field.wait_for_people("crew", &[]);
    field.site.set_scopes(&field.token, &ORIGINAL);
    assert_eq!(field.command(&["replay", "--failed"]).0, 0);
    field.wait_for_people("crew", &["ana@acme.test"]);
}

pub fn with_open_membership_off_the_originals_permissions_still_suffice(field: &mut Field) {
    field.site.set_open_membership(false);
    let ana = field.person("ana");
    field.start();
    let crew = field.team("Crew");
    assert_eq!(field.add(crew, ana).1, "added `ana` to `crew`");
    assert_eq!(field.remove(crew, ana).1, "removed `ana` from `crew`");
    field.wait_for_people("crew", &[]);
}

pub fn a_revoked_token_pauses_the_work_and_a_good_one_goes_on(field: &mut Field) {
    let ana = field.person("ana");
    field.start();
    let crew = field.team("Crew");
    field.wait_until("people are read", || field.service().text().contains("/members/?expand"));
    field.site.revoke(&field.token);
    field.send(&field.github.add_member(crew, ana));
    field.wait_until("not ready", || field.get_admin("/readyz").0 == 503);
    let (_, body) = field.get_admin("/readyz");
    assert!(body.contains("Sentry rejected SENTRY_TOKEN") && !body.contains(&field.token), "{body}");
    assert_eq!(field.status()["failed"], 0);
    field.use_token(&ORIGINAL);
    field.take_service().stop("-TERM");
    field.start();
    field.wait_for_people("crew", &["ana@acme.test"]);
}

pub fn a_wrong_organisation_is_told_and_nothing_is_lost(field: &mut Field) {
    let ana = field.person("ana");
    let (crew, created) = field.github.create_team("Crew", field.olive);
    let right = field.site.org();
    field.set("SENTRY_ORG_SLUG", &format!("{right}-not"));
    field.start();
    field.send(&created);
    field.send(&field.github.add_member(crew, ana));
    field.wait_until("not ready", || field.get_admin("/readyz").1.contains("organisation"));
    assert_eq!(field.status()["failed"], 0);
    field.set("SENTRY_ORG_SLUG", &right);
    field.take_service().stop("-TERM");
    field.start();
    field.wait_for_people("crew", &["ana@acme.test"]);
}

/// More teams at once than there are workers, each with changes that contradict one another.
pub fn many_changes_at_once_end_as_github_says(field: &mut Field) {
    let people: Vec<_> = (0..6).map(|n| field.person(&format!("p{n}"))).collect();
    field.start();
    let mut sent = Vec::new();
    let teams: Vec<_> = (0..12)
        .map(|n| {
            let (team, created) = field.github.create_team(format!("Team {n}").as_str(), field.olive);
            sent.extend(created);
            team
        })
        .collect();
    for (n, team) in teams.iter().enumerate() {
        for person in &people {
            sent.extend(field.github.add_member(*team, *person));
        }
        sent.extend(field.github.remove_member(*team, people[n % 6]));
        match n % 6 {
            0 => sent.extend(field.github.delete_team(*team)),
            1 | 2 => sent.extend(field.github.rename_team(*team, &format!("Renamed {n}"))),
            _ => {}
        }
    }
    field.send(&sent);
    field.wait_for_rest();
    assert_eq!(field.status()["failed"], 0);
    assert_eq!(field.teams().len(), 10, "{:?}", field.ids());
    for n in (0..12).filter(|n| n % 6 != 0) {
        let slug = format!("{}-{n}", if n % 6 < 3 { "renamed" } else { "team" });
        let expected = (0..6).filter(|p| *p != n % 6).map(|p| format!("p{p}@acme.test"));
        assert_eq!(field.people(&slug), expected.collect(), "{slug}");
    }
}

/// The web server is stopped while deliveries arrive, and comes back with a limit of three calls a second.
pub fn sentry_away_and_then_slow_loses_nothing(field: &mut Field) {
    let people: Vec<_> = (0..8).map(|n| field.person(&format!("p{n}"))).collect();
    field.start();
    let crew = field.team("Crew");
    field.site.stop();
    let mut sent = Vec::new();
    for person in &people {
        sent.extend(field.github.add_member(crew, *person));
    }
    let (second, created) = field.github.create_team("Second", field.olive);
    sent.extend(created);
    sent.extend(field.github.add_member(second, people[0]));
    sent.extend(field.github.rename_team(second, "Third"));
    sent.extend(field.github.remove_member(crew, people[7]));
    field.send(&sent);
    field.wait_until("it is told", || field.status()["sentry"]["health"] == "down");
    field.site.start(3);
    field.wait_for_rest();
    assert_eq!(field.status()["failed"], 0);
    let (crew, third) = (field.people("crew"), field.people("third"));
    assert_eq!((crew.len(), third.len()), (7, 1), "{crew:?} {third:?}");
    assert!(!crew.contains("p7@acme.test"));
    let text = field.service().text();
    let calls: Vec<_> = text.lines().filter(|line| line.starts_with("debug Sentry: ")).collect();
    let refused = calls.iter().filter(|line| line.contains(" -> 429")).count();
    assert!(refused * 4 <= calls.len(), "{refused} of {} calls were refused: {calls:#?}", calls.len());
}
