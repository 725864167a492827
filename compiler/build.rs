//! Assembles the library's modules, so that the compiler itself needs no parser of the text format.

use std::env;
use std::path::PathBuf;

fn main() {
    let library = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by Cargo")).join("src/library");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by Cargo"));
    println!("cargo::rerun-if-changed={}", library.display());
    for name in ["div64", "wasi"] {
        let binary = wat::parse_file(library.join(name).with_extension("wat"))
            .unwrap_or_else(|error| panic!("{name}.wat: {error}"));
        std::fs::write(out.join(name).with_extension("wasm"), binary).expect("Cargo's folder can be written");
    }
}
