//! The world of `guest.wit` in Rust.

use std::cell::Cell;

use exports::example::guest::dates::{Date, Guest as Dates, Problem, Weekday};

wit_bindgen::generate!({ path: "../guest.wit", world: "guest" });

struct Component;

export!(Component);

fn days_of_month(year: i16, month: u8) -> Option<u8> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => Some(if is_leap { 29 } else { 28 }),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

fn is_date(date: Date) -> bool {
    days_of_month(date.year, date.month).is_some_and(|days| (1..=days).contains(&date.day))
}

/// Returns the number of days since 1970-01-01, as the years begin in March.
fn number(date: Date) -> i32 {
    let (month, day) = (i32::from(date.month), i32::from(date.day));
    let year = i32::from(date.year) - i32::from(month <= 2);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

impl Dates for Component {
    fn parse(text: String) -> Result<Date, Problem> {
        if text.is_empty() {
            return Err(Problem::Empty);
        }
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().unwrap_or("").parse::<u16>().map_err(|_| Problem::NoNumber);
        let (year, month, day) = (part()?, part()?, part()?);
        let small = |number: u16| u8::try_from(number).map_err(|_| Problem::NoSuchDate);
        let year = i16::try_from(year).map_err(|_| Problem::NoSuchDate)?;
        let date = Date { year, month: small(month)?, day: small(day)? };
        if is_date(date) { Ok(date) } else { Err(Problem::NoSuchDate) }
    }

    fn add(date: Date, days: i32) -> Result<Date, String> {
        if !is_date(date) {
            return Err(format!("there is no day {} in month {}", date.day, date.month));
        }
        let too_far = || "the year is too far away".to_owned();
        let number = number(date).checked_add(days).ok_or_else(too_far)?;
        let shifted = i64::from(number) + 719_468;
        let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = i16::try_from(year + 400 * era + i64::from(month <= 2)).map_err(|_| too_far())?;
        Ok(Date { year, month: month as u8, day: day as u8 })
    }

    fn day(date: Date) -> Option<Weekday> {
        use Weekday::*;
        let all = [Thursday, Friday, Saturday, Sunday, Monday, Tuesday, Wednesday];
        is_date(date).then(|| all[number(date).rem_euclid(7) as usize])
    }

    fn check(date: Date) -> Result<(), Problem> {
        if is_date(date) { Ok(()) } else { Err(Problem::NoSuchDate) }
    }
}

thread_local! {
    static STATE: Cell<Option<u64>> = const { Cell::new(None) };
}

impl Guest for Component {
    fn summarize(values: Vec<f64>, weights: Option<Vec<f64>>) -> Result<Summary, String> {
        if values.is_empty() {
            return Err("there are no numbers".into());
        }
        if weights.as_ref().is_some_and(|weights| weights.len() != values.len()) {
            return Err("there are not as many weights as numbers".into());
        }
        let weight = |i: usize| weights.as_ref().map_or(1.0, |weights| weights[i]);
        let (mut total, mut sum) = (0.0, 0.0);
        let mut extent = (values[0], values[0]);
        for (i, value) in values.iter().enumerate() {
            total += weight(i);
            sum += weight(i) * value;
            if *value < extent.0 {
                extent.0 = *value;
            }
            if *value > extent.1 {
                extent.1 = *value;
            }
        }
        let mean = sum / total;
        let mut squares = 0.0;
        for (i, value) in values.iter().enumerate() {
            squares += weight(i) * ((value - mean) * (value - mean));
        }
        Ok(Summary { count: values.len() as u32, mean, deviation: (squares / total).sqrt(), extent })
    }

    fn best(scores: Vec<f32>, at_least: Option<f32>) -> Option<(u32, f32)> {
        let mut best = None;
        for (i, score) in (0..).zip(scores) {
            let is_better = best.is_none_or(|(_, known)| score > known);
            if is_better && at_least.is_none_or(|least| score >= least) {
                best = Some((i, score));
            }
        }
        best
    }

    fn format(text: String, style: Style, fill: char, width: u8) -> String {
        let text = if style.contains(Style::TRIM) { text.trim_matches(' ') } else { &text[..] };
        let mut text = text.to_owned();
        if style.contains(Style::UPPER) {
            text.make_ascii_uppercase();
        }
        if style.contains(Style::QUOTE) {
            text = format!("»{text}«");
        }
        let count = text.chars().count();
        text.extend(std::iter::repeat_n(fill, usize::from(width).saturating_sub(count)));
        text
    }

    fn special(text: String) -> Option<char> {
        text.chars().find(|c| !c.is_ascii_alphanumeric())
    }

    fn transform(points: Vec<f32>, matrix: Matrix) -> Result<Vec<f32>, String> {
        if points.len() % 3 != 0 {
            return Err(format!("{} numbers are no points", points.len()));
        }
        let row = |(a, b, c, d): (f32, f32, f32, f32), p: &[f32]| a * p[0] + b * p[1] + c * p[2] + d;
        let mut made = Vec::new();
        for point in points.chunks_exact(3) {
            let w = row(matrix.w, point);
            made.extend([matrix.x, matrix.y, matrix.z].map(|line| row(line, point) / w));
        }
        Ok(made)
    }

    fn next(start: u64) -> u64 {
        let state = STATE.get().unwrap_or(start);
        let next = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        STATE.set(Some(next));
        next
    }
}
