//! HashMap (whose seed is random), BTreeMap, read_to_string, formatting.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;

fn main() {
    let mut text = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut text) {
        println!("{error}");
        std::process::exit(2);
    }
    let mut words: HashMap<&str, usize> = HashMap::new();
    for word in text.split_whitespace() {
        *words.entry(word).or_default() += 1;
    }
    let mut sorted: Vec<_> = words.iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (word, count) in &sorted {
        println!("{count:>3} {word}");
    }
    let lengths: BTreeMap<usize, HashSet<&str>> = words.keys().fold(BTreeMap::new(), |mut map, word| {
        map.entry(word.chars().count()).or_insert_with(HashSet::new).insert(word);
        map
    });
    println!("{:?}", lengths.iter().map(|(length, words)| (length, words.len())).collect::<Vec<_>>());
    println!("{:?} {:#x} {:08.3} {:e} {:>6}|{:<6}|{:^6}|", "q\"\n", 255, -3.14159, 1234.5, "r", "l", "m");
    println!("{} {} {} {:?} {}", f64::NAN, f64::INFINITY, 0.1 + 0.2, 1e300, u64::MAX);
    println!("{}", text.to_uppercase().chars().rev().collect::<String>().trim());
}
