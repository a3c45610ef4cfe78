//! What the service tells systemd: ready, alive, stopping.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sentry_team_sync::parts::retried;

use crate::world::{get, unused_port, Truth, World, PATIENCE};

fn message(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let n = retried(|| socket.recv(&mut buffer)).expect("a message");
    String::from_utf8(buffer[..n].to_vec()).unwrap()
}

fn all_messages(socket: &UnixDatagram) -> Vec<String> {
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 256];
    let next = || {
        let n = retried(|| socket.recv(&mut buffer)).ok()?;
        Some(String::from_utf8(buffer[..n].to_vec()).unwrap())
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn it_is_ready_once_it_listens_gives_signs_of_life_and_says_when_it_stops() {
    for is_abstract in [false, true] {
        let mut world = World::new(Truth::Deliveries);
        let (socket, name) = if is_abstract {
            let name = format!("sts-notify-{}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name).unwrap();
            (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}"))
        } else {
            let path = world.dir.0.join("notify");
            (UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_string())
        };
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let port = unused_port();
        world.set("SYNC_LISTEN", &format!("127.0.0.1:{port}"));
        world.set("NOTIFY_SOCKET", &name);
        world.set("WATCHDOG_USEC", "200000");
        std::thread::scope(|scope| {
            // The very first request must find somebody who answers.
            let first =
                scope.spawn(|| (message(&socket), get(&format!("http://127.0.0.1:{port}/healthz")).0));
            world.start();
            assert_eq!(first.join().unwrap(), ("READY=1".to_string(), 200));
        });
        for _ in 0..3 {
            assert_eq!(message(&socket), "WATCHDOG=1");
        }
        assert_eq!(world.take_service().stop("-TERM").0, Some(0));
        let mut rest = all_messages(&socket);
        rest.retain(|message| message != "WATCHDOG=1");
        assert_eq!(rest, ["STOPPING=1"]);
    }
}

#[test]
fn without_a_watchdog_no_signs_of_life_are_sent() {
    let mut world = World::new(Truth::Deliveries);
    let path = world.dir.0.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    world.set("NOTIFY_SOCKET", path.to_str().unwrap());
    // Meant for another process.
    world.set("WATCHDOG_USEC", "100000");
    world.set("WATCHDOG_PID", "1");
    world.start();
    world.wait_until("started", || world.get_admin("/healthz").0 == 200);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(world.take_service().stop("-TERM").0, Some(0));
    assert_eq!(all_messages(&socket), ["READY=1", "STOPPING=1"]);
}

#[test]
fn a_socket_that_nobody_reads_is_no_reason_not_to_work() {
    let mut world = World::new(Truth::Deliveries);
    world.set("NOTIFY_SOCKET", world.dir.0.join("nobody").to_str().unwrap().to_string().as_str());
    world.start();
    assert_eq!(get(&format!("{}/healthz", world.service().url)).0, 200);
    world.service_mut().wait_for_line("failed to notify systemd of READY=1");
}
