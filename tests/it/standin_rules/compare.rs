//! The comparison of the two stand-ins at rest.

use crate::standin::compare::{differences, Comparison};
use crate::standin::github::{GithubStandin, GithubTeam};
use crate::standin::sentry::SentryStandin;

fn email(login: &str) -> Option<String> {
    Some(format!("{login}@acme.test")).filter(|_| login != "bot")
}

#[test]
fn differences_are_sorted_lines() {
    let github = GithubStandin::start("acme").expect("a loopback port");
    let sentry = SentryStandin::start("acme").expect("a loopback port");
    let people = ["ana", "bo", "bot"].map(|login| github.add_person(login));
    let crew = github.add_team("Crew");
    people.iter().for_each(|user| github.join(crew, *user));
    let lost = github.add_team(GithubTeam::new("Lost").parent(crew));
    assert_eq!(
        differences(&github, &sentry, email),
        ["team crew: missing in Sentry", "team lost: missing in Sentry"]
    );
    let own = sentry.add_team("crew", "Old");
    sentry.add_team("lost", "Lost");
    let extra = sentry.add_team("extra", "Extra");
    for name in ["ana", "dee"] {
        let member = sentry.add_member(format!("{name}@acme.test").as_str());
        sentry.join(own, member);
    }
    let expected = [
        "team crew: bo@acme.test is missing in Sentry",
        "team crew: dee@acme.test is in Sentry only",
        "team crew: named `Old` in Sentry, `Crew` on GitHub",
        "team extra: in Sentry only",
    ];
    assert_eq!(differences(&github, &sentry, email), expected);
    let lenient =
        Comparison::new(&github, &sentry, email).ignoring_team("extra").ignoring_person("dee@acme.test");
    assert_eq!(lenient.differences(), [expected[0], expected[2]]);
    sentry.rename_team(own, "crew", "Crew");
    let member = sentry.add_member("bo@acme.test");
    sentry.join(own, member);
    assert!(lenient.differences().is_empty());
    github.leave(crew, people[1]);
    github.join(lost, people[1]);
    assert_eq!(lenient.differences().len(), 2);
    let all = Comparison::new(&github, &sentry, email)
        .with_child_members()
        .ignoring_team("extra")
        .ignoring_person("dee@acme.test");
    assert_eq!(
        all.differences(),
        ["team lost: bo@acme.test is missing in Sentry"],
        "the parent counts its child's people"
    );
    let _ = extra;
}
