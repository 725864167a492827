//! What the compiler shows of its work: `dump`, and `-v`.

use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty, starts_with};

use super::{ARITHMETIC, Folder, compile, run, wasm2onnx};

fn dump(module: &str, args: &[&str]) -> assert_cmd::assert::Assert {
    wasm2onnx().arg("dump").args(args).arg("-").write_stdin(module).assert()
}

#[test]
fn every_phase_is_shown() {
    for (phase, text) in [
        ("frontend", "div_s.i32 v0, v1"),
        ("legalize", "call"),
        ("optimize", "export \"div\""),
        ("packets", "packet 0(v0, v1): entered by calls"),
        ("circuits", "⌊relu("),
        ("steps", "n0 <- "),
        ("network", "export div(i32, i32) -> (i32) at expert"),
    ] {
        dump(ARITHMETIC, &["--after", phase]).success().stdout(contains(text)).stderr(is_empty());
    }
    let all = |text: &str| text.matches("\nfunction ").count();
    let shown = dump(ARITHMETIC, &["--after", "steps"]).success().get_output().stdout.clone();
    assert!(all(&String::from_utf8_lossy(&shown)) >= 5, "all functions");
    for phase in ["frontend", "packets", "circuits", "steps", "network"] {
        let args = ["--after", phase, "--function", "add"];
        let shown = dump(ARITHMETIC, &args).success().get_output().stdout.clone();
        let shown = String::from_utf8_lossy(&shown);
        assert!(
            shown.contains("add") && !shown.contains("div") && !shown.contains("forever"),
            "{phase}: {shown}"
        );
    }
}

#[test]
fn what_cannot_be_shown_is_said() {
    dump(ARITHMETIC, &["--after", "schedule"])
        .code(2)
        .stderr(contains("frontend, legalize, optimize, packets, circuits, steps, network"));
    dump(ARITHMETIC, &["--after", "packets", "--function", "ad"])
        .code(1)
        .stdout(is_empty())
        .stderr(contains("no function `ad` after packets").and(contains("add, div")));
    dump("(module (func (v128.const i32x4 0 0 0 0) (drop)))", &["--after", "frontend"]).code(1);
    dump("(module", &["--after", "network"]).code(1).stdout(is_empty());
    let folder = Folder::new();
    let model = compile(&folder, ARITHMETIC, &["--invoke", "add"]);
    let of_model = |phase| wasm2onnx().args(["dump", "--after", phase]).arg(&model).assert();
    of_model("network").success().stdout(contains("export add(i32, i32) -> (i32)"));
    of_model("packets").code(2).stderr(contains("is a model").and(contains("--after network")));
}

#[test]
fn phases_and_their_times_are_told_when_asked_for() {
    run(ARITHMETIC, &["-v", "--invoke", "add"], &["2", "3"]).success().stdout("5\n").stderr(
        contains("INFO frontend: close time.busy=").and(contains("validate")).and(contains("DEBUG").not()),
    );
    run(ARITHMETIC, &["-vv", "--invoke", "add"], &["2", "3"])
        .success()
        .stderr(contains("function{name=\"add\""));
    let logged = |filter: &str| {
        wasm2onnx().env("RUST_LOG", filter).args(["inspect", "-"]).write_stdin(ARITHMETIC).assert().success()
    };
    logged("loud=very").stderr(starts_with("note: RUST_LOG is not understood: "));
    logged("wasm2onnx_compiler=info").stdout(starts_with("functions exported")).stderr(contains("certify"));
}
