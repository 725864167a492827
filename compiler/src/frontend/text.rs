//! The text format, and errors in it that stay short whatever the text is.

use wasm2onnx_runtime::Name;

use crate::error::{CompileError, ErrorKind};

/// Maximum length of a line that an error shows, in bytes.
const MAX_LINE: usize = 120;
/// Maximum number of lines of an error.
const MAX_LINES: usize = 8;

/// What a module in the text format begins with: a module, or one of its fields.
const KEYWORDS: [&str; 13] = [
    "module",
    "component",
    "type",
    "rec",
    "import",
    "func",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "elem",
    "data",
];

/// Assembles a module.
///
/// # Errors
///
/// If the text does not look like one at all, or where it is wrong.
pub fn assemble(text: &str) -> Result<Vec<u8>, CompileError> {
    // Some editors begin a file with a byte-order mark.
    let text = text.trim_start_matches('\u{feff}');
    wat::parse_str(text).map_err(|error| {
        match is_module(text) {
            true => ErrorKind::Text(shorten(&error.to_string())),
            false => ErrorKind::NotWasm("it does not begin with `(module`".into()),
        }
        .into()
    })
}

/// Returns whether text begins as a module does, behind comments and annotations.
fn is_module(text: &str) -> bool {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix(";;") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = rest.strip_prefix("(;") {
            // Nested comments do not matter to a message.
            rest = comment.split_once(";)").map_or("", |(_, rest)| rest);
        } else {
            break;
        }
    }
    let Some(list) = rest.strip_prefix('(') else { return false };
    let word = list.trim_start().split(|c: char| c.is_whitespace() || "()\";".contains(c)).next();
    word.is_some_and(|word| word.starts_with('@') || word == "tag" || KEYWORDS.contains(&word))
}

/// Returns an error of the assembler as it is, if all of its lines are short; otherwise its message and where
/// it is.
fn shorten(error: &str) -> String {
    let lines: Vec<&str> = error.lines().collect();
    if lines.len() <= MAX_LINES && lines.iter().all(|line| line.len() <= MAX_LINE) {
        return lines.iter().map(|line| Name(line).to_string()).collect::<Vec<_>>().join("\n");
    }
    const PLACE: &str = "<anon>:";
    let (message, rest) = error.split_once(PLACE).unwrap_or((error, ""));
    let position = rest.lines().next().unwrap_or_default();
    let message = message.trim_end_matches([' ', '-', '>', '\n']).trim_end_matches(" at");
    match position.split_once(':') {
        Some((line, column)) => {
            format!("{} (at line {}, column {})", Name(message), Name(line), Name(column))
        }
        None => Name(message).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_told_from_other_text() {
        for text in [
            "(module)",
            "  ;; a comment\n\n(; and\n another ;) ( module $m",
            "(func)",
            "(@custom \"x\" \"y\") (module)",
            "(component",
            "(tag)",
        ] {
            assert!(is_module(text), "{text}");
        }
        for text in ["", "hello", "module", "(defun f ())", "((module))", ";; (module)", "(modules)", "()"] {
            assert!(!is_module(text), "{text}");
        }
    }

    #[test]
    fn a_byte_order_mark_does_not_matter() {
        assert_eq!(assemble("\u{feff}(module)").unwrap(), assemble("(module)").unwrap());
    }

    #[test]
    fn errors_are_short() {
        let error = |text: &str| assemble(text).unwrap_err().to_string();
        let message = error("(module\n  (func (i32.cosnt 1)))");
        assert!(message.contains(":2:10") && message.contains("(func (i32.cosnt 1)))"), "{message}");
        let long = "x".repeat(10 << 20);
        for text in [
            format!("(module (func call ${long}))"),
            format!("(module {long})"),
            format!("(module ;; {long}\n (func i32.cosnt) ;; {long}\n)"),
            format!("(module (func (export \"{long}\u{1b}\") i32.cosnt))"),
            format!("(module (import \"\u{1b}[2J\" \"b\" (func ${long})) {long}"),
            long.clone(),
            format!("({long}"),
        ] {
            let message = error(&text);
            assert!(message.len() < 1000 && message.lines().count() <= MAX_LINES, "{message}");
            assert!(!message.contains('\u{1b}'), "{message}");
        }
    }
}
