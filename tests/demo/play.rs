//! One performance: something happens, its deliveries are sent, and what became of them is shown.
//!
//! Nothing is waited for by time: a step is over when the status says that the service is at rest.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cast::{before_the_play, Cast};
use crate::stage::{Ink, Played, Stage, Stop, CALLS};
use crate::standin::client::{Connection, Place};
use crate::standin::{Delivery, Sender};
use crate::watch::{Change, Heard, Watch, Which, HOSTS};
use crate::world::{World, SECRET};

/// How long something that should happen may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked for.
const PERIOD: Duration = Duration::from_millis(5);
/// The column of a host's name.
const HOST: usize = 8;

/// Everything that takes part.
pub struct Play {
    /// What is seen.
    pub stage: Stage,
    /// Both sides, and the service between them.
    pub world: World,
    /// Who is who.
    pub cast: Cast,
    /// What was seen of both sides.
    pub watch: Watch,
    /// Every answer to a delivery: its status, and how long it took.
    pub answers: Vec<(u16, Duration)>,
    n_audited: usize,
}

/// An answer to a delivery.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Play {
    /// Before the first scene. `program` is started as the service, with one leading argument.
    pub fn new(stage: Stage, program: &Path, word: &str) -> Self {
        let (mut world, cast) = before_the_play();
        world.launch = Some((program.to_path_buf(), vec![word.to_string()]));
        Self { stage, world, cast, watch: Watch::default(), answers: Vec::new(), n_audited: 0 }
    }

    /// Something happens on GitHub; its deliveries are sent and dealt with.
    pub fn step(&mut self, what: &str, deliveries: &[Delivery]) -> Played {
        self.step_in(Which::All, what, deliveries)
    }

    /// The same, with the calls as `which` says.
    pub fn step_in(&mut self, which: Which, what: &str, deliveries: &[Delivery]) -> Played {
        self.stage.beat()?;
        self.stage.row("GitHub", what)?;
        let mut taken = Vec::new();
        for delivery in deliveries {
            if self.send(delivery)?.status == 202 {
                taken.push(delivery);
            }
            // One after the other: whether two of them become one job is chance otherwise.
            self.wait_for_rest()?;
        }
        self.outcomes(&taken)?;
        self.effects(which)
    }

    /// Shows what the service did at last: the reasons of its audit log, its calls, and Sentry's teams.
    pub fn effects(&mut self, which: Which) -> Played {
        let reasons = self.reasons();
        for reason in reasons {
            self.stage.row("because", &reason)?;
        }
        let calls = self.watch.calls(&self.world, which);
        self.calls(&calls)?;
        self.sentry()
    }

    /// How much a comparison has read.
    pub fn reads(&mut self) -> Played {
        let [github, sentry] = self.watch.reads(&self.world);
        self.stage.row(CALLS, &format!("{github} reads of GitHub, {sentry} of Sentry, side by side"))
    }

    /// Sends a delivery, and shows the answer.
    pub fn send(&mut self, delivery: &Delivery) -> Played<Answer> {
        self.send_signed(delivery, SECRET)
    }

    /// The same, signed with another secret than the hook's.
    pub fn send_signed(&mut self, delivery: &Delivery, secret: &str) -> Played<Answer> {
        let began = Instant::now();
        let mut sender = Sender::new(&format!("{}/github", self.world.service().url), secret);
        let response =
            sender.send(delivery).map_err(|error| self.failed("the service gave no answer", &error))?;
        let took = began.elapsed();
        let answer = Answer {
            status: response.status,
            body: serde_json::from_slice(&response.body).unwrap_or_default(),
        };
        self.answers.push((answer.status, took));
        let ink = if answer.status < 300 { Ink::Green } else { Ink::Red };
        let word = answer.body["status"].as_str().unwrap_or_default();
        let text = format!(
            "{:<28}{}  {} {:>9}",
            event_of(delivery),
            short(&delivery.guid),
            self.stage.paint(ink, &format!("{:<14}", format!("{} {word}", answer.status))),
            millis(took),
        );
        self.stage.row("delivery", &text)?;
        Ok(answer)
    }

    /// What the service decided about each delivery.
    pub fn outcomes(&mut self, deliveries: &[&Delivery]) -> Played {
        let status = self.status()?;
        let mut last = String::new();
        for delivery in deliveries {
            let mut recent = status["recent"].as_array().into_iter().flatten();
            let Some(found) = recent.find(|recent| recent["guid"] == delivery.guid.as_str()) else {
                continue;
            };
            let note = found["note"].as_str().unwrap_or_default().to_string();
            let said = if note == last { "the same" } else { &note };
            let said = self.stage.paint(ink_of(&found["status"]), said);
            let which =
                if deliveries.len() > 1 { format!("{}  ", short(&delivery.guid)) } else { String::new() };
            self.stage.row("outcome", &format!("{which}{said}"))?;
            last = note;
        }
        Ok(())
    }

    /// What the audit log's new lines give as reasons for adopting, adding and removing, each once.
    pub fn reasons(&mut self) -> Vec<String> {
        let lines = self.world.audit();
        let mut reasons = Vec::new();
        for line in lines.iter().skip(self.n_audited) {
            let text = |name: &str| line[name].as_str().unwrap_or_default();
            if ["adopt team", "add member", "remove member"].contains(&text("decision")) {
                let whom = if text("login").is_empty() { text("slug") } else { text("login") };
                let reason = format!("{whom}: {}", with_meaning(text("reason")));
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
        self.n_audited = lines.len();
        reasons
    }

    /// Shows calls to both sides.
    pub fn calls(&mut self, calls: &[Heard]) -> Played {
        if calls.is_empty() {
            return self.stage.row(CALLS, "none");
        }
        let room = self.stage.room() - HOST;
        let mut last = None;
        for heard in calls {
            let host = if last == Some(heard.host) { "" } else { HOSTS[heard.host] };
            last = Some(heard.host);
            let text = format!("{host:<HOST$}{}", heard.text(room));
            let text = if heard.writes() { text } else { self.stage.paint(Ink::Dim, &text) };
            self.stage.row(CALLS, &text)?;
        }
        Ok(())
    }

    /// Shows what changed in Sentry.
    pub fn sentry(&mut self) -> Played {
        let changes = self.watch.changes(&self.world);
        if changes.is_empty() {
            return self.stage.row("Sentry", "as before");
        }
        for change in changes {
            let text = match change {
                Change::Gone(title) => self.stage.paint(Ink::Red, &format!("{title} is gone")),
                Change::Team { title, stay, came, went } => {
                    let came = came.iter().map(|who| self.stage.paint(Ink::Green, &format!("+{who}")));
                    let went = went.iter().map(|who| self.stage.paint(Ink::Red, &format!("-{who}")));
                    let people: Vec<_> = stay.iter().cloned().chain(came).chain(went).collect();
                    format!("{title}: {}", if people.is_empty() { "nobody".into() } else { people.join(" ") })
                }
            };
            self.stage.row("Sentry", &text)?;
        }
        Ok(())
    }

    /// A command as it can be typed while the service runs.
    pub fn typed(&self, args: &[&str]) -> String {
        let program = self.world.launch.as_ref().map(|(program, _)| program.clone()).unwrap_or_default();
        let here = std::env::current_dir().unwrap_or_default();
        let program = program.strip_prefix(here).unwrap_or(&program);
        let state = self.world.env.get("SYNC_STATE_DIR").map_or("", String::as_str);
        format!("{} {} --state-dir {state}", program.display(), args.join(" "))
    }

    /// Runs a command of the program beside the service, as a person would; shows what it says.
    pub fn command(&mut self, args: &[&str], shown: impl Fn(&str) -> bool) -> Played {
        self.stage.row("you type", &self.stage.paint(Ink::Bold, &self.typed(args)))?;
        let (_, out, err) = self.world.command(args);
        for line in out.lines().chain(err.lines()).filter(|line| shown(line)) {
            self.stage.row("it says", line)?;
        }
        Ok(())
    }

    /// `status.json`, now.
    pub fn status(&self) -> Played<Value> {
        let (place, path) = Place::parse(&format!("{}/status.json", self.world.service().admin));
        let response = Connection::open(&place, PATIENCE)
            .and_then(|mut connection| connection.send("GET", &path, &[], b""))
            .map_err(|error| self.failed("the status page does not answer", &error))?;
        serde_json::from_slice(&response.body)
            .map_err(|error| self.failed("status.json can not be read", &error))
    }

    /// Waits until nothing is queued and nobody is at work.
    pub fn wait_for_rest(&self) -> Played<Value> {
        self.wait("the service comes to rest", |status| status["queued"] == 0 && status["open_hints"] == 0)
    }

    /// Waits until the status is as it should be.
    pub fn wait(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Played<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status()?;
            if is_so(&status) {
                return Ok(status);
            }
            if Instant::now() >= until {
                return Err(
                    self.failed(&format!("waited {} s in vain until {what}", PATIENCE.as_secs()), &status)
                );
            }
            self.stage.go_on()?;
            std::thread::sleep(PERIOD);
        }
    }

    /// The end of a play that went wrong; with what the service wrote last. After Ctrl-C, nothing did.
    fn failed(&self, what: &str, why: &dyn std::fmt::Display) -> Stop {
        if self.stage.go_on().is_err() {
            return Stop::Interrupted;
        }
        let log = self.world.service().text();
        let last: Vec<&str> = log.lines().rev().take(20).collect();
        let last: String = last.iter().rev().map(|line| format!("\n  {line}")).collect();
        Stop::Failed(format!("{what}: {why}\nthe service's last words:{last}"))
    }
}

/// `event.action`.
pub fn event_of(delivery: &Delivery) -> String {
    let action = delivery.action.as_deref().map(|action| format!(".{action}")).unwrap_or_default();
    format!("{}{action}", delivery.event)
}

/// The beginning of a GUID, enough to tell one from another.
pub fn short(guid: &str) -> &str {
    guid.get(..8).unwrap_or(guid)
}

/// A time as people read it.
pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// What the names of the sources of a match stand for, to whoever reads them for the first time.
fn with_meaning(reason: &str) -> String {
    let meaning = match reason {
        "matched by public" => " (the e-mail address that the GitHub profile shows)",
        "matched by sentry" => " (the GitHub account that is linked in Sentry)",
        "matched by verified" => " (an address on the organisation's verified domain)",
        _ => "",
    };
    format!("{reason}{meaning}")
}

fn ink_of(status: &Value) -> Ink {
    match status.as_str() {
        Some("held") => Ink::Yellow,
        Some("failed") => Ink::Red,
        _ => Ink::Green,
    }
}
