//! The configuration alone, as before a restart with a new version.

use std::fs;

use super::healthy;
use crate::world::get;

#[test]
fn the_offline_check_asks_nobody_and_tells_whether_this_version_would_start() {
    let (mut world, _) = healthy().with_crew();
    world.wait_for_rest();
    let marks = (world.github.wire.mark(), world.sentry.wire.mark());
    let (code, said, talk) = world.alone(&["check", "--offline"]);
    assert_eq!((code, talk.as_str()), (0, ""), "{said}");
    assert!(said.contains("this command checked the settings only"), "{said}");
    assert!(!said.contains(" github ") && !said.contains(" state "), "{said}");
    // The running service may be of another version: it is not asked, whatever it thinks of its own settings.
    world.set("SYNC_PROTECT", "<boss@acme.test>");
    world.set("SYNC_WORKERS", "many");
    let (code, said, _) = world.alone(&["check", "--offline"]);
    assert!(code == 64 && said.contains("SYNC_PROTECT has") && said.contains("SYNC_WORKERS is"), "{said}");
    world.env.remove("SYNC_PROTECT");
    world.env.remove("SYNC_WORKERS");
    let map = world.dir.0.join("map.csv");
    fs::write(&map, "ana,<ana@acme.test>\n").unwrap();
    world.set("SYNC_USER_MAP", map.to_str().unwrap());
    let (code, said, _) = world.alone(&["check", "--offline"]);
    assert!(
        code == 1 && said.contains("line 1 gives \"ana\""),
        "a bad map keeps no service from starting: {said}"
    );
    assert_eq!((world.github.wire.mark(), world.sentry.wire.mark()), marks);
    assert!(!world.service().text().contains("control: check"));
    assert_eq!(world.alone(&["check", "--offline", "--url", "https://x.example"]).0, 64);
    assert_eq!(get(&format!("{}/healthz", world.service().admin)).0, 200);
}
