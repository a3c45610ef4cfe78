//! The plot: a week at acme, as its teams change on GitHub.
//!
//! Each scene shows one promise of the service. Whatever is said of a scene in words is also seen in its rows.

use std::time::{Duration, Instant};

use crate::play::{millis, Play};
use crate::stage::{Ink, Played, Stop, CALLS};
use crate::standin::{Delivery, NewMember, Reach};
use crate::watch::{Heard, Which};

/// What later scenes need to know of earlier ones.
#[derive(Default)]
struct Plot {
    search: u64,
    refunds: u64,
    rename: Option<Delivery>,
    membership: Option<Delivery>,
}

/// Plays everything.
pub fn all(play: &mut Play) -> Played {
    let mut plot = Plot::default();
    the_service_starts(play)?;
    an_older_team(play, &mut plot)?;
    a_new_team(play, &mut plot)?;
    a_rename(play, &mut plot)?;
    twice_the_same(play, &plot)?;
    a_forgery(play, &plot)?;
    a_new_colleague(play, &plot)?;
    a_stranger_at_the_door(play, &mut plot)?;
    an_approval(play)?;
    an_outage(play, &plot)?;
    a_farewell(play)?;
    two_ends(play, &plot)
}

fn the_service_starts(play: &mut Play) -> Played {
    play.stage.scene(
        "The service starts",
        "It is installed at a company that has used both sides for long. It compares them, and waits for a word.",
    )?;
    play.stage.beat()?;
    play.stage.row("GitHub", "organisation acme, with an old team: Payments (ana)")?;
    let began = Instant::now();
    play.world.start();
    let took = began.elapsed();
    let service = play.world.service();
    let text = format!("pid {} listens at {} after {}", service.pid(), service.url, millis(took));
    play.stage.row("service", &text)?;
    let status = play.wait("both sides are compared", |status| {
        status["ready"] == true && status["holds"].as_array().is_some_and(|holds| !holds.is_empty())
    })?;
    let mode = match status["mode"].as_str() {
        Some("read") => {
            "read mode: its token may read members, so GitHub itself is asked for the truth \
         (a token without any permission will do too: then the deliveries are the truth)"
        }
        _ => "payload mode: its token may not read members, so the deliveries are the truth",
    };
    play.stage.row("service", mode)?;
    play.reads()?;
    play.command(&["status"], is_hold)?;
    play.effects(Which::Writes)
}

fn an_older_team(play: &mut Play, plot: &mut Plot) -> Played {
    play.stage.scene(
        "An old team gets its first event",
        "A Sentry team of the same slug that was there before is adopted, with its projects and its people.",
    )?;
    let sent = play.world.github.add_member(play.cast.payments, play.cast.ben);
    play.step("olive adds ben to Payments; ben has linked his GitHub account in Sentry", &sent)?;
    plot.membership = sent.into_iter().next();
    Ok(())
}

fn a_new_team(play: &mut Play, plot: &mut Plot) -> Played {
    play.stage.scene(
        "A team is born",
        "A login is no e-mail address. Who is who in Sentry is found out, remembered, and never guessed.",
    )?;
    let (search, sent) = play.world.github.create_team("Search", play.cast.olive);
    plot.search = search;
    play.step("olive creates the team Search; GitHub sends no event for her own membership", &sent)?;
    let sent = play.world.github.add_member(search, play.cast.ana);
    play.step("olive adds ana, whose profile shows an e-mail address", &sent)?;
    let sent = play.world.github.add_member(search, play.cast.chen);
    play.step("olive adds chen, who has an address on the company's verified domain", &sent)
}

fn a_rename(play: &mut Play, plot: &mut Plot) -> Played {
    play.stage.scene(
        "A team gets another name",
        "It stays the same team in Sentry: the same id, people, projects and alerts under a new slug.",
    )?;
    let sent = play.world.github.rename_team(plot.search, "Discovery");
    play.step("olive renames Search to Discovery", &sent)?;
    plot.rename = sent.into_iter().next();
    Ok(())
}

fn twice_the_same(play: &mut Play, plot: &Plot) -> Played {
    play.stage.scene(
        "The same delivery comes twice",
        "Redeliveries happen, by hand or by script. A GUID that was dealt with is not dealt with again.",
    )?;
    let Some(rename) = &plot.rename else { return Ok(()) };
    play.step("olive presses Redeliver on the rename", std::slice::from_ref(rename))
}

fn a_forgery(play: &mut Play, plot: &Plot) -> Played {
    play.stage.scene(
        "Somebody forges a delivery",
        "Only a correct signature changes anything. A refusal says what to do to whoever may see it.",
    )?;
    let Some(real) = &plot.membership else { return Ok(()) };
    let forged = real.clone().with_guid("badc0de0-0000-4000-8000-000000000000").with_payload(|payload| {
        payload["member"]["login"] = "mallory".into();
        payload["member"]["id"] = 666.into();
    });
    play.stage.beat()?;
    play.stage.row("mallory", "sends \"mallory was added to Payments\", signed with a guessed secret")?;
    let answer = play.send_signed(&forged, "hunter2")?;
    for name in ["error", "fix"] {
        play.stage.row("answer", &format!("{name}: {}", answer.body[name].as_str().unwrap_or_default()))?;
    }
    play.wait_for_rest()?;
    play.effects(Which::All)
}

fn a_new_colleague(play: &mut Play, plot: &Plot) -> Played {
    play.stage.scene(
        "A colleague whom Sentry does not know yet",
        "Unknown is not an error: zoe stays wanted, and is added by the next comparison, every hour or when asked for.",
    )?;
    let sent = play.world.github.add_member(plot.search, play.cast.zoe);
    play.step("olive adds zoe to Discovery", &sent)?;
    play.stage.beat()?;
    play.stage.row("elsewhere", "zoe accepts her invitation to Sentry")?;
    play.world.sentry.add_member(NewMember::new("zoe@acme.test"));
    play.command(&["sync"], |_| true)?;
    play.command(&["sync", "--apply"], |line| line.starts_with("done"))?;
    play.wait("zoe is in", |status| status["wanted"] == 0)?;
    play.reads()?;
    play.effects(Which::Writes)
}

fn a_stranger_at_the_door(play: &mut Play, plot: &mut Plot) -> Played {
    play.stage.scene(
        "A new team with the name of an existing one",
        "Anybody may create a GitHub team. That must not let them walk into a Sentry team that was there before.",
    )?;
    let (refunds, sent) = play.world.github.create_team("Billing", play.cast.max);
    plot.refunds = refunds;
    play.step("max creates the team Billing, with himself in it", &sent)?;
    play.stage.beat()?;
    let hold = hold_of(play, refunds)?;
    play.command(&["reject", &hold], |_| true)?;
    play.wait_for_rest()?;
    play.effects(Which::All)?;
    let sent = play.world.github.rename_team(refunds, "Refunds");
    play.step("max renames his team to Refunds, a slug that is free", &sent)
}

fn an_approval(play: &mut Play) -> Played {
    play.stage.scene(
        "The same, but well meant",
        "What a guard stops is kept as a hold. A person reads it and decides; approving takes a fresh look.",
    )?;
    let (mobile, mut sent) = play.world.github.create_team("Mobile", play.cast.dora);
    sent.extend(play.world.github.add_member(mobile, play.cast.ben));
    play.step("dora creates the team Mobile for the Sentry team that she made by hand, and adds ben", &sent)?;
    play.stage.beat()?;
    let hold = hold_of(play, mobile)?;
    play.command(&["status"], is_hold)?;
    play.command(&["approve", &hold], |_| true)?;
    play.wait_for_rest()?;
    play.effects(Which::All)
}

fn an_outage(play: &mut Play, plot: &Plot) -> Played {
    play.stage.scene(
        "Sentry is down",
        "Deliveries are answered once they are on disk, whatever Sentry does. Nothing is lost, nothing fails.",
    )?;
    play.stage.beat()?;
    let failed = |error: std::io::Error| Stop::Failed(format!("failed to switch Sentry: {error}"));
    play.world.sentry.set_reach(Reach::Unavailable).map_err(failed)?;
    play.stage.row("Sentry", &play.stage.paint(Ink::Red, "answers 503 to everything"))?;
    let github = play.world.github.clone();
    let (on_call, mut sent) = github.create_team("On-Call", play.cast.olive);
    sent.extend(github.add_member(on_call, play.cast.chen));
    sent.extend(github.remove_member(play.cast.payments, play.cast.ben));
    sent.extend(github.rename_team(plot.refunds, "Refunds EU"));
    play.stage.row(
        "GitHub",
        "olive creates On-Call, adds chen to it, takes ben out of Payments; max renames Refunds",
    )?;
    for delivery in &sent {
        play.send(delivery)?;
    }
    let status = play.wait("the outage is noticed", |status| status["sentry"]["health"] == "down")?;
    let text =
        format!("Sentry is down; {} deliveries are queued, {} failed", status["queued"], status["failed"]);
    play.stage.row("service", &play.stage.paint(Ink::Yellow, &text))?;
    play.sentry()?;
    play.stage.beat()?;
    play.world.sentry.set_reach(Reach::Up).map_err(failed)?;
    play.stage.row("Sentry", &play.stage.paint(Ink::Green, "is back"))?;
    let began = Instant::now();
    play.wait_for_rest()?;
    let text = format!("everything arrived {} later", seconds(began.elapsed()));
    play.stage.row("service", &text)?;
    play.outcomes(&sent.iter().collect::<Vec<_>>())?;
    calls_of_outage(play)?;
    play.sentry()
}

/// The writes, and how many calls there were besides.
fn calls_of_outage(play: &mut Play) -> Played {
    // Which attempt gave a reason first is chance too.
    play.reasons();
    let mut calls = play.watch.calls(&play.world, Which::SideBySide);
    let n_calls = calls.len();
    calls.retain(|heard| heard.call.status != 503);
    let n_failed = n_calls - calls.len();
    calls.retain(Heard::writes);
    let n_reads = n_calls - n_failed - calls.len();
    play.stage.row(
        CALLS,
        &format!("{n_failed} answered 503 meanwhile, {n_reads} reads, and these writes, sorted:"),
    )?;
    play.calls(&calls)
}

fn a_farewell(play: &mut Play) -> Played {
    play.stage.scene(
        "Somebody leaves the company",
        "One event, and they are out of every team that follows GitHub, by the match that was remembered.",
    )?;
    let sent = play.world.github.remove_from_org(play.cast.chen);
    play.step_in(Which::SideBySide, "olive removes chen from the organisation", &sent)
}

fn two_ends(play: &mut Play, plot: &Plot) -> Played {
    play.stage.scene(
        "Two teams are deleted",
        "A Sentry team without projects goes with its GitHub team. One that owns projects waits for a person.",
    )?;
    let sent = play.world.github.delete_team(plot.refunds);
    play.step("max deletes Refunds EU", &sent)?;
    let sent = play.world.github.delete_team(play.cast.payments);
    play.step("olive deletes Payments", &sent)
}

/// The name of the open hold that concerns a GitHub team.
fn hold_of(play: &Play, team: u64) -> Played<String> {
    let status = play.status()?;
    let of_team = |hold: &&serde_json::Value| {
        hold["decision"].is_null() && hold["changes"].to_string().contains(&format!("GitHub team {team} "))
    };
    let hold = status["holds"].as_array().into_iter().flatten().find(of_team);
    let name = hold.and_then(|hold| hold["name"].as_str());
    name.map(str::to_string).ok_or_else(|| Stop::Failed(format!("nothing is held for GitHub team {team}")))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// A line of the status that begins with a hold's name.
fn is_hold(line: &str) -> bool {
    line.strip_prefix("  ")
        .and_then(|line| line.get(..8))
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
