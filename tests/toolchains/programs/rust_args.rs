//! Arguments, environment, exit status.
use std::env;
use std::process::{exit, ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    println!("{args:?}");
    let mut variables: Vec<(String, String)> = env::vars().collect();
    variables.sort();
    println!("{variables:?} {:?} {:?}", env::var("HOME"), env::var("MISSING"));
    env::set_var("ADDED", "x");
    println!("{:?} {:?}", env::var("ADDED"), env::current_dir().map(|path| path.display().to_string()));
    print!("not flushed ");
    match args.first().map(String::as_str) {
        Some("exit") => exit(5),
        Some("code") => ExitCode::from(200),
        Some("failure") => ExitCode::FAILURE,
        Some("abort") => std::process::abort(),
        _ => ExitCode::SUCCESS,
    }
}
