//! State of another version. What a program of before left is taken over and written anew, which a death may interrupt; what
//! one of the future left is refused, and stays as it is.

use sha2::{Digest, Sha256};

use super::draw::Draw;
use super::play::{Done, Sequence};
use super::rules::Failure;

/// What tells its draws apart.
const OF_FORMATS: u64 = 11;
/// How a journal's files say which format they are of: in their first record, behind its length and its sum.
const SAYS: &[u8] = b"\"version\":";
const FUTURE: u8 = b'9';
const HEAD: usize = 12;
const FIRST: u32 = 1 << 31;

impl Sequence {
    /// The process that begins next finds what another version left.
    pub fn change_version(&mut self) -> Done {
        let number = self.draw.next();
        let mut draw = Draw::of(self.seed, number, OF_FORMATS);
        if draw.percent(30) {
            return self.meet_the_future();
        }
        let version = b'1' + draw.below(3) as u8;
        let before = self.stage.disk.change_journal(&|bytes| set_version(bytes, version));
        if !before.is_empty() {
            self.say(&format!("a version of format {} was the last one to run", char::from(version)));
            self.tally.versions += 1;
        }
        Ok(())
    }

    fn meet_the_future(&mut self) -> Done {
        let before = self.stage.disk.change_journal(&|bytes| set_version(bytes, FUTURE));
        let Some(ours) = before.first().copied() else { return Ok(()) };
        self.say("a version of the future was the last one to run");
        self.tally.versions += 1;
        let left = self.stage.disk.all();
        self.open();
        let (is_refused, untouched) = (self.process.is_none(), self.stage.disk.all() == left);
        self.stage.disk.change_journal(&|bytes| set_version(bytes, ours));
        if is_refused && untouched {
            return Ok(());
        }
        let what = format!("refused: {is_refused}, untouched: {untouched}");
        Err(Failure::new("a_state_of_the_future_is_left_alone", what))
    }
}

/// Says that a file is of this format, and which it was of; nothing if its first record did not reach the disk.
pub fn set_version(bytes: &mut [u8], version: u8) -> Option<u8> {
    let length: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    let end = HEAD + (u32::from_le_bytes(length) & !FIRST) as usize;
    let payload = bytes.get_mut(HEAD..end)?;
    let at = payload.windows(SAYS.len()).position(|part| part == SAYS)? + SAYS.len();
    let before = std::mem::replace(payload.get_mut(at)?, version);
    let sum = Sha256::new().chain_update(length).chain_update(payload).finalize();
    bytes.get_mut(4..HEAD)?.copy_from_slice(&sum[..HEAD - 4]);
    Some(before)
}
