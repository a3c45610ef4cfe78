//! `replay --github`: recovers the deliveries that GitHub could not deliver in the last three days. It reads them from
//! GitHub's own list, and asks GitHub to redeliver those that it cannot read.
//!
//! It works oldest first and one at a time, because payload mode depends on the order of arrival. It skips deliveries
//! that are already here. Apart from `app`, nothing else in this program asks GitHub to do anything.

use std::time::Duration;

use super::Reply;
use crate::hosts::github::facts::Sent;
use crate::hosts::github::sent::SentBy;
use crate::hosts::http::{Trouble, TroubleKind};
use crate::intake::missed::{known, lists, take_from, Fate};
use crate::reconcile::Progress;
use crate::store::audit::decisions::Asked;
use crate::text::Safe;
use crate::work::mirror::Mirror;

/// GitHub remembers what it has sent for this long.
const DAYS: Duration = Duration::from_secs(3 * 86_400);
/// How long to wait for a redelivery to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);
/// How often to check whether it has arrived.
const LOOK: Duration = Duration::from_millis(100);

/// Recovers missed deliveries, and reports each of them.
pub fn run(mirror: &Mirror, asked: &Asked, progress: Progress) -> Reply {
    let Some((org, _)) = mirror.bearings() else { return Reply::failed(mirror.why_no_organisation()) };
    let is_app = mirror.github.app().is_some();
    let settings = mirror.settings();
    let by_hand = format!(
        "{}: the {} → {}Recent Deliveries → the delivery → Redeliver",
        SentBy::page(&org.login, is_app, &settings.github_url),
        if is_app { "App" } else { "webhook" },
        if is_app { "Advanced → " } else { "" },
    );
    let mut task = Task { mirror, asked, progress, reply: Reply::default(), n_failed: 0, n_left: 0 };
    let mut n_read = 0;
    for list in lists(mirror) {
        match task.work_through(&list) {
            Ok(true) => n_read += 1,
            Ok(false) | Err(Trouble { kind: TroubleKind::Denied, .. }) => {}
            Err(trouble) => task.reply.fail(&format!("failed to read or send deliveries again: {trouble}")),
        }
    }
    let Task { mut reply, n_failed, n_left, .. } = task;
    if n_read == 0 && reply.exit == 0 {
        reply.fail(&format!(
            "{} may not read what the webhook has sent, or has no webhook\n  fix: press it by hand, at {by_hand}",
            mirror.github_token.who()
        ));
    } else if n_failed == 0 && reply.exit == 0 {
        reply.say("nothing was missed in the last three days");
    } else if n_left > 0 {
        reply.fail(&format!("what is left is sent by hand, at {by_hand}"));
    }
    reply
}

struct Task<'a> {
    mirror: &'a Mirror,
    asked: &'a Asked,
    progress: Progress<'a>,
    reply: Reply,
    n_failed: usize,
    n_left: usize,
}

impl Task<'_> {
    /// Returns `false` if the token cannot see the list.
    fn work_through(&mut self, list: &SentBy) -> Result<bool, Trouble> {
        let mirror = self.mirror;
        (self.progress)("reading what GitHub has sent");
        let before = mirror.queue.last_delivery_visible_everywhere();
        let since = mirror.clock.wall().before(DAYS);
        let Some(sent) = mirror.github.sent(list, since)? else { return Ok(false) };
        take_from(mirror, list, &sent, before, &mut |delivery, fate| self.tell(list, delivery, fate))?;
        Ok(true)
    }

    fn tell(&mut self, list: &SentBy, sent: &Sent, fate: Fate) -> Result<(), Trouble> {
        self.n_failed += 1;
        let became = match fate {
            Fate::Taken => "taken from GitHub's list, and queued",
            Fate::Overtaken => "skipped: a newer delivery about the same team and person had arrived",
            Fate::NothingToDo => "left out: it changes nothing here",
            Fate::Unreadable => self.send_again(list, sent)?,
        };
        let answer = match sent.status {
            0 => "no answer".to_string(),
            status => format!("{status}"),
        };
        let at = sent.at.map(|at| format!(" {at}")).unwrap_or_default();
        self.reply.say(&format!(
            "{} {}{at}, answered {answer}: {became}",
            Safe(&sent.guid),
            Safe(&sent.event)
        ));
        Ok(())
    }

    /// Asks GitHub to redeliver it, and waits up to `ARRIVAL` for it to arrive.
    fn send_again(&mut self, list: &SentBy, sent: &Sent) -> Result<&'static str, Trouble> {
        let mirror = self.mirror;
        if mirror.github.send_again(list, sent.id)?.is_none() {
            self.n_left += 1;
            return Ok("not sent again: the token may not ask for that (an owner's may, with Webhooks: Read and write)");
        }
        let mut line = self.asked.entry("ask GitHub to send again");
        line.delivery = Some(sent.guid.as_str().into());
        mirror.audit.write(line);
        let until = mirror.clock.now() + ARRIVAL;
        while mirror.clock.now() < until {
            if mirror.state(|state| known(state, list.hook(), &sent.guid)).is_some() {
                return Ok("sent again, and here now");
            }
            mirror.queue.lanes.rest(LOOK);
        }
        self.n_left += 1;
        Ok("sent again, and not here yet: look at what was answered")
    }
}
