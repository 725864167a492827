//! A line that shows how far a long run is, on a terminal only.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use wasm2onnx_runtime::Progress;

use crate::command::display::Count;

/// Runs shorter than this show nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// The line. Dropping it clears it.
pub struct ProgressLine {
    bar: ProgressBar,
    /// Dropped when the run is over.
    running: Option<Sender<()>>,
    /// Shows the bar once the run has lasted long enough.
    shower: Option<JoinHandle<()>>,
}

impl ProgressLine {
    /// Starts a line on standard error, if that is a terminal.
    pub fn start() -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{spinner} {elapsed}, {human_pos} steps, {rate} per second")
            .expect("the template is well-formed")
            .with_key("rate", |state: &ProgressState, text: &mut dyn fmt::Write| {
                // A line that cannot be written is not shown.
                let _ = write!(text, "{}", Count(state.per_sec() as u64));
            });
        bar.set_style(style);
        let (running, over) = mpsc::channel();
        let shown = bar.clone();
        let shower = thread::spawn(move || {
            if over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) && !shown.is_finished() {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(100));
            }
        });
        Some(ProgressLine { bar, running: Some(running), shower: Some(shower) })
    }

    /// Returns what the runtime calls as the run goes on.
    pub fn callback(&self) -> Progress {
        let bar = self.bar.clone();
        Box::new(move |steps| bar.set_position(steps))
    }

    /// Returns what hides the line for code that needs the terminal.
    pub fn hider(&self) -> Hider {
        Hider(self.bar.clone())
    }
}

/// Hides the line.
pub struct Hider(ProgressBar);

impl Hider {
    /// Hides the line until the end of the run.
    pub fn hide(self) {
        self.0.finish_and_clear();
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(shower) = self.shower.take() {
            // Only indicatif could make it panic, and then there is no line to clear.
            let _ = shower.join();
        }
        self.bar.finish_and_clear();
    }
}
