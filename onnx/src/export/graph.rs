//! Building ONNX graphs: nodes named by their role, initializers, bodies of loops.
//!
//! A value is named by the output that makes it, for instance `run/step/read`: the path of the group that the
//! builder is in, and the node's role in this group. ONNX requires names to be unique over all nested graphs,
//! and paths are. Weights, tables and everything else that belongs to a program are initializers of the
//! outermost graph; bodies of loops refer to them by name.

use rustc_hash::FxHashSet;

use crate::proto::{
    AttributeProto, AttributeType, DataType, Dimension, DimensionValue, GraphProto, NodeProto, SequenceType,
    TensorProto, TensorShapeProto, TensorType, TypeProto, TypeValue, ValueInfoProto,
};

/// Name of a value.
pub type Name = String;

/// Content of an initializer.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its shape.
    pub dims: Vec<i64>,
    /// Its elements, little-endian.
    pub bytes: Vec<u8>,
    /// Their type.
    pub ty: DataType,
}

/// Element types that tensors are made of.
pub trait Element: Copy {
    /// ONNX's name for the type.
    const TYPE: DataType;
    /// Appends the element's little-endian bytes.
    fn append(self, bytes: &mut Vec<u8>);
}

macro_rules! elements {
    ($($ty:ty => $data_type:ident),*) => {$(
        impl Element for $ty {
            const TYPE: DataType = DataType::$data_type;
            fn append(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }
        }
    )*};
}

elements!(f64 => Double, f32 => Float, i64 => Int64, i32 => Int32, i16 => Int16, i8 => Int8, u32 => Uint32, u16 => Uint16, u8 => Uint8);

impl Tensor {
    /// Makes a tensor of any shape.
    pub fn new<T: Element>(dims: &[usize], elements: impl IntoIterator<Item = T>) -> Tensor {
        let mut bytes = Vec::with_capacity(dims.iter().product::<usize>() * size_of::<T>());
        elements.into_iter().for_each(|element| element.append(&mut bytes));
        let dims: Vec<i64> = dims.iter().map(|dim| *dim as i64).collect();
        debug_assert_eq!(dims.iter().product::<i64>() as usize * size_of::<T>(), bytes.len());
        Tensor { dims, bytes, ty: T::TYPE }
    }

    /// Makes a list.
    pub fn list<T: Element>(elements: &[T]) -> Tensor {
        Tensor::new(&[elements.len()], elements.iter().copied())
    }

    /// Makes a tensor of one number, without dimensions.
    pub fn scalar<T: Element>(element: T) -> Tensor {
        Tensor::new(&[], [element])
    }

    /// Makes a tensor of one truth value, without dimensions.
    pub fn boolean(value: bool) -> Tensor {
        Tensor { dims: Vec::new(), bytes: vec![value.into()], ty: DataType::Bool }
    }

    /// Makes a matrix with one row.
    pub fn row<T: Element>(elements: &[T]) -> Tensor {
        Tensor::new(&[1, elements.len()], elements.iter().copied())
    }

    /// Makes a list of integers of the smallest type that holds all of them, which is signed if one is
    /// negative.
    pub fn smallest<T: Copy + Into<i64>>(integers: Vec<T>) -> Tensor {
        let wide = integers.iter().map(|x| (*x).into());
        let (lo, hi) = wide.fold((0, 0), |(lo, hi), x: i64| (x.min(lo), x.max(hi)));
        let fits = |min: i64, max: i64| min <= lo && hi <= max;
        let dims = [integers.len()];
        let integers = integers.into_iter().map(Into::into);
        match () {
            () if fits(0, u8::MAX.into()) => Tensor::new(&dims, integers.map(|x| x as u8)),
            () if fits(i8::MIN.into(), i8::MAX.into()) => Tensor::new(&dims, integers.map(|x| x as i8)),
            () if fits(0, u16::MAX.into()) => Tensor::new(&dims, integers.map(|x| x as u16)),
            () if fits(i16::MIN.into(), i16::MAX.into()) => Tensor::new(&dims, integers.map(|x| x as i16)),
            () if fits(0, u32::MAX.into()) => Tensor::new(&dims, integers.map(|x| x as u32)),
            () if fits(i32::MIN.into(), i32::MAX.into()) => Tensor::new(&dims, integers.map(|x| x as i32)),
            () => Tensor::new(&dims, integers),
        }
    }

    /// Gives a tensor another shape with as many elements.
    pub fn shaped(self, dims: &[usize]) -> Tensor {
        let dims: Vec<i64> = dims.iter().map(|size| *size as i64).collect();
        debug_assert_eq!(dims.iter().product::<i64>(), self.dims.iter().product::<i64>());
        Tensor { dims, ..self }
    }

    fn proto(self, name: &str) -> TensorProto {
        TensorProto {
            name: name.to_owned(),
            dims: self.dims,
            data_type: self.ty as i32,
            raw_data: self.bytes,
            ..TensorProto::default()
        }
    }
}

/// An attribute of a node.
pub enum Attribute {
    /// An integer.
    Int(&'static str, i64),
    /// The one element of a tensor that `ConstantOfShape` repeats.
    Value(Tensor),
    /// A word.
    Text(&'static str, &'static str),
    /// A number.
    Float(&'static str, f32),
    /// The body of a loop, or a branch of a choice.
    Body(&'static str, GraphProto),
}

impl Attribute {
    /// Returns the attribute for the type that `Cast` converts to.
    fn to(ty: DataType) -> Attribute {
        Attribute::Int("to", ty as i64)
    }

    fn proto(self) -> AttributeProto {
        let mut proto = AttributeProto::default();
        let (name, ty) = match self {
            Attribute::Int(name, i) => {
                proto.i = i;
                (name, AttributeType::Int)
            }
            Attribute::Text(name, text) => {
                proto.s = text.into();
                (name, AttributeType::String)
            }
            Attribute::Float(name, f) => {
                proto.f = f;
                (name, AttributeType::Float)
            }
            Attribute::Value(tensor) => {
                proto.t = Some(tensor.proto(""));
                ("value", AttributeType::Tensor)
            }
            Attribute::Body(name, graph) => {
                proto.g = Some(graph);
                (name, AttributeType::Graph)
            }
        };
        proto.name = name.to_owned();
        proto.r#type = ty.into();
        proto
    }
}

/// A dimension of a value at a boundary.
#[derive(Clone, Copy, Debug)]
pub enum Dim {
    /// This number of elements.
    Fixed(i64),
    /// As many elements as the program or the caller determines; the dimension has a name.
    Named(&'static str),
}

/// Type of a value at a boundary: of a graph, or of a loop's body.
#[derive(Clone, Debug)]
pub struct ValueType {
    ty: DataType,
    /// `None` if the number of elements changes as the loop goes on.
    dims: Option<Vec<DimensionValue>>,
    sequence: bool,
}

impl ValueType {
    /// Returns the type of tensors of a shape.
    pub fn tensor(ty: DataType, dims: &[Dim]) -> ValueType {
        let value = |dim: &Dim| match *dim {
            Dim::Fixed(count) => DimensionValue::Count(count),
            Dim::Named(name) => DimensionValue::Name(name.to_owned()),
        };
        ValueType::shaped(ty, dims.iter().map(value).collect())
    }

    /// Returns the type of tensors with these dimensions.
    pub fn shaped(ty: DataType, dims: Vec<DimensionValue>) -> ValueType {
        ValueType { ty, dims: Some(dims), sequence: false }
    }

    /// Returns the type of tensors whose shape is not declared.
    pub fn unshaped(ty: DataType) -> ValueType {
        ValueType { ty, dims: None, sequence: false }
    }

    /// Returns the type of sequences of tensors.
    pub fn sequence(ty: DataType) -> ValueType {
        ValueType { ty, dims: None, sequence: true }
    }

    fn info(&self, name: &str) -> ValueInfoProto {
        let dimension = |value: &DimensionValue| Dimension { value: Some(value.clone()) };
        let shape =
            self.dims.as_ref().map(|dims| TensorShapeProto { dim: dims.iter().map(dimension).collect() });
        let mut value = TypeValue::Tensor(TensorType { elem_type: self.ty as i32, shape });
        if self.sequence {
            let elem_type = Some(Box::new(TypeProto { value: Some(value) }));
            value = TypeValue::Sequence(Box::new(SequenceType { elem_type }));
        }
        let ty = TypeProto { value: Some(value) };
        ValueInfoProto { name: name.to_owned(), r#type: Some(ty), doc_string: String::new() }
    }
}

/// A value that a loop carries from iteration to iteration.
pub struct Carried {
    /// Its role.
    pub role: &'static str,
    /// Its type.
    pub ty: ValueType,
    /// Its first value.
    pub first: Name,
}

/// A graph in the making.
#[derive(Default)]
pub struct Graph {
    /// Nodes of the graph and of the bodies that are open, the innermost last.
    nodes: Vec<Vec<NodeProto>>,
    initializers: Vec<TensorProto>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
    path: Vec<&'static str>,
    /// All names so far: none may occur twice, not even in different graphs.
    names: FxHashSet<Name>,
    /// Description of the group that the next node begins.
    doc: Option<&'static str>,
}

impl Graph {
    /// Makes an empty graph.
    pub fn new() -> Graph {
        Graph { nodes: vec![Vec::new()], ..Graph::default() }
    }

    /// Builds a group of nodes: their names begin with the group's name, and the first node carries its
    /// description.
    pub fn group<R>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        build: impl FnOnce(&mut Graph) -> R,
    ) -> R {
        self.path.push(name);
        self.doc = Some(doc);
        let result = build(self);
        self.path.pop();
        result
    }

    fn named(&self, role: &str) -> Name {
        let mut name: Vec<&str> = self.path.clone();
        name.push(role);
        name.join("/")
    }

    fn push(
        &mut self,
        role: &str,
        op: &str,
        inputs: &[&str],
        outputs: Vec<Name>,
        attributes: Vec<Attribute>,
    ) {
        let node = NodeProto {
            name: self.named(role),
            op_type: op.to_owned(),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: outputs,
            attribute: attributes.into_iter().map(Attribute::proto).collect(),
            doc_string: self.doc.take().unwrap_or_default().to_owned(),
            ..NodeProto::default()
        };
        for name in &node.output {
            assert!(self.names.insert(name.clone()), "two values are called {name}");
        }
        self.nodes.last_mut().expect("the graph is open").push(node);
    }

    /// Adds a node with one output and returns the output's name.
    pub fn op(&mut self, role: &str, op: &str, inputs: &[&str], attributes: Vec<Attribute>) -> Name {
        let output = self.named(role);
        self.push(role, op, inputs, vec![output.clone()], attributes);
        output
    }

    /// Adds a node without attributes.
    pub fn plain(&mut self, role: &str, op: &str, inputs: &[&str]) -> Name {
        self.op(role, op, inputs, Vec::new())
    }

    /// Adds a node that works along an axis.
    pub fn along(&mut self, role: &str, op: &str, axis: i64, inputs: &[&str]) -> Name {
        self.op(role, op, inputs, vec![Attribute::Int("axis", axis)])
    }

    /// Adds an output of the graph, and a node that gives it this name.
    pub fn output(&mut self, name: &str, ty: ValueType, value: &str) {
        let node = NodeProto {
            name: self.named(name),
            op_type: "Identity".to_owned(),
            input: vec![value.to_owned()],
            output: vec![name.to_owned()],
            ..NodeProto::default()
        };
        self.nodes.last_mut().expect("the graph is open").push(node);
        self.outputs.push(ty.info(name));
    }

    /// Makes an output of the graph of a value that a node of the outermost graph, not of a body, makes: the
    /// node's output is renamed. With [`Graph::output`], a runtime would copy the value if another node uses
    /// it too.
    pub fn output_itself(&mut self, name: &str, ty: ValueType, value: &str) {
        debug_assert!(self.is_own(value));
        let nodes = self.nodes.last_mut().expect("the graph is open");
        let uses = nodes.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        uses.filter(|other| *other == value).for_each(|other| *other = name.to_owned());
        self.outputs.push(ty.info(name));
    }

    /// Adds an input of the graph.
    pub fn input(&mut self, name: &str, ty: ValueType) -> Name {
        self.inputs.push(ty.info(name));
        name.to_owned()
    }

    /// Adds a value with a default, which a caller can change if it is an input.
    pub fn with_default(&mut self, name: &str, ty: ValueType, tensor: Tensor, is_input: bool) -> Name {
        let value = self.initializer(name, tensor);
        if is_input { self.input(name, ty) } else { value }
    }

    /// Finds the largest element, as a scalar.
    pub fn largest(&mut self, role: &str, value: &str) -> Name {
        self.op(role, "ReduceMax", &[value], vec![Attribute::Int("keepdims", 0)])
    }

    /// Cuts a value into parts along an axis; `sizes` is an initializer.
    pub fn split<const N: usize>(
        &mut self,
        role: &str,
        axis: i64,
        value: &str,
        sizes: &str,
        parts: [&str; N],
    ) -> [Name; N] {
        let outputs = parts.map(|part| self.named(part));
        self.push(role, "Split", &[value, sizes], outputs.to_vec(), vec![Attribute::Int("axis", axis)]);
        outputs
    }

    /// Converts the elements.
    pub fn cast(&mut self, role: &str, value: &str, ty: DataType) -> Name {
        self.op(role, "Cast", &[value], vec![Attribute::to(ty)])
    }

    /// Makes a tensor that repeats one number; its shape is a value.
    pub fn filled<T: Element>(&mut self, role: &str, shape: &str, element: T) -> Name {
        let value = Tensor::new(&[1], [element]);
        self.op(role, "ConstantOfShape", &[shape], vec![Attribute::Value(value)])
    }

    /// Adds an initializer of the outermost graph. The same name must have the same content.
    pub fn initializer(&mut self, name: &str, tensor: Tensor) -> Name {
        let proto = tensor.proto(name);
        match self.initializers.iter().find(|other| other.name == name) {
            Some(other) => debug_assert_eq!(other, &proto, "two initializers are called {name}"),
            None => self.initializers.push(proto),
        }
        name.to_owned()
    }

    /// Adds a loop. `build` gets the names of the iteration's number and of the carried values, and returns
    /// the condition for going on and the next values. Returns the last values.
    pub fn repeat(
        &mut self,
        role: &'static str,
        trips: &str,
        condition: &str,
        carried: Vec<Carried>,
        build: impl FnOnce(&mut Graph, &str, &[Name]) -> (Name, Vec<Name>),
    ) -> Vec<Name> {
        let doc = self.doc.take();
        // All names in the body begin with the loop's name, not with those of what is around it, which would only
        // make them long.
        let around = std::mem::replace(&mut self.path, vec![role]);
        let iteration = self.named("iteration");
        let going = self.named("going.in");
        let names: Vec<Name> = carried.iter().map(|c| self.named(&format!("{}.in", c.role))).collect();
        self.nodes.push(Vec::new());
        let (condition_out, next) = build(self, &iteration, &names);
        let scalar = |ty| ValueType::tensor(ty, &[]);
        // Each output of a body must be made by a node of this body, and may be listed only once.
        let mut results =
            vec![(self.plain("going.out", "Identity", &[&condition_out]), scalar(DataType::Bool))];
        for (c, value) in carried.iter().zip(&next) {
            let own = self.is_own(value) && next.iter().filter(|other| *other == value).count() == 1;
            let value = match own {
                true => value.clone(),
                false => self.plain(&format!("{}.out", c.role), "Identity", &[value]),
            };
            results.push((value, c.ty.clone()));
        }
        let mut inputs = vec![scalar(DataType::Int64).info(&iteration), scalar(DataType::Bool).info(&going)];
        inputs.extend(carried.iter().zip(&names).map(|(c, name)| c.ty.info(name)));
        let body = GraphProto {
            name: self.named("body"),
            node: self.nodes.pop().expect("the body is open"),
            input: inputs,
            output: results.iter().map(|(name, ty)| ty.info(name)).collect(),
            ..GraphProto::default()
        };
        self.path = around;
        let outputs: Vec<Name> =
            carried.iter().map(|c| self.named(&format!("{role}/{}.last", c.role))).collect();
        let mut arguments = vec![trips, condition];
        arguments.extend(carried.iter().map(|c| c.first.as_str()));
        self.doc = doc;
        self.push(role, "Loop", &arguments, outputs.clone(), vec![Attribute::Body("body", body)]);
        outputs
    }

    /// Adds a loop that carries nothing and makes one part of its result in each iteration. The result is the
    /// parts one after the other, [iterations, …]. `build` gets the name of the iteration's number.
    pub fn each(
        &mut self,
        role: &'static str,
        trips: &str,
        ty: ValueType,
        build: impl FnOnce(&mut Graph, &str) -> Name,
    ) -> Name {
        let doc = self.doc.take();
        self.path.push(role);
        let [iteration, going] = ["iteration", "going.in"].map(|role| self.named(role));
        self.nodes.push(Vec::new());
        let part = build(self, &iteration);
        debug_assert!(self.is_own(&part));
        let going_out = self.plain("going.out", "Identity", &[&going]);
        let scalar = |ty, name: &str| ValueType::tensor(ty, &[]).info(name);
        let body = GraphProto {
            name: self.named("body"),
            node: self.nodes.pop().expect("the body is open"),
            input: vec![scalar(DataType::Int64, &iteration), scalar(DataType::Bool, &going)],
            output: vec![scalar(DataType::Bool, &going_out), ty.info(&part)],
            ..GraphProto::default()
        };
        self.path.pop();
        self.doc = doc;
        let output = self.named(&format!("{role}/every"));
        let yes = self.initializer("const/true", Tensor::boolean(true));
        self.push(role, "Loop", &[trips, &yes], vec![output.clone()], vec![Attribute::Body("body", body)]);
        output
    }

    /// Makes one of two values, in the branch that a condition chooses.
    pub fn choose(
        &mut self,
        role: &'static str,
        condition: &str,
        ty: &ValueType,
        branches: [&mut dyn FnMut(&mut Graph) -> Name; 2],
    ) -> Name {
        let doc = self.doc.take();
        let around = std::mem::replace(&mut self.path, vec![role]);
        let mut attributes = Vec::new();
        for ((attribute, name), build) in
            [("then_branch", "then"), ("else_branch", "else")].into_iter().zip(branches)
        {
            self.path.push(name);
            self.nodes.push(Vec::new());
            let value = build(self);
            debug_assert!(self.is_own(&value));
            let graph = GraphProto {
                name: self.named("branch"),
                node: self.nodes.pop().expect("the branch is open"),
                output: vec![ty.info(&value)],
                ..GraphProto::default()
            };
            self.path.pop();
            attributes.push(Attribute::Body(attribute, graph));
        }
        self.path = around;
        self.doc = doc;
        self.op(role, "If", &[condition], attributes)
    }

    /// Adds numbers to the elements of a list that have these indices.
    pub fn add_at(&mut self, role: &str, list: &str, indices: &str, numbers: &str) -> Name {
        let add = vec![Attribute::Int("axis", 0), Attribute::Text("reduction", "add")];
        self.op(role, "ScatterElements", &[list, indices, numbers], add)
    }

    /// Picks the elements with these indices from a matrix with one row.
    pub fn pick(&mut self, role: &str, value: &str, indices: &str) -> Name {
        self.along(role, "GatherElements", 1, &[value, indices])
    }

    /// Returns whether a value is made by a node of the innermost graph.
    fn is_own(&self, value: &str) -> bool {
        let nodes = self.nodes.last().expect("the graph is open");
        nodes.iter().any(|node| node.output.iter().any(|output| output == value))
    }

    /// Returns the finished graph.
    pub fn finish(mut self, name: &str, doc: &str) -> GraphProto {
        let mut graph = GraphProto {
            name: name.to_owned(),
            doc_string: doc.to_owned(),
            node: self.nodes.pop().expect("the graph is open"),
            initializer: self.initializers,
            input: self.inputs,
            output: self.outputs,
        };
        // Some initializers are made for features that a program does not use, and ONNX Runtime warns of
        // those that no node uses. What a step model begins with is for its driver.
        let initializers = std::mem::take(&mut graph.initializer);
        let mut used: FxHashSet<&str> = graph.input.iter().map(|input| &input.name[..]).collect();
        used_names(&graph, &mut used);
        let is_of_use = |name: &str| used.contains(name) || name.starts_with("initial.");
        graph.initializer = initializers.into_iter().filter(|tensor| is_of_use(&tensor.name)).collect();
        graph
    }
}

/// Collects the names that nodes of a graph and of the graphs in it use, and the names of outputs.
fn used_names<'g>(graph: &'g GraphProto, names: &mut FxHashSet<&'g str>) {
    names.extend(graph.output.iter().map(|output| &output.name[..]));
    for node in &graph.node {
        names.extend(node.input.iter().map(String::as_str));
        node.attribute
            .iter()
            .filter_map(|attribute| attribute.g.as_ref())
            .for_each(|body| used_names(body, names));
    }
}
