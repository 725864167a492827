//! Long work that cannot be stopped, such as a compilation, in a thread that need not be waited for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How often Python is asked whether it has got a signal.
const PATIENCE: Duration = Duration::from_millis(50);

/// Size of the stack of a thread: that of a program's own.
const STACK: usize = 8 << 20;

/// Does work while other threads of Python run. A signal that raises an exception, as Ctrl-C does, ends the waiting at once; the work is then finished
/// for nobody.
pub fn run<T: Send + 'static>(py: Python<'_>, work: impl FnOnce() -> T + Send + 'static) -> PyResult<T> {
    let (send, receive) = mpsc::channel();
    thread::Builder::new().name("wasm2onnx".into()).stack_size(STACK).spawn(move || {
        // If nobody waits any more, nothing is to be done about it.
        let _ = send.send(guarded(work));
    })?;
    let receive = Mutex::new(receive);
    loop {
        let received = py.detach(|| match receive.lock() {
            Ok(receive) => receive.recv_timeout(PATIENCE),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        });
        match received {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => return Err(defect("the thread has ended")),
        }
    }
}

/// Does work, and makes an error of a panic.
pub fn guarded<T>(work: impl FnOnce() -> T) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        defect(message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic"))
    })
}

/// Returns the error for what cannot happen.
fn defect(message: &str) -> PyErr {
    PyRuntimeError::new_err(format!("a defect of wasm2onnx, please report it: {message}"))
}
