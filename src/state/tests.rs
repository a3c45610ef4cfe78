use super::holds::{HeldChange, Hold};
use super::values::*;
use super::*;
use crate::state::event::{Change, Person, TeamRef};
use crate::state::ids::*;

fn team(id: u64) -> TeamRef {
    TeamRef { id: GithubTeamId(id), name: "T".into(), slug: Some(GithubSlug::from("t")), parent: None }
}

fn person(id: u64) -> Person {
    Person { id: GithubUserId(id), login: Login::from("p"), bot: false }
}

fn delivery(seq: u64, event: Event) -> Delivery {
    Delivery {
        seq: Seq(seq),
        at: Timestamp(1000 + seq),
        hook: HookId(1),
        guid: format!("g{seq}").into(),
        event,
    }
}

fn membership(team_id: u64, person_id: u64, change: Change) -> Event {
    Event::Membership { team: team(team_id), person: Some(person(person_id)), change }
}

fn fold(records: impl IntoIterator<Item = Record>) -> State {
    let mut state = State::new(Timestamp(7));
    records.into_iter().for_each(|record| state.apply(record));
    state
}

/// A state with something in every field.
pub(crate) fn full() -> State {
    let binding = |n: u64| Binding {
        sentry: SentryTeamId(n),
        slug: SentrySlug::from(format!("s{n}")),
        name: "S".into(),
        origin: Origin::Adopted,
    };
    let found =
        Match { member: MemberId(4), login: Login::from("p"), source: Source::Public, at: Timestamp(9) };
    let change =
        HeldChange::Delete { team: GithubTeamId(2), sentry: SentryTeamId(2), slug: SentrySlug::from("s2") };
    let hold = Hold::new(vec![change], "r".into(), Timestamp(5), vec![delivery(3, Event::OrgDeleted).key()]);
    let over = |n: u64| {
        let change = HeldChange::Create { team: GithubTeamId(n), slug: SentrySlug::from("over") };
        Hold::new(vec![change], "r".into(), Timestamp(5), Vec::new())
    };
    let intent = Intent::Creating { slug: SentrySlug::from("new"), name: "New".into() };
    let restoring = Intent::Restoring {
        sentry: SentryTeamId(3),
        slug: SentrySlug::from("back"),
        name: "Back".into(),
        shown: true,
    };
    let settled = |seq, how| Record::Settled {
        seqs: vec![Seq(seq)],
        how,
        note: "n".into(),
        hold: None,
        at: Timestamp(2),
    };
    fold([
        Record::Org { id: GithubOrgId(1), login: Login::from("acme"), deleted: false },
        Record::Mode { mode: Mode::Read, fingerprint: "f".into(), by: None },
        Record::Paused { reason: "r".into(), at: Timestamp(3) },
        Record::Received(delivery(1, membership(1, 5, Change::Added))),
        Record::Received(delivery(2, Event::TeamCreated { team: team(2) })),
        Record::Received(delivery(3, Event::TeamDeleted { team: team(2) })),
        Record::Received(delivery(4, membership(1, 6, Change::Removed))),
        Record::Received(delivery(6, Event::MemberRemoved { person: None })),
        Record::Received(delivery(5, membership(3, 6, Change::Added))),
        settled(1, Settled::Done),
        settled(2, Settled::Superseded),
        settled(3, Settled::Held),
        Record::Failed { seq: Seq(4), why: "w".into(), at: Timestamp(3) },
        Record::Bound { team: GithubTeamId(1), binding: binding(1) },
        Record::Bound { team: GithubTeamId(2), binding: binding(2) },
        Record::Gone {
            team: GithubTeamId(3),
            fate: Fate::Deleted,
            apart: false,
            was: None,
            at: Timestamp(8),
        },
        Record::Fill { team: GithubTeamId(1), open: true },
        Record::Intends { team: GithubTeamId(4), intent, at: Timestamp(8) },
        Record::Linked { team: GithubTeamId(1), row: ExternalTeamId(3), name: OwnerName::from("@acme/crew") },
        Record::Linked { team: GithubTeamId(1), row: ExternalTeamId(4), name: OwnerName::from("@acme/old") },
        Record::Linked { team: GithubTeamId(2), row: ExternalTeamId(4), name: OwnerName::from("@acme/deck") },
        Record::Restored { deleted: SentryTeamId(3), now: SentryTeamId(7) },
        Record::Intends { team: GithubTeamId(3), intent: restoring, at: Timestamp(9) },
        Record::Matched { user: GithubUserId(5), found },
        Record::Wanted {
            team: GithubTeamId(1),
            user: GithubUserId(6),
            login: Login::from("p"),
            why: "w".into(),
            at: Timestamp(3),
        },
        Record::Looked { team: GithubTeamId(5), seq: Seq(2), people: vec![GithubUserId(9), GithubUserId(8)] },
        Record::Read { sizes: Sizes { teams: 1, people: 2, memberships: 2 }, at: Timestamp(6) },
        Record::Rules {
            rules: Rules {
                remove: "left".into(),
                trust: "primary".into(),
                teams: "*".into(),
                children: "direct".into(),
                identity: "map".into(),
                links: "link".into(),
            },
        },
        Record::TeamIds {
            place: SentryPlace { host: "https://sentry.io".into(), org: "acme".into() },
            taken: true,
            at: Timestamp(7),
        },
        Record::Unmatched { user: GithubUserId(77) },
        Record::Invited { user: GithubUserId(78), at: Timestamp(4) },
        Record::Held { hold: hold.clone() },
        Record::Decided { name: hold.name, approved: true, at: Timestamp(4) },
        Record::Held { hold: over(8) },
        Record::Decided { name: over(8).name, approved: false, at: Timestamp(5) },
        Record::Released { name: over(8).name },
        Record::Held { hold: over(9) },
        Record::Released { name: over(9).name },
    ])
}

/// What a snapshot of this state contains.
fn records_of(state: &State) -> Vec<Record> {
    let mut records = Vec::new();
    state
        .each_record(&mut |record| {
            let text = serde_json::to_string(&record)?;
            records.push(serde_json::from_str(&text)?);
            Ok(())
        })
        .unwrap();
    records
}

#[test]
fn a_snapshot_folds_to_the_same_state() {
    let state = full();
    assert_eq!(fold(records_of(&state)), state);
}

#[test]
fn whoever_was_matched_or_invited_has_a_past_even_when_matched_again() {
    let user = GithubUserId(5);
    let found =
        Match { member: MemberId(1), login: Login::from("octo"), source: Source::Map, at: Timestamp(1) };
    assert!(!State::default().people.has_a_past(user));
    let matched = Record::Matched { user, found };
    for records in [
        vec![matched.clone()],
        vec![matched.clone(), Record::Unmatched { user }],
        vec![Record::Unmatched { user }, matched],
        vec![Record::Invited { user, at: Timestamp(9) }],
    ] {
        assert!(fold(records).people.has_a_past(user));
    }
    let invited = fold([Record::Invited { user, at: Timestamp(9) }]);
    assert_eq!(
        (invited.people.invited_since(Timestamp(9)), invited.people.invited_since(Timestamp(10))),
        (1, 0)
    );
}

#[test]
fn applying_is_total() {
    let mut state = State::default();
    for record in [
        Record::Settled {
            seqs: vec![Seq(9)],
            how: Settled::Done,
            note: "".into(),
            hold: None,
            at: Timestamp(1),
        },
        Record::Fill { team: GithubTeamId(9), open: false },
        Record::Failed { seq: Seq(9), why: "".into(), at: Timestamp(1) },
        Record::Again { seq: Seq(9) },
        Record::Unbound { team: GithubTeamId(9) },
        Record::Dropped { team: GithubTeamId(9) },
        Record::Unwanted { team: GithubTeamId(9), user: GithubUserId(9) },
    ] {
        state.apply(record);
    }
    assert_eq!(state, State::default());
}

#[test]
fn the_latest_word_on_a_person_wins_in_any_order() {
    let (early, late) =
        (delivery(1, membership(1, 5, Change::Added)), delivery(2, membership(1, 5, Change::Removed)));
    for order in [[early.clone(), late.clone()], [late.clone(), early.clone()]] {
        let state = fold(order.map(Record::Received));
        let news = state.teams.news(GithubTeamId(1)).unwrap();
        assert_eq!(news.word(GithubUserId(5)), Some((false, Seq(2))));
        assert!(state.is_superseded(&early) && !state.is_superseded(&late));
    }
}

#[test]
fn leaving_the_organisation_is_the_latest_word_in_every_team() {
    let state = fold(
        [
            delivery(1, membership(1, 5, Change::Added)),
            delivery(2, membership(2, 5, Change::Added)),
            delivery(3, Event::MemberRemoved { person: Some(person(5)) }),
            delivery(4, membership(2, 5, Change::Added)),
        ]
        .map(Record::Received),
    );
    let word = |team| state.teams.news(GithubTeamId(team)).unwrap().word(GithubUserId(5));
    assert_eq!(word(1), Some((false, Seq(3))));
    assert_eq!(word(2), Some((true, Seq(4))));
    assert_eq!(state.teams.teams_of(GithubUserId(5), Seq(9)), [GithubTeamId(2)]);
}

#[test]
fn a_look_at_everybody_gives_way_to_newer_words() {
    let looked = |seq, people: &[u64]| Record::Looked {
        team: GithubTeamId(1),
        seq: Seq(seq),
        people: people.iter().map(|user| GithubUserId(*user)).collect(),
    };
    let state = fold([
        Record::Received(delivery(1, membership(1, 5, Change::Added))),
        Record::Received(delivery(2, membership(1, 6, Change::Added))),
        Record::Received(delivery(9, membership(1, 7, Change::Removed))),
        looked(5, &[6, 7, 8]),
    ]);
    let news = state.teams.news(GithubTeamId(1)).unwrap();
    let words: Vec<_> = news.people().map(|(user, present, seq)| (user.0, present, seq.0)).collect();
    assert_eq!(words, [(5, false, 1), (6, true, 2), (7, false, 9), (8, true, 0)]);
    assert!(news.agrees(&[GithubUserId(6), GithubUserId(8)]) && !news.agrees(&[GithubUserId(6)]));
    // Only deliveries in between count, not people whom only a read has shown.
    let contrary = |people: &[u64], seq, read| {
        let people: Vec<_> = people.iter().map(|user| GithubUserId(*user)).collect();
        news.says_otherwise(&people, Seq(seq), Seq(read))
    };
    assert!(contrary(&[8], 1, 9) && contrary(&[6, 7, 8], 2, 9) && !contrary(&[6], 0, 9));
    assert!(!contrary(&[8], 2, 9) && !contrary(&[6, 7, 8], 2, 8));
    // A read of one team alone adds people, unless a delivery reported that they left.
    let seen = |users: &[u64]| {
        let users: Vec<_> = users.iter().map(|user| GithubUserId(*user)).collect();
        news.and_seen(&users).into_iter().map(|user| user.0).collect::<Vec<_>>()
    };
    assert_eq!((seen(&[6, 7]), seen(&[7, 9])), (vec![], vec![6, 8, 9]));
}

#[test]
fn a_deleted_team_stays_deleted() {
    let mut state = full();
    state.apply(Record::Received(delivery(6, membership(3, 6, Change::Added))));
    assert_eq!(state.teams.news(GithubTeamId(3)), None);
    assert!(state.teams.gone(GithubTeamId(3)).is_some());
}

#[test]
fn a_slug_is_owned_from_the_intent_on() {
    let state = full();
    assert_eq!(state.teams.owner(&SentrySlug::from("new")), Some(GithubTeamId(4)));
    assert_eq!(state.teams.owner(&SentrySlug::from("s1")), Some(GithubTeamId(1)));
    assert_eq!(state.teams.owner(&SentrySlug::from("free")), None);
}

#[test]
fn a_slug_passed_on_in_sentry_stays_its_new_owners() {
    let binding = |sentry: u64, slug: &str| Binding {
        sentry: SentryTeamId(sentry),
        slug: SentrySlug::from(slug),
        name: "".into(),
        origin: Origin::Created,
    };
    let bound = |team: u64, binding| Record::Bound { team: GithubTeamId(team), binding };
    let state = fold([
        bound(1, binding(1, "a")),
        bound(2, binding(2, "b")),
        // Somebody renamed a to x, and b to a. The mirror sees the second rename first.
        bound(2, binding(2, "a")),
        bound(1, binding(1, "x")),
    ]);
    assert_eq!(state.teams.owner(&SentrySlug::from("a")), Some(GithubTeamId(2)));
    assert_eq!(state.teams.owner(&SentrySlug::from("x")), Some(GithubTeamId(1)));
    // The same for a new owner with a lower id, also if a snapshot is taken in between.
    let records = [bound(1, binding(1, "b")), bound(2, binding(2, "a")), bound(1, binding(1, "a"))];
    for state in [fold(records.clone()), fold(records_of(&fold(records)))] {
        assert_eq!(state.teams.owner(&SentrySlug::from("a")), Some(GithubTeamId(1)));
    }
}

#[test]
fn a_team_on_its_way_back_has_its_slug_already() {
    let mut state = full();
    let slug = SentrySlug::from("back");
    assert_eq!(state.teams.owner(&slug), Some(GithubTeamId(3)));
    assert!(state.teams.was_brought_back(SentryTeamId(7)) && !state.teams.was_brought_back(SentryTeamId(3)));
    state.apply(Record::Dropped { team: GithubTeamId(3) });
    assert_eq!(state.teams.owner(&slug), None);
    assert_eq!(state.teams.restored(SentryTeamId(3)), Some(SentryTeamId(7)));
}

#[test]
fn deletions_count_for_an_hour_whether_done_or_under_way() {
    let mut state = full();
    let intent = Intent::Deleting { sentry: SentryTeamId(1), slug: SentrySlug::from("s1") };
    state.apply(Record::Intends { team: GithubTeamId(1), intent, at: Timestamp(8) });
    assert_eq!(state.teams.deleted_within_hour(Timestamp(8)), 1);
    assert_eq!(state.teams.deleted_within_hour(Timestamp(8 + 3_600_000)), 1);
    assert_eq!(state.teams.deleted_within_hour(Timestamp(9 + 3_600_000)), 0);
    assert_eq!(state.teams.being_deleted().collect::<Vec<_>>(), [GithubTeamId(1)]);
}

/// The clock is set back by years, or was ahead for a while. Guards then count more rather than less, and nothing open
/// is lost.
#[test]
fn a_clock_that_jumps_loosens_no_guard_and_loses_nothing_that_is_open() {
    const YEAR: u64 = 365 * 24 * 3_600_000;
    let mut state = full();
    let at = Timestamp(30 * YEAR);
    state.apply(Record::Gone { team: GithubTeamId(1), fate: Fate::Deleted, apart: false, was: None, at });
    for now in [30 * YEAR, 29 * YEAR, 0] {
        assert!(
            state.teams.deleted_within_hour(Timestamp(now)) >= 1,
            "what was deleted in the future was just deleted"
        );
    }
    let open = |state: &State| {
        let queued: Vec<_> = state.deliveries.queued().map(|delivery| delivery.seq).collect();
        (queued, state.deliveries.n_failed(), state.holds.iter().count())
    };
    let before = open(&state);
    for now in [60 * YEAR, 0, u64::MAX] {
        state.forget_old(Timestamp(now));
        assert_eq!(open(&state), before);
    }
}

#[test]
fn failed_deliveries_come_back_in_their_old_place() {
    let mut state = full();
    state.apply(Record::Again { seq: Seq(4) });
    let queued: Vec<_> = state.deliveries.queued().map(|d| d.seq).collect();
    assert_eq!((queued, state.deliveries.n_failed()), (vec![Seq(4), Seq(5), Seq(6)], 0));
}

#[test]
fn a_row_is_its_teams_until_it_is_forgotten() {
    let (team, other) = (GithubTeamId(5), GithubTeamId(6));
    let linked = |team, row, name: &str| Record::Linked {
        team,
        row: ExternalTeamId(row),
        name: OwnerName::from(name),
    };
    let mut state = fold([linked(other, 8, "acme/other"), linked(team, 7, "acme/crew")]);
    let rows = |state: &State, team| state.teams.links.of(team).map(|(row, _)| row.0).collect::<Vec<_>>();
    assert_eq!((rows(&state, team), rows(&state, other)), (vec![7], vec![8]));
    assert_eq!(rows(&state, GithubTeamId(7)), [0; 0]);
    state.apply(Record::Unlinked { row: ExternalTeamId(7) });
    assert_eq!((rows(&state, team), rows(&state, other)), (vec![], vec![8]));
}

#[test]
fn nobody_is_waited_for_in_a_team_that_has_ended() {
    let wanted = |team, user| Record::Wanted {
        team: GithubTeamId(team),
        user: GithubUserId(user),
        login: Login::from("p"),
        why: "w".into(),
        at: Timestamp(1),
    };
    let (team, fate, at) = (GithubTeamId(1), Fate::Left, Timestamp(2));
    let gone = Record::Gone { team, fate, apart: false, was: None, at };
    let state = fold([wanted(1, 5), wanted(2, 5), wanted(1, 6), gone]);
    let wishes: Vec<_> = state.people.wishes().map(|(team, user)| (team.0, user.0)).collect();
    assert_eq!(wishes, [(2, 5)]);
}

#[test]
fn a_team_is_found_and_called_by_the_slug_that_is_known_of_it() {
    let binding = Binding {
        sentry: SentryTeamId(9),
        slug: SentrySlug::from("x-crew"),
        name: "Crew".into(),
        origin: Origin::Created,
    };
    let held = HeldChange::Create { team: GithubTeamId(6), slug: SentrySlug::from("x-new") };
    let hold = Hold::new(vec![held], "r".into(), Timestamp(1), vec![]);
    let state = fold([
        Record::Bound { team: GithubTeamId(5), binding },
        Record::Held { hold },
        Record::Received(delivery(1, Event::TeamDeleted { team: team(7) })),
    ]);
    let known = |text: &str| {
        let teams = names::by_slug(&state, "x-", text).into_iter();
        teams.map(|team| team.0).collect::<Vec<_>>()
    };
    let expected: [(&str, &[u64]); 5] =
        [("x-crew", &[5]), ("crew", &[5]), ("new", &[6]), ("T", &[7]), ("other", &[])];
    for (text, teams) in expected {
        assert_eq!(known(text), teams, "{text}");
    }
    // The newest delivery has the slug, failed or not.
    let named = |seq, slug: &str| {
        let team = TeamRef { slug: Some(GithubSlug::from(slug)), ..team(7) };
        Record::Received(delivery(seq, Event::TeamDeleted { team }))
    };
    let failed = |seq| Record::Failed { seq: Seq(seq), why: "w".into(), at: Timestamp(3) };
    let renamed = fold([named(1, "old"), named(2, "new"), failed(1), failed(2)]);
    assert_eq!(names::told_slug(&renamed, GithubTeamId(7)), Some(GithubSlug::from("new")));
    let called = |team| names::name_of(&state, GithubTeamId(team));
    assert_eq!(called(5), "GitHub team `x-crew` (5)");
    assert_eq!(called(7), "GitHub team `t` (7)");
    assert_eq!(called(8), "GitHub team 8");
    assert!(state.holds.of_team(GithubTeamId(6)).count() == 1 && names::is_known(&state, GithubTeamId(6)));
    assert_eq!(state.holds.of_team(GithubTeamId(5)).count(), 0);
}

#[test]
fn the_last_fifty_deliveries_are_shown_newest_first() {
    let taken = (1..=60).flat_map(|n| {
        let settled = Record::Settled {
            seqs: vec![Seq(n)],
            how: Settled::Done,
            note: "n".into(),
            hold: None,
            at: Timestamp(2),
        };
        [Record::Received(delivery(n, Event::OrgDeleted)), settled]
    });
    let state = fold(taken);
    let shown: Vec<_> = state.deliveries.recent().map(|recent| recent.guid.to_string()).collect();
    let expected: Vec<_> = (11..=60).rev().map(|n| format!("g{n}")).collect();
    assert_eq!(shown, expected);
    assert!(state.deliveries.has(Seq(1)) && !state.deliveries.has(Seq(61)));
}

#[test]
fn old_keys_are_forgotten_but_nothing_that_is_open() {
    let mut state = full();
    state.forget_old(Timestamp(9 * 24 * 3_600_000));
    let known = |seq| state.deliveries.known(delivery(seq, Event::OrgDeleted).key()).map(|k| k.status);
    let expected =
        [None, None, Some(Status::Held), Some(Status::Failed), Some(Status::Queued)].map(|status| status);
    assert_eq!([1, 2, 3, 4, 5].map(known), expected);
}

#[test]
fn a_hold_whose_last_change_is_no_longer_due_is_history() {
    let change = |user: u64| HeldChange::Remove {
        team: GithubTeamId(1),
        user: GithubUserId(user),
        slug: SentrySlug::from("s"),
    };
    let hold = Hold::new(vec![change(5), change(6)], "r".into(), Timestamp(1), vec![]);
    let mut state = fold([Record::Held { hold }]);
    state.apply(Record::NotDue { change: change(5) });
    assert_eq!(state.holds.iter().map(|hold| hold.changes.len()).collect::<Vec<_>>(), [1]);
    state.apply(Record::NotDue { change: change(6) });
    assert_eq!(state.holds.iter().count(), 0);
}

#[test]
fn a_teams_end_and_its_binding_end_what_was_held_about_it_in_the_same_record() {
    let (team, other) = (GithubTeamId(5), GithubTeamId(6));
    let adopt = |team| HeldChange::Adopt { team, sentry: SentryTeamId(1), slug: SentrySlug::from("s") };
    let delete = |team| HeldChange::Delete { team, sentry: SentryTeamId(1), slug: SentrySlug::from("s") };
    let held = || {
        let changes = [adopt(team), delete(team), adopt(other)];
        let hold = |change| Record::Held { hold: Hold::new(vec![change], "r".into(), Timestamp(1), vec![]) };
        fold(changes.map(hold))
    };
    let left = |state: &State| {
        let mut left: Vec<_> = state.holds.iter().flat_map(|hold| hold.changes.clone()).collect();
        left.sort();
        left
    };
    let mut state = held();
    state.apply(Record::Gone { team, fate: Fate::Left, apart: false, was: None, at: Timestamp(2) });
    assert_eq!(left(&state), [adopt(other)]);
    assert!(state.teams.gone(team).unwrap().apart, "that somebody disputed its slug is not forgotten");
    let mut state = held();
    let binding = Binding {
        sentry: SentryTeamId(1),
        slug: SentrySlug::from("s"),
        name: "S".into(),
        origin: Origin::Adopted,
    };
    state.apply(Record::Bound { team, binding });
    assert_eq!(left(&state), [delete(team), adopt(other)]);
}

#[test]
fn a_released_hold_settles_its_deliveries() {
    let mut state = full();
    let name = state.holds.iter().next().unwrap().name.clone();
    state.apply(Record::Released { name });
    let known = state.deliveries.known(delivery(3, Event::OrgDeleted).key()).unwrap();
    assert_eq!((known.status, state.holds.iter().count()), (Status::Done, 0));
}

#[test]
fn a_copy_shares_teams_and_people_until_they_change() {
    let mut state = full();
    let (copy, before) = (state.without_deliveries(), full());
    let shared =
        |state: &State| (Arc::ptr_eq(&state.teams, &copy.teams), Arc::ptr_eq(&state.people, &copy.people));
    state.apply(Record::Read { sizes: Sizes::default(), at: Timestamp(20) });
    assert_eq!(shared(&state), (true, true));
    state.apply(Record::Unmatched { user: GithubUserId(5) });
    assert_eq!(shared(&state), (true, false));
    state.apply(Record::Unbound { team: GithubTeamId(1) });
    assert_eq!(shared(&state), (false, false));
    assert_eq!((&copy.teams, &copy.people), (&before.teams, &before.people));
    assert_ne!((&state.teams, &state.people), (&before.teams, &before.people));
}
