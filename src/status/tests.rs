//! Tests that need no running service.

use super::*;
use crate::state::ids::{GithubTeamId, GithubUserId, Login};
use crate::state::record::Record;

#[test]
fn lists_end_and_numbers_are_whole() {
    let mut state = State::default();
    for n in 0..150_u64 {
        state.apply(Record::Wanted {
            team: GithubTeamId(1),
            user: GithubUserId(n),
            login: Login::from("zoe"),
            why: "no address is known from map".into(),
            at: Timestamp(1_000_000 - n),
        });
    }
    let status = Status::of_state(&state, &help::ALL, Timestamp::now());
    assert_eq!((status.wanted, status.unmatched.len()), (150, SHOWN));
    let first: Vec<_> = status.unmatched.iter().take(3).map(|person| person.id).collect();
    assert_eq!(first, [149, 148, 147], "whoever waits longest comes first");
    assert!(status.to_text(true).contains("… and 50 more\n"));
}
