//! fs: reading, metadata and directories; what would write fails.
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

fn walk(path: &Path, names: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        names.push(format!(
            "{} {}",
            entry.path().display(),
            if kind.is_dir() { "directory" } else { "file" }
        ));
        if kind.is_dir() {
            walk(&entry.path(), names)?;
        }
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        match fs::read_to_string(&path) {
            Ok(text) => println!("{path}: {} bytes, {:?}", text.len(), text.lines().next()),
            Err(error) => println!("{path}: {:?}", error.kind()),
        }
    }
    let mut names = Vec::new();
    walk(Path::new("."), &mut names)?;
    names.sort();
    println!("{}", names.join("\n"));

    let mut file = File::open("large.txt")?;
    file.seek(SeekFrom::Start(16_983))?;
    let mut rest = String::new();
    file.read_to_string(&mut rest)?;
    println!("{rest:?} {} {}", file.metadata()?.len(), fs::metadata("docs")?.is_dir());
    println!("{} lines", BufReader::new(File::open("large.txt")?).lines().count());
    println!("{} {}", Path::new("hello.txt").exists(), Path::new("nothing").exists());
    println!("{} {}", fs::write("new", "x").is_err(), fs::remove_file("hello.txt").is_err());
    println!("{} {}", fs::create_dir("made").is_err(), fs::rename("empty", "full").is_err());
    Ok(())
}
