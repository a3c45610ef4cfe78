//! The form of a record on disk: length (u32, little endian; its highest bit marks the first record of a flush), the
//! first 8 bytes of SHA-256 over length and payload, payload (JSON). Pure.
//!
//! A length of 0 is never valid, so a tail of zero bytes is not a list of empty records.

use sha2::{Digest, Sha256};

use crate::state::record::Record;

/// The largest payload that is read; writing doesn't check it. A delivery is below 1 KiB, a snapshot's list of keys
/// below 128 KiB, the people of one team below 1 MiB.
const LIMIT: u32 = 8 << 20;
const SUM: usize = 8;
const HEAD: usize = 4 + SUM;
const FIRST: u32 = 1 << 31;

/// Appends a record to `out` in its form on disk. `first` marks the first record of a flush.
pub fn encode(record: &Record, first: bool, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    serde_json::to_writer(&mut *out, record)?;
    let length = (out.len() - start - HEAD) as u32 | if first { FIRST } else { 0 };
    let sum = sum(length.to_le_bytes(), &out[start + HEAD..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + HEAD].copy_from_slice(&sum);
    Ok(())
}

fn sum(length: [u8; 4], payload: &[u8]) -> [u8; SUM] {
    let mut hash = Sha256::new();
    hash.update(length);
    hash.update(payload);
    let mut sum = [0; SUM];
    sum.copy_from_slice(&hash.finalize()[..SUM]);
    sum
}

/// A record whose checksum is correct.
struct Frame {
    start: usize,
    end: usize,
    first: bool,
}

impl Frame {
    fn at(bytes: &[u8], start: usize) -> Option<Self> {
        let length: [u8; 4] = bytes.get(start..start + 4)?.try_into().ok()?;
        let n = u32::from_le_bytes(length);
        let first = n & FIRST != 0;
        let n = n & !FIRST;
        if n == 0 || n > LIMIT {
            return None;
        }
        let end = start + HEAD + n as usize;
        let payload = bytes.get(start + HEAD..end)?;
        (bytes.get(start + 4..start + HEAD)? == sum(length, payload)).then_some(Self { start, end, first })
    }
}

/// What a scan found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where the last good record ends.
    pub good_until: usize,
    /// Where the last flush begins. Everything before it was synced before the flush was written.
    pub last_flush: usize,
    /// Bytes that had been synced are unreadable.
    pub damaged: bool,
}

/// Reads all records into `sink`, in order.
///
/// Bytes that fail the check within the last flush are *torn*: the flush never ended (its pages reach the disk in any
/// order), no caller got a success for it, and reading ends there. Bytes that fail before a later flush are *damage*,
/// and the good records after them are still read.
pub fn scan<E>(bytes: &[u8], mut sink: impl FnMut(Record) -> Result<(), E>) -> Result<Scan, E> {
    let frames = frames(bytes);
    let last_flush = frames.iter().rposition(|frame| frame.first).unwrap_or(0);
    let begins = frames.get(last_flush).map_or(0, |frame| frame.start);
    let mut scan = Scan { good_until: 0, last_flush: begins, damaged: false };
    for (n, frame) in frames.iter().enumerate() {
        if frame.start != scan.good_until {
            if n > last_flush {
                break;
            }
            scan.damaged = true;
        }
        match serde_json::from_slice(&bytes[frame.start + HEAD..frame.end]) {
            Ok(record) => sink(record)?,
            Err(_) => scan.damaged = true,
        }
        scan.good_until = frame.end;
    }
    Ok(scan)
}

fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match Frame::at(bytes, at) {
            Some(frame) => {
                at = frame.end;
                frames.push(frame);
            }
            None => at += 1,
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ids::Seq;

    fn scan(bytes: &[u8]) -> (Vec<u64>, Scan) {
        let mut seqs = Vec::new();
        let keep = |record| -> Result<(), ()> {
            if let Record::Again { seq } = record {
                seqs.push(seq.0);
            }
            Ok(())
        };
        let scan = super::scan(bytes, keep).unwrap();
        (seqs, scan)
    }

    /// Records 1, 2, …: each item is a flush and says how many records it has.
    fn bytes(flushes: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut seq = 0;
        for n in flushes {
            for i in 0..*n {
                seq += 1;
                encode(&Record::Again { seq: Seq(seq) }, i == 0, &mut out).unwrap();
            }
        }
        out
    }

    #[test]
    fn every_cut_of_the_last_record_gives_exactly_the_earlier_ones() {
        for flushes in [&[1, 1, 1][..], &[3], &[1, 2]] {
            let whole = bytes(flushes);
            let (one, two) = (bytes(&[1]).len(), bytes(&[2]).len());
            let last_flush = if flushes == [3] { 0 } else { one };
            for cut in two..whole.len() {
                let torn = Scan { good_until: two, last_flush, damaged: false };
                assert_eq!(scan(&whole[..cut]), (vec![1, 2], torn), "{flushes:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_of_the_last_record_gives_exactly_the_earlier_ones() {
        let whole = bytes(&[1, 1, 1]);
        let (one, two) = (bytes(&[1]).len(), bytes(&[2]).len());
        let torn = Scan { good_until: two, last_flush: one, damaged: false };
        for bit in two * 8..whole.len() * 8 {
            let mut bad = whole.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(scan(&bad), (vec![1, 2], torn), "bit {bit}");
        }
    }

    #[test]
    fn a_bad_record_before_a_later_flush_is_damage_and_costs_only_itself() {
        for flushes in [&[1, 1, 1][..], &[2, 1]] {
            let whole = bytes(flushes);
            let (one, two) = (bytes(&[1]).len(), bytes(&[2]).len());
            for at in one..two {
                let mut bad = whole.clone();
                bad[at] ^= 0x40;
                let expected = Scan { good_until: whole.len(), last_flush: two, damaged: true };
                assert_eq!(scan(&bad), (vec![1, 3], expected), "{flushes:?} byte {at}");
            }
        }
    }

    #[test]
    fn pages_of_the_last_flush_that_reached_the_disk_out_of_order_are_torn_not_damaged() {
        let mut whole = bytes(&[1, 3]);
        let (one, two) = (bytes(&[1]).len(), bytes(&[2]).len());
        whole[one..two].fill(0);
        assert_eq!(scan(&whole), (vec![1], Scan { good_until: one, last_flush: 0, damaged: false }));
    }

    #[test]
    fn a_tail_of_zeros_is_no_record() {
        let mut whole = bytes(&[1]);
        let good = whole.len();
        whole.resize(good + 4096, 0);
        assert_eq!(scan(&whole), (vec![1], Scan { good_until: good, last_flush: 0, damaged: false }));
    }

    #[test]
    fn an_empty_file_is_an_empty_list() {
        assert_eq!(scan(&[]), (vec![], Scan { good_until: 0, last_flush: 0, damaged: false }));
    }
}
