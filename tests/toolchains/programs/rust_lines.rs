//! Lines by BufRead, answers at once; time and sleeping.
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() -> io::Result<()> {
    let start = Instant::now();
    let mut sum = 0i64;
    for (number, line) in io::stdin().lock().lines().enumerate() {
        match line?.trim().parse::<i64>() {
            Ok(value) => sum = sum.wrapping_add(value),
            Err(error) => eprintln!("line {}: {error}", number + 1),
        }
        print!("{sum} ");
        io::stdout().flush()?;
    }
    println!();
    std::thread::sleep(Duration::from_millis(2));
    println!("slept {}", start.elapsed() >= Duration::from_millis(2));
    println!(
        "now {}",
        SystemTime::now().duration_since(UNIX_EPOCH).is_ok_and(|time| time.as_secs() > 1_577_836_800)
    );
    println!("terminals {} {}", io::stdin().is_terminal(), io::stdout().is_terminal());
    println!("thread {}", std::thread::Builder::new().spawn(|| {}).is_err());
    Ok(())
}
