//! What the audience sees: headlines, rows with a label, sentences that are wrapped. It knows nothing of the plot.
//!
//! On a terminal there are colours and short pauses to read by; anywhere else, or with `NO_COLOR`, neither.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Lines are not longer than this, but for words that can not be broken.
const WIDTH: usize = 98;
/// Where labels begin, and what they label.
const LABEL: usize = 4;
const TEXT: usize = 16;
/// The label of each API call, which are shown on request only.
pub const CALLS: &str = "calls";

/// Why the play ends before its end.
pub enum Stop {
    /// Nobody reads on: stdout was closed.
    Closed,
    /// Ctrl-C.
    Interrupted,
    /// Something did not happen as it should.
    Failed(String),
}

/// The result of everything that is played.
pub type Played<T = ()> = Result<T, Stop>;

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Stop::Closed,
            _ => Stop::Failed(error.to_string()),
        }
    }
}

/// How a piece of text looks on a terminal.
#[derive(Clone, Copy)]
pub enum Ink {
    /// Headlines.
    Bold,
    /// What may be skipped.
    Dim,
    /// Well, or new.
    Green,
    /// Waits for somebody.
    Yellow,
    /// Refused, or gone.
    Red,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Green => "32",
            Ink::Yellow => "33",
            Ink::Red => "31",
        }
    }
}

/// Where it is played.
pub struct Stage {
    lively: bool,
    shows_calls: bool,
    n_scenes: usize,
    last_label: String,
    interrupted: Arc<AtomicBool>,
}

impl Stage {
    /// On stdout. `interrupted` is set by Ctrl-C.
    pub fn new(interrupted: Arc<AtomicBool>, shows_calls: bool) -> Self {
        let lively = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { lively, shows_calls, n_scenes: 0, last_label: String::new(), interrupted }
    }

    /// Coloured, where there is colour.
    pub fn paint(&self, ink: Ink, text: &str) -> String {
        if self.lively && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", ink.code())
        } else {
            text.to_string()
        }
    }

    /// The headline of a scene, and one sentence on why it matters.
    pub fn scene(&mut self, headline: &str, why: &str) -> Played {
        if self.n_scenes > 0 {
            self.pause(Duration::from_millis(350))?;
        }
        self.n_scenes += 1;
        let number = format!("{:>2}", self.n_scenes);
        self.line("")?;
        let headline = format!("{}  {}", self.paint(Ink::Dim, &number), self.paint(Ink::Bold, headline));
        self.line(&headline)?;
        for line in wrap(why, WIDTH - LABEL).iter().filter(|line| !line.is_empty()) {
            let line = self.paint(Ink::Dim, line);
            self.line(&format!("{:LABEL$}{line}", ""))?;
        }
        self.pause(Duration::from_millis(350))
    }

    /// A blank line between two steps, and a moment to read the last one.
    pub fn beat(&mut self) -> Played {
        self.pause(Duration::from_millis(300))?;
        self.line("")
    }

    /// A labelled sentence; a label that was just printed is not repeated.
    pub fn row(&mut self, label: &str, text: &str) -> Played {
        if label == CALLS && !self.shows_calls {
            return Ok(());
        }
        for (n, line) in wrap(text, WIDTH - TEXT).iter().enumerate() {
            let label = if n == 0 && label != self.last_label { label } else { "" };
            let label = self.paint(Ink::Dim, &format!("{label:<width$}", width = TEXT - LABEL));
            let line = format!("{:LABEL$}{label}{line}", "");
            // A label alone leaves no blanks behind.
            self.print(line.trim_end())?;
        }
        self.last_label = label.to_string();
        Ok(())
    }

    /// How much room a row's text has on one line.
    pub fn room(&self) -> usize {
        WIDTH - TEXT
    }

    /// A line as it is.
    pub fn line(&mut self, text: &str) -> Played {
        self.last_label.clear();
        self.print(text)
    }

    fn print(&self, text: &str) -> Played {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()?;
        Ok(())
    }

    /// Time to read, on a terminal.
    pub fn pause(&self, time: Duration) -> Played {
        if !self.lively {
            return Ok(());
        }
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.go_on()?;
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// An end by Ctrl-C.
    pub fn go_on(&self) -> Played {
        if self.interrupted.load(Ordering::Relaxed) {
            Err(Stop::Interrupted)
        } else {
            Ok(())
        }
    }
}

/// Breaks a text at blanks. Colours take no room.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    // Runs of blanks are alignment and stay.
    for word in text.split_inclusive(' ') {
        let length = visible(word);
        if used > 0 && used + visible(word.trim_end()) > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(word);
        }
        used += length;
    }
    lines.iter().map(|line| line.trim_end().to_string()).collect()
}

fn visible(text: &str) -> usize {
    let mut in_colour = false;
    let shown = text.chars().filter(|c| match (in_colour, c) {
        (true, 'm') => {
            in_colour = false;
            false
        }
        (true, _) => false,
        (false, '\x1b') => {
            in_colour = true;
            false
        }
        (false, _) => true,
    });
    shown.count()
}
