//! A token that loses its right to read members, and has it again later: what GitHub then shows to nobody is there.

use super::play::{Done, Sequence};
use super::process::IDLE;
use super::rules::holds;
use super::sides::Truth;
use super::steps::Kind;
use crate::standin::github::Denial;
use crate::standin::GithubToken;

impl Sequence {
    /// Whether it was so. Not before what the token could do is known and on disk: then it is one that never could.
    pub fn lose_permission(&mut self) -> bool {
        let forgets = self.rotten.is_some() || self.tally.kinds.contains_key(&Kind::Disk);
        if self.profile.truth != Truth::Github || self.profile.is_app || forgets {
            return false;
        }
        if !self.knows_the_mode() {
            return false;
        }
        self.pass(IDLE);
        // The process may have died meanwhile, before that was on disk.
        if !self.knows_the_mode() {
            return false;
        }
        let denial = [Denial::Forbidden, Denial::NotFound][self.draw.below(2) as usize];
        self.say(&format!("GitHub's token may no longer read members: {denial:?}"));
        self.set_rights(GithubToken::no_permission(self.sides.olive).denial(denial));
        // What was found out just before is still carried out.
        self.pass(IDLE);
        self.blind_since.get_or_insert(self.sides.sentry.wire.mark());
        true
    }

    fn knows_the_mode(&mut self) -> bool {
        self.status().is_some_and(|shown| shown.mode.is_some())
    }

    pub fn regain_permission(&mut self) {
        if self.blind_since.is_some() {
            self.set_rights(GithubToken::members_read(self.sides.olive));
            self.blind_since = None;
        }
    }

    /// A team or a person that is not to be seen may be there all the same.
    pub fn check_what_is_unseen(&self) -> Done {
        let removals = self.blind_since.map_or_else(Vec::new, |mark| self.sides.removals_since(mark));
        let what = || format!("{removals:?} by a token that sees nobody");
        holds(removals.is_empty(), "unknown_is_never_removed", what)
    }

    fn set_rights(&self, rights: GithubToken) {
        if let Some(token) = self.stage.env().get("GH_TOKEN") {
            self.sides.github.set_token(token, rights);
        }
    }
}
