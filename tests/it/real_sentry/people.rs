//! People: found, waited for, put in and taken out.

use super::field::Field;
use crate::standin::sentry::InviteStatus;
use crate::standin::{Era, GithubUser, NewMember};

pub fn somebody_is_added_removed_and_added_again(field: &mut Field) {
    let ana = field.person("ana");
    field.start();
    let crew = field.team("Crew");
    let note = |(status, note): (String, String)| {
        assert_eq!(status, "done", "{note}");
        note
    };
    assert_eq!(note(field.add(crew, ana)), "added `ana` to `crew`");
    assert_eq!(note(field.remove(crew, ana)), "removed `ana` from `crew`");
    field.wait_for_people("crew", &[]);
    assert_eq!(note(field.add(crew, ana)), "added `ana` to `crew`");
    // Once more, under another number: 204.
    let added = field.github.add_member(crew, ana);
    assert_eq!(note(field.settle(&added)), "`ana` was already in `crew`");
    // Taking out somebody who is not in it is no mistake either.
    note(field.remove(crew, ana));
    assert_eq!(note(field.settle(&field.github.remove_member(crew, ana))), "removed `ana` from `crew`");
    field.wait_for_people("crew", &[]);
}

pub fn somebody_unknown_is_added_when_they_join_sentry(field: &mut Field) {
    // What events ask for is done by then: what both find to do at once is done twice.
    field.set("SYNC_INTERVAL", "8s");
    let ana = field.github_only("ana");
    field.start();
    let crew = field.team("Crew");
    let (status, note) = field.add(crew, ana);
    assert_eq!(status, "done");
    assert!(note.starts_with("`ana` is wanted in `crew`: no Sentry member has the"), "{note}");
    field.site.add_member("ana@acme.test".into());
    field.wait_for_people("crew", &["ana@acme.test"]);
    field.wait_until("nobody is wanted", || field.status()["wanted"] == 0);
}

pub fn somebody_who_joined_sentry_a_moment_ago_is_found_at_once(field: &mut Field) {
    field.start();
    let crew = field.team("Crew");
    // Whatever an address may hold that Sentry's search could take for something of its own.
    let addresses = [
        "plain@acme.test",
        "plus+sign@acme.test",
        "o'neill@acme.test",
        "a&b=c@acme.test",
        "slash/tilde~@acme.test",
        "bang!dollar$@acme.test",
        "ümlaut@acme.test",
        "Mixed.Case@acme.test",
        "under_score-dash.@acme.test",
    ];
    // Reads everybody once, so that the rest are not in the directory.
    let olive = field.olive;
    field.settle(&field.github.remove_member(crew, olive));
    for (n, address) in addresses.into_iter().enumerate() {
        let person = field.with_address(&format!("p{n}"), &address.to_lowercase());
        field.site.add_member(address.into());
        let (_, note) = field.add(crew, person);
        assert!(note.starts_with("added "), "{address}: {note}");
    }
    field.wait_for_people("crew", &addresses);
}

pub fn an_open_invite_is_a_member_and_an_expired_one_is_not(field: &mut Field) {
    let ana = field.github_only("ana");
    let ben = field.github_only("ben");
    let cyd = field.github_only("cyd");
    field.site.add_member(NewMember::new("Ana@acme.test").pending());
    field.site.add_member(NewMember::new("ben@acme.test").expired());
    field.site.add_member(NewMember::new("cyd@acme.test").request(InviteStatus::RequestedToJoin));
    field.start();
    let crew = field.team("Crew");
    assert_eq!(field.add(crew, ana).1, "added `ana` to `crew`");
    let (_, note) = field.add(crew, ben);
    assert!(note.contains("an invite that has expired"), "{note}");
    let (_, note) = field.add(crew, cyd);
    assert!(note.contains("no Sentry member has the"), "{note}");
    field.wait_for_people("crew", &["Ana@acme.test"]);
}

pub fn an_invited_person_who_arrives_is_still_the_same(field: &mut Field) {
    let ana = field.github_only("ana");
    let invite = field.site.add_member(NewMember::new("ana@acme.test").pending());
    field.start();
    let crew = field.team("Crew");
    field.add(crew, ana);
    // Under an address of her own choice; the row keeps its id and teams.
    field.site.accept_invite(invite, "ana@home.test");
    field.wait_for_people("crew", &["ana@home.test"]);
    assert_eq!(field.remove(crew, ana).1, "removed `ana` from `crew`");
    field.wait_for_people("crew", &[]);
}

pub fn addresses_count_as_sentry_has_verified_them(field: &mut Field) {
    let site = field.site.clone();
    site.add_member(NewMember::new("Mixed.Case@Acme.test"));
    site.add_member(NewMember::new("work@acme.test").also("second@acme.test", true));
    site.add_member(NewMember::new("eve@acme.test").also("boss@acme.test", false));
    site.add_member(NewMember::new("unverified@acme.test").unverified());
    for n in 0..2 {
        site.add_member(NewMember::new("twin@acme.test").username(&format!("twin{n}")));
    }
    site.add_member(NewMember::new("").username("nobody"));
    site.add_member(NewMember::new("off@acme.test").deactivated());
    // Today nobody is told which other addresses there are, and which are verified.
    let told = field.era == Era::V23_7_1;
    let people = [
        ("mixed", "mixed.case@acme.test", "added "),
        ("second", "Second@acme.test", if told { "added " } else { "is wanted" }),
        ("boss", "boss@acme.test", "is wanted"),
        ("unverified", "unverified@acme.test", "added "),
        ("twin", "twin@acme.test", "in conflict"),
        ("off", "off@acme.test", "is wanted"),
    ];
    let ids = people.map(|(login, address, _)| field.with_address(login, address));
    field.start();
    let crew = field.team("Crew");
    for (id, (login, _, expected)) in ids.into_iter().zip(people) {
        let (status, note) = field.add(crew, id);
        assert!(status == "done" && note.contains(expected), "{login}: {status} {note}");
    }
    let known = ["Mixed.Case@Acme.test", "unverified@acme.test", "work@acme.test"];
    field.wait_for_people("crew", &known[..if told { 3 } else { 2 }]);
}

pub fn an_unverified_primary_address_counts_for_nothing_where_told_so(field: &mut Field) {
    field.set("SYNC_TRUST_UNVERIFIED", "never");
    let ana = field.github_only("ana");
    field.site.add_member(NewMember::new("ana@acme.test").unverified());
    field.start();
    let crew = field.team("Crew");
    assert!(field.add(crew, ana).1.contains("is wanted"));
    field.wait_for_people("crew", &[]);
}

pub fn a_link_in_sentry_names_people(field: &mut Field) {
    let ana = field.github.add_person(GithubUser::new("ana"));
    field.site.add_member(NewMember::new("somebody@acme.test").github("@Ana"));
    field.start();
    let crew = field.team("Crew");
    assert_eq!(field.add(crew, ana).1, "added `ana` to `crew`");
    let line =
        field.audit().into_iter().find(|line| line["decision"] == "add member" && line["person"] == ana);
    assert_eq!(line.expect("an audit line")["reason"], "matched by sentry-login");
    field.wait_for_people("crew", &["somebody@acme.test"]);
}

pub fn somebody_who_left_sentry_and_came_back_is_found_again(field: &mut Field) {
    let ana = field.github_only("ana");
    let first = field.site.add_member("ana@acme.test".into());
    field.start();
    let crew = field.team("Crew");
    let other = field.team("Other");
    field.add(crew, ana);
    field.site.remove_member(first);
    field.site.add_member("ana@acme.test".into());
    field.send(&field.github.add_member(other, ana));
    field.wait_for_people("other", &["ana@acme.test"]);
}

pub fn somebody_who_left_sentry_is_no_failure_when_taken_out(field: &mut Field) {
    let ana = field.github_only("ana");
    let member = field.site.add_member("ana@acme.test".into());
    field.start();
    let crew = field.team("Crew");
    field.add(crew, ana);
    field.site.remove_member(member);
    assert_eq!(field.remove(crew, ana).0, "done");
}

pub fn leaving_the_organisation_is_leaving_every_mirrored_team_and_no_other(field: &mut Field) {
    let ana = field.github_only("ana");
    let member = field.site.add_member("ana@acme.test".into());
    let foreign = field.site.add_team("foreign", "Foreign");
    field.site.join(foreign, member);
    field.start();
    let teams = ["Crew", "Other"].map(|name| field.team(name));
    teams.into_iter().for_each(|team| assert_eq!(field.add(team, ana).0, "done"));
    assert_eq!(field.settle(&field.github.remove_from_org(ana)).0, "done");
    field.wait_for_people("crew", &[]);
    field.wait_for_people("other", &[]);
    field.wait_for_people("foreign", &["ana@acme.test"]);
}

pub fn more_people_than_a_page_holds_are_all_seen(field: &mut Field) {
    let site = field.site.clone();
    let crew = field.old_team("Crew");
    let id = site.add_team("crew", "Crew");
    site.crowd(id, 130);
    // Behind the first page of the organisation's members.
    let last = field.with_address("last", "crowd129@acme.test");
    let new = field.person("new");
    field.start();
    assert_eq!(field.add(crew, new).0, "done");
    let (_, note) = field.add(crew, last);
    assert_eq!(note, "`last` was already in `crew`");
    assert_eq!(field.remove(crew, last).1, "removed `last` from `crew`");
    assert_eq!(field.people("crew").len(), 130);
    // The record of a deletion holds everybody.
    assert_eq!(field.settle(&field.github.delete_team(crew)).0, "done");
    let line = field.audit().into_iter().find(|line| line["decision"] == "will delete team");
    let members = line.expect("an audit line")["before"]["members"].clone();
    let members = members.as_array().expect("members").clone();
    let people = members.iter().filter(|member| member["email"] != "olive@acme.test").count();
    assert_eq!(people, 130);
}
