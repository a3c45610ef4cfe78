//! Until both APIs have answered once, as APIs, nobody knows that their addresses are right: not ready, and what to correct.
//! Deliveries are kept meanwhile, and an outage after that is an outage.

use crate::standin::{Fault, Rule};
use crate::world::{Truth, World, BOTH};

fn reasons(world: &World) -> String {
    let (code, body) = world.get_admin("/readyz");
    if code == 200 {
        return String::new();
    }
    assert_eq!(code, 503, "{body}");
    assert!(body.contains(r#""deliveries":"stored""#), "{body}");
    body
}

#[test]
fn the_apis_path_in_sentrys_address_means_sentry() {
    for end in ["/api/", "/api/0"] {
        let mut world = World::new(Truth::Deliveries);
        let url = world.sentry.url();
        world.set("SENTRY_URL", &format!("{url}{end}"));
        world.start();
        let ana = world.person("ana");
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        world.settle(&world.github.add_member(crew, ana));
        world.wait_for_members("crew", &["ana"]);
        world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    }
}

#[test]
fn a_pages_address_is_not_ready_names_its_fix_and_keeps_deliveries() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let url = world.sentry.url();
        world.set("GH_ORG", "acme");
        world.set("SENTRY_URL", &format!("{url}/organizations/acme-sentry/"));
        world.start();
        let fix =
            "correct SENTRY_URL: the address at which Sentry begins, such as https://sentry.io, without /api";
        world.wait_until("not ready", || reasons(&world).contains(fix));
        world.wait_until("the mode is known", || !world.status()["mode"].is_null());
        assert!(!reasons(&world).is_empty(), "the mode alone is not enough");
        let (_, created) = world.github.create_team("Crew", world.olive);
        world.send(&created);
        let (_, text, _) = world.command(&["check"]);
        assert!(text.contains("is not Sentry's API") && text.contains("without /api"), "{text}");
        world.take_service().stop("-TERM");
        let strays = world.sentry.wire.take_undescribed();
        assert!(
            strays.iter().all(|stray| stray.contains("GET /organizations/acme-sentry/api/0/")),
            "{strays:?}"
        );
        world.set("SENTRY_URL", &url);
        world.start();
        world.wait_until("nothing was lost", || world.sentry.teams().contains_key("crew"));
        world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    }
}

#[test]
fn a_page_of_a_proxy_is_no_first_answer_and_no_outage_takes_the_first_answer_back() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.set("GH_ORG", "acme");
        world.sentry.wire.script(Rule::new("*", Fault::HtmlPage).always());
        world.start();
        world.wait_until("not ready", || reasons(&world).contains("Sentry's API has not answered yet"));
        world.sentry.wire.clear_faults();
        world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
        world.sentry.wire.script(Rule::new("*", Fault::HtmlPage).always());
        let (_, created) = world.github.create_team("Crew", world.olive);
        world.send(&created);
        world.wait_until("an outage", || world.status()["sentry"]["health"] == "down");
        assert_eq!(world.get_admin("/readyz").0, 200, "an outage is none of its business");
    }
}

#[test]
fn the_web_address_of_an_enterprise_server_names_the_apis() {
    let mut world = World::new(Truth::Github);
    world.set("GH_ORG", "acme");
    let login = Fault::Redirect("https://ghe.example/login?return_to=%2Forgs%2Facme".into());
    world.github.wire.script(Rule::new("*", login).always());
    world.start();
    world.wait_until("not ready", || {
        let told = reasons(&world);
        told.contains("a redirect to") && told.contains("/login") && told.contains("https://HOST/api/v3")
    });
    let (_, text, _) = world.command(&["check"]);
    assert!(text.contains("/login") && text.contains("correct GH_API_URL: the API's address, not"), "{text}");
}

#[test]
fn an_organisation_that_was_renamed_in_sentry_names_its_setting() {
    let mut world = World::new(Truth::Deliveries);
    world.set("GH_ORG", "acme");
    let body = r#"{"detail":{"code":"resource-moved","message":"Resource has been moved","extra":{"url":"/api/0/organizations/acme-inc/","slug":"acme-inc"}}}"#;
    let moved = Fault::Gateway { status: 302, content_type: "application/json", body };
    world.sentry.wire.script(Rule::new("*", moved).always());
    world.start();
    world.wait_until("not ready", || reasons(&world).contains("set SENTRY_ORG_SLUG to \\\"acme-inc\\\""));
}

/// In payload mode teams need no GitHub, and it is asked again until it has answered.
#[test]
fn payload_mode_goes_on_without_github_and_is_ready_once_it_answers() {
    let mut world = World::new(Truth::Deliveries);
    world.set("GH_ORG", "acme");
    world.start();
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    world.take_service().stop("-TERM");
    world.github.wire.script(Rule::new("*", Fault::HtmlPage).always());
    world.start();
    world.wait_until("not ready", || reasons(&world).contains("GitHub's API has not answered yet"));
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    assert!(world.sentry.teams().contains_key("crew") && !reasons(&world).is_empty());
    world.github.wire.clear_faults();
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
}
