//! Restarts that nobody notices, as with the socket unit: the listening sockets outlive the process, and whoever comes
//! meanwhile waits.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::time::Duration;

use crate::standin::Sender;
use crate::world::bounds::SetAtEnd;
use crate::world::{Truth, World, PATIENCE, SECRET};

/// So often is the service restarted.
const RESTARTS: usize = 50;
/// So many send at once.
const SENDERS: usize = 4;

/// Each delivery is sent once, on a connection of its own, as GitHub does.
#[test]
fn fifty_restarts_under_load_refuse_nobody_and_lose_nothing() {
    let mut world = World::new(Truth::Deliveries);
    let public = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/github", public.local_addr().unwrap());
    world.start_on(&public, &admin);
    let service = Mutex::new(world);
    let over = AtomicBool::new(false);
    let (answered, refused) = (Mutex::new(BTreeSet::new()), Mutex::new(Vec::new()));
    let send = |sender: usize| {
        for n in 0.. {
            if over.load(Ordering::Relaxed) {
                return;
            }
            let (slug, created) = {
                let world = service.lock().unwrap();
                let slug = format!("team-{sender}-{n}");
                let (_, mut created) = world.github.create_team(slug.as_str(), world.olive);
                (slug, created.remove(0))
            };
            match Sender::new(&url, SECRET).patience(PATIENCE).send(&created) {
                Ok(answer) if answer.status == 202 => drop(answered.lock().unwrap().insert(slug)),
                other => refused.lock().unwrap().push(format!("{slug}: {other:?}")),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let send = &send;
            scope.spawn(move || send(sender));
        }
        // An end of this thread by a failed assertion ends the others too.
        let _end = SetAtEnd(&over);
        for n in 0..RESTARTS {
            let before = answered.lock().unwrap().len();
            // Each life of the process answers somebody.
            wait_for(|| answered.lock().unwrap().len() > before || !refused.lock().unwrap().is_empty());
            let old = service.lock().unwrap().take_service();
            assert_eq!(old.stop("-TERM").0, Some(0), "restart {n}");
            service.lock().unwrap().start_on(&public, &admin);
        }
    });
    let world = service.into_inner().unwrap();
    assert_eq!(refused.into_inner().unwrap(), Vec::<String>::new());
    let answered = answered.into_inner().unwrap();
    assert!(answered.len() >= RESTARTS, "{} deliveries are no load", answered.len());
    world.wait_for_rest();
    let teams = world.sentry.teams();
    let lost: Vec<_> = answered.iter().filter(|slug| !teams.contains_key(*slug)).collect();
    assert_eq!(lost, Vec::<&String>::new());
}

#[track_caller]
fn wait_for(is_so: impl Fn() -> bool) {
    let until = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < until, "nobody is answered");
        std::thread::sleep(Duration::from_millis(1));
    }
}
