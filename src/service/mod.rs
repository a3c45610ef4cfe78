//! The service: opens everything in order, runs, and closes everything in order.
//!
//! The order is: journal, listeners, tiny_http behind its gates, then workers. A signal stops the gates first, so that
//! no request is accepted that could not be answered. Work under way is finished or parked; the journal closes last.

pub mod admin;
pub mod control;
pub mod core;
pub mod gate;
pub mod handover;
pub mod http;
pub mod notify;
pub mod reload;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tiny_http::{Header, Response};

use crate::clock::Clock;
use crate::commands::check::Surroundings;
use crate::commands::paste::Invocation;
use crate::config::values::Listen;
use crate::config::{Config, Environment, Fault};
use crate::error::{Context, Error, Result};
use crate::hosts::http::tls;
use crate::intake::{Answer, Intake, Request};
use crate::reconcile::reconciler::{AtAdoptions, Reconciler};
use crate::reconcile::schedule::Schedule;
use crate::service::admin::Admin;
use crate::service::control::{Control, ShortPath};
use crate::service::core::Core;
use crate::service::handover::Heir;
use crate::service::notify::Notify;
use crate::status::Observer;
use crate::store::journal::compact::{Keeper, EVERY};
use crate::store::journal::Journal;
use crate::store::state_dir::StateDir;
use crate::work;
use crate::work::mirror::Mirror;
use gate::{relay, socket, Budget, Gate};
use http::Inner;

/// Connections to the public listener at once.
const PUBLIC_THREADS: usize = 64;
/// Connections to the admin listener at once.
const ADMIN_THREADS: usize = 4;
/// Bytes of request bodies at once.
const BODIES: usize = 64 << 20;
/// How long a stop may take before calls are cut, and before the process ends anyway.
const STOP_CALLS: Duration = Duration::from_secs(5);
const STOP: Duration = Duration::from_secs(10);
/// How long a thread rests after an internal error.
const AFTER_PANIC: Duration = Duration::from_secs(1);
/// How often signals are looked for.
const PERIOD: Duration = Duration::from_millis(50);
/// How long the watchdog's own request may take.
const ALIVE: Duration = Duration::from_secs(2);
/// Descriptors per gate thread: its connection, one to tiny_http, and tiny_http's two; the rest is files and calls.
const FDS_PER_THREAD: u64 = 4;
const FDS_BESIDE: u64 = 160;

/// Runs the service until a signal; returns when everything is closed.
pub fn run(config: &Config, flags: &Environment, env: &Environment) -> Result<()> {
    let settings = &config.settings;
    let notify = Notify::new(env);
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, stop.clone()).context("failed to listen for signal", signal)?;
    }
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, reload.clone()).context("failed to listen for signal", SIGHUP)?;
    let mut inherited = socket::inherited(env)?.into_iter();
    let public_threads = descriptors(PUBLIC_THREADS)?;
    make_private_dir(&settings.state_dir)?;
    let (journal, remarks) = Journal::open(StateDir::claim(&settings.state_dir)?, Clock::System)?;
    remarks.iter().for_each(|remark| log::warn!("journal: {remark}"));
    let way = tls::way(env, settings.is_all_local())?;
    way.announce(settings);
    let mirror = Arc::new(Mirror::new(config, &way, Arc::new(journal)));
    let reader = Invocation::of_service(&settings.state_dir, env);
    let around = Surroundings::new(config, env, &way, reader).watched(notify.watchdog_period());
    let public = match inherited.next() {
        Some(listener) => listener,
        None => socket::bind(&settings.listen, 0o666)?,
    };
    let admin = match (inherited.next(), &settings.admin_listen) {
        (Some(listener), _) => Some(listener),
        (None, Some(listen)) => Some(socket::bind(listen, 0o660)?),
        (None, None) => None,
    };
    let mut service = Service::start(config, env, (mirror, around), (public, public_threads), admin)?;
    service.announce(config, env);
    notify.send("READY=1");
    let (core, intake) = (service.core.clone(), service.intake.clone());
    service.wait(&stop, &notify, &mut || {
        if reload.swap(false, Ordering::Relaxed) {
            reload::reload(&core, &intake, flags, env);
        }
    });
    notify.send("STOPPING=1");
    service.end();
    Ok(())
}

struct Service {
    core: Arc<Core>,
    intake: Arc<Intake>,
    gates: Arc<Gates>,
    inner: Inner,
    answer: http::Answer,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    keeper: JoinHandle<()>,
    control: JoinHandle<()>,
}

struct Gates {
    public: Gate,
    admin: Option<Gate>,
    admin_is_local: bool,
}

impl Gates {
    fn all(&self) -> impl Iterator<Item = &Gate> {
        std::iter::once(&self.public).chain(&self.admin)
    }
}

impl Service {
    fn start(
        config: &Config,
        env: &Environment,
        (mirror, around): (Arc<Mirror>, Surroundings),
        (public, public_threads): (socket::Listener, usize),
        admin: Option<socket::Listener>,
    ) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut inner = Inner::open(inner_socket(&config.settings.state_dir, env)?)?;
        let budget = Budget::new(BODIES);
        // Before the listeners open: deliveries that arrive later are queued as they come.
        mirror.queue.fill();
        mirror.look_at_decided();
        let open = |listener, name, threads| {
            let options = gate::Options { name, threads, inner: inner.path().into(), budget: budget.clone() };
            Gate::open(listener, options)
                .context("failed to start the threads of the listener", name)
                .map_err(more_threads)
        };
        let admin_is_local = admin.as_ref().is_none_or(socket::Listener::is_local);
        let admin = admin.map(|listener| open(listener, "admin", ADMIN_THREADS)).transpose()?;
        let public = open(public, "public", public_threads)?;
        let gates = Arc::new(Gates { public, admin, admin_is_local });
        let intake = Arc::new(Intake::new(mirror.clone(), config.webhook_secrets.clone()));
        let reconciler = Arc::new(Reconciler::new(mirror.clone()));
        let observer = Observer::new(reconciler, intake.arrived.clone());
        let core = Arc::new(Core::new(observer, around));
        let answer = {
            let (gates, intake, core) = (gates.clone(), intake.clone(), core.clone());
            Arc::new(move |request| answer_one(request, &gates, &intake, &core))
        };
        let answer: http::Answer = answer;
        inner.serve(&answer).map_err(more_threads)?;
        let control = Control::open(&config.settings.state_dir)?;
        let (on_control, stop_control) = (core.clone(), stop.clone());
        let control = spawn("control".into(), move || control.run(&on_control, &stop_control))?;
        let (journal, stop_keeper) = (mirror.journal.clone(), stop.clone());
        let keeper = spawn("journal".into(), move || keep_in_order(&journal, &stop_keeper))?;
        let on_watch = core.clone();
        let mut workers = vec![spawn("watch".into(), move || watch(&on_watch.observer))?];
        for n in 0..config.settings.workers {
            let mirror = mirror.clone();
            workers.push(spawn(format!("work-{n}"), move || work::run(&mirror))?);
        }
        Ok(Self { core, intake, gates, inner, answer, stop, workers, keeper, control })
    }

    /// Logs what an operator wants to know first.
    fn announce(&self, config: &Config, env: &Environment) {
        let (settings, mirror) = (&config.settings, self.core.mirror());
        let admin = self.gates.admin.as_ref().map_or("off".into(), Gate::name);
        log::info!(
            "sentry-team-sync {} listening={} admin={admin} github={} sentry={} org={} state={} authorities={:?}",
            env!("CARGO_PKG_VERSION"),
            self.gates.public.name(),
            settings.github_url,
            settings.sentry_url,
            settings.sentry_org,
            settings.state_dir.display(),
            self.core.around().authorities
        );
        let public_is_open = matches!(&settings.listen, Listen::Tcp(addr) if !addr.ip().is_loopback());
        if public_is_open {
            log::warn!("SYNC_LISTEN is open to other machines without TLS: put nginx or Caddy in front");
        }
        config.unknown.iter().for_each(|unknown| log::warn!("{}", unknown.told()));
        config.warnings.iter().for_each(|Fault { what, fix, .. }| log::warn!("{what}; {fix}"));
        let heir = Heir::new(&settings.state_dir, env);
        if let Some(said) = heir.at_start().filter(|_| mirror.state(|state| state.last_read.is_none())) {
            log::warn!("{said}");
        }
        let at_adoptions: AtAdoptions = Box::new(move |n| heir.at_adoptions(n));
        let _ = self.core.observer.reconciler.at_adoptions.set(at_adoptions);
        if let Some(pause) = mirror.pause() {
            log::warn!("{pause}; to resume: {}", self.core.around().reader.command("resume"));
        }
        let queued = mirror.state(|state| state.deliveries.n_queued());
        if queued > 0 {
            log::info!("resuming {}", crate::text::counted(queued, "queued delivery", "queued deliveries"));
        }
    }

    /// Waits for the stop signal and feeds the watchdog. Only a full round through gate and tiny_http counts as alive.
    fn wait(&mut self, stop: &AtomicBool, notify: &Notify, meanwhile: &mut dyn FnMut()) {
        let mut due = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(PERIOD);
            meanwhile();
            if self.gates.all().filter(|gate| gate.finds_nobody()).count() > 0 {
                self.inner.replace(&self.answer);
            }
            self.inner.complete(&self.answer);
            let Some(period) = notify.watchdog_period().filter(|_| Instant::now() >= due) else { continue };
            if self.gates.public.is_alive(ALIVE) {
                notify.send("WATCHDOG=1");
                due = Instant::now() + period;
            } else {
                log::error!("watchdog: the service did not answer its own request");
            }
        }
    }

    fn end(self) {
        let (began, mirror) = (Instant::now(), self.core.mirror());
        log::info!(
            "stopping: no longer accepting deliveries; {} still queued",
            mirror.state(|s| s.deliveries.n_queued())
        );
        self.gates.all().for_each(Gate::stop);
        mirror.queue.lanes.stop();
        mirror.github.host().stop();
        mirror.sentry.host().stop();
        for gate in self.gates.all() {
            if !gate.wait_until_idle(began + STOP) {
                log::warn!("stopping: a request was still being answered");
            }
        }
        if !all_finished(&self.workers, began + STOP_CALLS) {
            mirror.github.host().cut();
            mirror.sentry.host().cut();
            all_finished(&self.workers, began + STOP);
        }
        let http = self.inner.end();
        self.stop.store(true, Ordering::Relaxed);
        self.keeper.thread().unpark();
        self.control.thread().unpark();
        mirror.journal.close();
        // These threads own the last sockets. Their files are removed when the threads end.
        let last: Vec<_> = http.into_iter().chain([self.control]).collect();
        all_finished(&last, began + STOP);
        drop(self.gates);
        log::info!("stopped in {} ms", began.elapsed().as_millis());
    }
}

fn all_finished(threads: &[JoinHandle<()>], deadline: Instant) -> bool {
    while Instant::now() < deadline {
        if threads.iter().all(JoinHandle::is_finished) {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Starts a thread that lives as long as the process. A panic loses the work under way, but not the thread.
fn spawn(name: String, work: impl Fn() + Send + 'static) -> Result<JoinHandle<()>> {
    let work = move || {
        while std::panic::catch_unwind(std::panic::AssertUnwindSafe(&work)).is_err() {
            thread::sleep(AFTER_PANIC);
        }
    };
    thread::Builder::new()
        .name(name.clone())
        .spawn(work)
        .context("failed to start the thread", name)
        .map_err(more_threads)
}

/// Does the scheduled work that needs no event, until the process stops.
fn watch(observer: &Observer) {
    let mut schedule = Schedule::new(&observer.reconciler);
    let lanes = &observer.mirror().queue.lanes;
    while !lanes.is_stopping() {
        lanes.rest(observer.step(&mut schedule));
    }
}

/// Maintains the journal until `stop` is set and the thread is unparked.
fn keep_in_order(journal: &Journal, stop: &AtomicBool) {
    let mut keeper = Keeper::new(journal);
    while !stop.load(Ordering::Relaxed) {
        thread::park_timeout(EVERY);
        keeper.look();
    }
}

fn more_threads(error: Error) -> Error {
    error.fix("allow more threads: TasksMax= in the unit, or ulimit -u")
}

/// Makes the state directory, which only its owner may read. An existing one stays as it is.
pub fn make_private_dir(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .context("failed to make the state directory", dir.display())
        .map_err(|error| error.fix("name a folder that this user may write to in SYNC_STATE_DIR"))
}

/// tiny_http's socket, which only this process should find: in the runtime directory, else in the state directory.
fn inner_socket(state_dir: &Path, env: &Environment) -> Result<ShortPath> {
    let runtime =
        env.get("RUNTIME_DIRECTORY").and_then(|dirs| dirs.split(':').next()).filter(|dir| !dir.is_empty());
    let dir = runtime.map_or(state_dir.to_path_buf(), PathBuf::from);
    ShortPath::new(&dir, "http").context("failed to open", dir.display())
}

/// How many connections the limit of open files allows, after raising it as far as permitted.
fn descriptors(wanted: usize) -> Result<usize> {
    use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
    let needed = |threads: usize| (threads + ADMIN_THREADS) as u64 * FDS_PER_THREAD + FDS_BESIDE;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed(wanted)) {
        let raised = limit.maximum.map_or(needed(wanted), |maximum| maximum.min(needed(wanted)));
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum });
        limit = getrlimit(Resource::Nofile);
    }
    let Some(current) = limit.current.filter(|current| *current < needed(wanted)) else { return Ok(wanted) };
    let threads = (current.saturating_sub(needed(0)) / FDS_PER_THREAD) as usize;
    if threads == 0 {
        return Err(Error::failed(format!("only {current} files may be open"))
            .fix(format!("allow {}: LimitNOFILE= in the unit, or ulimit -n", needed(wanted))));
    }
    log::warn!(
        "the limit of open files is {current}: allowing {threads} connections at once instead of {wanted}"
    );
    Ok(threads)
}

fn answer_one(mut request: tiny_http::Request, gates: &Gates, intake: &Intake, core: &Core) {
    let mut body = Vec::with_capacity(request.body_length().unwrap_or(0).min(gate::head::BODY_LIMIT));
    let whole = std::io::Read::read_to_end(request.as_reader(), &mut body).is_ok();
    if !whole || request.body_length().unwrap_or(0) != body.len() {
        return drop(request.respond(Response::empty(400)));
    }
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|header| {
            (header.field.as_str().as_str().to_ascii_lowercase(), header.value.as_str().to_string())
        })
        .collect();
    let target = request.url().to_string();
    let asked = Request {
        method: &request.method().to_string(),
        path: target.split('?').next().unwrap_or_default(),
        headers: &headers,
        body: &body,
    };
    let answer = if asked.header(relay::GATE_HEADER) == Some("admin") {
        let mut counts = vec![("public", gates.public.counts().now())];
        counts.extend(gates.admin.as_ref().map(|gate| ("admin", gate.counts().now())));
        Admin { core, gates: counts, local: gates.admin_is_local }.answer(&asked)
    } else {
        intake.answer(&asked)
    };
    let _ = request.respond(response(answer));
}

fn response(answer: Answer) -> Response<std::io::Cursor<Vec<u8>>> {
    let header = |name: &str, value: &str| Header::from_bytes(name.as_bytes(), value.as_bytes()).ok();
    let mut response = Response::from_data(answer.body)
        .with_status_code(answer.status)
        // The gate needs a length to read a whole answer.
        .with_chunked_threshold(usize::MAX);
    let fixed = [("content-type", answer.content_type.to_string()), ("server", "sentry-team-sync".into())];
    for (name, value) in fixed.into_iter().chain(answer.headers) {
        if let Some(header) = header(name, &value) {
            response.add_header(header);
        }
    }
    response
}
