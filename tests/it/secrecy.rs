//! No secret reaches a log, an answer, a page or a file, whatever goes wrong around it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::raw;
use crate::standin::encode::{base64, form_encode, path_encode};
use crate::standin::{Fault, Rule, Sender};
use crate::world::{written, Secrets, TempDir, Truth, World, BOTH, SECRET};

/// One that looks different in every form.
const ODD: &str = "a secret of the tests, with ünicode";

/// All that lies below a folder, by path.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if path.is_file() {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found
}

#[test]
fn secrets_never_appear() {
    for truth in [Truth::Deliveries, Truth::Github] {
        let mut world = World::new(truth);
        world.set("RUST_LOG", "trace");
        world.set("GH_WEBHOOK_TOKEN_PREVIOUS", ODD);
        let (ana, ben) = (world.person("ana"), world.github_only("ben"));
        world.start();
        let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.send(&created);
        world.send(&world.github.add_member(crew, ana));
        world.send(&world.github.add_member(crew, ben));
        world.wait_for_rest();
        // Refusals of every kind, some of which carry a secret where it does not belong.
        let url = world.service().url.clone();
        let delivery = world.github.rename_team(crew, "Night Crew").remove(0);
        for bad in [
            delivery.clone().tampered(),
            delivery.clone().signed_as(SECRET),
            delivery.clone().without("X-GitHub-Event"),
            delivery.clone().with_header("Content-Type", "text/plain"),
        ] {
            seen.push(("answer".into(), world.sender().send(&bad).unwrap().body));
        }
        let wrong = Sender::new(&format!("{url}/github"), "another secret").send(&delivery).unwrap();
        seen.push(("answer".into(), wrong.body));
        let hostile = format!("GET /{}\r\n\r\n", "x".repeat(50));
        seen.push(("answer".into(), raw::ask(&url, hostile).unwrap().body.into_bytes()));
        // Both sides say no, break off, and forget the tokens.
        for wire in [&world.sentry.wire, &world.github.wire] {
            wire.script(Rule::new("*", Fault::Status(500)));
            wire.script(Rule::new("*", Fault::Cut));
        }
        world.send(&[delivery]);
        world.wait_for_rest();
        world.sentry.revoke(&world.sentry_token);
        world.github.revoke(&world.github_token);
        world.send(&world.github.remove_member(crew, ana));
        world.wait_until("a token is refused", || world.get_admin("/readyz").0 == 503);
        let (_, page) = world.get_admin("/");
        assert!(
            page.contains("b…@acme.test") && !page.contains("ben@acme.test"),
            "addresses are masked:\n{page}"
        );
        let (_, metrics) = world.get_admin("/metrics");
        assert!(!["crew", "ana", "ben"].iter().any(|name| metrics.contains(name)), "no names:\n{metrics}");
        for path in ["/", "/status.json", "/metrics", "/readyz", "/healthz", "/nowhere"] {
            seen.push((path.into(), world.get_admin(path).1.into_bytes()));
        }
        let (_, out, err) = world.command(&["status", "--json"]);
        seen.push(("status".into(), (out + &err).into_bytes()));
        let service = world.take_service();
        let log = service.log.clone();
        assert_eq!(service.stop("-TERM").0, Some(0));
        let log = log.lock().unwrap().join("\n");
        assert!(log.contains("trace ") || log.contains("debug "), "the log is as talkative as it can be");
        seen.push(("log".into(), log.into_bytes()));
        seen.extend(contents(&world.dir.0));
        assert!(seen.iter().any(|(place, _)| place.contains("/journal/")));
        assert!(seen.iter().any(|(place, _)| place.contains("/audit/")));
        let secrets = [&world.github_token, &world.sentry_token, SECRET, ODD];
        for (place, bytes) in seen {
            let text = String::from_utf8_lossy(&bytes);
            for secret in secrets {
                assert!(!text.contains(secret), "a secret in {place}:\n{text}");
                // Nor in a form that is as good as itself.
                assert!(!text.contains(&hex::encode(secret)), "a secret in hex in {place}");
            }
        }
    }
}

/// Each world looks for its own secrets at its end, in this way: so it has to find them.
#[test]
fn every_form_of_a_secret_is_found_wherever_it_stands() {
    let dir = TempDir::new("secrets");
    let held = dir.0.join("held");
    fs::write(&held, "of a file\n").unwrap();
    let pairs =
        [("GH_WEBHOOK_TOKEN", ODD), ("SENTRY_TOKEN_FILE", held.to_str().unwrap()), ("OTHER", "no secret")];
    let env: BTreeMap<_, _> =
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let mut secrets = Secrets::default();
    secrets.learn(&env);
    let as_bearer = base64(format!("Bearer {ODD} and more").as_bytes());
    for form in [
        ODD.to_string(),
        format!("{ODD:?}"),
        serde_json::json!({ "x": ODD }).to_string(),
        "a secret of the tests, with \\u00fcnicode".into(),
        form_encode(ODD),
        path_encode(ODD),
        hex::encode(ODD),
        as_bearer,
        "a line of a file here".into(),
    ] {
        let found = secrets.found_in(format!("before {form} after").as_bytes());
        assert!(found.is_some_and(|found| found.contains("…before ")), "{form}");
    }
    assert_eq!(secrets.found_in(b"no secret, a secret of the tests"), None);
    assert_eq!(secrets.found_below(&dir.0), None, "the file that holds it on purpose is left out");
    fs::create_dir(dir.0.join("deep")).unwrap();
    fs::write(dir.0.join("deep/other"), "of a file").unwrap();
    assert!(secrets.found_below(&dir.0).is_some_and(|found| found.contains("deep/other: a secret")));
}

/// Each world looks at its end whether GitHub was written to; here it is shown that it would see it.
#[test]
fn every_world_ends_without_a_write_to_github() {
    for truth in BOTH {
        let (world, crew) = World::new(truth).with_crew();
        let ana = world.person("ana");
        world.settle(&world.github.add_member(crew, ana));
        world.settle(&world.github.rename_team(crew, "Deck"));
        world.settle(&world.github.delete_team(crew));
        let calls = world.github.wire.calls();
        assert_eq!((written(&calls), calls.is_empty()), (Vec::new(), false));
        let mut write = calls[0].clone();
        (write.method, write.route) = ("DELETE".into(), "DELETE /teams/{id}".into());
        assert_eq!(written(&[write]).len(), 1);
    }
}
