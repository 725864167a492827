//! The files of models, for tests that look into them.

use prost::Message;
use serde_json::Value as Json;
use wasm2onnx::proto::{AttributeType, DataType, GraphProto, ModelProto, NodeProto, TensorProto};

/// A model's file, decoded.
pub struct File(pub ModelProto);

impl File {
    /// Decodes a model.
    ///
    /// # Panics
    ///
    /// If the bytes are not a model, or it has no graph.
    pub fn read(model: &[u8]) -> File {
        let model = ModelProto::decode(model).expect("an ONNX model");
        assert!(model.graph.is_some(), "a model has a graph");
        File(model)
    }

    /// Returns the outermost graph.
    pub fn graph(&self) -> &GraphProto {
        self.0.graph.as_ref().expect("checked when it was read")
    }

    /// Returns the outermost graph, to be changed.
    pub fn graph_mut(&mut self) -> &mut GraphProto {
        self.0.graph.as_mut().expect("checked when it was read")
    }

    /// Encodes the file again.
    pub fn write(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Returns the metadata with the key `wasm2onnx.` and `key`, if there is any.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let entry = self.0.metadata_props.iter().find(|e| e.key.strip_prefix("wasm2onnx.") == Some(key));
        entry.map(|entry| entry.value.as_str())
    }

    /// Returns the metadata with this key as JSON.
    ///
    /// # Panics
    ///
    /// If there is no metadata with this key, or it is not JSON.
    pub fn json(&self, key: &str) -> Json {
        let text = self.metadata(key).unwrap_or_else(|| panic!("no metadata wasm2onnx.{key}"));
        serde_json::from_str(text).unwrap_or_else(|error| panic!("wasm2onnx.{key}: {error}"))
    }

    /// Returns an initializer.
    ///
    /// # Panics
    ///
    /// If there is none with this name.
    pub fn tensor(&self, name: &str) -> &TensorProto {
        let tensor = self.graph().initializer.iter().find(|tensor| tensor.name == name);
        tensor.unwrap_or_else(|| panic!("no initializer {name}"))
    }

    /// Returns the elements of an initializer of doubles.
    ///
    /// # Panics
    ///
    /// If there is none of that name and type.
    pub fn doubles(&self, name: &str) -> Vec<f64> {
        let tensor = self.tensor(name);
        assert_eq!(tensor.data_type, DataType::Double as i32, "{name} holds no doubles");
        tensor.raw_data.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    /// Returns the elements of an initializer of int64.
    ///
    /// # Panics
    ///
    /// If there is none of that name and type.
    pub fn integers(&self, name: &str) -> Vec<i64> {
        let tensor = self.tensor(name);
        assert_eq!(tensor.data_type, DataType::Int64 as i32, "{name} holds no int64");
        tensor.raw_data.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
    }

    /// Returns whether it is of the paged variant, which takes one instance at a time.
    pub fn takes_one_instance(&self) -> bool {
        self.nodes().iter().any(|(.., node)| node.op_type == "SequenceAt")
    }

    /// Returns all nodes, including those of loops' bodies, each behind the number of loops that its graph is
    /// in, and this graph.
    pub fn nodes(&self) -> Vec<(usize, &GraphProto, &NodeProto)> {
        fn walk<'f>(
            depth: usize,
            graph: &'f GraphProto,
            all: &mut Vec<(usize, &'f GraphProto, &'f NodeProto)>,
        ) {
            for node in &graph.node {
                all.push((depth, graph, node));
                for body in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
                    walk(depth + 1, body, all);
                }
            }
        }
        let mut all = Vec::new();
        walk(0, self.graph(), &mut all);
        all
    }
}

/// Returns an integer attribute of a node, if the node has it.
pub fn integer(node: &NodeProto, name: &str) -> Option<i64> {
    let attribute = node.attribute.iter().find(|attribute| attribute.name == name)?;
    (attribute.r#type == AttributeType::Int as i32).then_some(attribute.i)
}
