//! Threads that go on from one piece of work to the next: a life has some forty, most of them over in a moment, and to
//! begin one takes longer than what it does.

use std::cell::RefCell;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

type Work = Box<dyn FnOnce() + Send>;
type Idle = Arc<Mutex<Vec<Sender<Piece>>>>;

/// Some work, and who is told that it is over.
struct Piece {
    work: Work,
    over: Sender<()>,
}

thread_local! {
    /// Those of the calling thread that have nothing to do; they end with it.
    static IDLE: RefCell<Idle> = RefCell::default();
}

/// Work that has begun.
pub struct Begun(Receiver<()>);

impl Begun {
    /// Waits until it is over.
    pub fn join(self) {
        // Whoever panics ends without a word.
        let _ = self.0.recv();
    }
}

/// Begins it on a thread that has nothing to do, or on a new one.
pub fn begin(work: impl FnOnce() + Send + 'static) -> Begun {
    let idle = IDLE.with_borrow(Clone::clone);
    let (over, is_over) = channel();
    let piece = Piece { work: Box::new(work), over };
    let free = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let thread = free.unwrap_or_else(|| new(&idle));
    thread.send(piece).expect("it goes on until nobody can send it anything");
    Begun(is_over)
}

fn new(idle: &Idle) -> Sender<Piece> {
    let (sender, pieces) = channel::<Piece>();
    let (idle, myself) = (Arc::downgrade(idle), sender.clone());
    let run = move || {
        for Piece { work, over } in pieces {
            work();
            let Some(idle) = idle.upgrade() else { return };
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(myself.clone());
            drop(over);
        }
    };
    std::thread::Builder::new().name("life".into()).stack_size(1 << 20).spawn(run).expect("a thread");
    sender
}
