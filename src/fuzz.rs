//! Feeds randomly damaged examples to everything that reads bytes from outside.
//!
//! No reader may panic, and its results must keep their rules. `SYNC_TEST_FUZZ` sets how many inputs each reader gets,
//! `SYNC_TEST_SEED` which ones. A failure prints the seed, the input's number, and the input.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;

use crate::clock::{self, Timestamp};
use crate::commands::Command;
use crate::config::lists::{self, List, Protected, TeamFilter};
use crate::config::secret::Secret;
use crate::config::values;
use crate::hosts::http::answer::{Answer, Headers};
use crate::hosts::http::asked::Asked;
use crate::hosts::http::verdict;
use crate::hosts::{github, sentry};
use crate::identity::mapgrammar;
use crate::intake::{form, signature};
use crate::service::gate::head;
use crate::state::event::{self, Meaning};
use crate::state::ids::{GithubSlug, GithubTeamId};
use crate::state::slug;
use crate::store::journal;
use crate::text;

/// The inputs for each reader, if `SYNC_TEST_FUZZ` isn't set.
const INPUTS: u64 = 3_000;
/// The longest damaged input, in bytes.
const LONGEST: usize = 64 << 10;

/// SplitMix64: the same numbers for the same seed.
pub(crate) struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// One reader of bytes from outside, with good examples.
struct Target {
    name: &'static str,
    read: fn(&[u8]),
    examples: Vec<Vec<u8>>,
}

/// Byte strings that parsers often fail on.
const TOKENS: &[&[u8]] = &[
    b"\0",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[[[[[[[[",
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\xff\xfe",
    "\u{202e}".as_bytes(),
    b"\r\n",
    b"\r\n\r\n",
    b"content-length: 5\r\n",
    b"transfer-encoding: chunked\r\n",
    b"%",
    b"%00",
    b"payload=",
    b"&",
    b"=",
    b",",
    b";",
    b"<",
    b">",
    b"rel=\"next\"",
    b"results=\"true\"",
    b"*",
    b"!",
    b"?",
    b"\"deleted\":true",
    b"\"id\":0",
    b"ent:",
    b"sha256=",
];

fn damaged(rng: &mut Rng, examples: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = examples[rng.below(examples.len())].clone();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        let end = (at + 1 + rng.below(40)).min(bytes.len());
        match rng.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            1 if at < bytes.len() => bytes[at] = rng.next() as u8,
            2 => bytes.truncate(at),
            3 if at < end => drop(bytes.drain(at..end)),
            4 if at < end => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again.repeat(1 + rng.below(30)));
            }
            5 => {
                let other = &examples[rng.below(examples.len())];
                let from = rng.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => drop(bytes.splice(at..at, TOKENS[rng.below(TOKENS.len())].iter().copied())),
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn payloads() -> Vec<Vec<u8>> {
    fn below(folder: &Path, found: &mut Vec<Vec<u8>>) {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            match path.is_dir() {
                true => below(&path, found),
                false if path.extension().is_some_and(|end| end == "json") => {
                    found.push(std::fs::read(&path).unwrap())
                }
                false => {}
            }
        }
    }
    let mut found = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads");
    ["api.github.com", "ghes-35"].iter().for_each(|site| below(&folder.join(site), &mut found));
    assert!(found.len() > 20, "{} payloads", found.len());
    found
}

fn texts(examples: &[&str]) -> Vec<Vec<u8>> {
    examples.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn targets() -> Vec<Target> {
    let payloads = payloads();
    let forms = payloads.iter().map(|body| {
        let encoded: String = body.iter().map(|byte| format!("%{byte:02X}")).collect();
        format!("payload={encoded}").into_bytes()
    });
    let target = |name, read, examples| Target { name, read, examples };
    vec![
        target("form", read_form, forms.collect()),
        target("event", read_event, payloads),
        target(
            "head",
            read_head,
            texts(&[
                "POST /github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n",
                "GET /healthz?x=1 HTTP/1.0\r\nConnection: keep-alive, close\r\nExpect: 100-continue\r\n\r\n",
            ]),
        ),
        target(
            "signature",
            read_signature,
            texts(&["sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"]),
        ),
        target("journal", journal::tests::read_anything, vec![journal::tests::an_example()]),
        target("sentry rows", sentry::read_anything, texts(sentry::EXAMPLES)),
        target("github rows", github::read_anything, texts(github::EXAMPLES)),
        target(
            "answer",
            read_answer,
            texts(&[
                "403\nretry-after: 5\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 1764000000\n\n{\"message\":\"secondary\"}",
                "429\nx-sentry-rate-limit-limit: 40\nx-sentry-rate-limit-reset: 9\ndate: Wed, 25 Nov 2026 12:00:00 GMT\n\n{\"detail\":\"slow\"}",
                "200\ncontent-type: application/json\nlink: <https://a/b?cursor=1:0:0>; rel=\"next\"; results=\"true\"\n\n[]",
                "409\ncontent-type: text/html\nlocation: https://x\n\n<html>{\"slug\":[\"in use\"]}",
            ]),
        ),
        target(
            "user map",
            read_user_map,
            texts(&["{\"ana\":\"ana@acme.test\",\"id:7\":\"b@c\"}", "login,email\nana,ana@acme.test\n\"id:7\",\"b@c\"\n"]),
        ),
        target("settings", read_settings, texts(&["*,!*-bots,pay?", "5%,2", "1h30m", "unix:/x", "https://a.b:1/c", "boss@a"])),
        target(
            "command",
            |bytes| drop(serde_json::from_slice::<Command>(bytes)),
            texts(&[
                "{\"command\":\"status\",\"json\":true}",
                "{\"command\":\"sync\",\"json\":false,\"teams\":[],\"apply\":true,\"kept\":{\"a\":[1]},\"save\":false}",
            ]),
        ),
        target("shown text", read_shown_text, texts(&["a name", "<b>\u{202e}x\u{7}\u{1b}[31m", "zoe@acme.example"])),
    ]
}

fn read_form(bytes: &[u8]) {
    if let Ok(body) = form::payload(bytes) {
        assert!(body.len() <= bytes.len());
    }
}

fn read_event(bytes: &[u8]) {
    for name in ["team", "membership", "organization", "ping", "push"] {
        if let Ok(parsed) = event::parse(name, bytes) {
            if let Meaning::Change(change) = parsed.meaning {
                assert!(parsed.org.is_some(), "a change without an organisation");
                assert!(change.team().is_none_or(|team| team.id.0 != 0), "a team without an id");
            }
        }
    }
}

fn read_head(bytes: &[u8]) {
    let _ = head::may_begin(bytes);
    let Some(end) = head::end_of_head(bytes, 0) else { return };
    if let Ok(head) = head::parse(&bytes[..end]) {
        assert!(head.length <= head::BODY_LIMIT && head.target.starts_with('/'));
        // HTTP allows a tab within a value.
        let clean = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\t');
        assert!(clean(&head.target) && head.headers.iter().all(|(name, value)| clean(name) && clean(value)));
    }
}

fn read_signature(bytes: &[u8]) {
    let secret = [Secret::new("not the one")];
    assert_eq!(signature::signed_by(&secret, &String::from_utf8_lossy(bytes), b"Hello, World!"), None);
}

fn read_answer(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.parse().ok()).unwrap_or(200);
    let headers = Headers::pick(lines.filter_map(|line| line.split_once(": ")));
    let now = Timestamp::from_secs(1_764_000_000);
    let _ = (headers.told(), headers.until_reset(now));
    let answer = Answer { status, headers, body: body.as_bytes().to_vec() };
    for asked in [
        Asked::Github,
        Asked::Graphql,
        Asked::App,
        Asked::Sentry,
        Asked::Groups,
        Asked::CreateTeam,
        Asked::UpdateTeam,
        Asked::DeleteTeam,
        Asked::AddMember,
        Asked::RemoveMember,
        Asked::Invite,
    ] {
        let _ = verdict::judge(asked, &answer, asked.token(), now);
    }
}

fn read_user_map(bytes: &[u8]) {
    if let Ok(map) = mapgrammar::parse(&String::from_utf8_lossy(bytes)) {
        let again = mapgrammar::parse(&map.to_json()).expect("what it writes, it reads");
        assert_eq!(again.fingerprint(), map.fingerprint());
    }
}

fn read_settings(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(filter) = List::of(&text).and_then(|list| TeamFilter::read(&list)) {
        let _ = filter.matches(&GithubSlug::from(text.as_ref()));
    }
    let _ = (
        values::or_off(&text, values::listen).is_ok(),
        values::base_url(&text).is_ok(),
        values::limit(&text).is_ok(),
    );
    let _ = (
        values::or_off(&text, values::duration).is_ok(),
        List::of(&text).and_then(|list| lists::sources(&list)).is_ok(),
        List::of(&text).and_then(|list| Protected::read(&list)).is_ok(),
        values::slug_prefix(&text).is_ok(),
    );
    let _ = (Timestamp::parse(&text), clock::parse_http_date(&text), values::host_of(&text));
    let fits = slug::for_team(&GithubSlug::from(text.as_ref()), GithubTeamId(7), "");
    assert!(slug::fits(fits.as_str()), "{fits}");
}

fn read_shown_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for shown in [text::plain(&text, 60), text::Quoted(&text).to_string(), text::mask(&text)] {
        assert!(
            !shown.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)),
            "{shown:?}"
        );
    }
    assert!(text::path_part(&text).bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#".contains(&byte)));
}

#[test]
fn nothing_from_outside_makes_a_reader_panic() {
    let (inputs, seed) = (number("SYNC_TEST_FUZZ", INPUTS), number("SYNC_TEST_SEED", 7));
    for Target { name, read, examples } in targets() {
        examples.iter().for_each(|example| read(example));
        let mut rng = Rng(seed);
        for n in 0..inputs {
            let input = damaged(&mut rng, &examples);
            if catch_unwind(AssertUnwindSafe(|| read(&input))).is_err() {
                panic!(
                    "`{name}` panicked on input {n} of seed {seed}: {:?}",
                    String::from_utf8_lossy(&input)
                );
            }
        }
    }
}
