use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::state::event::Event;
use crate::state::ids::{HookId, Login};
use crate::state::record::FORMAT;
use crate::state::values::{Delivery, Settled};

/// A fresh folder, removed when the test ends.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("journal-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn open(&self) -> (Journal, Vec<String>) {
        Journal::open(StateDir::claim(&self.0).unwrap(), Clock::System).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.join("journal")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn log(&self, number: u64) -> PathBuf {
        self.0.join(format!("journal/{number}.log"))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn receive(journal: &Journal, guid: &str) -> Result<Seq, NotKept> {
    journal.decide(|state| {
        let seq = state.next_seq();
        let event = Event::OrgRenamed { login: Login::from("acme") };
        let delivery = Delivery { seq, at: Timestamp::now(), hook: HookId(1), guid: guid.into(), event };
        Entry::Keep(vec![Record::Received(delivery)], seq)
    })
}

fn settle(journal: &Journal, seq: Seq) {
    journal.note(Record::Settled {
        seqs: vec![seq],
        how: Settled::Done,
        note: "".into(),
        hold: None,
        at: Timestamp::now(),
    });
}

fn queued(journal: &Journal) -> Vec<u64> {
    journal.read(|state| state.deliveries.queued().map(|delivery| delivery.seq.0).collect())
}

#[test]
fn what_was_kept_is_there_after_a_restart() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    for guid in ["a", "b", "c"] {
        receive(&journal, guid).unwrap();
    }
    settle(&journal, Seq(2));
    // A note doesn't sync, but the next delivery's sync covers it.
    receive(&journal, "d").unwrap();
    let before = journal.read(State::clone);
    drop(journal);
    let (journal, remarks) = dir.open();
    assert_eq!(queued(&journal), [1, 3, 4]);
    assert_eq!(journal.read(State::clone), before);
    assert!(remarks.is_empty());
}

#[test]
fn a_second_process_is_refused() {
    let dir = Dir::new();
    let (_journal, _) = dir.open();
    let error = StateDir::claim(&dir.0).err().unwrap().to_string();
    assert!(error.starts_with("another process holds the state directory"), "{error}");
}

#[test]
fn compaction_keeps_the_state_and_removes_old_files() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    for guid in ["a", "b", "c"] {
        receive(&journal, guid).unwrap();
    }
    settle(&journal, Seq(1));
    journal.compact().unwrap();
    assert_eq!(dir.files(), ["2.log", "2.snap"]);
    receive(&journal, "d").unwrap();
    let before = journal.read(State::clone);
    drop(journal);
    let (journal, remarks) = dir.open();
    assert_eq!((journal.read(State::clone), remarks), (before, vec![]));
}

#[test]
fn a_crash_between_the_new_log_and_the_snapshot_loses_nothing() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    receive(&journal, "a").unwrap();
    let old = fs::read(dir.log(1)).unwrap();
    journal.compact().unwrap();
    receive(&journal, "b").unwrap();
    let before = journal.read(State::clone);
    drop(journal);
    fs::write(dir.log(1), old).unwrap();
    fs::remove_file(dir.0.join("journal/2.snap")).unwrap();
    fs::write(dir.0.join("journal/2.snap.new"), b"half").unwrap();
    let (journal, remarks) = dir.open();
    assert_eq!((journal.read(State::clone), remarks), (before, vec![]));
    assert_eq!(journal.read(|state| state.damaged), None);
}

#[test]
fn a_torn_tail_is_cut_and_appending_goes_on() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    receive(&journal, "a").unwrap();
    receive(&journal, "b").unwrap();
    drop(journal);
    let bytes = fs::read(dir.log(1)).unwrap();
    fs::write(dir.log(1), &bytes[..bytes.len() - 3]).unwrap();
    let (journal, remarks) = dir.open();
    assert_eq!(queued(&journal), [1]);
    assert!(remarks[0].starts_with("cut ") && remarks.len() == 1, "{remarks:?}");
    receive(&journal, "c").unwrap();
    drop(journal);
    let (journal, remarks) = dir.open();
    assert_eq!((queued(&journal), remarks), (vec![1, 2], vec![]));
    assert_eq!(journal.read(|state| state.damaged), None);
}

#[test]
fn a_look_sees_what_is_whole_and_touches_nothing() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    receive(&journal, "a").unwrap();
    receive(&journal, "b").unwrap();
    // Also while the journal is open for writing.
    let (state, remarks) = Journal::look(&dir.0, Timestamp::now()).unwrap();
    assert_eq!((state.deliveries.n_queued(), remarks.len()), (2, 0));
    drop(journal);
    let mut bytes = fs::read(dir.log(1)).unwrap();
    bytes.truncate(bytes.len() - 3);
    fs::write(dir.log(1), &bytes).unwrap();
    let (state, remarks) = Journal::look(&dir.0, Timestamp::now()).unwrap();
    assert_eq!((state.deliveries.n_queued(), remarks.len()), (1, 0), "an unfinished record is nothing odd");
    assert_eq!(fs::read(dir.log(1)).unwrap(), bytes);
    let mut newer = Vec::new();
    frame::encode(&Record::Format { version: 99, first_start: Timestamp(0) }, true, &mut newer).unwrap();
    fs::write(dir.log(1), &newer).unwrap();
    assert!(Journal::look(&dir.0, Timestamp::now()).err().unwrap().to_string().contains("has format 99"));
}

#[test]
fn a_torn_tail_before_a_log_that_was_begun_in_vain_is_no_damage() {
    let dir = Dir::new();
    {
        let (journal, _) = dir.open();
        receive(&journal, "a").unwrap();
        receive(&journal, "b").unwrap();
    }
    // The disk was full: half a flush, then a new log whose snapshot did not fit.
    let whole = fs::read(dir.log(1)).unwrap();
    fs::write(dir.log(1), &whole[..whole.len() - 5]).unwrap();
    let mut bytes = Vec::new();
    frame::encode(&Record::Format { version: 1, first_start: Timestamp(0) }, true, &mut bytes).unwrap();
    for begun in [&bytes[..], &bytes[..7], &[]] {
        fs::write(dir.log(2), begun).unwrap();
        let (journal, remarks) = dir.open();
        assert!(journal.read(|state| state.damaged.is_none()), "{remarks:?}");
        assert_eq!(queued(&journal).len(), 1);
        assert_eq!(dir.files(), ["1.log"]);
    }
}

#[test]
fn damage_in_the_middle_is_kept_aside_and_remembered() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    for guid in ["a", "b", "c"] {
        receive(&journal, guid).unwrap();
    }
    drop(journal);
    let mut bytes = fs::read(dir.log(1)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(dir.log(1), &bytes).unwrap();
    let (journal, remarks) = dir.open();
    assert_eq!(queued(&journal), [1, 3]);
    assert!(remarks[0].contains("is damaged"), "{remarks:?}");
    assert_eq!(fs::read(dir.0.join("journal/1.log.damaged")).unwrap(), bytes);
    drop(journal);
    let (journal, remarks) = dir.open();
    assert_eq!((queued(&journal), remarks), (vec![1, 3], vec![]));
    assert!(journal.read(|state| state.damaged).is_some());
}

#[test]
fn missing_files_are_damage() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    receive(&journal, "a").unwrap();
    journal.compact().unwrap();
    drop(journal);
    fs::remove_file(dir.log(2)).unwrap();
    let (journal, remarks) = dir.open();
    assert_eq!(queued(&journal), [1]);
    assert!(remarks[0].ends_with("are missing") && journal.read(|state| state.damaged).is_some());
}

#[test]
fn a_newer_format_is_refused_and_untouched() {
    let dir = Dir::new();
    drop(dir.open());
    let mut bytes = Vec::new();
    frame::encode(&Record::Format { version: 99, first_start: Timestamp(0) }, true, &mut bytes).unwrap();
    fs::write(dir.log(1), &bytes).unwrap();
    let error = Journal::open(StateDir::claim(&dir.0).unwrap(), Clock::System).err().unwrap().to_string();
    assert!(
        error.contains(&format!(
            "has format 99: this version reads formats up to {FORMAT}\n  fix: start the newer"
        )),
        "{error}"
    );
    assert_eq!(fs::read(dir.log(1)).unwrap(), bytes);
}

/// The same records as a program with an older format would have written them.
fn in_older_format(bytes: &[u8]) -> Vec<u8> {
    let mut older = Vec::new();
    frame::scan(bytes, |record| {
        let record = match record {
            Record::Format { first_start, .. } => Record::Format { version: FORMAT - 1, first_start },
            record => record,
        };
        frame::encode(&record, true, &mut older)
    })
    .unwrap();
    older
}

#[test]
fn an_older_format_is_read_and_written_anew_once_whenever_the_process_dies() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    let seq = receive(&journal, "a").unwrap();
    settle(&journal, seq);
    journal.compact().unwrap();
    receive(&journal, "b").unwrap();
    drop(journal);
    for name in ["2.log", "2.snap"] {
        let path = dir.0.join("journal").join(name);
        fs::write(&path, in_older_format(&fs::read(&path).unwrap())).unwrap();
    }
    let older = fs::read(dir.log(2)).unwrap();
    let (journal, remarks) = dir.open();
    assert_eq!((queued(&journal), dir.files()), (vec![2], vec!["3.log".to_string(), "3.snap".to_string()]));
    assert!(remarks.len() == 1 && remarks[0].ends_with("older versions refuse it"), "{remarks:?}");
    drop(journal);
    assert_eq!(dir.open().1, Vec::<String>::new());
    // A crash before the old files are removed: they are ignored. A crash before the snapshot: the new log is blank.
    let snapshot = dir.0.join("journal/3.snap");
    let newer = fs::read(&snapshot).unwrap();
    fs::write(dir.log(2), &older).unwrap();
    let (journal, remarks) = dir.open();
    assert_eq!((queued(&journal), remarks), (vec![2], Vec::new()));
    drop(journal);
    fs::remove_file(&snapshot).unwrap();
    fs::write(dir.0.join("journal/2.snap"), in_older_format(&newer)).unwrap();
    fs::write(dir.log(2), in_older_format(&fs::read(dir.log(3)).unwrap())).unwrap();
    let (journal, remarks) = dir.open();
    assert_eq!((queued(&journal), remarks.len()), (vec![2], 1), "{remarks:?}");
    assert_eq!(dir.files(), ["3.log", "3.snap"]);
}

#[test]
fn a_failed_write_refuses_deliveries_and_a_snapshot_ends_it() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    receive(&journal, "a").unwrap();
    // A file that cannot be written simulates a broken disk.
    journal.inner.lock().file = Arc::new(File::open("/dev/null").unwrap());
    assert!(receive(&journal, "b").is_err());
    assert_eq!(queued(&journal), [1], "a refused delivery is not in the state");
    assert!(receive(&journal, "c").is_err() && journal.trouble().is_some());
    settle(&journal, Seq(1));
    compact::Keeper::new(&journal).mend();
    assert_eq!(journal.trouble(), None);
    receive(&journal, "b").unwrap();
    drop(journal);
    let (journal, remarks) = dir.open();
    let guids: Vec<_> =
        journal.read(|state| state.deliveries.queued().map(|delivery| delivery.guid.to_string()).collect());
    assert_eq!((guids, remarks), (vec!["b".to_string()], vec![]));
}

#[test]
fn many_threads_share_flushes_and_lose_nothing() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let journal = &journal;
            scope.spawn(move || {
                (0..50).for_each(|n| assert!(receive(journal, &format!("{thread}-{n}")).is_ok()));
            });
        }
        (0..3).for_each(|_| assert!(journal.compact().is_ok()));
    });
    drop(journal);
    let (journal, _) = dir.open();
    assert_eq!(queued(&journal), (1..=400).collect::<Vec<_>>());
}

#[test]
fn nothing_is_taken_after_closing() {
    let dir = Dir::new();
    let (journal, _) = dir.open();
    let seq = receive(&journal, "a").unwrap();
    settle(&journal, seq);
    journal.close();
    assert!(receive(&journal, "b").is_err());
    drop(journal);
    assert_eq!(queued(&dir.open().0), Vec::<u64>::new());
}

/// A journal with a record of every kind, for tests that damage it.
pub(crate) fn an_example() -> Vec<u8> {
    let mut bytes = Vec::new();
    let record = |record: Record| -> io::Result<()> {
        let first = bytes.len() % 3 == 0;
        Ok(frame::encode(&record, first, &mut bytes)?)
    };
    crate::state::tests::full().each_record(&mut { record }).expect("memory suffices");
    bytes
}

/// Reads any bytes as a journal. The valid records make a state that is the same after it's written and read again.
pub(crate) fn read_anything(bytes: &[u8]) {
    let mut state = State::new(Timestamp::from_secs(7));
    let scan = frame::scan(bytes, |record| -> Result<(), ()> {
        state.apply(record);
        Ok(())
    });
    assert!(scan.is_ok_and(|scan| scan.good_until <= bytes.len()));
    let written = |state: &State| {
        let mut records = Vec::new();
        let keep = |record| -> io::Result<()> {
            records.push(record);
            Ok(())
        };
        state.each_record(&mut { keep }).expect("memory suffices");
        records
    };
    let first = written(&state);
    let mut again = State::new(Timestamp::from_secs(7));
    first.iter().cloned().for_each(|record| again.apply(record));
    assert_eq!(written(&again), first);
}
