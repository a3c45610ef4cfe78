//! After the last scene: what it all came to, whether both sides agree, and the way out.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::play::{millis, Play};
use crate::stage::{Ink, Played};
use crate::standin::Comparison;
use crate::watch::{tally, HOSTS};

/// Sums up; unless `exit`, keeps the status page up until Ctrl-C. Whether both sides agree.
pub fn run(play: &mut Play, exit: bool) -> Played<bool> {
    play.stage.scene("What it came to", "")?;
    play.stage.line("")?;
    deliveries(play)?;
    calls(play)?;
    let agree = differences(play)?;
    let page = play.stage.paint(Ink::Bold, &format!("{}/", play.world.service().admin));
    if exit {
        play.stage.row("status page", &format!("{page} until now; without --exit, until Ctrl-C"))?;
    } else {
        play.stage.row("status page", &format!("{page} until Ctrl-C"))?;
        play.stage
            .row("commands", "in another terminal, with status, check, audit, … in the place of sync:")?;
        play.stage.line(&format!("    {}", play.typed(&["sync"])))?;
        play.stage
            .row("tokens", "with one letter of a token changed, see what check says without the service:")?;
        let asks =
            ["GH_API_URL", "SENTRY_URL", "SENTRY_ORG_SLUG", "GH_TOKEN", "SENTRY_TOKEN", "GH_WEBHOOK_TOKEN"];
        let set = asks.iter().filter_map(|name| Some(format!("{name}='{}'", play.world.env.get(*name)?)));
        let set = set.collect::<Vec<_>>().join(" ");
        let check = play.typed(&["check"]);
        let (check, _) = check.split_once(" --state-dir").unwrap_or((&check, ""));
        play.stage.line(&format!("    {set} \\\n    {check} --state-dir /nowhere"))?;
        while play.stage.go_on().is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
        // The terminal shows ^C where the cursor was.
        play.stage.line("")?;
    }
    let (code, took) = play.world.take_service().stop("-TERM");
    let code = code.map_or("by a signal".into(), |code| format!("with exit code {code}"));
    play.stage.row("service", &format!("stopped in {} {code}", millis(took)))?;
    Ok(agree)
}

fn deliveries(play: &mut Play) -> Played {
    let n = |status: u16| play.answers.iter().filter(|(answered, _)| *answered == status).count();
    let text = format!(
        "{} sent: {} queued (202), {} duplicate (200), {} refused (401)",
        play.answers.len(),
        n(202),
        n(200),
        n(401)
    );
    play.stage.row("deliveries", &text)?;
    let mut times: Vec<Duration> = play.answers.iter().map(|(_, time)| *time).collect();
    times.sort();
    let (Some(median), Some(slowest)) = (times.get(times.len() / 2), times.last()) else { return Ok(()) };
    let text = format!("answered in {} (median), {} (slowest)", millis(*median), millis(*slowest));
    play.stage.row("deliveries", &text)
}

fn calls(play: &mut Play) -> Played {
    let tally = tally(&play.world);
    for (host, name) in HOSTS.iter().enumerate() {
        play.stage.row("API calls", &format!("{name:<7} {:>3}", tally[host]))?;
    }
    Ok(())
}

/// Compares the two sides themselves, past the service; leaves out only what it says it holds, and what is nobody's.
fn differences(play: &mut Play) -> Played<bool> {
    let status = play.wait_for_rest()?;
    let held: Vec<_> = status["holds"].as_array().into_iter().flatten().cloned().collect();
    let held: Vec<_> = held.iter().filter(|hold| hold["decision"].is_null()).collect();
    let slug_of = |hold: &serde_json::Value| {
        // "delete Sentry team `payments` (1) of GitHub team 1"
        hold["changes"][0]
            .as_str()
            .and_then(|change| change.split('`').nth(1))
            .unwrap_or_default()
            .to_string()
    };
    let held_slugs: BTreeSet<String> = held.iter().map(|hold| slug_of(hold)).collect();
    let address = |login: &str| Some(format!("{login}@acme.test"));
    let mut comparison =
        Comparison::new(&play.world.github, &play.world.sentry, address).ignoring_team("billing");
    for slug in &held_slugs {
        comparison = comparison.ignoring_team(slug);
    }
    let differences = comparison.differences();
    drop(comparison);
    play.stage.row("left alone", "Sentry team `billing`, which follows no GitHub team")?;
    for hold in &held {
        let text = format!(
            "{}: {}",
            hold["changes"][0].as_str().unwrap_or_default(),
            hold["rule"].as_str().unwrap_or_default()
        );
        play.stage.row("held", &play.stage.paint(Ink::Yellow, &text))?;
    }
    let (verdict, ink) = match (differences.is_empty(), held.len()) {
        (true, 0) => ("none: both sides agree", Ink::Green),
        // `sync` shows these as differences, and ends with 2.
        (true, _) => ("none but what is held: both sides agree apart from that", Ink::Yellow),
        (false, _) => ("BOTH SIDES DO NOT AGREE", Ink::Red),
    };
    play.stage.row("differences", &play.stage.paint(ink, verdict))?;
    for difference in &differences {
        play.stage.row("differences", difference)?;
    }
    Ok(differences.is_empty() && status["failed"] == 0 && held.len() == 1)
}

/// Ends what still runs; the folder with its state goes with the world.
pub fn clean_up(mut play: Play) {
    if play.world.is_started() {
        let _ = play.world.take_service().stop("-TERM");
    }
}
