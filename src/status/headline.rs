//! Is it true now? The whole status in a title and a sentence. Pure: the time is an argument.

use serde::Serialize;

use super::{Host, LastReconcile, Status};
use crate::clock::{short, Timestamp};
use crate::state::record::Mode;
use crate::words::counted;

/// The whole status in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Headline {
    /// How bad it is.
    pub mood: Mood,
    /// A few words.
    pub title: String,
    /// Why.
    pub why: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    /// Sentry is as GitHub is, as far as the mirror can know.
    #[default]
    True,
    /// It is being made true.
    Working,
    /// Something waits for a person, or for a host that does not answer.
    Waits,
    /// It does not work.
    Broken,
}

impl Status {
    /// The first of these that holds: no service, not ready, paused, something for a person, a host that is down, work under way, true.
    pub(super) fn tell(&self, now: Timestamp) -> Headline {
        let say = |mood, title: &str, why: String| Headline { mood, title: title.into(), why };
        if self.started.is_none() {
            return say(
                Mood::Broken,
                "No service is running",
                "This is what its state directory holds.".into(),
            );
        }
        if !self.reasons.is_empty() {
            return say(
                Mood::Broken,
                "Not ready",
                "What keeps it from working stands below; sentry-team-sync check says what to do.".into(),
            );
        }
        let for_you = self.for_a_person();
        if let Some(pause) = &self.paused {
            let also = self.queue(now).into_iter().chain(for_you).collect::<Vec<_>>().join(", ");
            let also = if also.is_empty() { also } else { format!(" {}", sentence(&also)) };
            return say(Mood::Waits, "Paused", sentence(&pause.text) + &also);
        }
        if !for_you.is_empty() {
            let why = sentence(&for_you.join(", ")) + &self.about_the_rest(now);
            return say(Mood::Waits, "Something waits for you", why);
        }
        let down = [("GitHub", &self.github), ("Sentry", &self.sentry)]
            .into_iter()
            .find(|(_, host)| !host.is_well());
        if let Some((name, _)) = down {
            let waiting = self.queue(now).unwrap_or_else(|| "nothing waits for it".into());
            return say(Mood::Waits, &format!("{name} does not answer"), sentence(&waiting));
        }
        if let Some(work) = self.under_way(now) {
            return say(Mood::Working, "Catching up", sentence(&work));
        }
        match (&self.last_reconcile, self.mode) {
            (Some(last), _) if !last.failed.is_empty() => {
                let n = last.failed.len();
                let why =
                    format!("The last comparison found {}; {n} could not be mended.", differences(last));
                say(Mood::Waits, "Not all is in step", why)
            }
            (Some(last), _) => say(Mood::True, &self.in_step(), last.praise(now)),
            (None, Some(Mode::Payload)) => {
                let why = "Every delivery is dealt with. Nothing is compared in payload mode.";
                say(Mood::True, "In step", why.into())
            }
            (None, _) => say(Mood::Working, "Ready", "The first comparison is not over yet.".into()),
        }
    }

    /// A person may have wanted that it is not as GitHub has it.
    fn in_step(&self) -> String {
        let rejected = self.holds.iter().filter(|hold| hold.decision == Some("rejected"));
        match rejected.map(|hold| hold.n_changes).sum() {
            0 => "In step".into(),
            n => format!("In step but for {}", counted(n, "rejected change", "rejected changes")),
        }
    }

    /// What can be said of all that waits for nobody.
    fn about_the_rest(&self, now: Timestamp) -> String {
        let last = self.last_reconcile.as_ref().filter(|last| last.failed.is_empty());
        match last.filter(|_| self.under_way(now).is_none()) {
            Some(last) => {
                format!(" Everything else was in step at the last comparison{}.", last.ago(now, ""))
            }
            None => String::new(),
        }
    }

    fn for_a_person(&self) -> Vec<String> {
        let all = [
            (self.held, "hold to decide", "holds to decide"),
            (self.failed, "failed delivery to look into", "failed deliveries to look into"),
            (self.warnings.len(), "warning to read", "warnings to read"),
        ];
        all.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, more)| counted(n, one, more)).collect()
    }

    /// What is being done, if anything is.
    fn under_way(&self, now: Timestamp) -> Option<String> {
        let open = self.last_reconcile.as_ref().filter(|last| last.open > 0);
        let approved = self.holds.iter().filter(|hold| hold.decision == Some("approved")).count();
        match (self.queue(now), open, approved, self.open_hints) {
            (Some(queue), ..) => Some(queue),
            (None, Some(last), ..) => {
                let teams = counted(last.open, "team is", "teams are");
                Some(format!("the last comparison found {}; {teams} still at work", differences(last)))
            }
            (None, None, 0, 0) => None,
            (None, None, 0, n) => Some(format!("{} being looked at", counted(n, "thing is", "things are"))),
            (None, None, n, _) => {
                Some(format!("{} being carried out", counted(n, "approved hold is", "approved holds are")))
            }
        }
    }

    /// What is queued, if anything is.
    fn queue(&self, now: Timestamp) -> Option<String> {
        let oldest = self.oldest_queued.as_deref().and_then(Timestamp::parse)?;
        let waits = counted(self.queued, "delivery is queued", "deliveries are queued");
        Some(format!("{waits}, the oldest for {}", short(now.since(oldest))))
    }
}

impl Host {
    pub(super) fn is_well(&self) -> bool {
        self.health == "well"
    }
}

impl LastReconcile {
    /// `, 10m ago` and what follows it in the sentence.
    fn ago(&self, now: Timestamp, end: &str) -> String {
        let at = Timestamp::parse(&self.at);
        at.map_or_else(String::new, |at| format!(", {} ago{end}", short(now.since(at))))
    }

    fn praise(&self, now: Timestamp) -> String {
        let ago = self.ago(now, ",");
        match self.differences {
            0 => format!("The last comparison{ago} found no difference."),
            _ if self.paused => format!(
                "The last comparison{ago} found {}; writes were paused, so none was carried out.",
                differences(self)
            ),
            all if self.held == 0 => {
                format!("The last comparison{ago} found {}, and mended {}.", differences(self), them(all))
            }
            all if self.held >= all => {
                format!(
                    "The last comparison{ago} found {}, and left {} to a guard.",
                    differences(self),
                    them(all)
                )
            }
            all => format!(
                "The last comparison{ago} found {}: {} mended, {} left to a guard.",
                differences(self),
                all - self.held,
                self.held
            ),
        }
    }
}

fn them(n: usize) -> &'static str {
    if n == 1 {
        "it"
    } else {
        "them"
    }
}

fn differences(last: &LastReconcile) -> String {
    counted(last.differences, "difference", "differences")
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::status::HoldView;

    const NOW: Timestamp = Timestamp(1_795_470_828_000);

    fn told(change: impl FnOnce(&mut Status)) -> (Mood, String, String) {
        let started = Some(Timestamp(0).to_string());
        let mut status = Status { started, mode: Some(Mode::Read), ..Status::of_state(&State::default()) };
        change(&mut status);
        let Headline { mood, title, why } = status.tell(NOW);
        (mood, title, why)
    }

    fn is(mood: Mood, title: &str, why: &str) -> (Mood, String, String) {
        (mood, title.into(), why.into())
    }

    fn last(differences: usize, open: usize, failed: &[&str]) -> Option<LastReconcile> {
        let failed = failed.iter().map(ToString::to_string).collect();
        let at = Timestamp(NOW.0 - 600_000).to_string();
        Some(LastReconcile {
            at,
            seconds: 0.5,
            summary: String::new(),
            differences,
            held: 0,
            paused: false,
            open,
            written: 0,
            failed,
        })
    }

    fn hold(decision: &'static str) -> HoldView {
        let (changes, text) = (Vec::new(), String::new);
        let decision = Some(decision);
        HoldView { name: text(), n_changes: 2, changes, rule: text(), since: text(), decision }
    }

    #[test]
    fn the_headline_is_the_worst_that_holds() {
        assert_eq!(told(|_| ()), is(Mood::Working, "Ready", "The first comparison is not over yet."));
        assert_eq!(
            told(|status| status.last_reconcile = last(0, 0, &[])),
            is(Mood::True, "In step", "The last comparison, 10m ago, found no difference.")
        );
        assert_eq!(
            told(|status| status.last_reconcile = last(1, 0, &[])),
            is(Mood::True, "In step", "The last comparison, 10m ago, found 1 difference, and mended it.")
        );
        assert_eq!(
            told(|status| status.last_reconcile = last(3, 2, &[])),
            is(
                Mood::Working,
                "Catching up",
                "The last comparison found 3 differences; 2 teams are still at work."
            )
        );
        assert_eq!(
            told(|status| status.last_reconcile = last(3, 0, &["x"])),
            is(
                Mood::Waits,
                "Not all is in step",
                "The last comparison found 3 differences; 1 could not be mended."
            )
        );
        let rejected = |status: &mut Status| {
            status.last_reconcile = last(2, 0, &[]).map(|last| LastReconcile { held: 2, ..last });
            status.holds = ["rejected", "approved"].map(hold).into();
        };
        let why = "The last comparison, 10m ago, found 2 differences, and left them to a guard.";
        assert_eq!(told(rejected), is(Mood::Working, "Catching up", "1 approved hold is being carried out."));
        let settled = |status: &mut Status| {
            rejected(status);
            status.holds.pop();
        };
        assert_eq!(told(settled), is(Mood::True, "In step but for 2 rejected changes", why));
        let looking = |status: &mut Status| (status.open_hints, status.last_reconcile) = (2, last(0, 0, &[]));
        assert_eq!(told(looking), is(Mood::Working, "Catching up", "2 things are being looked at."));
        let busy = |status: &mut Status| {
            status.last_reconcile = last(0, 0, &[]);
            status.queued = 2;
            status.oldest_queued = Some(Timestamp(NOW.0 - 40_000).to_string());
        };
        let queue = "2 deliveries are queued, the oldest for 40s.";
        assert_eq!(told(busy), is(Mood::Working, "Catching up", queue));
        let down = |status: &mut Status| {
            busy(status);
            status.sentry.health = "down";
        };
        assert_eq!(told(down), is(Mood::Waits, "Sentry does not answer", queue));
        let held = |status: &mut Status| {
            down(status);
            (status.held, status.failed) = (1, 2);
        };
        let warned = |status: &mut Status| status.warnings = vec!["x".into()];
        assert_eq!(told(warned), is(Mood::Waits, "Something waits for you", "1 warning to read."));
        let both = "1 hold to decide, 2 failed deliveries to look into.";
        assert_eq!(told(held), is(Mood::Waits, "Something waits for you", both));
        let broken = |status: &mut Status| {
            held(status);
            status.reasons = vec!["Sentry: no".into()];
        };
        assert_eq!(
            told(broken),
            is(
                Mood::Broken,
                "Not ready",
                "What keeps it from working stands below; sentry-team-sync check says what to do."
            )
        );
    }

    #[test]
    fn payload_mode_promises_no_more_than_it_knows() {
        let why = "Every delivery is dealt with. Nothing is compared in payload mode.";
        assert_eq!(told(|status| status.mode = Some(Mode::Payload)), is(Mood::True, "In step", why));
    }
}
