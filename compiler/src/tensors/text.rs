//! Reads signatures of functions of tensors.

use wasm2onnx_runtime::{Boundary, Dim, ElementType, Spec};

use super::{Abi, Arg, MAX_BYTES, Signed, TensorFunction};

/// Names of inputs and outputs that models have anyway.
const RESERVED: [&str; 13] = [
    "max_steps",
    "argv",
    "environ",
    "files",
    "stdin",
    "clock",
    "seed",
    "trap",
    "steps",
    "error",
    "stdout",
    "stderr",
    "exit_code",
];

/// Reads `NAME(PARAMETERS) -> RESULTS`.
pub(super) fn parse(text: &str) -> Result<TensorFunction, String> {
    let open = text.find('(').ok_or("expected NAME(PARAMETERS) -> RESULT")?;
    let name = text[..open].trim();
    if name.is_empty() {
        return Err("it does not begin with the name of an export".into());
    }
    let mut reader = Reader { rest: &text[open..] };
    let (mut boundary, mut signed) = (Boundary::default(), Signed::default());
    reader.expect("(")?;
    if !reader.take(")") {
        loop {
            param(&mut reader, &mut boundary, &mut signed)?;
            if reader.take(")") {
                break;
            }
            reader.expect(",")?;
        }
    }
    if reader.take("->") {
        results(&mut reader, &mut boundary, &mut signed)?;
    }
    if !reader.rest.trim().is_empty() {
        return Err(reader.unexpected("the end"));
    }
    let function = TensorFunction { name: name.into(), boundary, abi: Abi::Signature(signed) };
    check(&function)?;
    Ok(function)
}

/// Reads a parameter.
fn param(reader: &mut Reader, boundary: &mut Boundary, signed: &mut Signed) -> Result<(), String> {
    let name = reader.name("the name of a parameter")?.to_owned();
    reader.expect(":")?;
    let mut word = reader.name("a type, or `out` and a type")?;
    let is_out = word == "out";
    if is_out {
        word = reader.name("a type")?;
    }
    let element = element(word)?;
    let mut shape = Vec::new();
    if reader.take("[") {
        while !reader.take("]") {
            if !shape.is_empty() {
                reader.expect(",")?;
            } else if reader.take(",") {
                return Err(reader.unexpected("a size"));
            }
            shape.push(reader.dim()?);
        }
        if shape.is_empty() && is_out {
            return Err(format!("the output `{name}` needs a size: how many elements there is room for"));
        }
        // Its only dimension is called as it is.
        if shape.is_empty() {
            shape.push(Dim::Named(name.clone()));
        }
    }
    let Boundary { inputs, outputs } = boundary;
    signed.args.push(match (is_out, shape.len()) {
        (false, 0) => Arg::Scalar(inputs.len()),
        (false, _) => Arg::In(inputs.len()),
        (true, dims) => Arg::Out { output: outputs.len(), most: None, capacity: dims == 1 },
    });
    let list = if is_out { outputs } else { inputs };
    list.push(Spec { name, element, shape });
    Ok(())
}

/// Reads what follows the arrow.
fn results(reader: &mut Reader, boundary: &mut Boundary, signed: &mut Signed) -> Result<(), String> {
    if reader.take("(") {
        loop {
            let ty = element(reader.name("a type")?)?;
            result(&mut boundary.outputs, signed, ty);
            if reader.take(")") {
                return Ok(());
            }
            reader.expect(",")?;
        }
    }
    let word = reader.name("`len(OUTPUT)`, or a type")?;
    if word != "len" {
        let ty = element(word)?;
        result(&mut boundary.outputs, signed, ty);
        return Ok(());
    }
    reader.expect("(")?;
    loop {
        let name = reader.name("the name of an output")?;
        let outputs = &mut boundary.outputs;
        let output = outputs.iter().position(|output| output.name == name);
        let output = output.ok_or_else(|| format!("there is no output `{name}`"))?;
        let shape = &mut outputs[output].shape;
        if shape.is_empty() {
            return Err(format!("`{name}` is one number, and has no length"));
        }
        let counted = shape.iter().position(|dim| *dim != Dim::Fixed(1)).unwrap_or(0);
        if shape.contains(&Dim::Counted) {
            return Err(format!("the length of `{name}` is given twice"));
        }
        let most = std::mem::replace(&mut shape[counted], Dim::Counted);
        for arg in &mut signed.args {
            if matches!(arg, Arg::Out { output: o, .. } if *o == output) {
                *arg = Arg::Out { output, most: Some(most.clone()), capacity: true };
            }
        }
        if reader.take(")") {
            break;
        }
        reader.expect(",")?;
    }
    signed.counts = true;
    Ok(())
}

/// Adds a result that is a number.
fn result(outputs: &mut Vec<Spec>, signed: &Signed, element: ElementType) {
    let returned = signed.returned(outputs).count();
    outputs.push(Spec { name: format!("result{returned}"), element, shape: Vec::new() });
}

/// Checks what the parts do not show by themselves.
pub(super) fn check(function: &TensorFunction) -> Result<(), String> {
    let boundary = &function.boundary;
    if let Some(spec) = boundary.all().find(|spec| RESERVED.contains(&&spec.name[..])) {
        let (name, all) = (&spec.name, RESERVED.join(", "));
        return Err(format!("no tensor can be called `{name}`: models have inputs or outputs called {all}"));
    }
    boundary.check()?;
    let capacity = |output| match &function.abi {
        Abi::Signature(signed) => signed.capacity(&boundary.outputs, output),
        #[cfg(feature = "wit")]
        Abi::Canonical(_) => boundary.outputs[output].shape.clone(),
    };
    let outputs = (0..).zip(&boundary.outputs).map(|(i, output)| (output, capacity(i)));
    for (spec, shape) in boundary.inputs.iter().map(|input| (input, input.shape.clone())).chain(outputs) {
        let mut bytes = spec.element.bytes() as u64;
        for dim in &shape {
            match dim {
                Dim::Fixed(size) => bytes = bytes.saturating_mul((*size).max(1).into()),
                Dim::Named(name) if !boundary.has_size(name) => {
                    return Err(format!("no input has a dimension `{name}`, which is the size of an output"));
                }
                _ => {}
            }
        }
        if bytes > MAX_BYTES {
            let name = &spec.name;
            return Err(format!(
                "`{name}` has {bytes} bytes or more, and no tensor has more than {MAX_BYTES}"
            ));
        }
    }
    Ok(())
}

fn element(word: &str) -> Result<ElementType, String> {
    ElementType::from_name(word).ok_or_else(|| {
        let all = ElementType::ALL.map(ElementType::name).join(", ");
        format!("`{word}` is no type of elements; these are {all}")
    })
}

/// What is still to be read.
struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// Reads a token if it comes next.
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        self.rest = rest.strip_prefix(token).unwrap_or(rest);
        self.rest.len() < rest.len()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected(&format!("`{token}`"))) }
    }

    /// Reads a name: letters, digits and `_`, beginning with a letter or `_`. Models have names of their own with other characters.
    fn name(&mut self, what: &str) -> Result<&'t str, String> {
        let rest = self.rest.trim_start();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return Err(self.unexpected(what));
        }
        self.rest = &rest[end..];
        Ok(&rest[..end])
    }

    /// Reads the size of a dimension.
    fn dim(&mut self) -> Result<Dim, String> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if end == 0 {
            return Ok(Dim::Named(self.name("a size, or a name for one")?.into()));
        }
        let size = rest[..end].parse().ok().filter(|size| *size <= i32::MAX as u32);
        self.rest = &rest[end..];
        size.map(Dim::Fixed).ok_or_else(|| format!("the size {} is too large", &rest[..end]))
    }

    fn unexpected(&self, what: &str) -> String {
        match self.rest.trim() {
            "" => format!("expected {what} at the end"),
            rest => format!("expected {what} at `{rest}`"),
        }
    }
}
