//! Turns arguments on the command line into values of the types that the exported function takes.

use wasm2onnx_runtime::{Value, ValueType};

/// Reads one argument.
///
/// An integer is decimal or, after `0x`, hexadecimal. It is accepted if it fits into the bits of its type
/// either as a signed or as an unsigned integer. Floats are read as Rust reads them. A reference is `null`.
pub fn parse(text: &str, ty: ValueType) -> Result<Value, String> {
    match ty {
        ValueType::I32 => integer(text, 32).map(|bits| Value::I32(bits as i32)),
        ValueType::I64 => integer(text, 64).map(|bits| Value::I64(bits as i64)),
        ValueType::F32 => text.parse().map(|x: f32| Value::F32(x.to_bits())).map_err(|e| e.to_string()),
        ValueType::F64 => text.parse().map(|x: f64| Value::F64(x.to_bits())).map_err(|e| e.to_string()),
        ValueType::FuncRef | ValueType::ExternRef if text == "null" => Ok(Value::from_words(ty, [0, 0])),
        ValueType::FuncRef | ValueType::ExternRef => Err("a reference can only be `null` here".to_owned()),
    }
}

/// Reads an integer of this many bits, signed or unsigned.
fn integer(text: &str, bits: u32) -> Result<u64, String> {
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match magnitude.strip_prefix("0x").or_else(|| magnitude.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (magnitude, 10),
    };
    // `from_str_radix` would accept a second sign.
    if digits.starts_with(['+', '-']) {
        return Err("invalid digit found in string".to_owned());
    }
    let magnitude = u128::from_str_radix(digits, radix).map_err(|e| e.to_string())?;
    let largest = if negative { 1 << (bits - 1) } else { (1 << bits) - 1 };
    if magnitude > largest {
        return Err(format!("it does not fit into {bits} bits"));
    }
    let magnitude = magnitude as u64;
    Ok(if negative { magnitude.wrapping_neg() } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_signed_or_unsigned() {
        let i32 = |text| parse(text, ValueType::I32);
        for (text, value) in [
            ("0", 0),
            ("-1", -1),
            ("+7", 7),
            ("4294967295", -1),
            ("2147483648", i32::MIN),
            ("-2147483648", i32::MIN),
            ("0xffffffff", -1),
            ("-0x10", -16),
            ("0X7F", 127),
        ] {
            assert_eq!(i32(text), Ok(Value::I32(value)), "{text}");
        }
        for text in ["", "-", "0x", "1.0", "4294967296", "-2147483649", "--1", "0x-1", "1_000", "ten", " 1"] {
            assert!(i32(text).is_err(), "{text}");
        }
        let i64 = |text| parse(text, ValueType::I64);
        assert_eq!(i64("18446744073709551615"), Ok(Value::I64(-1)));
        assert_eq!(i64("-9223372036854775808"), Ok(Value::I64(i64::MIN)));
        assert!(i64("18446744073709551616").is_err());
        assert!(i64("-9223372036854775809").is_err());
        assert!(i64("0xffffffffffffffffffffffffffffffffff").is_err());
    }

    #[test]
    fn floats_keep_their_bits() {
        assert_eq!(parse("-0", ValueType::F32), Ok(Value::F32(0x8000_0000)));
        assert_eq!(parse("0.1", ValueType::F64), Ok(Value::F64(0.1f64.to_bits())));
        assert_eq!(parse("-inf", ValueType::F64), Ok(Value::F64(f64::NEG_INFINITY.to_bits())));
        assert_eq!(parse("1e40", ValueType::F32), Ok(Value::F32(f32::INFINITY.to_bits())));
        assert!(parse("one", ValueType::F32).is_err());
    }

    #[test]
    fn references_are_null() {
        assert_eq!(parse("null", ValueType::FuncRef), Ok(Value::FuncRef(None)));
        assert_eq!(parse("null", ValueType::ExternRef), Ok(Value::ExternRef(None)));
        assert!(parse("1", ValueType::ExternRef).is_err());
    }
}
