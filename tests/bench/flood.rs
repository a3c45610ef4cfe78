//! A thousand connections that hold something back: how long a good delivery takes meanwhile, and what the service costs
//! before, during and after.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::standin::{Delivery, Sender};
use crate::table::Table;
use crate::world::{may_open_many_files, Size, Truth, World, SECRET};

/// Connections at once.
const CONNECTIONS: usize = 1000;
/// What the beginnings of requests are cut to.
const BEGUN: usize = 40;

/// Plays each kind of flood, with a row for it.
pub fn run(_: bool, table: &mut Table) {
    table.part(
        "flood",
        &format!("{CONNECTIONS} connections and a good delivery"),
        &["ms", "threads", "files", "MiB", "peak MiB"],
    );
    may_open_many_files();
    let mut world = World::new(Truth::Deliveries);
    world.set("RUST_LOG", "error,sentry_team_sync=info");
    world.start();
    world.wait_for_rest();
    let first = world.github.create_team("Crew", world.olive).1;
    world.settle(&first);
    let (headers, body) = first[0].wire(SECRET);
    let head: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("POST /github HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    let half = [&head[..], &body[..body.len() / 2]].concat();
    let mut row = |name: &str, took: Option<Duration>, size: Size| {
        let took = took.map_or(f64::NAN, |took| took.as_secs_f64() * 1000.0);
        let Size { threads, descriptors, resident, peak } = size;
        table.row(name, &[took, threads as f64, descriptors as f64, resident, peak]);
    };
    row("none", Some(answer_time(&world, "None")), world.service().size());
    let kinds =
        [("silent", &b""[..]), ("half a head", &head[..BEGUN]), ("a head", &head), ("half a body", &half)];
    for (name, begun) in kinds {
        let flood = Flood::new(&world, begun);
        let took = answer_time(&world, name);
        row(name, Some(took), world.service().size());
        drop(flood);
    }
    // tiny_http's threads go after five idle seconds.
    std::thread::sleep(Duration::from_secs(6));
    row("at rest again", None, world.service().size());
}

struct Flood(#[allow(dead_code)] Vec<TcpStream>);

impl Flood {
    fn new(world: &World, begun: &[u8]) -> Self {
        let address = world.service().url.strip_prefix("http://").unwrap();
        let mut all: Vec<_> = (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
        // Whoever is sent away meanwhile is no trouble.
        all.iter_mut().for_each(|stream| drop(stream.write_all(begun)));
        Self(all)
    }
}

fn answer_time(world: &World, name: &str) -> Duration {
    let delivery: Delivery = world.github.create_team(name, world.olive).1.remove(0);
    let began = Instant::now();
    let url = format!("{}/github", world.service().url);
    let answer = Sender::new(&url, SECRET).patience(Duration::from_secs(300)).send(&delivery).unwrap();
    assert_eq!(answer.status, 202);
    began.elapsed()
}
