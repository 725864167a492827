//! What the compiler reports about its work, on standard error.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

/// Starts the reports: without `-v`, those that `RUST_LOG` asks for; with one `-v`, reports on phases; with
/// two, also on functions.
pub fn start(verbose: u8) {
    let ours = |level| Targets::new().with_target("wasm2onnx_compiler", level);
    let wanted = match verbose {
        0 => std::env::var("RUST_LOG").ok().and_then(|text| match text.parse() {
            Ok(targets) => Some(targets),
            Err(error) => {
                let _ = writeln!(io::stderr(), "note: RUST_LOG is not understood: {error}");
                None
            }
        }),
        1 => Some(ours(LevelFilter::INFO)),
        2 => Some(ours(LevelFilter::DEBUG)),
        _ => Some(ours(LevelFilter::TRACE)),
    };
    let Some(wanted) = wanted else { return };
    let lines = fmt::layer()
        // A line says how long a phase took, not when it ran.
        .with_timer(())
        .with_target(false)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(io::stderr);
    Registry::default().with(wanted).with(lines).init();
}
