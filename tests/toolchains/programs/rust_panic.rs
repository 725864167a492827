//! Panics: a message on standard error, then a trap; and errors that main returns.
use std::hint::black_box;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("before");
    let how = std::env::args().nth(1).unwrap_or_default();
    let numbers = black_box([1, 2, 3]);
    match how.as_str() {
        "panic" => panic!("because {}", numbers[0]),
        "index" => println!("{}", numbers[black_box(7)]),
        "unwrap" => println!("{}", black_box(None::<i32>).unwrap()),
        "result" => println!("{}", "x1".parse::<i32>()?),
        "overflow" => println!("{}", black_box(i32::MAX).checked_add(1).expect("too large")),
        "divide" => println!("{}", 1 / black_box(0)),
        "memory" => println!("{}", vec![1u8; black_box(0x7000_0000)].len()),
        _ => {}
    }
    println!("after");
    Ok(())
}
