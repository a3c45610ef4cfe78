//! Damaged requests over the wire: each is answered or closed, none is carried out that was not signed so, and the service
//! lives. `SYNC_TEST_FUZZ` says how many, `SYNC_TEST_SEED` which.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::raw;
use crate::standin::rng::Rng;
use crate::world::{number, Truth, World, PATIENCE};

/// What often hurts.
const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\0",
    b"\xff",
    b" ",
    b":",
    b"Content-Length: 5\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"0\r\n\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"X-Gate: admin\r\n",
    b"GET /healthz HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.0\r\n",
    b"%",
    b"sha256=",
];

fn damaged(rng: &mut Rng, whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=rng.below(3) {
        // Most of it in the head, where the structure is.
        let limit = if rng.percent(80.0) { bytes.len().min(700) } else { bytes.len() };
        let at = rng.below(limit as u64 + 1) as usize;
        let end = (at + 1 + rng.below(30) as usize).min(bytes.len());
        match rng.below(6) {
            0 if at < bytes.len() => bytes[at] = rng.next() as u8,
            1 if at < end => drop(bytes.drain(at..end)),
            2 => bytes.truncate(at),
            3 if at < end => {
                let again = bytes[at..end].repeat(1 + rng.below(20) as usize);
                drop(bytes.splice(at..at, again));
            }
            _ => drop(bytes.splice(at..at, TOKENS[rng.below(TOKENS.len() as u64) as usize].iter().copied())),
        }
    }
    bytes
}

#[test]
fn damaged_requests_over_the_wire_are_answered_or_closed_and_nothing_else() {
    let (inputs, seed) = (number("SYNC_TEST_FUZZ", 3_000).min(200_000), number("SYNC_TEST_SEED", 7));
    let mut world = World::new(Truth::Deliveries);
    world.set("RUST_LOG", "warn,sentry_team_sync=info");
    world.start();
    let ana = world.person("ana");
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let added = world.github.add_member(crew, ana).remove(0);
    // A signature that fits nothing: whatever is damaged, none of it is to be carried out.
    let forged = added.clone().tampered();
    let examples = [raw::delivery(&forged, ""), raw::delivery(&forged.form(), "")];
    let address = world.service().url.strip_prefix("http://").unwrap().to_string();
    let mut rng = Rng::new(seed);
    for n in 0..inputs {
        let input = damaged(&mut rng, &examples[n as usize % 2]);
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be refused before it is whole.
        let _ = stream.write_all(&input);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let context = || format!("input {n} of seed {seed}: {:?}", String::from_utf8_lossy(&input));
        assert!(!read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{}", context());
        let text = String::from_utf8_lossy(&answer);
        for status in text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")) {
            let status = status.split(' ').next().unwrap();
            let known = ["100", "200", "400", "401", "404", "405", "408", "411", "413", "415", "417", "431"];
            assert!(known.contains(&status), "{status} for {}", context());
        }
    }
    assert!(world.service_mut().is_alive());
    assert!(!world.service().text().contains("internal error"), "{}", world.service().text());
    world.wait_for_rest();
    assert_eq!(world.members("crew"), Some(vec![]), "nothing of it was carried out");
    world.settle(&[added]);
    world.wait_for_members("crew", &["ana"]);
}
