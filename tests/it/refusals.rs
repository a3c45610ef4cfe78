//! What is refused: status, sentence and fix of each refusal, the order of the checks, and that nothing comes of it.
//! An organisation's owner reads these bodies in GitHub's list of deliveries.

use serde_json::{json, Value};

use crate::raw;
use crate::standin::client::ask;
use crate::standin::{Delivery, Sender};
use crate::world::{Truth, World, SECRET};

const UNSIGNED: (&str, &str) = (
    "the signature in X-Hub-Signature-256 is missing or wrong",
    "enter the value of GH_WEBHOOK_TOKEN as the Secret in the webhook's settings",
);
const CONTENT_TYPE: (&str, &str) = (
    "the content type is neither application/json nor application/x-www-form-urlencoded",
    "choose application/json in the webhook's settings",
);
const PROXY: &str = "let GitHub send the delivery itself; a proxy must hand on all X-GitHub headers";
const ITSELF: &str = "send deliveries from GitHub, with content type application/json";

/// A running service, and a delivery that it would take.
fn world_with_delivery() -> (World, Delivery) {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let (_, mut created) = world.github.create_team("Crew", world.olive);
    (world, created.remove(0))
}

/// The same with another body, signed anew.
fn with_body(delivery: &Delivery, body: &[u8]) -> Delivery {
    let mut changed = delivery.clone();
    changed.body = body.to_vec();
    changed
}

/// The same under the name of another event.
fn named(delivery: &Delivery, event: &str) -> Delivery {
    let mut changed = delivery.clone();
    changed.event = event.into();
    changed
}

fn refused((error, fix): (&str, &str)) -> Value {
    json!({ "status": "refused", "error": error, "fix": fix })
}

/// Nothing came of all that was refused: neither a record nor a call about a team.
fn assert_untouched(world: &World) {
    let status = world.status();
    assert_eq!((&status["queued"], &status["failed"], &status["recent"]), (&json!(0), &json!(0), &json!([])));
    assert!(world.sentry.teams().is_empty());
}

#[test]
fn a_missing_and_a_wrong_signature_are_refused_in_the_same_words() {
    let (world, delivery) = world_with_delivery();
    let good = delivery.wire(SECRET).0.into_iter().find(|(name, _)| name == "X-Hub-Signature-256").unwrap().1;
    let mut close = good.clone();
    close.replace_range(70.., if good.ends_with('0') { "1" } else { "0" });
    let mut answers = Vec::new();
    for delivery in [
        delivery.clone().without("X-Hub-Signature-256"),
        delivery.clone().without("X-Hub-Signature-256").without("X-Hub-Signature"),
        delivery.clone().tampered(),
        delivery.clone().form().tampered(),
        delivery.clone().signed_as(&close),
        delivery.clone().signed_as(""),
        delivery.clone().signed_as("sha256="),
        delivery.clone().signed_as(&good["sha256=".len()..]),
        delivery.clone().signed_as(&good.replace("sha256", "sha512")),
        delivery.clone().signed_as(&format!("{good}00")),
        // The signature is over the form as it is sent, not over the JSON within.
        delivery.clone().form().signed_as(&good),
    ] {
        let answer = world.sender().send(&delivery).unwrap();
        answers.push((answer.status, answer.headers, String::from_utf8(answer.body).unwrap()));
    }
    let other =
        Sender::new(&format!("{}/github", world.service().url), "another secret").send(&delivery).unwrap();
    answers.push((other.status, other.headers, String::from_utf8(other.body).unwrap()));
    let no_secret = Sender::new(&format!("{}/github", world.service().url), "").send(&delivery).unwrap();
    answers.push((no_secret.status, no_secret.headers, String::from_utf8(no_secret.body).unwrap()));
    let without_date = |headers: &[(String, String)]| -> Vec<_> {
        headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("date")).cloned().collect()
    };
    for (status, headers, body) in &answers {
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), refused(UNSIGNED));
        assert_eq!(*status, 401);
        assert_eq!(without_date(headers), without_date(&answers[0].1), "no hint in the headers either");
    }
    assert_untouched(&world);
    assert_eq!(world.ask(&delivery).0, 202, "the same with its signature is taken");
}

#[test]
fn every_content_type_but_githubs_two_is_refused() {
    let (world, delivery) = world_with_delivery();
    for bad in ["text/plain", "application/jsonp", "multipart/form-data; boundary=x", "application/xml", ""] {
        let delivery = delivery.clone().with_header("Content-Type", bad);
        assert_eq!(world.ask(&delivery), (415, refused(CONTENT_TYPE)), "{bad:?}");
    }
    assert_eq!(world.ask(&delivery.clone().without("Content-Type")), (415, refused(CONTENT_TYPE)));
    assert_untouched(&world);
    let parameters = delivery.with_header("Content-Type", "Application/JSON; charset=utf-8");
    assert_eq!(world.ask(&parameters).0, 202);
}

#[test]
fn fault_502_on_a_missing_header() {
    let (world, delivery) = world_with_delivery();
    for header in ["X-GitHub-Event", "X-GitHub-Delivery"] {
        let error = format!("the header {header} is missing");
        for delivery in [delivery.clone().without(header), delivery.clone().form().with_header(header, "")] {
            assert_eq!(world.ask(&delivery), (400, refused((&error, PROXY))));
        }
    }
    for (header, value, error) in [
        ("X-GitHub-Delivery", "no guid/../", "the header X-GitHub-Delivery is not a GUID"),
        ("X-GitHub-Delivery", &"0".repeat(65), "the header X-GitHub-Delivery is not a GUID"),
        ("X-GitHub-Hook-ID", "-1", "the header X-GitHub-Hook-ID is not a number"),
        ("X-GitHub-Hook-ID", "hook", "the header X-GitHub-Hook-ID is not a number"),
    ] {
        assert_eq!(world.ask(&delivery.clone().with_header(header, value)), (400, refused((error, PROXY))));
    }
    assert_untouched(&world);
    let tolerated = delivery
        .without("X-GitHub-Hook-ID")
        .without("X-GitHub-Hook-Installation-Target-ID")
        .without("X-GitHub-Hook-Installation-Target-Type")
        .without("User-Agent")
        .without("X-Hub-Signature");
    assert_eq!(world.ask(&tolerated).0, 202);
}

#[test]
fn malformed_bodies_are_refused_with_what_is_wrong() {
    let (world, delivery) = world_with_delivery();
    for (body, error) in [
        (&b""[..], "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"null", "the body is not an event of GitHub"),
        (b"[]", "the body is not an event of GitHub"),
        (b"{\"action\":\"created\",\"team\":{\"id\":1,\"name\":\"\xff\"}}", "the body is not JSON"),
        (&[b'['; 100_000], "the body is not an event of GitHub"),
        (b"{\"action\":\"created\"}", "has no `team`"),
        (b"{\"action\":\"created\",\"team\":{\"id\":1,\"name\":\"a\"}}", "has no `organization`"),
        (
            b"{\"action\":\"created\",\"team\":{\"id\":-1,\"name\":\"a\"}}",
            "not an event of GitHub: invalid value",
        ),
        (b"{\"action\":\"created\",\"team\":{\"id\":1}}", "not an event of GitHub: missing field `name`"),
    ] {
        let (status, answer) = world.ask(&with_body(&delivery, body));
        let said = answer["error"].as_str().unwrap_or_default();
        assert!(said.contains(error), "{answer} for {}", String::from_utf8_lossy(body));
        assert_eq!((status, &answer["fix"]), (400, &json!(ITSELF)));
    }
    // A form whose media type is claimed, and whose body is none: JSON, another field, the field twice, bad digits.
    for (body, error) in [
        (&delivery.body[..], "the form has no field `payload`"),
        (b"json=%7B%7D", "the form has no field `payload`"),
        (b"payload=%7B%7D&payload=%7B%7D", "the form has the field `payload` twice"),
        (b"payload=%7", "the form has a % without two hex digits behind it"),
        (b"payload=", "the body is not JSON"),
        (b"payload=%FF", "the body is not JSON"),
    ] {
        let form =
            with_body(&delivery, body).with_header("Content-Type", "application/x-www-form-urlencoded");
        let (status, answer) = world.ask(&form);
        assert!(answer["error"].as_str().unwrap_or_default().contains(error), "{answer}");
        assert_eq!((status, &answer["fix"]), (400, &json!(ITSELF)));
    }
    assert_untouched(&world);
}

#[test]
fn fault_no_look_at_the_event_name() {
    let (world, created) = world_with_delivery();
    let ana = world.person("ana");
    let crew = world.github.team_id("crew").unwrap();
    let added = world.github.add_member(crew, ana).remove(0);
    let deleted = world.github.delete_team(crew).remove(0);
    let left = world.github.remove_from_org(ana).remove(0);
    let renamed = world.github.rename_org("acme-2").remove(0);
    // A deleted team told as an organisation's event would stop the whole mirror.
    for (delivery, name) in [
        (&deleted, "organization"),
        (&created, "organization"),
        (&added, "organization"),
        (&added, "team"),
        (&left, "team"),
        (&created, "membership"),
        (&deleted, "membership"),
        (&left, "membership"),
        (&renamed, "membership"),
        (&renamed, "ping"),
        (&deleted, "ping"),
    ] {
        let error = format!("the body is not that of a `{name}` event, which X-GitHub-Event names");
        let delivery = named(delivery, name);
        assert_eq!(world.ask(&delivery), (400, refused((&error, ITSELF))), "{:?}", delivery.payload());
        assert_eq!(world.ask(&delivery.form()).0, 400);
    }
    assert_untouched(&world);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let (world, delivery) = world_with_delivery();
    let json_of =
        |answer: crate::standin::http::Response| serde_json::from_slice::<Value>(&answer.body).unwrap();
    for path in ["/other", "/github/", "/GITHUB", "//github", "/status.json", "/metrics", "/readyz"] {
        let answer = Sender::new(&format!("{}{path}", world.service().url), SECRET).send(&delivery).unwrap();
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(
            json_of(answer),
            refused(("there is nothing at this path", "set the payload URL's path to /github"))
        );
    }
    for path in ["/", "/github", "/webhook"] {
        for method in ["GET", "HEAD"] {
            let answer = ask(&format!("{}{path}", world.service().url), method, &[], b"").unwrap();
            assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method} {path}");
            if method == "GET" {
                let expected = ("only POST is accepted here", "point GitHub's webhook at this address");
                assert_eq!(json_of(answer), refused(expected));
            }
        }
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "BREW"] {
        let answer = ask(&format!("{}/github", world.service().url), method, &[], b"").unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, POST")), "{method}");
        assert_has_sentence_and_fix(&json_of(answer));
    }
    let answer = ask(&format!("{}/healthz", world.service().url), "POST", &[], b"").unwrap();
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    assert_has_sentence_and_fix(&json_of(answer));
    assert_untouched(&world);
}

fn assert_has_sentence_and_fix(body: &Value) {
    let filled = |name: &str| body[name].as_str().is_some_and(|text| text.len() > 10);
    assert!(body["status"] == "refused" && filled("error") && filled("fix"), "{body}");
}

#[test]
fn nothing_on_the_admin_listener_can_be_sent_to() {
    let (world, delivery) = world_with_delivery();
    let admin = &world.service().admin;
    for path in ["/", "/github", "/webhook", "/healthz", "/readyz", "/status.json", "/metrics", "/approve"] {
        let answer = Sender::new(&format!("{admin}{path}"), SECRET).send(&delivery).unwrap();
        assert_eq!(answer.status, 405, "{path}");
        assert_has_sentence_and_fix(&serde_json::from_slice(&answer.body).unwrap());
    }
    // A page elsewhere could have a browser ask under a name of its own.
    for path in ["/", "/status.json", "/metrics"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n");
        let answer = raw::ask(admin, request).unwrap();
        assert_eq!(answer.status, 403, "{path}");
        assert_has_sentence_and_fix(&serde_json::from_str(&answer.body).unwrap());
    }
    assert_untouched(&world);
}

#[test]
fn names_are_shown_on_this_machine_only() {
    let mut world = World::new(Truth::Deliveries);
    world.set("SYNC_ADMIN_LISTEN", "0.0.0.0:0");
    world.start();
    let statuses = ["/", "/status.json", "/metrics", "/healthz"].map(|path| world.get_admin(path).0);
    assert_eq!(statuses, [403, 403, 200, 200]);
    let body: Value = serde_json::from_str(&world.get_admin("/status.json").1).unwrap();
    let fix = "run `sentry-team-sync status`";
    assert_eq!(body, refused(("names are only shown on this machine", fix)));
}

#[test]
fn the_gate_can_not_be_named_from_outside() {
    let (world, _) = world_with_delivery();
    for path in ["/status.json", "/metrics", "/readyz"] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Gate: admin\r\nx-gate: admin\r\n\r\n");
        assert_eq!(raw::ask(&world.service().url, request).unwrap().status, 404, "{path}");
    }
}

/// Two faults in one request: the earlier check is the one that is named.
#[test]
fn the_checks_come_in_one_order() {
    let (world, delivery) = world_with_delivery();
    let status_of = |method: &str, headers: &[(&str, &str)], length: usize| {
        let mut head =
            format!("{method} /github HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n");
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        raw::ask(&world.service().url, format!("{head}\r\n")).unwrap().status
    };
    let (plain, huge) = (("Content-Type", "text/plain"), 30_000_000_000);
    assert_eq!(status_of("PUT", &[plain], huge), 405, "method before size");
    assert_eq!(status_of("GET", &[plain], 0), 405, "method before content type and signature");
    assert_eq!(status_of("POST", &[plain], huge), 413, "size before content type and signature");
    let unsigned = delivery.clone().without("X-Hub-Signature-256");
    let bad_type = unsigned.clone().with_header("Content-Type", "text/plain");
    assert_eq!(world.ask(&bad_type), (415, refused(CONTENT_TYPE)), "content type before signature");
    let bare = unsigned.without("X-GitHub-Event").without("X-GitHub-Delivery");
    assert_eq!(world.ask(&bare), (401, refused(UNSIGNED)), "signature before the other headers");
    let empty = with_body(&delivery, b"{");
    assert_eq!(world.ask(&empty.clone().tampered()), (401, refused(UNSIGNED)), "signature before body");
    let error = "the header X-GitHub-Event is missing";
    assert_eq!(
        world.ask(&empty.without("X-GitHub-Event")),
        (400, refused((error, PROXY))),
        "headers before body"
    );
    let mut other = delivery.with_payload(|payload| {
        payload["organization"]["id"] = json!(1);
        payload["organization"]["login"] = json!("other");
    });
    world.wait_until("an organisation is pinned", || !world.status()["github_org"].is_null());
    assert_eq!(world.ask(&other).0, 403);
    other.event = "membership".into();
    assert_eq!(world.ask(&other).0, 400, "body before organisation");
    assert_eq!(world.ask(&other.tampered()).0, 401, "signature before organisation");
    assert_untouched(&world);
}
