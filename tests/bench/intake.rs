//! How fast deliveries are made durable and answered, beside bare tiny_http under the same load.
//!
//! The three programs run side by side and take turns, so that a busy moment of the machine meets all of them.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::compare::resident;
use crate::load::{Load, Report};
use crate::standin::{Delivery, Reach};
use crate::table::Table;
use crate::world::{TempDir, SECRET};
use crate::yardstick::Yardstick;
use crate::{deliveries, share, world};

/// Turns of each program.
const ROUNDS: usize = 4;

/// `CPU us` is what a delivery costs the process: on a machine that does other things too it tells more than the rate does.
/// `ours %` is our rate as a share of the bare program's.
const COLUMNS: &[&str] = &["per s", "p50 ms", "p99 ms", "p99.9 ms", "lost", "CPU us", "MiB", "ours %"];

/// One way of sending.
struct Case {
    bytes: usize,
    keep_alive: bool,
    connections: usize,
}

impl Case {
    fn name(&self) -> String {
        let kind = if self.keep_alive { "keep-alive" } else { "a connection each" };
        format!("{} KiB, {} x {kind}", self.bytes >> 10, self.connections)
    }
}

/// Everything, or a few cases of it. `SYNC_BENCH_CASE` names those that are of interest, by a part of their name.
pub fn run(quick: bool, table: &mut Table) {
    table.part("intake", "durable intake, as fast as it goes", COLUMNS);
    table.row("the disk: 512 bytes appended and synced", &disk(share(quick, 2000)));
    let wanted = std::env::var("SYNC_BENCH_CASE").ok();
    let connections: &[usize] = if quick { &[1, 32] } else { &[1, 8, 32, 128] };
    let sizes: &[usize] = if quick { &[8192] } else { &[8192, 2048] };
    for bytes in sizes {
        for keep_alive in [true, false] {
            for connections in connections {
                let case = Case { bytes: *bytes, keep_alive, connections: *connections };
                if wanted.as_ref().is_none_or(|part| case.name().contains(part)) {
                    measure(&case, share(quick, 20_000), table);
                }
            }
        }
    }
}

/// The program and its yardsticks under the same load.
fn measure(case: &Case, n: usize, table: &mut Table) {
    let (world, team, people) = world();
    // Down, so that the disk and the answer are all that is measured.
    world.sentry.set_reach(Reach::Refused).unwrap();
    world.github.set_reach(Reach::Refused).unwrap();
    let all = deliveries(&world, team, &people, n, case.bytes);
    let (append, nothing) = (Yardstick::start("append"), Yardstick::start("nothing"));
    let load = Load { connections: case.connections, keep_alive: case.keep_alive, every: None };
    let name = case.name();
    let mut programs = [
        Program::new(name.clone(), world.service().pid(), &world.service().url),
        Program::new(format!("{name}: bare, HMAC, append"), append.pid(), &append.url),
        Program::new(format!("{name}: bare, HMAC"), nothing.pid(), &nothing.url),
    ];
    for round in all.chunks(n.div_ceil(ROUNDS)) {
        programs.iter_mut().for_each(|program| program.turn(&load, round));
    }
    let ours = programs[0].report.rate();
    for (at, program) in programs.iter().enumerate() {
        let share = if at == 0 { f64::NAN } else { 100.0 * ours / program.report.rate() };
        program.tell(share, table);
    }
}

/// One of those that take turns.
struct Program {
    name: String,
    pid: u32,
    url: String,
    report: Report,
    cpu: Duration,
}

impl Program {
    fn new(name: String, pid: u32, url: &str) -> Self {
        Self { name, pid, url: url.into(), report: Report::default(), cpu: Duration::ZERO }
    }

    fn turn(&mut self, load: &Load, deliveries: &[Delivery]) {
        let before = cpu(self.pid);
        self.report.add(load.run(&self.url, SECRET, deliveries));
        self.cpu += cpu(self.pid).saturating_sub(before);
    }

    fn tell(&self, share: f64, table: &mut Table) {
        let report = &self.report;
        let [p50, p99, p999] = [50.0, 99.0, 99.9].map(|percent| ms(report.at(percent)));
        let cpu = self.cpu.as_secs_f64() * 1e6 / report.answered() as f64;
        let figures = [report.rate(), p50, p99, p999, report.lost as f64, cpu, resident(self.pid), share];
        table.row(&self.name, &figures);
    }
}

/// The processor time that a process has had, in steps of the system's clock.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before may hold blanks.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// What the disk takes for the record of one delivery.
fn disk(n: usize) -> Vec<f64> {
    let dir = TempDir::new("disk");
    let mut file = File::create(dir.0.join("log")).unwrap();
    let began = Instant::now();
    let times = (0..n).map(|_| {
        let began = Instant::now();
        file.write_all(&[b'x'; 512]).unwrap();
        file.sync_data().unwrap();
        began.elapsed()
    });
    let report = Report::of(times.collect(), began);
    vec![
        report.rate(),
        ms(report.at(50.0)),
        ms(report.at(99.0)),
        ms(report.at(99.9)),
        0.0,
        f64::NAN,
        f64::NAN,
    ]
}

/// Milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
