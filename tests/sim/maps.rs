//! Some lives have a user map. While it changes, somebody whom no other source knows is in teams; and now and then
//! somebody writes nonsense into it, whereupon the last good map stays in use.

use super::play::Sequence;
use crate::standin::NewMember;

const FILE: &str = "/map/users.csv";
/// What it says of somebody who is in no team: a map without a row is refused.
const OTHERS: &str = "login,email\nsomebody-else,else@elsewhere.test\n";
/// In Sentry, the address of whoever the map names.
const NAMED: &str = "named@elsewhere.test";

impl Sequence {
    /// The map is there before the first process, and names nobody whom anybody knows.
    pub fn begin_map(&mut self) {
        if !self.has_map() {
            return;
        }
        self.sides.sentry.add_member(NewMember::new(NAMED));
        self.stage.set("SYNC_USER_MAP", FILE);
        self.write_map(OTHERS);
    }

    fn has_map(&self) -> bool {
        self.profile.has_map && self.has_rarities()
    }

    fn write_map(&mut self, text: &str) {
        self.stage.disk.write_by_hand(FILE.as_ref(), text.as_bytes());
        self.say(&format!("the user map is {text:?}"));
    }

    /// Somebody writes the missing row into the map, or nonsense.
    pub fn change_map(&mut self) {
        if !self.has_map() {
            return;
        }
        if self.rarely(40) {
            return self.write_map("login;email\n");
        }
        let Some((id, login)) = self.org.name_by_map(NAMED) else { return };
        let row = if self.rarely(50) { format!("id:{id},{NAMED}\n") } else { format!("{login},{NAMED}\n") };
        self.write_map(&format!("{OTHERS}{row}"));
        self.has_new_people = true;
    }

    /// The map is as good as it ever was.
    pub fn mend_map(&mut self) {
        if !self.has_map() {
            return;
        }
        let row = self.org.named_by_map(NAMED).map(|login| format!("{login},{NAMED}\n"));
        self.write_map(&format!("{OTHERS}{}", row.unwrap_or_default()));
        self.has_new_people = true;
    }
}
