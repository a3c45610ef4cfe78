//! The faults of the best-known script of this kind.

use super::*;

#[test]
fn script_fault_lookup_failure_taken_for_departure() {
    let world = world();
    let all = people(&world, 4);
    teams(&world, &["Crew"], &all);
    apply(&world);
    // Nobody's address can be read any more.
    world.github.forbid_field("organizationVerifiedDomainEmails", true);
    world.github.forbid_field("samlIdentityProvider", true);
    let mark = world.sentry.wire.mark();
    apply(&world);
    assert_eq!(world.writes_since(mark), [""; 0]);
    assert_eq!(world.members("crew").map(|members| members.len()), Some(4));
}

#[test]
fn script_fault_error_page_taken_for_an_empty_set() {
    for (fault, route) in [
        (Fault::HtmlPage, "POST /graphql"),
        (Fault::StatusHtml(502), "POST /graphql"),
        (Fault::WrongJson, "POST /graphql"),
    ] {
        let world = world();
        let all = people(&world, 4);
        teams(&world, &["Crew"], &all);
        apply(&world);
        let mark = world.sentry.wire.mark();
        world.github.wire.script(Rule::new(route, fault.clone()).always());
        let (code, out, err) = world.alone(&["sync", "--apply"]);
        assert_eq!((code, out.as_str()), (1, ""), "{fault:?} {err}");
        assert!(err.contains("failed to read both sides"), "{err}");
        assert_eq!(world.writes_since(mark), [""; 0]);
    }
    let world = world();
    let all = people(&world, 4);
    teams(&world, &["Crew"], &all);
    apply(&world);
    world.sentry.wire.script(Rule::new("GET /organizations/{org}/teams/", Fault::HtmlPage).always());
    let mark = world.sentry.wire.mark();
    assert_eq!(world.alone(&["sync", "--apply"]).0, 1);
    assert_eq!(world.writes_since(mark), [""; 0]);
}

#[test]
fn script_fault_deleting_teams_merely_adopted() {
    let world = world();
    let all = people(&world, 2);
    let ids = teams(&world, &["Crew", "Adopted", "Third", "Fourth"], &all);
    world.sentry.add_team("adopted", "Adopted");
    apply(&world);
    world.github.delete_team(ids[1]);
    let (code, out, _) = world.alone(&["sync", "--apply"]);
    assert_eq!(code, 2, "{out}");
    assert!(world.members("adopted").is_some());
    assert!(
        out.contains("short reading") || out.contains("adopted: the Sentry team existed before"),
        "{out}"
    );
}

#[test]
fn script_fault_silent_adoption_of_somebody_elses_team() {
    let world = world();
    let all = people(&world, 1);
    teams(&world, &["Crew"], &all);
    apply(&world);
    world.sentry.add_team("payments", "Payments");
    let in_an_hour = std::time::SystemTime::now() + Duration::from_secs(3600);
    let new = world.github.add_team(GithubTeam::new("Payments").created(in_an_hour));
    world.github.join(new, all[0]);
    assert!(world.alone(&["sync"]).1.contains("conflict payments  Sentry team"));
    let (code, out, _) = world.alone(&["sync", "--apply"]);
    assert!(code == 2 && out.starts_with("on hold until you decide:\n"), "{out}");
    assert_eq!(world.members("payments"), Some(vec![]));
}

#[test]
fn script_fault_202_logged_as_added() {
    let mut world = world();
    world.sentry.set_open_membership(false);
    let token = world.sentry.add_token(asking_permissions());
    let all = people(&world, 1);
    teams(&world, &["Crew"], &all);
    world.sentry.add_team("crew", "Crew");
    world.set("SENTRY_TOKEN", &token);
    let (code, out, err) = world.alone(&["sync", "--apply"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(err.contains("Sentry only filed an access request"), "{err}");
    let done = "done: 0 changes made in Sentry; 1 team was bound to an existing Sentry team; ";
    assert!(out.starts_with(done), "only the adoption: {out}");
}

#[test]
fn script_fault_null_email_as_an_exception() {
    let world = world();
    let ghost = world.github.add_person(GithubUser::new("ghost"));
    let nameless = world.sentry.add_member(NewMember::new(""));
    let ids = teams(&world, &["Crew"], &[ghost]);
    apply(&world);
    world.sentry.join(world.sentry.teams()["crew"].id, nameless);
    world.github.join(ids[0], person(&world, "ana"));
    apply(&world);
    assert_eq!(world.members("crew").map(|members| members.len()), Some(2));
}

#[test]
fn script_fault_state_torn_by_a_crash_after_a_rename() {
    let mut world = world();
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let id = world.sentry.teams()["crew"].id;
    let stall = Fault::Stall(Duration::from_secs(600));
    world.sentry.wire.script(Rule::new("PUT /teams/{org}/{slug}/", stall).after());
    world.send(&world.github.rename_team(crew, "Night Crew"));
    world.wait_until("renamed", || world.members("night-crew").is_some());
    world.take_service().kill();
    let (code, out, err) = world.alone(&["sync", "--apply"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(world.sentry.teams().len(), 1);
    assert_eq!(world.sentry.teams()["night-crew"].id, id);
}
